"""What agents tell of themselves: through JSON and TXT and back, and everything that is refused."""

from typing import Any

import msgspec
import pytest

from job_orchestra.agent import announcement
from job_orchestra.agent.announcement import MAX_TEXT, Sighting, announcement_of
from job_orchestra.agent.identity import Identity
from job_orchestra.core.errors import PeerError
from job_orchestra.core.ids import fingerprint
from tests.kit.announcements import announced

WRONG: dict[str, dict[str, Any]] = {
    "an id of another key": {"id": "0" * 16},
    "no id": {"id": ""},
    "a short key": {"public": "k", "id": fingerprint("k")},
    "a key that is no Z85": {"public": " " * 40, "id": fingerprint(" " * 40)},
    "a key with a line's end": {"public": "k" * 40 + "\n", "id": fingerprint("k" * 40 + "\n")},
    "a network that is no id": {"network": "g" * 16},
    "no name": {"name": ""},
    "a long name": {"name": "x" * (MAX_TEXT + 1)},
    "a name of many bytes": {"name": "\U0001f600" * MAX_TEXT},
    "a name that moves the cursor": {"name": "\x1b[2J"},
    "a name that turns the text round": {"name": "a\u202eb"},
    "a network's name with a line's end": {"network_name": "a\nb"},
    "a version with a NUL": {"version": "5\0"},
    "port 0": {"port": 0},
    "a port too many": {"bulk": 65_536},
    "a port below": {"door": -1},
}


def test_there_and_back() -> None:
    told = announced(1, name='bü"\\cher', port=65_535)
    assert announcement.decode(announcement.encode(told)) == told
    assert announcement.from_texts(announcement.to_texts(told)) == told
    assert announcement.from_texts(announcement.to_texts(told) | {"later": "more"}) == told


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_however_it_comes(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"id|name|port"):
        announced(1, **changes)
    facts = msgspec.structs.asdict(announced(1)) | changes
    with pytest.raises(PeerError):
        announcement.decode(msgspec.json.encode(facts))
    with pytest.raises(PeerError):
        announcement.from_texts({key: str(value) for key, value in facts.items()})


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"7", b"\xff", b'{"id": 5}', b"[" * 100_000, b'{"id": "\\ud800"}'])
def test_json_that_is_no_announcement_is_refused(data: bytes) -> None:
    with pytest.raises(PeerError):
        announcement.decode(data)


@pytest.mark.parametrize("texts", [{}, {"id": None}, {"port": "7711"}, {"port": "1e3"}])
def test_txt_that_is_no_announcement_is_refused(texts: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        announcement.from_texts(texts)
    for key in texts:
        with pytest.raises(PeerError):
            announcement.from_texts(announcement.to_texts(announced(1)) | {key: "99999999999999999999"})


def test_our_own_names_are_cut_to_what_fits() -> None:
    public = "k" * 40
    identity = Identity(fingerprint(public), "\U0001f600" * 99, public, "secret", "0" * 16, "lab\n")
    told = announcement_of(identity, port=1, bulk=2, door=3)
    assert told.name == "\U0001f600" * 60
    assert told.network_name == "lab?"
    assert (told.port, told.bulk, told.door) == (1, 2, 3)
    assert "secret" not in repr(told)


def test_a_sighting_has_an_address() -> None:
    assert Sighting(announced(1), "192.0.2.1").address == "192.0.2.1:7711"
    assert Sighting(announced(1), "fd00::1").address == "[fd00::1]:7711"
