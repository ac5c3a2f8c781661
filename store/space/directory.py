"""A blob space in a directory that agents reach by the same path, such as a mounted share.

    DIRECTORY/NETWORK/log/ab/ab12...   a content, by kind, the first byte of its digest, and its digest
    DIRECTORY/NETWORK/new/             what is being put; swept when nobody wrote to it for a day

A file is whole and synced before it gets its name, so a reader sees all of it or nothing, also after a crash. The
directory itself is never made: where a share is not mounted, nothing must be written into the empty place.
"""

import errno
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ...core.errors import DiskFull, NotFound, StorageError
from ...core.ids import is_digest
from .contract import PART, Kept, split

NEW_KEPT_S = 24 * 3600.0
"""Seconds after the last write for which what is being put is kept: another agent may be at it."""

_NEW = "new"
_FAN = 2  # hex digits of a folder's name: 256 folders


class Directory:
    """A folder behind the contract."""

    def __init__(self, folder: Path, network: str, *, begun: bool = False) -> None:
        """Open the space of a network in `folder`, which exists; with `begun` something was put there before.

        Raises StorageError where the folder, or what was put there, is not to be found, or nothing can be written.
        """
        self.url = f"directory://{folder}"
        self._folder = folder / network
        if not folder.is_dir():
            raise self._error(f"there is no directory {folder}", "make it, or mount what belongs there")
        if begun and not self._folder.is_dir():
            raise self._error(f"what was kept in {self._folder} is gone", "mount what belongs there, or bring it back")
        with self._guard("write to"):
            for one in (self._folder, self._folder / _NEW):
                one.mkdir(mode=0o700, exist_ok=True)
            self._sweep()
        if not os.access(self._folder / _NEW, os.R_OK | os.W_OK | os.X_OK):
            raise self._error("it belongs to another user", "run all agents that use it as one user")

    def lacking(self, names: Sequence[str]) -> list[str]:
        """See BlobSpace."""
        with self._guard("read"):
            self._check_there()
            return [one for one in names if not self._path(one).exists()]

    def put(self, name: str, parts: Iterable[bytes]) -> None:
        """See BlobSpace."""
        target = self._path(name)
        with self._guard("write to"):
            descriptor, temporary = tempfile.mkstemp(dir=self._folder / _NEW)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for part in parts:  # what these raise is no error of this space
                    with self._guard("write to"):
                        file.write(part)
                with self._guard("write to"):
                    file.flush()
                    os.fsync(file.fileno())
            with self._guard("write to"):
                for folder in (target.parent.parent, target.parent):
                    self._make(folder)
                Path(temporary).replace(target)
                _sync(target.parent)
        finally:
            with suppress(OSError):
                Path(temporary).unlink(missing_ok=True)

    def get(self, name: str) -> Iterator[bytes]:
        """See BlobSpace."""
        path = self._path(name)
        with self._guard("read"):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                raise NotFound(f"{name[:20]} is not in {self.url}") from None
        with file:
            while True:
                with self._guard("read"):
                    part = file.read(PART)
                if not part:
                    return
                yield part

    def remove(self, names: Sequence[str]) -> None:
        """See BlobSpace."""
        with self._guard("remove from"):
            for one in names:
                self._path(one).unlink(missing_ok=True)

    def names(self) -> Iterator[Kept]:
        """See BlobSpace."""
        with self._guard("read"):
            self._check_there()
            for kind in self._folders(self._folder):
                for folder in self._folders(kind) if kind.name != _NEW else ():
                    with os.scandir(folder) as entries:
                        yield from (_kept(kind.name, one) for one in entries if is_digest(one.name))

    def close(self) -> None:
        """See BlobSpace: nothing is held open."""

    def _path(self, name: str) -> Path:
        kind, digest = split(name)
        return self._folder / kind / digest[:_FAN] / digest

    @staticmethod
    def _folders(above: Path) -> list[Path]:
        return sorted(one for one in above.iterdir() if one.is_dir())

    @staticmethod
    def _make(folder: Path) -> None:
        """Make a folder durably where it is missing."""
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            _sync(folder.parent)

    def _check_there(self) -> None:
        """Raise StorageError where the whole is gone: what is missing then is not lacking."""
        if not (self._folder / _NEW).is_dir():
            raise self._error(f"{self._folder} is gone", "mount what belongs there")

    def _sweep(self) -> None:
        for path in (self._folder / _NEW).iterdir():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > NEW_KEPT_S:
                    path.unlink()

    @contextmanager
    def _guard(self, doing: str) -> Iterator[None]:
        """Turn the system's errors into ours."""
        try:
            yield
        except OSError as problem:
            said = f"cannot {doing} it: {problem.strerror or problem}"
            if problem.errno in {errno.ENOSPC, errno.EDQUOT}:
                message = f"the blob space {self.url} is full; free some space there"
                raise DiskFull(message) from None
            remedy = {
                errno.EACCES: "let the agent's user write there",
                errno.EPERM: "let the agent's user write there",
                errno.EROFS: "mount it so that it can be written to",
                errno.ENOENT: "mount what belongs there",
            }
            raise self._error(said, remedy.get(problem.errno or 0, "check that it is mounted and answers")) from None

    def _error(self, said: str, remedy: str) -> StorageError:
        return StorageError(f"the blob space {self.url} cannot be used: {said}; {remedy}")


def _kept(kind: str, entry: "os.DirEntry[str]") -> Kept:
    about = entry.stat(follow_symlinks=False)
    return Kept(f"{kind}/{entry.name}", about.st_size, int(about.st_mtime * 1000))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
