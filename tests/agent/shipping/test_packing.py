"""Packing a directory: all of it the first time, then what is new; and never something that is not there any more."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from job_orchestra.agent.blobs import Contents, Why, forgetting
from job_orchestra.agent.blobs.contents import SMALL
from job_orchestra.agent.shipping import memory
from job_orchestra.agent.shipping.listing import list_directory
from job_orchestra.agent.shipping.packing import Packing
from job_orchestra.core.errors import DiskFull, InvalidInput


class Desk:
    """A directory, and where it is packed."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "project"
        self.memories = tmp_path / "memories"
        self.contents = Contents(tmp_path / "contents")
        for number in range(20):
            self.write(f"src/{number}.c", f"int a{number};\n" * 10)

    def write(self, name: str, text: str) -> None:
        """Write a file that was not changed just now."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def packing(self) -> Packing:
        return Packing(list_directory(self.folder), self.contents, self.memories)

    def packed(self) -> dict[str, bytes]:
        """Pack; return what is in what was packed."""
        root = self.packing().store()
        assert self.contents.holds(root)
        found = self.contents.entries(root)
        return {os.fsdecode(one.path): b"".join(self.contents.stream(one)) for one in found if one.is_file}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    # nothing is doubtful, unless a test says so: files of tests are always just written
    monkeypatch.setattr(memory, "FINE_NS", -(10**18))
    monkeypatch.setattr(memory, "COARSE_NS", -(10**18))
    found = Desk(tmp_path)
    yield found
    found.contents.close()


def test_all_is_new_at_first_then_nothing_then_what_changed(desk: Desk) -> None:
    first = desk.packing()
    assert (len(first.new), first.new_bytes) == (20, sum(one.size for one in first.listing.found))
    root = first.store()
    assert (desk.packing().new, desk.packing().store()) == ([], root)
    desk.write("src/3.c", "changed")
    desk.write("new", "new")
    assert {one.name for one in desk.packing().new} == {b"src/3.c", b"new"}
    packed = desk.packed()
    assert (packed["src/3.c"], packed["new"], len(packed)) == (b"changed", b"new", 21)
    (desk.folder / "new").unlink()
    assert "new" not in desk.packed()


def test_only_what_is_new_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.packed()
    desk.write("src/3.c", "changed")
    opened: list[bytes] = []
    system = os.open

    def spy(path: object, *words: int, **named: int) -> int:
        if isinstance(path, bytes) and path.endswith(b".c"):
            opened.append(path)
        return system(path, *words, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("job_orchestra.agent.shipping.packing.os.open", spy)
    desk.packing().store()
    assert opened == [b"src/3.c"]


def test_a_change_that_leaves_size_and_time_alone_is_seen(desk: Desk) -> None:
    desk.packed()
    path = desk.folder / "src" / "3.c"
    times = path.stat()
    path.write_text(path.read_text().replace("3", "X"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert b"aX" in desk.packed()["src/3.c"]


def test_a_file_that_was_changed_just_before_it_was_packed_is_read_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "FINE_NS", 100_000_000)
    monkeypatch.setattr(memory, "COARSE_NS", 2_000_000_000)
    desk.packed()
    assert len(desk.packing().new) == 20
    later = time.time_ns() + 10**10
    monkeypatch.setattr("job_orchestra.agent.shipping.packing.time.time_ns", lambda: later)
    desk.packed()
    assert desk.packing().new == []


def test_what_was_forgotten_meanwhile_is_packed_again(desk: Desk) -> None:
    root = desk.packing().store()
    desk.contents.release(root, Why.SOURCE)
    forgetting.sweep(desk.contents)
    desk.write("src/3.c", "changed")
    packed = desk.packed()
    assert (packed["src/3.c"], packed["src/4.c"], len(packed)) == (b"changed", b"int a4;\n" * 10, 20)


def test_large_files_travel_too_and_the_largest_are_known(desk: Desk) -> None:
    content = random.Random(1).randbytes(3 * SMALL)
    (desk.folder / "large").write_bytes(content)
    (desk.folder / "second").write_bytes(content[:SMALL])
    assert [one.name for one in desk.packing().largest(2)] == [b"large", b"second"]
    told: list[int] = []
    desk.packing().store(told.append)
    assert sum(told) == 4 * SMALL + sum(len(f"int a{one};\n" * 10) for one in range(20))
    assert desk.packed()["large"] == content


def test_links_and_empty_directories_travel(desk: Desk) -> None:
    (desk.folder / "link").symlink_to("/outside")
    (desk.folder / "empty").mkdir()
    entries = {one.path: one for one in desk.contents.entries(desk.packing().store())}
    assert (entries[b"link"].digest, oct(entries[b"empty"].mode)) == (b"/outside", "0o40755")
    (desk.folder / "link").unlink()
    (desk.folder / "link").symlink_to("/elsewhere")
    entries = {one.path: one for one in desk.contents.entries(desk.packing().store())}
    assert entries[b"link"].digest == b"/elsewhere"


def test_what_vanishes_while_it_is_packed_is_left_out(desk: Desk) -> None:
    packing = desk.packing()
    (desk.folder / "src" / "3.c").unlink()
    (desk.folder / "src" / "4.c").unlink()
    (desk.folder / "src" / "4.c").mkdir()
    entries = desk.contents.entries(packing.store())
    assert {one.path for one in entries}.isdisjoint({b"src/3.c", b"src/4.c"})
    assert len(entries) == 18


def test_a_directory_that_does_not_fit_is_refused_with_the_remedy(desk: Desk) -> None:
    with open(desk.folder / "sparse", "wb") as file:
        file.truncate(1 << 43)
    with pytest.raises(DiskFull, match="ship less"):
        desk.packing().store()


def test_what_cannot_be_read_is_named(desk: Desk) -> None:
    if os.getuid() == 0:
        pytest.skip("root reads everything")
    (desk.folder / "src" / "3.c").chmod(0)
    with pytest.raises(InvalidInput, match=r"src/3\.c"):
        desk.packing().store()
