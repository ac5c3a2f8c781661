"""What of a directory travels: of a git work tree what belongs to it, of any other directory everything."""

import os
import stat
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import eq
from pathlib import Path
from typing import NamedTuple

from ...core.errors import InvalidInput
from . import gittree
from .gittree import Head

_TRAVELS = frozenset({stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR})

NO_GIT = "there is no git on the PATH to say what belongs to this work tree, so everything travels, ignored files too"


class Found(NamedTuple):
    """A file, link or empty directory that travels, and how it stood when it was looked at."""

    name: bytes  # relative to the top
    mode: int  # kind and permissions
    size: int  # bytes
    mtime: int  # when its content was last changed, nanoseconds
    ctime: int  # when anything about it was last changed, nanoseconds
    inode: int  # tells it from another file of that name


class Listing(NamedTuple):
    """What travels of a directory."""

    top: Path  # what is shipped: the top of the work tree, or the directory itself
    inside: str  # where in it one was, relative; empty: at the top
    git: bool  # whether it is a git work tree
    head: Head  # what is checked out there
    found: list[Found]  # sorted by name
    left_out: list[bytes]  # names of sockets, pipes and devices, which mean nothing elsewhere
    notes: list[str]  # what people should know of it


class Looking:
    """A directory, or the git work tree that it is in, that is being looked at: git begins at once."""

    def __init__(self, directory: Path, include: Sequence[str] = ()) -> None:
        """Begin. `include` are globs, relative to the top, of files that travel although git ignores them.

        Raises InvalidInput where there is no such directory.
        """
        self._directory = directory.resolve()
        if not self._directory.is_dir():
            message = f"{self._directory} is not a directory; name the one to ship with --directory"
            raise InvalidInput(message)
        self._notes: list[str] = []
        self._asked: gittree.Asked | None = None
        top = gittree.top_of(self._directory)
        if top is not None:
            try:
                self._asked = gittree.Asked(top, include)
            except FileNotFoundError:
                self._notes.append(NO_GIT)
                top = None
        self.top = top or self._directory

    def listing(self) -> Listing:
        """Return what travels. Raises InvalidInput where it cannot be read."""
        names, head = (None, Head()) if self._asked is None else self._asked.names()
        descriptor = os.open(self.top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found, left_out = _look(self.top, descriptor, names)
        except OSError as error:
            name = os.fsdecode(error.filename) if error.filename else str(self.top)
            message = (
                f"cannot read {name} in {self.top}: {error.strerror}; change its permissions, or have git ignore it"
            )
            raise InvalidInput(message) from None
        finally:
            os.close(descriptor)
        inside = "" if names is None else os.fspath(self._directory.relative_to(self.top))
        return Listing(self.top, "" if inside == "." else inside, names is not None, head, found, left_out, self._notes)


def list_directory(directory: Path, include: Sequence[str] = ()) -> Listing:
    """Look at a directory, from beginning to end; see Looking."""
    return Looking(directory, include).listing()


def _look(top: Path, descriptor: int, names: list[bytes] | None) -> tuple[list[Found], list[bytes]]:
    """Look at the named files, or at all there are; return what travels, and what cannot."""
    every = sorted(_walk(descriptor) if names is None else _named(top, descriptor, names))
    if any(map(eq, every, islice(every, 1, None))):  # a repository inside may hold what the one around it tracks, too
        every = list(dict.fromkeys(every))
    left_out = [one.name for one in every if stat.S_IFMT(one.mode) not in _TRAVELS]
    if left_out:
        every = [one for one in every if stat.S_IFMT(one.mode) in _TRAVELS]
    return every, left_out


def _named(top: Path, descriptor: int, names: Sequence[bytes]) -> Iterator[Found]:
    """Yield what git listed, as far as it is there; a directory among it is a submodule."""
    look, is_folder = os.stat, stat.S_ISDIR
    for name in names:
        try:
            about = look(name, dir_fd=descriptor, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            continue  # deleted in the work tree, and the index does not know yet
        found = _found(name, about)
        if is_folder(found.mode) and (inside := gittree.submodule(top, name)) != [name]:
            yield from _named(top, descriptor, inside)
        else:
            yield found


def _walk(descriptor: int) -> Iterator[Found]:
    """Yield all there is below a directory; a directory itself only where it is empty."""
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        opened = os.open(folder or b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=descriptor)
        try:
            with os.scandir(opened) as entries:
                inside = list(entries)
            if folder and not inside:
                yield _found(folder, os.fstat(opened))
            for entry in inside:
                name = os.fsencode(entry.name)
                name = folder + b"/" + name if folder else name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name)
                else:
                    yield _found(name, entry.stat(follow_symlinks=False))
        finally:
            os.close(opened)


def _found(name: bytes, about: os.stat_result) -> Found:
    return Found(name, about.st_mode, about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
