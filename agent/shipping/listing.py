"""What of a directory travels: of a git work tree what belongs to it, of any other directory everything."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ...core.errors import InvalidInput
from . import gittree
from .gittree import Head

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


def list_directory(directory: Path, include: Sequence[str] = ()) -> Listing:
    """Look at a directory, or at the git work tree that it is in. Raises InvalidInput where it cannot be read.

    `include` are globs, relative to the top, of files that travel although git ignores them.
    """
    directory = directory.resolve()
    if not directory.is_dir():
        message = f"{directory} is not a directory; name the one to ship with --directory"
        raise InvalidInput(message)
    notes: list[str] = []
    top = gittree.top_of(directory)
    head = Head()
    names: list[bytes] | None = None
    if top is not None:
        try:
            names, head = gittree.names(top, include)
        except FileNotFoundError:
            notes.append(NO_GIT)
            top = None
    at = top or directory
    descriptor = os.open(at, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found, left_out = _look(at, descriptor, names)
    except OSError as error:
        name = os.fsdecode(error.filename) if error.filename else str(at)
        message = f"cannot read {name} in {at}: {error.strerror}; change its permissions, or have git ignore it"
        raise InvalidInput(message) from None
    finally:
        os.close(descriptor)
    inside = "" if top is None else os.fspath(directory.relative_to(top))
    return Listing(at, "" if inside == "." else inside, top is not None, head, found, left_out, notes)


def _look(top: Path, descriptor: int, names: list[bytes] | None) -> tuple[list[Found], list[bytes]]:
    """Look at the named files, or at all there are; return what travels, and what cannot."""
    found: list[Found] = []
    left_out: list[bytes] = []
    for one in sorted(set(_walk(descriptor) if names is None else _named(top, descriptor, names))):
        kind = stat.S_IFMT(one.mode)
        if kind in {stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR}:
            found.append(one)
        else:
            left_out.append(one.name)
    return found, left_out


def _named(top: Path, descriptor: int, names: Sequence[bytes]) -> Iterator[Found]:
    """Yield what git listed, as far as it is there; a directory among it is a submodule."""
    for name in names:
        try:
            about = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            continue  # deleted in the work tree, and the index does not know yet
        if stat.S_ISDIR(about.st_mode):
            inside = gittree.submodule(top, name)
            if inside == [name]:
                yield _found(name, about)
            else:
                yield from _named(top, descriptor, inside)
        else:
            yield _found(name, about)


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
