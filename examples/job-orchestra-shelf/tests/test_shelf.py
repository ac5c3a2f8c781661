"""The suite of Job Orchestra over the shelf; and what only a shelf can do."""

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from job_orchestra.core.errors import Damaged, InvalidInput, NewerSchema, StorageError, Unfinished
from job_orchestra.store.contract import Store
from job_orchestra.store.opening import open_store
from job_orchestra.store.suite.everything import EVERYTHING, content
from job_orchestra.store.suite.records import batch, build, job
from job_orchestra.store.suite.whole import *  # noqa: F403 - its tests are ours


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Store]]:
    """Return a function that opens a new, empty store, as an agent opens it."""
    folder, numbers, opened = tmp_path_factory.mktemp("shelves"), count(), list[Store]()

    def new() -> Store:
        opened.append(open_store(f"shelf://{folder}/{next(numbers)}.shelf"))
        return opened[-1]

    yield new
    for one in opened:
        one.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.shelf"


def opened(path: Path) -> Store:
    return open_store(f"shelf://{path}")


def test_what_was_written_is_there_after_reopening(path: Path) -> None:
    first = opened(path)
    first.write(EVERYTHING)
    first.write(batch(6, jobs=[job("later")], removed_agents=["a2"], removed_jobs=[("shop", "lint")]))
    first.remove("tasks", [1])
    before = content(first)
    first.close()
    second = opened(path)
    assert content(second) == before
    assert second.reclaim() > 0
    second.close()
    third = opened(path)
    assert content(third) == before
    third.close()


def test_a_line_that_was_not_written_to_its_end_is_cut_off(path: Path) -> None:
    first = opened(path)
    first.write(EVERYTHING)
    before, whole = content(first), path.stat().st_size
    first.write(batch(6, builds=[build(9)]))
    first.close()
    for length in (whole + 1, path.stat().st_size - 1):
        os.truncate(path, length)
        again = opened(path)
        assert content(again) == before
        assert again.write(batch(6, builds=[build(9)]))
        again.close()


def test_an_interrupted_filling_is_noticed(path: Path) -> None:
    first = opened(path)
    first.clear()
    first.load({"jobs": [job()]})
    first.close()
    again = opened(path)
    with pytest.raises(Unfinished):
        again.live(0)
    again.close()


@pytest.mark.parametrize(
    ("text", "kind"),
    [(b"hello\n", Damaged), (b'{"does":"begin","schema":99}\n', NewerSchema), (b'{"does":"dance"}\n', NewerSchema)],
)
def test_other_files_are_refused(text: bytes, kind: type[StorageError], path: Path) -> None:
    path.write_bytes(text)
    with pytest.raises(kind):
        opened(path)
    assert path.read_bytes() == text


@pytest.mark.parametrize("url", ["shelf:", "shelf://", "shelf://relative", "shelf:///folder/"])
def test_urls_that_name_no_file(url: str) -> None:
    with pytest.raises(InvalidInput, match="write shelf://"):
        open_store(url)
