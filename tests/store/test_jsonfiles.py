"""What only a store in files can do: be read by people, be changed by somebody else, be killed, be damaged."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from job_orchestra.core.errors import Damaged, NewerSchema, StorageError, Unfinished
from job_orchestra.store import jsonfiles
from job_orchestra.store.collections import COLLECTIONS
from job_orchestra.store.jsonfiles import JsonStore
from job_orchestra.store.query import Query
from job_orchestra.store.suite.everything import EVERYTHING, content
from tests.kit.builders import batch, build, job, spec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "history"


@pytest.fixture
def store(folder: Path) -> Iterator[JsonStore]:
    opened = JsonStore(folder)
    yield opened
    opened.close()


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_people_find_one_record_on_each_line(folder: Path, store: JsonStore) -> None:
    store.write(batch(1, builds=[build(2), build(1)], jobs=[job()], specs=[spec()]))
    assert names(folder) == ["builds.1.json", "jobs.1.json", "lock", "specs.1.json", "store.json"]
    first, *lines, last = (folder / "builds.1.json").read_text().splitlines()
    assert (first, last) == ("[", "]")
    assert [msgspec.json.decode(line.rstrip(","))["serial"] for line in lines] == [1, 2]
    assert '"applied": 1' in (folder / "store.json").read_text()


def test_only_what_changed_is_written_anew(folder: Path, store: JsonStore) -> None:
    store.write(batch(1, builds=[build(1)], jobs=[job()], specs=[spec()]))
    store.write(batch(2, jobs=[job("lint")]))
    assert names(folder) == ["builds.1.json", "jobs.2.json", "lock", "specs.1.json", "store.json"]


def test_what_was_written_is_there_after_reopening(folder: Path, store: JsonStore) -> None:
    store.write(EVERYTHING)
    before = (content(store), store.tallies(), store.usage(0, 1 << 60), store.flush())
    store.close()
    with pytest.raises(StorageError, match="was closed"):
        store.get("jobs", ("shop", "test"))
    again = JsonStore(folder)
    assert (content(again), again.tallies(), again.usage(0, 1 << 60), again.applied()) == before


def test_changes_of_another_process_are_seen(folder: Path, store: JsonStore) -> None:
    other = JsonStore(folder)
    store.write(EVERYTHING)
    assert content(other) == content(store)
    other.remove("tasks", [1])
    assert store.get("tasks", 1) is None
    assert other.write(batch(6, jobs=[job("later")]))
    assert not store.write(batch(6, jobs=[job("twice")])), "it is reflected already"
    assert store.write(batch(7, jobs=[job("last")]))
    assert content(other) == content(store)


@pytest.mark.parametrize("place", ["builds.2.json", "store.json"])
def test_a_change_that_cannot_be_written_to_its_end_is_none(
    place: str, folder: Path, store: JsonStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(EVERYTHING)
    before, replace = content(store), Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if target.name == place:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    later = batch(6, builds=[build(9)], jobs=[job("later")])
    with monkeypatch.context() as planted:
        planted.setattr(Path, "replace", refuse)
        with pytest.raises(StorageError, match="No space left"):
            store.write(later)
    assert content(store) == before
    assert content(JsonStore(folder)) == before
    assert store.write(later)
    assert content(JsonStore(folder)) == content(store) != before
    assert len(names(folder)) == len(COLLECTIONS) + 2, "what was left of the failure is gone"


def test_an_interrupted_filling_is_noticed(folder: Path, store: JsonStore) -> None:
    store.write(EVERYTHING)
    store.clear()
    store.load({"jobs": [job()]})
    with pytest.raises(Unfinished):
        JsonStore(folder).find(Query("jobs"))
    assert names(folder) == ["lock", "store.json"]


def test_damaged_missing_and_newer_files_are_told_of(folder: Path, store: JsonStore) -> None:
    store.write(EVERYTHING)
    builds = folder / "builds.1.json"
    whole = builds.read_bytes()
    builds.write_bytes(whole[:100])
    with pytest.raises(Damaged, match=r"builds\.1\.json is damaged .*; correct it, or restore"):
        JsonStore(folder)
    builds.unlink()
    with pytest.raises(Damaged, match=r"lacks files that its store\.json names"):
        JsonStore(folder)
    builds.write_bytes(whole)
    assert JsonStore(folder).applied() == 5
    head = folder / jsonfiles.HEAD
    head.write_text(head.read_text().replace('"schema": 2', '"schema": 99'))
    with pytest.raises(NewerSchema, match="upgrade this agent"):
        JsonStore(folder)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match="check the disk and the permissions"):
        JsonStore(tmp_path / "file" / "history")
