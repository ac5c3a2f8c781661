"""The log on disk: what was written is there, whole; a damaged one is refused, never led with."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from job_orchestra.agent.journal import Journal
from job_orchestra.core.consensus import Entry, EntryKind, HardState
from job_orchestra.core.errors import Damaged, NewerSchema, StorageError
from tests.kit.agents import AgentProcess

STATE = HardState(term=7, vote=3, commit=150)
ENTRIES = [Entry(1 + index // 50, index, bytes([index % 256]) * 700) for index in range(1, 201)]


def written(path: Path) -> Path:
    """Write a log of several pages and close it."""
    journal = Journal(path)
    for entry in ENTRIES:
        journal.append([entry], STATE)
    journal.close()
    return path


def same(path: Path) -> bool:
    """Whether a log opens with all that was written; False when it is refused."""
    try:
        journal = Journal(path)
    except StorageError as error:
        told = str(error)
        return not ("restore" in told or "check the disk" in told)  # refused with a remedy
    try:
        return list(journal.entries(1)) == ENTRIES and journal.state() == STATE
    finally:
        journal.close()


def test_what_was_written_is_there(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.db")
    assert same(path)
    journal = Journal(path)
    assert (journal.first, journal.last) == (1, 200)
    journal.append([Entry(9, 150, b"x", EntryKind.CHANGE), Entry(9, 151, b"y")])
    assert (journal.last, [one.data for one in journal.entries(149)][1:]) == (151, [b"x", b"y"])
    journal.compact(120)
    assert (journal.first, journal.base_term) == (121, ENTRIES[119].term)
    journal.install(500, 11)
    assert (journal.first, journal.last, journal.base_term) == (501, 500, 11)
    journal.close()
    again = Journal(path)
    assert (again.first, again.last, again.base_term, list(again.entries(1))) == (501, 500, 11, [])
    again.close()


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_is_noticed_or_harmless(tmp_path: Path, seed: int) -> None:
    path = written(tmp_path / "journal.db")
    data = bytearray(path.read_bytes())
    place = random.Random(seed).randrange(100, len(data))
    data[place] ^= 1 << seed % 8
    path.write_bytes(data)
    try:
        opened = Journal(path)
    except StorageError:
        return
    assert list(opened.entries(1)) == ENTRIES, "it opened, so nothing may be missing or altered"
    assert opened.state() == STATE
    opened.close()


def test_a_flipped_bit_in_an_entry_is_damage(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.db")
    data = bytearray(path.read_bytes())
    place = data.index(ENTRIES[100].data)
    data[place + 350] ^= 4
    path.write_bytes(data)
    with pytest.raises(Damaged, match=r"entry 101 does not match its checksum.*begin anew"):
        Journal(path)


@pytest.mark.parametrize("page", [0, 1, 2, 10, 20])
def test_a_zeroed_page_is_refused(tmp_path: Path, page: int) -> None:
    path = written(tmp_path / "journal.db")
    with path.open("r+b") as file:
        file.seek(page * 4096)
        file.write(bytes(4096))
    assert not same(path)


@pytest.mark.parametrize("cut", [1, 100, 4096, 40_000])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "journal.db")
    os.truncate(path, path.stat().st_size - cut)
    assert not same(path)


@pytest.mark.parametrize("harm", ["flip", "truncate", "zero", "remove"])
def test_a_damaged_end_of_sqlites_own_log_is_noticed(tmp_path: Path, harm: str) -> None:
    """A process that was killed leaves its write-ahead log; SQLite drops a damaged end of it without a word."""
    script = f"""
import os
from pathlib import Path
from job_orchestra.agent.journal import Journal
from job_orchestra.core.consensus import Entry, HardState
journal = Journal(Path({str(tmp_path / "journal.db")!r}))
for index in range(1, 51):
    journal.append([Entry(1, index, b"x" * 500)], HardState(1, 1, index))
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    wal = tmp_path / "journal.db-wal"
    size = wal.stat().st_size
    assert size > 50 * 500
    untouched = tmp_path / "copy"
    shutil.copytree(tmp_path, untouched)
    journal = Journal(untouched / "journal.db")
    assert journal.last == 50
    journal.close()
    if harm == "flip":
        data = bytearray(wal.read_bytes())
        data[size // 2] ^= 1
        wal.write_bytes(data)
    elif harm == "truncate":
        os.truncate(wal, size - 5000)
    elif harm == "zero":
        with wal.open("r+b") as file:
            file.seek(size - 9000)
            file.write(bytes(4096))
    else:
        wal.unlink()
    with pytest.raises(Damaged, match="promised to others"):
        Journal(tmp_path / "journal.db")


def test_something_else_than_a_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is no database, but long enough to be looked at" * 100)
    with pytest.raises(Damaged):
        Journal(path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.db")
    import sqlite3

    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(NewerSchema, match="upgrade this agent"):
        Journal(path)


def test_an_agent_whose_log_is_gone_does_not_start(agent: AgentProcess) -> None:
    agent.start()
    with agent.client() as net:
        net.builds.submit(["true"])[0].wait()
        net.builds.list()
    agent.stop()
    kept = agent.paths.journal.with_suffix(".kept")
    agent.paths.journal.rename(kept)
    answer = agent.try_start()
    assert "is missing" in answer
    assert "begin anew" in answer
    for left in agent.data.glob("journal.db-*"):
        left.unlink()
    agent.paths.journal.unlink(missing_ok=True)
    kept.rename(agent.paths.journal)
    assert agent.try_start() == "ready"


def test_an_agent_whose_log_is_damaged_does_not_start(agent: AgentProcess) -> None:
    agent.start("--no-worker")
    with agent.client() as net:
        net.batch("builds.submit", [{"command": ["echo", "x" * 500]}] * 200)
        net.builds.list()
    agent.stop()
    data = bytearray(agent.paths.journal.read_bytes())
    data[len(data) // 2] ^= 255
    agent.paths.journal.write_bytes(data)
    answer = agent.try_start()
    if answer != "ready":  # where the byte was in use
        assert "damaged" in answer
        assert "begin anew" in answer
