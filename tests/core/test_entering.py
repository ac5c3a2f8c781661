"""What is said at a door: versions that may not meet, names that are none, keys that are somebody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from job_orchestra.core import entering
from job_orchestra.core.entering import Challenge, Enter, Knock, Refused, Reveal, Wait, Welcome
from job_orchestra.core.errors import Conflict, InvalidInput, NoMaster, NotAllowed, NotLeading, PeerError
from job_orchestra.core.ids import fingerprint
from job_orchestra.core.model import AgentRecord

KEY = "k" * 40
RECORD = AgentRecord(fingerprint(KEY), "ant", public=KEY)
WELCOME = Welcome("0" * 16, "lab", 0, 7, (replace(RECORD, member=7), AgentRecord("m", "bee", member=1)))


@pytest.mark.parametrize("one", [Enter(b"s", "5.0.0", RECORD), Knock(b"c", "5.0.0", RECORD), Reveal(b"n")])
def test_requests_arrive_as_they_were(one: entering.Request) -> None:
    assert entering.request(entering.encode(one)) == one


@pytest.mark.parametrize("one", [Challenge(b"n"), Wait(120.0), WELCOME, Refused("not-allowed", "no")])
def test_replies_arrive_as_they_were(one: entering.Reply) -> None:
    assert entering.reply(entering.encode(one)) == one


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    for read in (entering.request, entering.reply):
        with pytest.raises(PeerError):
            read(data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"network": "../../etc"},
        {"member": 0},
        {"member": 3},
        {"epoch": -1},
        {"roster": ()},
        {"roster": (*WELCOME.roster, replace(RECORD, member=7))},
    ],
)
def test_a_welcome_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(PeerError, match="makes no sense"):
        entering.reply(entering.encode(replace(WELCOME, **wrong)))


def test_a_name_in_a_welcome_cannot_steer_a_terminal() -> None:
    found = entering.reply(entering.encode(replace(WELCOME, network_name="\x1b]2;x\x07lab")))
    assert isinstance(found, Welcome)
    assert found.network_name == "?]2;x?lab"


@pytest.mark.parametrize("theirs", ["5.1.0", "5.1.9", "5.1.0.dev3", "5.1.7rc1+local"])
def test_the_same_major_and_minor_version_may_join(theirs: str) -> None:
    entering.check_version(theirs, "5.1.4")


@pytest.mark.parametrize(
    ("theirs", "remedy"),
    [
        ("5.0.9", r"upgrade this machine to 5\.1"),
        ("4.9.0", r"upgrade this machine to 5\.1"),
        ("5.2.0", r"upgrade the agents of the network first, or install 5\.1"),
        ("6.0.0", r"upgrade the agents of the network first"),
    ],
)
def test_another_version_is_told_what_to_upgrade(theirs: str, remedy: str) -> None:
    with pytest.raises(NotAllowed, match=remedy) as error:
        entering.check_version(theirs, "5.1.4")
    assert theirs in str(error.value)
    assert "5.1.4" in str(error.value)


@pytest.mark.parametrize("theirs", ["", "five", "5", "5.1" + "0" * 99, "5.1\n"])
def test_a_version_that_is_none_is_refused(theirs: str) -> None:
    with pytest.raises(InvalidInput):
        entering.check_version(theirs, "5.1.4")


def test_of_a_stranger_only_its_own_facts_are_taken() -> None:
    told = replace(RECORD, member=1, session="s", slots=99, addresses=("x:1",), version="5.0.0", votes=False, note="hi")
    found = entering.applicant(told, KEY)
    assert found == AgentRecord(RECORD.id, "ant", version="5.0.0", public=KEY, votes=False)


@pytest.mark.parametrize("wrong", [{"public": "j" * 40}, {"id": "0" * 16}])
def test_a_record_of_another_key_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(NotAllowed):
        entering.applicant(replace(RECORD, **wrong), KEY)


@pytest.mark.parametrize("name", ["", "x" * 65, "two\nlines", "\x1b[2J", "\u202eevil"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="--name"):
        entering.applicant(replace(RECORD, name=name), KEY)


def test_a_refusal_is_raised_as_what_it_was() -> None:
    for error in (NotAllowed("no"), NoMaster("not now"), Conflict("twice"), NotLeading("ask another")):
        raised = entering.raised(entering.refusal(error))
        assert type(raised) is type(error)
        assert str(raised) == str(error)
    assert isinstance(entering.raised(Refused("what no version knows", "x")), NotAllowed)


def test_a_refusal_is_short_and_cannot_steer_a_terminal() -> None:
    text = str(entering.raised(Refused("not-allowed", "\x1b[31m" + "x" * 10_000)))
    assert "\x1b" not in text
    assert len(text) == entering.MAX_MESSAGE
