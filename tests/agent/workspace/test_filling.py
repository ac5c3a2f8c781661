"""A workspace becomes what a tree says, by difference, with what builds left in it; whatever a build did to it."""

import os
import stat
import time
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest

from job_orchestra.agent.workspace.filling import Filled, Filling
from job_orchestra.core.errors import Damaged, DiskFull
from job_orchestra.core.manifest import Entry, write

FILE, TOOL = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755
OLD = 1_500_000_000_000_000_000


class Tree:
    """A directory as it should be; contents by their digests."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.contents: dict[bytes, bytes] = {}
        self.read = 0  # contents that were asked for

    def file(self, path: bytes, content: bytes, mode: int = FILE, mtime: int = OLD) -> "Tree":
        digest = sha256(content).digest()
        self.contents[digest] = content
        self.entries[path] = Entry(path, mode, len(content), digest, mtime)
        return self

    def link(self, path: bytes, target: bytes) -> "Tree":
        self.entries[path] = Entry(path, stat.S_IFLNK | 0o777, 0, target)
        return self

    def folder(self, path: bytes) -> "Tree":
        self.entries[path] = Entry(path, stat.S_IFDIR | 0o755)
        return self

    def without(self, path: bytes) -> "Tree":
        del self.entries[path]
        return self

    def content(self, entry: Entry) -> Iterable[bytes]:
        self.read += 1
        content = self.contents[entry.digest]
        return [content[at : at + 100] for at in range(0, len(content), 100)]

    def fill(self, workspace: Path, record: Path | None) -> Filled:
        entries = sorted(self.entries.values(), key=lambda one: one.path)
        return Filling(workspace, record, self.content).fill(write(entries).root, lambda: entries)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record"


@pytest.fixture
def tree() -> Tree:
    return Tree().file(b"Makefile", b"all:\n").file(b"src/a.c", b"int a;\n").file(b"src/b.c", b"int b;\n" * 100)


def found(workspace: Path) -> dict[str, str]:
    return {str(one.relative_to(workspace)): one.read_text() for one in workspace.rglob("*") if one.is_file()}


def test_a_fresh_workspace_is_what_the_tree_says(workspace: Path, tree: Tree) -> None:
    tree.file(b"run.sh", b"#!/bin/sh\n", TOOL).link(b"src/alias", b"a.c").folder(b"out/empty").file(b"n\n\xff", b"odd")
    assert tree.fill(workspace, None) == Filled(7, 0, 0)
    assert os.readlink(workspace / "src" / "alias") == "a.c"
    assert (workspace / "out" / "empty").is_dir()
    assert (os.fsencode(workspace) + b"/n\n\xff") in [os.fsencode(one) for one in workspace.iterdir()]
    assert stat.S_IMODE((workspace / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((workspace / "Makefile").stat().st_mode) == 0o644
    assert (workspace / "src" / "a.c").stat().st_mtime_ns == OLD


def test_times_of_the_future_become_now(workspace: Path, tree: Tree) -> None:
    tree.file(b"future", b"x", mtime=time.time_ns() + 10**15).fill(workspace, None)
    assert (workspace / "future").stat().st_mtime_ns <= time.time_ns()


def test_what_does_not_change_is_not_touched_and_what_was_built_stays(
    workspace: Path, record: Path, tree: Tree
) -> None:
    tree.fill(workspace, record)
    (workspace / "src" / "a.o").write_text("built")
    before = {one: one.stat() for one in workspace.rglob("*")}
    tree.file(b"src/a.c", b"int changed;\n")
    tree.read = 0
    assert tree.fill(workspace, record) == Filled(1, 0, 2)
    assert tree.read == 1
    assert found(workspace)["src/a.c"] == "int changed;\n"
    assert (workspace / "src" / "a.c").stat().st_mtime_ns > (workspace / "src" / "a.o").stat().st_mtime_ns
    kept = [one for one in before if one.is_file() and one.name != "a.c"]
    assert [(one.stat().st_mtime_ns, one.stat().st_ino) for one in kept] == [
        (before[one].st_mtime_ns, before[one].st_ino) for one in kept
    ]
    assert (workspace / "src" / "a.o").read_text() == "built"


def test_a_new_time_alone_changes_nothing(workspace: Path, record: Path, tree: Tree) -> None:
    tree.fill(workspace, record)
    tree.file(b"src/a.c", b"int a;\n", mtime=OLD + 5)
    assert tree.fill(workspace, record) == Filled(0, 0, 3)
    assert (workspace / "src" / "a.c").stat().st_mtime_ns == OLD
    assert tree.fill(workspace, record) == Filled(0, 0, 3)


def test_what_is_gone_is_removed_with_the_directories_it_leaves_empty(
    workspace: Path, record: Path, tree: Tree
) -> None:
    tree.file(b"old/deep/x.c", b"x").file(b"kept/y.c", b"y").folder(b"stays").fill(workspace, record)
    (workspace / "kept" / "y.o").write_text("built")
    tree.without(b"old/deep/x.c").without(b"kept/y.c")
    assert tree.fill(workspace, record) == Filled(0, 2, 4)
    assert not (workspace / "old").exists()
    assert os.listdir(workspace / "kept") == ["y.o"]
    assert (workspace / "stays").is_dir()


def test_files_that_a_build_changed_are_put_right(workspace: Path, record: Path, tree: Tree) -> None:
    tree.file(b"mode", b"m").fill(workspace, record)
    times = (workspace / "src" / "a.c").stat()
    (workspace / "src" / "a.c").write_text("int X;\n")
    os.utime(workspace / "src" / "a.c", ns=(times.st_atime_ns, times.st_mtime_ns))  # same size, same time
    (workspace / "src" / "b.c").unlink()
    (workspace / "mode").chmod(0o600)
    assert tree.fill(workspace, record) == Filled(3, 0, 1)
    assert found(workspace) == {"Makefile": "all:\n", "src/a.c": "int a;\n", "src/b.c": "int b;\n" * 100, "mode": "m"}
    assert stat.S_IMODE((workspace / "mode").stat().st_mode) == 0o644


def test_kinds_may_change(workspace: Path, record: Path) -> None:
    Tree().file(b"a", b"file").file(b"b/c", b"in b").link(b"d", b"a").folder(b"e").fill(workspace, record)
    (workspace / "b" / "built").write_text("x")
    Tree().file(b"a/inside", b"1").file(b"b", b"2").file(b"d", b"3").link(b"e", b"b").fill(workspace, record)
    assert found(workspace) == {"a/inside": "1", "b": "2", "d": "3", "e": "2"}
    assert os.readlink(workspace / "e") == "b"


def test_a_link_with_another_target_is_made_anew(workspace: Path, record: Path) -> None:
    Tree().link(b"l", b"one").fill(workspace, record)
    assert Tree().link(b"l", b"two").fill(workspace, record) == Filled(1, 0, 0)
    assert os.readlink(workspace / "l") == "two"


def test_links_that_a_build_put_in_place_of_directories_are_not_followed(
    workspace: Path, record: Path, tree: Tree
) -> None:
    outside = workspace.parent / "outside"
    outside.mkdir()
    for name in ("a.c", "b.c", "precious"):
        (outside / name).write_text("precious")
    tree.fill(workspace, record)
    for name in ("a.c", "b.c"):
        (workspace / "src" / name).unlink()
    (workspace / "src").rmdir()
    (workspace / "src").symlink_to(outside)
    tree.without(b"src/b.c").file(b"src/new.c", b"new").fill(workspace, record)
    assert found(outside) == dict.fromkeys(("a.c", "b.c", "precious"), "precious")
    assert found(workspace) == {"Makefile": "all:\n", "src/a.c": "int a;\n", "src/new.c": "new"}


def test_hard_links_that_a_build_made_do_not_lead_out(workspace: Path, record: Path, tree: Tree) -> None:
    outside = workspace.parent / "outside"
    outside.write_text("precious")
    tree.fill(workspace, record)
    (workspace / "Makefile").unlink()
    os.link(outside, workspace / "Makefile")
    tree.file(b"Makefile", b"changed\n").fill(workspace, record)
    assert (outside.read_text(), found(workspace)["Makefile"]) == ("precious", "changed\n")


def test_a_directory_that_a_build_locked_is_opened_again(workspace: Path, record: Path, tree: Tree) -> None:
    tree.fill(workspace, record)
    (workspace / "src").chmod(0o500)
    tree.file(b"src/c.c", b"new").fill(workspace, record)
    assert found(workspace)["src/c.c"] == "new"


def test_a_filling_that_is_cut_short_is_finished_by_the_next(workspace: Path, record: Path, tree: Tree) -> None:
    tree.fill(workspace, record)
    tree.file(b"src/a.c", b"new a").file(b"src/new.c", b"new").file(b"src/z.c", b"z")
    broken = tree.contents.pop(sha256(b"z").digest())
    with pytest.raises(KeyError):
        tree.fill(workspace, record)
    assert "src/new.c" in found(workspace)
    # the next tree knows nothing of what the broken one began
    tree.contents[sha256(b"z").digest()] = broken
    tree.without(b"src/new.c").without(b"src/z.c").file(b"src/a.c", b"int a;\n").fill(workspace, record)
    assert found(workspace) == {"Makefile": "all:\n", "src/a.c": "int a;\n", "src/b.c": "int b;\n" * 100}


@pytest.mark.parametrize("record_text", [b"", b"nonsense", b"\x93\xa0\x90\x91\x94\0\0\0\0"])
def test_a_record_that_is_lost_costs_time_and_nothing_else(
    workspace: Path, record: Path, tree: Tree, record_text: bytes
) -> None:
    tree.fill(workspace, record)
    record.write_bytes(record_text)
    (workspace / "built").write_text("built")
    assert tree.fill(workspace, record) == Filled(3, 0, 0)
    assert tree.fill(workspace, record) == Filled(0, 0, 3)
    assert found(workspace)["built"] == "built"


def test_contents_of_another_size_than_promised_are_refused(workspace: Path, tree: Tree) -> None:
    tree.entries[b"lie"] = Entry(b"lie", FILE, 3, tree.entries[b"src/b.c"].digest)
    with pytest.raises(Damaged, match="700 bytes, and 3 were promised"):
        tree.fill(workspace, None)


def test_a_tree_that_is_larger_than_the_disk_is_refused_before_anything_is_written(workspace: Path, tree: Tree) -> None:
    for number in range(1000):
        tree.entries[b"%d" % number] = Entry(b"%d" % number, FILE, 1 << 45, tree.entries[b"src/b.c"].digest)
    with pytest.raises(DiskFull, match="free some"):
        tree.fill(workspace, None)
    assert os.listdir(workspace) == []
