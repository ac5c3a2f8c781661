"""The ledger keeps sealed secrets by project and name, and a keyring that only grows or is replaced as a whole."""

import pytest
from msgspec.structs import replace

from job_orchestra.core.commands import Rekey, RemoveSecret, SetSecret
from job_orchestra.core.errors import Conflict, InvalidInput, JobFileError, LimitReached, NotFound
from job_orchestra.core.jobfile import parse
from job_orchestra.core.ledger import Ledger, Outcome
from job_orchestra.core.model import BuildState, TaskState
from job_orchestra.core.secrecy import MAX_BYTES, MAX_PROJECT_BYTES, check
from tests.kit.builders import T0, Network, assign, join, new, spec, submit

WRAPS = {"a1": b"wrapped for a1"}


@pytest.fixture
def net() -> Network:
    """Give a network with a key for secrets."""
    one = Network()
    one.do(join())
    assert one.do(Rekey(T0, 1, WRAPS)).changed
    return one


def keep(
    net: Network, name: str = "TOKEN", box: bytes = b"sealed", project: str = "shop", generation: int = 1
) -> Outcome:
    return net.do(SetSecret(T0 + 1, "ann", project, name, box, generation))


def test_a_secret_is_kept_sealed_and_survives_a_restart(net: Network) -> None:
    keep(net)
    (task,) = net.changes.tasks.values()
    assert (task.kind, task.target, task.outcome, task.requester) == ("secrets.set", "shop/TOKEN", "set", "ann")
    again = Ledger(net.store.live(0))
    assert again.secrecy.sealed == net.ledger.secrecy.sealed
    assert again.secrecy.sealed["shop/TOKEN"].box == b"sealed"
    assert again.secrecy.keyring == net.ledger.secrecy.keyring
    assert again.digest() == net.ledger.digest()


def test_a_secret_takes_the_place_of_the_one_before(net: Network) -> None:
    keep(net)
    keep(net, box=b"another")
    assert net.ledger.secrecy.sealed["shop/TOKEN"].box == b"another"
    assert [one.outcome for one in net.changes.tasks.values()] == ["replaced"]


def test_a_removed_secret_is_gone_also_after_a_restart(net: Network) -> None:
    keep(net)
    assert net.do(RemoveSecret(T0 + 2, "ann", "shop", "TOKEN")).error is None
    assert net.ledger.secrecy.sealed == Ledger(net.store.live(0)).secrecy.sealed == {}
    assert isinstance(net.do(RemoveSecret(T0 + 2, "ann", "shop", "TOKEN")).error, NotFound)


def test_a_secret_that_was_sealed_with_an_older_key_is_refused(net: Network) -> None:
    net.do(Rekey(T0, 2, WRAPS))
    assert isinstance(keep(net).error, Conflict)
    assert net.ledger.secrecy.sealed == {}
    assert [one.state for one in net.changes.tasks.values()] == [TaskState.REFUSED]


def test_a_project_has_room_for_so_much(net: Network) -> None:
    half = b"x" * (MAX_PROJECT_BYTES // 2)
    keep(net, "A", half)
    keep(net, "B", half)
    assert isinstance(keep(net, "C", b"x").error, LimitReached)
    assert keep(net, "A", half).error is None
    assert keep(net, "C", b"x", project="other").error is None


def test_a_further_holder_gets_the_same_key(net: Network) -> None:
    keep(net)
    both = {**WRAPS, "a2": b"wrapped for a2"}
    assert net.do(Rekey(T0 + 2, 1, both)).changed
    assert net.ledger.secrecy.keyring.wraps == both
    assert net.ledger.secrecy.sealed["shop/TOKEN"].box == b"sealed"


def test_a_new_key_comes_with_everything_sealed_anew(net: Network) -> None:
    keep(net)
    seen = net.ledger.secrecy.keyring.changes
    assert net.do(Rekey(T0 + 2, 2, {"a2": b"w"}, {"shop/TOKEN": b"sealed anew"}, seen)).changed
    assert net.ledger.secrecy.sealed["shop/TOKEN"].box == b"sealed anew"
    assert (net.ledger.secrecy.keyring.generation, net.ledger.secrecy.keyring.wraps) == (2, {"a2": b"w"})


def test_a_new_key_that_did_not_see_all_secrets_is_void(net: Network) -> None:
    seen = net.ledger.secrecy.keyring.changes
    keep(net)
    before = net.ledger.secrecy.keyring
    assert not net.do(Rekey(T0 + 2, 2, {"a2": b"w"}, {}, seen)).changed
    keep(net, box=b"another value")
    assert not net.do(Rekey(T0 + 2, 2, {"a2": b"w"}, {"shop/TOKEN": b"of the one before"}, seen + 1)).changed
    assert not net.do(Rekey(T0 + 2, 3, {"a2": b"w"}, {"shop/TOKEN": b"x"}, seen + 2)).changed
    assert net.ledger.secrecy.keyring == replace(before, changes=before.changes + 1)
    assert net.ledger.secrecy.sealed["shop/TOKEN"].box == b"another value"


def test_a_build_whose_secrets_are_not_set_ends_with_the_remedy(net: Network) -> None:
    keep(net, "SET")
    wanted = spec(secrets=("SET", "OPEN", "SHUT"))
    command = replace(new(), spec=wanted.digest())
    (build,) = net.do(submit(builds=(command,), specs={wanted.digest(): wanted})).builds
    assert net.do(assign(build)).builds == ()
    found = net.stored(build)
    assert found.state is BuildState.ERROR
    assert "secrets OPEN, SHUT are not set for shop: orchestra secrets set OPEN --project shop" in found.reason
    assert net.ledger.attempts == {}


def test_a_build_whose_secrets_are_set_is_assigned(net: Network) -> None:
    keep(net, "SET")
    wanted = spec(secrets=("SET",))
    (build,) = net.do(submit(builds=(replace(new(), spec=wanted.digest()),), specs={wanted.digest(): wanted})).builds
    assert net.do(assign(build)).builds == (build,)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("1TOKEN", "12345678", "cannot name a secret"),
        ("", "12345678", "cannot name a secret"),
        ("A-B", "12345678", "cannot name a secret"),
        ("T\n", "12345678", "cannot name a secret"),
        ("PATH", "12345678", "another meaning"),
        ("ORCHESTRA_TMP", "12345678", "another meaning"),
        ("LD_PRELOAD", "12345678", "another meaning"),
        ("TOKEN", "s3cr3t", "fewer than 8 bytes"),
        ("TOKEN", "", "fewer than 8 bytes"),
        ("TOKEN", "s3cr3ts3cr3t\0", "NUL"),
        ("TOKEN", "s" * (MAX_BYTES + 1), "more than 16 KiB"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_without_telling_it(name: str, value: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        check(name, value)
    assert not value or value not in str(caught.value)


def test_what_can_be_a_secret_passes() -> None:
    for name in ("TOKEN", "_x1", "PyPi_Token", "PATHS", "CI_KEY"):
        check(name, "correct horse battery staple")


@pytest.mark.parametrize("name", ["TOKEN", "_x", "A" * 64, "1TOKEN", "A-B", "", "A" * 65, "PATH", "PARAM_X", "HÉ"])
def test_a_job_file_may_name_what_can_be_set_and_nothing_else(name: str) -> None:
    try:
        check(name, "correct-horse-battery")
    except InvalidInput:
        with pytest.raises(JobFileError):
            parse(f"project: demo\njobs:\n  a: {{ run: x, secrets: ['{name}'] }}\n", "f.yaml")
    else:
        assert parse(f"project: demo\njobs:\n  a: {{ run: x, secrets: ['{name}'] }}\n", "f.yaml")
