"""A directory, and what is done below it, without ever following a link out of it.

A build may put a symbolic link anywhere, also where a directory was a moment ago. So nothing here is done by a path:
each directory on the way is opened by itself, refusing links, and what is done is done in an opened directory. Names
are bytes, paths relative to the top.
"""

import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

OPEN = 64
"""Directories kept open. Larger: fewer system calls in broad directories."""

DEEP = 100
"""Directories inside each other that are removed as they lie; what is deeper is moved up first, and then removed."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Beneath:
    """The top directory. A context manager, which gives back what is open."""

    def __init__(self, top: Path, *, replaces: bool = True) -> None:
        """Open the directory, which exists. Raises OSError where it is none, or a link.

        `replaces`: a file or link that is on the way to something new goes; else it stays, and that is an error.
        """
        self._top = os.open(top, _FOLDER)
        self._replaces = replaces
        self._folders: OrderedDict[bytes, int] = OrderedDict()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give back what is open."""
        self._forget()
        os.close(self._top)

    # -- looking

    def look(self, path: bytes) -> os.stat_result | None:
        """Return what is at a path, a link itself where it is one; None where nothing is, or a link is on the way."""
        try:
            folder, name = self._parent(path)
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise

    def look_each(self, paths: Iterable[bytes]) -> Iterator[os.stat_result | None]:
        """Yield what is at each of many paths, as `look`; sorted ones are quicker."""
        last: bytes | None = None
        descriptor = None
        for path in paths:
            folder, _, name = path.rpartition(b"/")
            try:
                if folder != last:
                    last, descriptor = folder, None
                    descriptor = self._folder(folder)
                yield None if descriptor is None else os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    raise
                yield None

    def link(self, path: bytes) -> bytes:
        """Return where a symbolic link leads to. Raises OSError where there is none."""
        folder, name = self._parent(path)
        return os.readlink(name, dir_fd=folder)

    def open(self, path: bytes) -> int:
        """Open a regular file for reading; return its descriptor. Raises OSError where there is none."""
        folder, name = self._parent(path)
        descriptor = os.open(name, _READ, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no regular file", os.fsdecode(path))
        return descriptor

    def inside(self, path: bytes) -> list[tuple[bytes, bool]]:
        """Return the names in a directory (empty path: the top), each with whether it is a directory itself."""
        with os.scandir(self._folder(path)) as entries:
            return [(os.fsencode(one.name), one.is_dir(follow_symlinks=False)) for one in entries]

    # -- changing

    def make_folder(self, path: bytes) -> None:
        """See that there is a directory at a path, and on the way to it; what is there instead is removed."""
        self._folder(path, make=True)

    @contextmanager
    def writing(self, path: bytes) -> Iterator[int]:
        """Give the descriptor of a new file at a path where nothing is; directories on the way are made."""
        folder, name = self._parent(path, make=True)
        descriptor = os.open(name, _WRITE, 0o600, dir_fd=folder)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def make_link(self, path: bytes, target: bytes) -> None:
        """Make a symbolic link at a path where nothing is."""
        folder, name = self._parent(path, make=True)
        os.symlink(target, name, dir_fd=folder)

    def rename(self, path: bytes, to: bytes) -> None:
        """Give a file another name in the directory that it is in; a file that has that name goes."""
        folder, name = self._parent(path)
        os.rename(name, to.rpartition(b"/")[2], src_dir_fd=folder, dst_dir_fd=folder)

    def remove(self, path: bytes) -> None:
        """Remove what is at a path, a directory with all that is in it; nothing may be there."""
        try:
            folder, name = self._parent(path)
            about = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return
            raise
        if stat.S_ISDIR(about.st_mode):
            self._forget()
            folder, name = self._parent(path)
            self._remove_folder(folder, name, DEEP)
        else:
            os.unlink(name, dir_fd=folder)

    def remove_empty(self, path: bytes) -> bool:
        """Remove a directory if it is one and nothing is in it; return whether it was."""
        self._forget()
        try:
            folder, name = self._parent(path)
            os.rmdir(name, dir_fd=folder)
        except OSError:
            return False
        return True

    # -- inside

    def _remove_folder(self, folder: int, name: bytes, deep: int) -> None:
        descriptor = _open(name, folder)
        try:
            with os.scandir(descriptor) as entries:
                inside = [(os.fsencode(one.name), one.is_dir(follow_symlinks=False)) for one in entries]
            for one, is_folder in inside:
                if not is_folder:
                    os.unlink(one, dir_fd=descriptor)
                elif deep:
                    self._remove_folder(descriptor, one, deep - 1)
                else:
                    self._remove_elsewhere(descriptor, one)
        finally:
            os.close(descriptor)
        os.rmdir(name, dir_fd=folder)

    def _remove_elsewhere(self, folder: int, name: bytes) -> None:
        """Remove a directory that lies too deep: from the top."""
        moved = b".orchestra-removing-%d" % os.getpid()
        with suppress(FileNotFoundError):
            while True:  # the moved one may hold one that is too deep again, which takes another name
                os.stat(moved, dir_fd=self._top, follow_symlinks=False)
                moved += b"-"
        os.rename(name, moved, src_dir_fd=folder, dst_dir_fd=self._top)
        self._remove_folder(self._top, moved, DEEP)

    def _parent(self, path: bytes, *, make: bool = False) -> tuple[int, bytes]:
        """Return the directory that a path lies in, opened, and its name in that."""
        folder, _, name = path.rpartition(b"/")
        if name in {b"", b".", b".."} or path.startswith(b"/"):
            raise OSError(errno.EINVAL, "it leads nowhere", os.fsdecode(path))
        return self._folder(folder, make=make), name

    def _folder(self, path: bytes, *, make: bool = False) -> int:
        """Return a directory, opened; it stays open for a while."""
        if not path:
            return self._top
        known = self._folders.get(path)
        if known is not None:
            self._folders.move_to_end(path)
            return known
        folder, name = self._parent(path, make=make)
        try:
            changes = make and self._replaces
            descriptor = _open(name, folder) if changes else os.open(name, _FOLDER, dir_fd=folder)
        except OSError as error:
            if not make or error.errno not in _NOT_THERE or not (self._replaces or error.errno == errno.ENOENT):
                raise
            if self._replaces:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)  # a file or a link
            os.mkdir(name, 0o755, dir_fd=folder)
            descriptor = os.open(name, _FOLDER, dir_fd=folder)
        self._folders[path] = descriptor
        if len(self._folders) > OPEN:
            os.close(self._folders.popitem(last=False)[1])
        return descriptor

    def _forget(self) -> None:
        while self._folders:
            os.close(self._folders.popitem()[1])


def _open(name: bytes, folder: int) -> int:
    """Open a directory that something is to be changed in, also where a build made it read-only."""
    try:
        descriptor = os.open(name, _FOLDER, dir_fd=folder)
    except PermissionError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise
        os.chmod(name, stat.S_IRWXU, dir_fd=folder)
        descriptor = os.open(name, _FOLDER, dir_fd=folder)
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        os.fchmod(descriptor, mode | stat.S_IRWXU)
    return descriptor


_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
