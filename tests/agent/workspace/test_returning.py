"""What a build left comes back into a directory of somebody's own, and takes nothing from it."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from job_orchestra.agent.blobs import Contents
from job_orchestra.agent.workspace.returning import Returned, put
from job_orchestra.core.manifest import Entry

FILE, LINK, FOLDER = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777, stat.S_IFDIR | 0o755
THEN = 1_600_000_000_000_000_000


class Home:
    """A directory of somebody's, and what comes back."""

    def __init__(self, folder: Path) -> None:
        self.directory = folder / "home"
        self.directory.mkdir()
        self.outside = folder / "outside"
        self.outside.mkdir()
        self._contents = Contents(folder / "contents")
        self._entries: list[Entry] = []

    def file(self, path: bytes, content: bytes = b"built", mode: int = FILE) -> None:
        with self._contents.writer() as writer:
            digest = writer.put(content)
        self._entries.append(Entry(path, mode, len(content), digest, THEN))

    def link(self, path: bytes, target: bytes) -> None:
        self._entries.append(Entry(path, LINK, 0, target))

    def folder(self, path: bytes) -> None:
        self._entries.append(Entry(path, FOLDER))

    def put(self, may_overwrite: Callable[[bytes], bool] = lambda _: False) -> Returned:
        return put(self._contents, self._entries, self.directory, may_overwrite)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_files_links_and_directories_come_as_they_were(home: Home) -> None:
    home.file(b"dist/tool", b"tool", stat.S_IFREG | 0o755)
    home.link(b"dist/latest", b"tool")
    home.folder(b"dist/empty")
    assert home.put() == ([b"dist/tool", b"dist/latest", b"dist/empty"], [])
    tool = home.directory / "dist/tool"
    assert (tool.read_bytes(), tool.stat().st_mode & 0o777, tool.stat().st_mtime_ns) == (b"tool", 0o755, THEN)
    assert (home.directory / "dist/latest").readlink() == Path("tool")
    assert (home.directory / "dist/empty").is_dir()
    assert home.put().refused == [], "what is there as it should be is no obstacle"


def test_a_file_goes_only_if_it_may(home: Home) -> None:
    for name in ("mine", "theirs"):
        (home.directory / name).write_text("before")
        home.file(name.encode())
    assert home.put(lambda path: path == b"theirs") == ([b"theirs"], [b"mine"])
    assert [(home.directory / name).read_text() for name in ("mine", "theirs")] == ["before", "built"]


def test_a_file_that_does_not_come_whole_takes_nothing_with_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Iterator[bytes]:
        yield b"half of it"
        raise KeyboardInterrupt

    (home.directory / "mine").write_text("before")
    home.file(b"mine")
    monkeypatch.setattr(Contents, "stream", broken)
    with pytest.raises(KeyboardInterrupt):
        home.put(lambda _: True)
    assert [(one.name, one.read_text()) for one in home.directory.iterdir()] == [("mine", "before")]


def test_no_link_on_the_way_is_followed_or_replaced(home: Home) -> None:
    (home.outside / "file").write_text("precious")
    (home.directory / "dist").symlink_to(home.outside)
    (home.directory / "own").symlink_to(home.outside / "file")
    home.file(b"dist/file")
    home.file(b"dist/new")
    home.file(b"own")
    home.folder(b"dist/folder")
    assert home.put() == ([], [b"dist/file", b"dist/new", b"own", b"dist/folder"])
    assert [(one.name, one.read_text()) for one in home.outside.iterdir()] == [("file", "precious")]
    assert home.put(lambda _: True).there == [b"own"], "the link itself may go, and nothing behind it"
    assert (home.outside / "file").read_text() == "precious"


def test_a_directory_stays_one_and_a_file_on_the_way_stays_too(home: Home) -> None:
    (home.directory / "folder").mkdir()
    (home.directory / "folder/inside").write_text("x")
    (home.directory / "file").write_text("x")
    home.file(b"folder")
    home.link(b"folder", b"file")
    home.file(b"file/inside")
    assert home.put(lambda _: True) == ([], [b"folder", b"folder", b"file/inside"])


@pytest.mark.parametrize("path", [b"../outside/x", b"/tmp/x", b".."])
def test_paths_that_lead_out_are_errors(home: Home, path: bytes) -> None:
    home.file(path)
    with pytest.raises(OSError, match="leads nowhere"):
        home.put()
    assert list(home.outside.iterdir()) == []
