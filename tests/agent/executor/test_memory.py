"""The executor's journal, rooms and results."""

import os
from pathlib import Path

import pytest

from job_orchestra.agent.executor.journal import Journal
from job_orchestra.agent.executor.protocol import AttemptStatus
from job_orchestra.agent.executor.results import parse_results
from job_orchestra.agent.executor.rooms import Rooms
from job_orchestra.core.model import BuildState


def end(key: str) -> AttemptStatus:
    return AttemptStatus(key, BuildState.SUCCEEDED, log_bytes=3)


def test_what_began_and_ended_is_known_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = Journal(path, "boot")
    assert not first.sure, "nobody has said that the past is settled"
    first.settle()
    for key in ("a.1", "b.1", "c.1"):
        first.begin(key)
    first.end(end("a.1"))
    first.end(end("b.1"))
    first.forget(("b.1",))
    second = Journal(path, "boot")
    assert (list(second.begun), second.ends, second.sure) == (["c.1"], {"a.1": end("a.1")}, True)
    third = Journal(path, "boot")
    assert (list(third.begun), third.ends, third.sure) == (["c.1"], {"a.1": end("a.1")}, True)
    third.forget(("a.1", "c.1"))
    assert (list(Journal(path, "boot").begun), Journal(path, "boot").ends) == ([], {})


def test_after_a_reboot_or_without_a_boot_id_nothing_is_sure(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path, "boot").settle()
    assert Journal(path, "boot").sure
    assert not Journal(path, "another boot").sure
    Journal(path, "").settle()
    assert not Journal(path, "").sure


@pytest.mark.parametrize("cut", range(1, 30, 4))
def test_a_torn_tail_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, "boot")
    journal.settle()
    journal.end(end("a.1"))
    journal.end(end("b.1"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert list(Journal(path, "boot").ends) == ["a.1"]


def test_an_empty_journal_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, "boot")
    for place in range(40_000):
        journal.end(end(f"{place:08}.1"))
        journal.forget((f"{place:08}.1",))
    assert path.stat().st_size < 2 << 20


def test_a_room_that_was_left_empty_is_used_again_and_others_are_cleaned(tmp_path: Path) -> None:
    rooms = Rooms(str(tmp_path))
    room = rooms.take()
    inode = os.stat(room.directory).st_ino
    rooms.give_back(room)
    assert rooms.take() == room
    assert os.stat(room.directory).st_ino == inode

    for spoil in (
        lambda: Path(room.workspace, "left").touch(),
        lambda: Path(room.results).touch(),
        lambda: os.chmod(room.workspace, 0o777),
        lambda: Path(room.workspace).rmdir(),
        lambda: (
            Path(room.workspace, "sub").mkdir(),
            Path(room.workspace, "sub", "f").touch(),
            os.chmod(f"{room.workspace}/sub", 0o500),
        ),
    ):
        spoil()
        rooms.give_back(room)
        again = rooms.take()
        assert again == room
        assert os.listdir(room.workspace) == []
        assert os.stat(room.workspace).st_mode & 0o777 == 0o700
    rooms.wait()
    assert os.listdir(tmp_path) == ["1"]


def test_what_an_earlier_executor_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "1" / "workspace").mkdir(parents=True)
    (tmp_path / "1" / "workspace" / "secret").write_text("x")
    rooms = Rooms(str(tmp_path))
    assert os.listdir(rooms.take().workspace) == []
    rooms.wait()
    assert os.listdir(tmp_path) == ["1"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", {}),
        (b"A=1\n\n B = x=y \n", {"A": "1", "B": " x=y "}),
        (b'{"a": 1, "b": null, "c": "x", "d": [1]}', {"a": "1", "b": "null", "c": "x", "d": "[1]"}),
    ],
)
def test_results(data: bytes, expected: dict[str, str]) -> None:
    assert parse_results(data) == expected


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"A", "line 1"),
        (b"=x", "line 1"),
        (b"\xff=1", "UTF-8"),
        (b"{", "no JSON object"),
        (b"\n".join(b"K%d=1" % place for place in range(300)), "more than 256"),
    ],
)
def test_wrong_results(data: bytes, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        parse_results(data)
