"""What of a directory travels: what belongs to a git work tree, everything of another; and git is left as it is."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from job_orchestra.agent.shipping.listing import list_directory
from job_orchestra.core.errors import InvalidInput
from tests.kit.gitting import ENVIRONMENT, commit, git, repository


@pytest.fixture(autouse=True)
def _plain_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", "/nonexistent")  # what git is given of GIT_* is taken away again by what is tested


def names(directory: Path, *include: str) -> set[str]:
    return {os.fsdecode(one.name) for one in list_directory(directory, include).found}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    files = {"a.c": "a", "src/b.c": "b", "run.sh": "x", ".gitignore": "*.o\nbuild/\nsecret\n"}
    return repository(tmp_path / "work", files)


def test_tracked_and_new_files_travel_and_ignored_ones_do_not(work: Path) -> None:
    (work / "new.c").write_text("new")
    (work / "src" / "b.o").write_text("object")
    (work / "build").mkdir()
    (work / "build" / "out").write_text("out")
    (work / "secret").write_text("secret")
    listing = list_directory(work)
    assert names(work) == {"a.c", "src/b.c", "run.sh", ".gitignore", "new.c"}
    assert (listing.git, listing.top, listing.inside) == (True, work, "")
    assert (listing.head.revision, listing.head.branch) == (git(work, "rev-parse", "HEAD"), "main")


def test_ignored_files_travel_where_that_is_asked_for(work: Path) -> None:
    for name in ("x.o", "src/y.o", "secret"):
        (work / name).write_text("x")
    (work / "build" / "deep").mkdir(parents=True)
    (work / "build" / "deep" / "out").write_text("out")
    assert names(work, "*.o") - names(work) == {"x.o"}
    assert names(work, "**/*.o", "build/**") - names(work) == {"x.o", "src/y.o", "build/deep/out"}
    assert names(work, "nothing*") == names(work)


def test_what_is_staged_deleted_or_renamed_counts_as_it_lies_in_the_work_tree(work: Path) -> None:
    (work / "a.c").unlink()
    git(work, "rm", "--quiet", "--cached", "run.sh")
    (work / "src" / "b.c").rename(work / "src" / "c.c")
    assert names(work) == {"src/c.c", "run.sh", ".gitignore"}


def test_git_is_left_exactly_as_it_was(work: Path) -> None:
    (work / "a.c").write_text("changed")
    os.utime(work / "run.sh")  # git status would refresh the index now
    (work / "new.c").write_text("new")

    def state() -> dict[str, tuple[int, int, bytes]]:
        return {
            str(one): (one.stat().st_mtime_ns, one.stat().st_ino, one.read_bytes() if one.is_file() else b"")
            for one in (work / ".git").rglob("*")
        }

    before = state()
    list_directory(work)
    assert state() == before


def test_a_conflict_lists_a_file_once(work: Path) -> None:
    git(work, "switch", "--quiet", "-c", "other")
    commit(work, {"a.c": "theirs"})
    git(work, "switch", "--quiet", "main")
    commit(work, {"a.c": "ours"})
    with pytest.raises(AssertionError):
        git(work, "merge", "other")
    assert sorted(one.name for one in list_directory(work).found).count(b"a.c") == 1


def test_from_a_directory_inside_the_whole_work_tree_travels(work: Path) -> None:
    listing = list_directory(work / "src")
    assert (listing.top, listing.inside) == (work, "src")
    assert names(work / "src") == names(work)


def test_a_linked_work_tree_travels_as_itself(work: Path, tmp_path: Path) -> None:
    git(work, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    commit(tmp_path / "side", {"side.c": "side"})
    listing = list_directory(tmp_path / "side")
    assert names(tmp_path / "side") == {"a.c", "src/b.c", "run.sh", ".gitignore", "side.c"}
    assert (listing.top, listing.head.branch) == (tmp_path / "side", "side")


def test_submodules_travel_as_they_lie_in_the_work_tree(work: Path, tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner", {"deep.c": "deep"})
    library = repository(tmp_path / "library", {"lib.c": "lib", ".gitignore": "*.a\n"})
    git(library, "submodule", "--quiet", "add", str(inner), "inner")
    commit(library, {})
    git(work, "submodule", "--quiet", "add", str(library), "vendor/library")
    commit(work, {})
    assert "vendor/library/inner" in names(work)  # not checked out: an empty directory
    git(work, "submodule", "--quiet", "update", "--init", "--recursive")
    (work / "vendor/library/new.c").write_text("new")
    (work / "vendor/library/lib.a").write_text("built")
    found = {one for one in names(work) if one.startswith("vendor")}
    assert found == {f"vendor/library/{one}" for one in ("lib.c", ".gitignore", ".gitmodules", "new.c", "inner/deep.c")}


def test_other_repositories_inside_travel_by_their_own_rules(work: Path) -> None:
    repository(work / "nested", {"n.c": "n", ".gitignore": "*.log\n"})
    (work / "nested" / "x.log").write_text("x")
    assert {one for one in names(work) if one.startswith("nested")} == {"nested/n.c", "nested/.gitignore"}


def test_in_a_hook_of_git_the_work_tree_is_still_this_one(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(tmp_path / "other", {"other.c": "x"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert names(work) == {"a.c", "src/b.c", "run.sh", ".gitignore"}


@pytest.mark.parametrize("name", [b"new\nline", b"\xff\xfe.c", b"tab\t", b'"quoted"', b"-rf", b" space ", "ä".encode()])
def test_names_are_bytes(work: Path, name: bytes) -> None:
    path = os.fsencode(work) + b"/" + name
    with open(path, "wb"):
        pass
    assert name in {one.name for one in list_directory(work).found}
    git(work, "add", "--all")
    assert name in {one.name for one in list_directory(work).found}


def test_links_and_bits_are_seen_as_they_are(work: Path) -> None:
    (work / "link").symlink_to("/anywhere/at/all")
    (work / "run.sh").chmod(0o755)
    found = {one.name: one.mode for one in list_directory(work).found}
    assert oct(found[b"link"]) == "0o120777"
    assert oct(found[b"run.sh"]) == "0o100755"


def test_a_repository_without_a_commit_has_no_revision(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "a").write_text("a")
    listing = list_directory(tmp_path)
    assert (names(tmp_path), listing.head.revision, listing.head.branch) == ({"a"}, "", "")


def test_a_checkout_of_no_branch_has_a_revision_and_no_branch(work: Path) -> None:
    git(work, "checkout", "--quiet", "--detach")
    head = list_directory(work).head
    assert (head.revision, head.branch) == (git(work, "rev-parse", "HEAD"), "")


def test_of_another_directory_everything_travels(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    for name in ("a", "b/c/d", ".hidden"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "b" / "link").symlink_to("..")
    (folder / "empty" / "inside").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(folder / "socket"))
        os.mkfifo(folder / "pipe")
        listing = list_directory(folder)
    assert names(folder) == {"a", "b/c/d", ".hidden", "b/link", "empty/inside"}
    assert (listing.git, sorted(listing.left_out)) == (False, [b"pipe", b"socket"])


def test_without_git_everything_travels_and_that_is_told(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    (work / "x.o").write_text("x")
    listing = list_directory(work)
    assert {"x.o", ".git/HEAD"} <= {os.fsdecode(one.name) for one in listing.found}
    assert "no git on the PATH" in listing.notes[0]


def test_what_git_refuses_is_told_in_its_words(work: Path) -> None:
    (work / ".git" / "HEAD").write_text("nonsense")
    with pytest.raises(InvalidInput, match=r"git does not say what belongs to .*not a git repository"):
        list_directory(work)


def test_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not a directory"):
        list_directory(tmp_path / "nothing")


def test_pointers_of_large_files_travel_as_they_lie_there(work: Path) -> None:
    """What a filter makes of a file is git's business; the file is what is in the work tree."""
    (work / ".gitattributes").write_text("*.bin filter=upper\n")
    git(work, "config", "filter.upper.clean", "tr a-z A-Z")
    (work / "data.bin").write_text("small letters")
    git(work, "add", "--all")
    assert subprocess.check_output(["git", "-C", str(work), "show", ":data.bin"]) == b"SMALL LETTERS"
    assert next(one.size for one in list_directory(work).found if one.name == b"data.bin") == len("small letters")
