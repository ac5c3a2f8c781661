"""Below a directory, and never out of it: every attack that a link can make."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from job_orchestra.agent.workspace import beneath
from job_orchestra.agent.workspace.beneath import Beneath

LEADS_OUT = "symbolic links|Not a directory|No such file|leads nowhere"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Give a directory that must not be touched."""
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    (folder / "precious").write_text("precious")
    (folder / "deep" / "file").write_text("deep")
    return folder


@pytest.fixture
def top(tmp_path: Path, outside: Path) -> Iterator[Beneath]:
    folder = tmp_path / "top"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "root").symlink_to("/")
    (folder / "to-file").symlink_to(outside / "precious")
    with Beneath(folder) as found:
        yield found


def untouched(outside: Path) -> bool:
    found = {str(one.relative_to(outside)) for one in outside.rglob("*")}
    return found == {"precious", "deep", "deep/file"} and (outside / "precious").read_text() == "precious"


def new_file(top: Beneath, path: bytes, content: bytes = b"new") -> None:
    with top.writing(path) as descriptor:
        os.write(descriptor, content)


def test_looking_through_a_link_sees_nothing(top: Beneath) -> None:
    assert top.look(b"link/precious") is None
    assert top.look(b"root/etc/passwd") is None
    found = top.look(b"link")
    assert found is not None
    assert stat.S_ISLNK(found.st_mode)
    assert top.look(b"nothing/here") is None
    assert top.look(b"to-file/x") is None


@pytest.mark.parametrize("path", [b"link/precious", b"root/etc/passwd", b"to-file"])
def test_reading_through_a_link_is_refused(top: Beneath, path: bytes) -> None:
    with pytest.raises(OSError, match=LEADS_OUT):
        top.open(path)


def test_listing_through_a_link_is_refused(top: Beneath) -> None:
    with pytest.raises(OSError, match=LEADS_OUT):
        top.inside(b"link")
    assert sorted(top.inside(b"")) == [(b"link", False), (b"root", False), (b"to-file", False)]


def test_writing_where_a_link_is_on_the_way_replaces_the_link(top: Beneath, outside: Path, tmp_path: Path) -> None:
    new_file(top, b"link/deep/file")
    assert untouched(outside)
    assert (tmp_path / "top" / "link" / "deep" / "file").read_text() == "new"
    assert not (tmp_path / "top" / "link").is_symlink()
    with pytest.raises(FileExistsError):
        new_file(top, b"to-file")
    assert untouched(outside)


def test_removing_a_link_removes_the_link(top: Beneath, outside: Path, tmp_path: Path) -> None:
    top.remove(b"link/precious")
    top.remove(b"link")
    top.remove(b"to-file")
    top.remove(b"was never there/at all")
    assert untouched(outside)
    assert os.listdir(tmp_path / "top") == ["root"]


def test_removing_a_directory_passes_by_the_links_in_it(top: Beneath, outside: Path, tmp_path: Path) -> None:
    folder = tmp_path / "top" / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "out").symlink_to(outside)
    (folder / "file").write_text("x")
    os.chmod(folder, 0o500)
    os.chmod(folder.parent, 0o000)
    top.remove(b"a")
    assert untouched(outside)
    assert not (tmp_path / "top" / "a").exists()


@pytest.mark.parametrize(
    "path", [b"..", b"../outside/precious", b"a/../../outside/precious", b".", b"", b"a/", b"/etc"]
)
def test_paths_that_lead_out_lead_nowhere(top: Beneath, outside: Path, path: bytes) -> None:
    doings: list[Callable[[], object]] = [
        lambda: top.open(path),
        lambda: new_file(top, path),
        lambda: top.make_link(path, b"x"),
    ]
    for doing in doings:
        with pytest.raises(OSError, match=LEADS_OUT):
            doing()
    assert untouched(outside)


def test_special_files_are_not_opened(top: Beneath, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "top" / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        top.open(b"pipe")


def test_a_top_that_is_a_link_is_refused(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "alias").symlink_to(outside)
    with pytest.raises(OSError, match=LEADS_OUT):
        Beneath(tmp_path / "alias")


def test_directories_deeper_than_python_recurses_are_removed(top: Beneath, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "top", os.O_RDONLY)
    for _ in range(3 * beneath.DEEP):
        os.mkdir("d", dir_fd=descriptor)
        deeper = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(descriptor)
    top.remove(b"d")
    assert sorted(os.listdir(tmp_path / "top")) == ["link", "root", "to-file"]


def test_many_directories_are_not_all_kept_open(top: Beneath, tmp_path: Path) -> None:
    for one in range(3 * beneath.OPEN):
        new_file(top, b"%d/inner/file" % one)
    assert len(os.listdir("/proc/self/fd")) < 3 * beneath.OPEN
    assert all(top.look(b"%d/inner/file" % one) for one in range(3 * beneath.OPEN))


def test_an_empty_directory_is_removed_and_no_other(top: Beneath, tmp_path: Path) -> None:
    top.make_folder(b"a/b")
    new_file(top, b"c/file")
    assert [top.remove_empty(one) for one in (b"a", b"a/b", b"a", b"c", b"link", b"nothing")] == [
        *(False, True, True, False, False, False)
    ]


def test_many_paths_are_looked_at_as_each_by_itself(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("x")
    (tmp_path / "folder/link").symlink_to("file")
    (tmp_path / "folder/dangling").symlink_to("nothing")
    (tmp_path / "way").symlink_to("folder")
    names = ("file", "folder", "folder/dangling", "folder/file", "folder/link", "folder/none", "gone/file", "way/file")
    paths = [name.encode() for name in names]
    with Beneath(tmp_path) as top:
        found = list(top.look_each(paths))
        assert found == [top.look(path) for path in paths]
    there = [name for name, one in zip(names, found, strict=True) if one is not None]
    assert there == ["folder", "folder/dangling", "folder/file", "folder/link"]
    assert [stat.S_ISLNK(one.st_mode) for one in found if one is not None] == [False, True, False, True]
