"""An agent forgets old builds by itself, with their logs, and nothing else."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from job_orchestra.agent import loglife, settings
from job_orchestra.agent.loglife import LogLife
from job_orchestra.agent.retaining import Retainer
from job_orchestra.core.errors import InvalidInput, Unavailable
from job_orchestra.core.model import BuildState
from job_orchestra.store.contract import Store
from job_orchestra.store.retention import Policy
from tests.kit.builders import attempt, batch, build, spec
from tests.kit.towns import Citizen, Town

DAY_MS = 24 * 3600 * 1000


def age(path: Path) -> None:
    """Let a file be older than anything that is left alone."""
    then = time.time() - loglife.SETTLED_S - 10
    os.utime(path, (then, then))


def insert(store: Store, **records: Any) -> None:  # noqa: ANN401 - as batch takes them
    """Write records into the store of an agent that writes too: the one who is second tries again."""
    while not store.write(batch(store.applied() + 1, **records)):
        pass


class Old:
    """A history of builds that ended long ago, below what an agent knows itself, with logs."""

    def __init__(self, one: Citizen, count: int = 6) -> None:
        """Let every second build have the same log; the first half is a hundred days old."""
        self.one, agent = one, one.agent
        now = time.time_ns() // 1_000_000
        self.builds = [
            build(
                1000 + place,
                state=BuildState.SUCCEEDED,
                attempt=1,
                created=now - (100 - place) * DAY_MS if place < count // 2 else now - DAY_MS,
                finished=now - (100 - place) * DAY_MS if place < count // 2 else now - DAY_MS,
            )
            for place in range(count)
        ]
        contents = [b"alike" if place % 2 else f"log {place}".encode() for place in range(count)]
        self.digests = [hashlib.sha256(one).hexdigest() for one in contents]
        tries = [
            attempt(one, state=BuildState.SUCCEEDED, log=digest, log_bytes=5)
            for one, digest in zip(self.builds, self.digests, strict=True)
        ]
        meta = {"number/shop/test": str(1000 + count - 1)}
        insert(agent.history.store, builds=self.builds, attempts=tries, specs=[spec()], meta=meta)
        agent.blobs.put_many([*contents, b"of nobody", b"quite new"])
        self.files = [agent.paths.log(each.key) for each in tries]
        for path, content in zip(self.files, contents, strict=True):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            age(path)
        for digest, _ in agent.blobs.sizes():
            if digest != hashlib.sha256(b"quite new").hexdigest():
                age(agent.blobs._path(digest))

    def life(self) -> LogLife:
        """Return who looks after the logs."""
        agent = self.one.agent
        return LogLife(
            agent.paths,
            agent.blobs,
            agent.history,
            lambda: agent.replica.ledger,
            writes=lambda _: False,
            known=agent._knowledge.of,
        )


async def test_old_builds_go_with_their_logs(town: Town) -> None:
    first = await town.found()
    old = Old(first)
    store = first.agent.history.store
    insert(store, builds=[build(1900, created=time.time_ns() // 1_000_000)])
    mine = first.agent.paths.log(f"{build(1900).id}.1")
    mine.parent.mkdir(exist_ok=True)
    mine.write_bytes(b"of a build that lives")
    age(mine)
    retainer = Retainer(first.agent.history, Policy(30 * 24 * 3600.0), lambda: True, [old.life().forget])
    assert await retainer.tidy() == 3
    assert {one.serial for one in store.scan("builds")} == {1003, 1004, 1005, 1900}
    assert [path.exists() for path in old.files] == [False] * 3 + [True] * 3
    left = set(dict(first.agent.blobs.sizes()))
    assert left == {*old.digests[3:], hashlib.sha256(b"quite new").hexdigest()}, "one log was shared with an old build"
    assert mine.exists()
    assert await retainer.tidy() == 0
    assert first.leads


async def test_of_a_shared_store_only_the_master_takes_builds_out(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await town.found()
    old = Old(first)
    monkeypatch.setattr(first.agent.history.store, "shared", True)
    policy = Policy(30 * 24 * 3600.0)
    assert await Retainer(first.agent.history, policy, lambda: False, [old.life().forget]).tidy() == 0
    assert await Retainer(first.agent.history, policy, lambda: True, [old.life().forget]).tidy() == 3


async def test_without_a_policy_nothing_goes_but_what_others_took_out(town: Town) -> None:
    first = await town.found()
    old = Old(first)
    first.agent.history.store.remove("builds", [old.builds[4].id])
    assert await Retainer(first.agent.history, None, lambda: True, [old.life().forget]).tidy() == 0
    assert [path.exists() for path in old.files] == [True, True, True, True, False, True]
    assert old.digests[4] not in set(dict(first.agent.blobs.sizes()))
    assert old.digests[5] in set(dict(first.agent.blobs.sizes()))


async def test_what_a_worker_called_a_log_and_is_none_keeps_nothing_from_going(town: Town) -> None:
    first = await town.found()
    old, store = Old(first), first.agent.history.store
    odd = build(1950, state=BuildState.SUCCEEDED, attempt=1)
    insert(store, builds=[odd], attempts=[attempt(odd, state=BuildState.SUCCEEDED, log="../odd", log_bytes=5)])
    store.remove("builds", [old.builds[4].id])
    assert await old.life().forget() > 0
    assert old.digests[4] not in set(dict(first.agent.blobs.sizes()))


async def test_an_agent_without_a_history_forgets_what_the_master_did(town: Town) -> None:
    first = await town.found()
    old = Old(first)
    far = await town.admit("far", worker=True, voter="never")
    mine = [far.agent.paths.log(path.stem) for path in old.files]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"log")
        age(path)
    young = far.agent.paths.log(f"{build(4000).id}.1")
    young.parent.mkdir(exist_ok=True)
    young.write_bytes(b"of a build of which the master may not have heard yet")
    first.agent.history.store.remove("builds", [one.id for one in old.builds[:4]])
    (once,) = far.agent.blobs.put_many([b"of a time when it voted"])
    age(far.agent.blobs._path(once))
    retainer = far.agent._retainer()
    assert await retainer.tidy() == 0
    assert far.agent.blobs.has(once), "whoever votes now may not have it"
    assert [path.exists() for path in mine] == [False] * 4 + [True] * 2
    assert young.exists()
    town.cut(far)
    first.agent.history.store.remove("builds", [old.builds[4].id])
    with pytest.raises(Unavailable):
        await retainer.tidy()
    assert mine[4].exists(), "it is not known what may go"


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        ({}, None),
        ({"keep": "90d"}, Policy(90 * 24 * 3600.0)),
        (
            {"keep": "30d", "keep_failed": "365d", "keep_newest": 5, "keep_most": 50},
            Policy(30 * 24 * 3600.0, 365 * 24 * 3600.0, 5, 50),
        ),
        ({"keep_most": 10}, Policy(most=10)),
    ],
)
def test_settings_make_a_policy(given: dict[str, object], policy: Policy | None, tmp_path: Path) -> None:
    assert settings.load(tmp_path, given)[1].policy() == policy


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"keep": "soon"}, "keep: 'soon' is no duration"),
        ({"keep_failed": "9d"}, "say keep, too"),
        ({"keep": "9d", "keep_failed": "8d"}, "at least as long"),
        ({"keep_most": 1, "keep_newest": 2}, "raise it"),
    ],
)
def test_settings_that_make_none_are_refused(given: dict[str, object], told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=told):
        settings.load(tmp_path, given)


async def test_a_pinned_build_stays_with_its_log_until_it_is_unpinned(town: Town) -> None:
    first = await town.found()
    old, store = Old(first), first.agent.history.store
    kept = old.builds[1]
    await first.ask("builds.pin", id=kept.id, note="shipped to the customer")
    pins = first.agent.replica.ledger.pinning.pins
    policy = Policy(30 * 24 * 3600.0)
    retainer = Retainer(first.agent.history, policy, lambda: True, [old.life().forget], lambda: pins)
    assert await retainer.tidy() == 2
    assert {one.serial for one in store.scan("builds")} == {1001, 1003, 1004, 1005}
    assert [path.exists() for path in old.files] == [False, True, False, True, True, True]
    assert old.digests[1] in set(dict(first.agent.blobs.sizes()))
    shown = (await first.ask("builds.get", id=kept.id))["build"]["pin"]
    assert (shown["note"], shown["label"]) == ("shipped to the customer", kept.label)
    await first.ask("builds.unpin", id=kept.id)
    assert (await first.ask("builds.get", id=kept.id))["build"]["pin"] is None
    assert await retainer.tidy() == 1
    assert not old.files[1].exists()


async def test_what_the_store_does_not_know_of_yet_is_spared_too(town: Town) -> None:
    first = await town.found()
    old, store = Old(first), first.agent.history.store
    policy, pinned = Policy(30 * 24 * 3600.0), {old.builds[0].id}
    retainer = Retainer(first.agent.history, policy, lambda: True, [old.life().forget], lambda: pinned)
    assert await retainer.tidy() == 2
    assert {one.serial for one in store.scan("builds")} == {1000, 1003, 1004, 1005}
