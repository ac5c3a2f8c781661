"""The folder of blobs: put, read by ranges, hand over and take as files, forget the least recently used.

    ab/ab34...  a blob at rest, by the SHA-256 of its content; last used at its modification time, give or take a minute
    new/        what is being put; swept when nobody wrote to it for an hour
    partial/    what is being fetched, by digest; goes on after a restart, swept when nobody went on for a day

A file is whole and durable before it gets its name. There is no index to go wrong: the names are the index, and what
is used how much is looked up when somebody asks. Methods block: the event loop calls them in threads, any number at
a time. Refuses to know what contents mean, and which of them matter.
"""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from ...core.errors import Damaged, DiskFull, InvalidInput, LimitReached, NotFound, StorageError
from ...core.ids import is_digest
from ..paths import check_private
from . import seekable
from .checking import Check
from .seekable import FRAME, Malformed, Seekable

USED_GRAIN_S = 60.0
"""Seconds by which a last use may be off. Larger: fewer writes to the disk; smaller: a truer order of forgetting."""

PARTIAL_KEPT_S = 24 * 3600.0
"""Seconds for which the beginning of a blob is kept that nobody goes on to fetch."""

NEW_KEPT_S = 3600.0
"""Seconds after the last write for which what is being put is kept: another process may be at it."""

_HEX = frozenset("0123456789abcdef")
_FAN = 2  # hex digits of a folder's name: 256 folders


class Blobs:
    """The blobs of one agent."""

    def __init__(self, folder: Path, quota: int = 0) -> None:
        """Open or make the folder (0700); `quota` is in bytes at rest, 0 for none. Raises StorageError."""
        self.folder = folder
        self.quota = quota
        self._new = folder / "new"
        self._partial = folder / "partial"
        self._lock = threading.Lock()
        self._total: int | None = None  # bytes at rest, once somebody asked
        with _guard(folder, "create"):
            for one in (folder, self._new, self._partial):
                one.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_private(folder)
            self._sweep()

    # -- put

    def put(self, data: bytes) -> str:
        """Keep content; return its digest. Durable on return. Raises DiskFull, LimitReached or StorageError."""
        return self.put_many([data])[0]

    def put_many(self, contents: Sequence[bytes]) -> list[str]:
        """Keep contents, for far less than one by one; return their digests. Raises as `put`; some are kept then."""
        digests = [sha256(one).hexdigest() for one in contents]
        lacking = {digest: one for digest, one in zip(digests, contents, strict=True) if not self._use(digest)}
        written: list[tuple[Path, str]] = []
        try:
            for digest, content in lacking.items():
                path, _ = self._write(seekable.frames_of(content))
                written.append((path, digest))
            for path, _ in written:  # all are on their way to the disk by now
                _sync(path)
            self._place(written)
        finally:
            for path, _ in written:
                path.unlink(missing_ok=True)
        return digests

    def put_file(self, path: Path) -> str:
        """Keep the content of a file, however large; return its digest. Raises as `put`."""
        with _guard(path, "read"), path.open("rb") as file:
            return self.put_frames(iter(lambda: file.read(FRAME), b""))

    def put_frames(self, frames: Iterable[bytes | memoryview]) -> str:
        """Keep content that comes in pieces of FRAME bytes (but the last); return its digest. Raises as `put`."""
        written, digest = self._write(frames)
        try:
            if not self._use(digest):
                _sync(written)
                self._place([(written, digest)])
        finally:
            written.unlink(missing_ok=True)
        return digest

    # -- read

    def has(self, digest: str) -> bool:
        """Whether this content is here."""
        return self._path(digest).exists()

    def size(self, digest: str) -> int:
        """Return the bytes of content. Raises NotFound, Damaged."""
        with self._opened(digest) as blob:
            return blob.size

    def read(self, digest: str, offset: int, limit: int) -> bytes:
        """Return at most `limit` bytes of content from `offset` on; empty behind the end. Raises NotFound, Damaged."""
        if offset < 0 or limit < 0:
            message = f"offset {offset} and limit {limit} must not be negative; ask `size` first to read from the end"
            raise InvalidInput(message)
        with self._opened(digest) as blob:
            return blob.read(offset, limit)

    def stream(self, digest: str) -> Iterator[bytes]:
        """Yield all content in parts of at most 1 MiB. Raises NotFound; Damaged, also behind the last part."""
        found = sha256()
        with self._opened(digest) as blob:
            for content in blob.frames():
                found.update(content)
                yield content
            if found.hexdigest() != digest:
                raise Malformed("its content has another digest")

    # -- at rest, to be transferred

    def file(self, digest: str) -> Path:
        """Return the file at rest, which counts as a use. Raises NotFound."""
        if not self._use(digest):
            raise _unknown(digest)
        return self._path(digest)

    def partial(self, digest: str) -> Path:
        """Return where a blob that is being fetched is put together."""
        return self._partial / _checked(digest)

    def adopt(self, temporary: Path, digest: str, *, size: int | None = None, check: Check | None = None) -> None:
        """Take a file at rest from elsewhere, on the same disk, if it is what it should be; durable on return.

        `size` is its bytes of content, where they are known; `check` one of this file that has begun. Raises Damaged
        where it is something else, and then the file is gone; DiskFull, LimitReached or StorageError.
        """
        _checked(digest)
        with _guard(temporary, "read"):
            check = check or Check(temporary, digest, size=size)
            try:
                check.finish()
            except Damaged:
                temporary.unlink(missing_ok=True)
                raise
            finally:
                check.close()
        _sync(temporary)
        self._place([(temporary, digest)])

    # -- what is here, and forgetting it

    @property
    def total(self) -> int:
        """The bytes of all blobs at rest."""
        with self._lock:
            return self._count()

    def recount(self) -> int:
        """Return the bytes of all blobs at rest, looked up anew: other processes may put some, too."""
        with self._lock:
            self._total = None
            return self._count()

    def shortfall(self, needed: int) -> int:
        """Return the bytes that are to be forgotten before `needed` more at rest can be put."""
        return max(0, self.total + needed - self.quota) if self.quota else 0

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield what is here, in no order, with its bytes at rest."""
        for entry in self._entries():
            with suppress(FileNotFoundError):
                yield entry.name, entry.stat(follow_symlinks=False).st_size

    def idle(self, seconds: float) -> Iterator[str]:
        """Yield what was not used for so long, folder by folder: those whose digests begin alike come together."""
        before = time.time() - seconds
        for entry in self._entries():
            with suppress(FileNotFoundError):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    yield entry.name

    def remove(self, digest: str) -> None:
        """Forget a blob, if it is here. Who reads it at the moment reads on."""
        path = self._path(digest)
        with _guard(path, "remove"), self._lock, suppress(FileNotFoundError):
            length = path.stat().st_size
            path.unlink()
            if self._total is not None:
                self._total -= length

    def evict(self, needed: int, keep: Callable[[str], bool]) -> list[str]:
        """Forget blobs that `keep(digest)` does not hold on to, the least recently used first; return their digests.

        Ends when `needed` bytes at rest are free, or when nothing more may go.
        """
        found: list[tuple[float, int, str]] = []
        for entry in self._entries():
            with suppress(FileNotFoundError):
                about = entry.stat(follow_symlinks=False)
                found.append((about.st_mtime, about.st_size, entry.name))
        gone: list[str] = []
        for _, length, digest in sorted(found):
            if needed <= 0:
                break
            if not keep(digest):
                self.remove(digest)
                gone.append(digest)
                needed -= length
        return gone

    # -- inside

    def _path(self, digest: str) -> Path:
        return self.folder / _checked(digest)[:_FAN] / digest

    def _entries(self) -> Iterator["os.DirEntry[str]"]:
        for folder in self.folder.iterdir():
            if len(folder.name) == _FAN and _HEX.issuperset(folder.name):
                with os.scandir(folder) as entries:
                    yield from (one for one in entries if is_digest(one.name))

    def _count(self) -> int:
        if self._total is None:
            self._total = sum(size for _, size in self.sizes())
        return self._total

    def _sweep(self) -> None:
        """Remove what nobody goes on with: others may be putting and fetching at this moment."""
        for folder, kept in ((self._new, NEW_KEPT_S), (self._partial, PARTIAL_KEPT_S)):
            for path in folder.iterdir():
                with suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > kept:
                        path.unlink()

    def _use(self, digest: str) -> bool:
        """Take note that a blob is used; False when it is not here."""
        try:
            path = self._path(digest)
            _touch(path, path.stat().st_mtime)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def _opened(self, digest: str) -> Iterator[Seekable]:
        """Open a blob, and say rightly what is wrong with it."""
        path = self._path(digest)
        with _guard(path, "read"):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise _unknown(digest) from None
            try:
                _touch(descriptor, os.fstat(descriptor).st_mtime)
                yield Seekable(descriptor)
            except Malformed as problem:
                message = f"the blob {path} is damaged: {problem}; remove it, so that it is fetched from another agent"
                raise Damaged(message) from None
            finally:
                os.close(descriptor)

    def _write(self, frames: Iterable[bytes | memoryview]) -> tuple[Path, str]:
        """Write content to a new file that has no name of its own yet; return its digest, too."""
        import tempfile  # takes long, and who only reads does without

        with _guard(self._new, "write to"):
            descriptor, name = tempfile.mkstemp(dir=self._new)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    packed = seekable.pack(frames, file.write)
            except BaseException:
                Path(name).unlink()
                raise
        return Path(name), packed.digest

    def _place(self, files: Iterable[tuple[Path, str]]) -> None:
        """Give complete, synced files their names."""
        folders: set[Path] = set()
        with _guard(self.folder, "write to"):
            try:
                for path, digest in files:
                    folders.add(self._name(path, digest))
            finally:
                for folder in folders:
                    _sync(folder)

    def _name(self, path: Path, digest: str) -> Path:
        target = self._path(digest)
        if not target.parent.exists():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            _sync(self.folder)
        length = path.stat().st_size
        with self._lock:
            if target.exists():
                path.unlink()  # somebody else was faster with the same content
                return target.parent
            if self.quota and self._count() + length > self.quota:
                message = (
                    f"the blobs at {self.folder} may take {self.quota} bytes, and {length} more do not fit; "
                    "remove builds that are no longer needed, or raise the quota"
                )
                raise LimitReached(message)
            path.replace(target)
            if self._total is not None:
                self._total += length
        return target.parent


def _checked(digest: str) -> str:
    """Return a digest that can be a file's name. Raises InvalidInput."""
    if not is_digest(digest):
        message = f"{digest[:80]!r} is no SHA-256; a blob is named by 64 lower-case hex digits"
        raise InvalidInput(message)
    return digest


def _unknown(digest: str) -> NotFound:
    return NotFound(f"the blob {digest[:12]} is not on this machine; fetch it from an agent that has it")


def _touch(where: Path | int, used: float) -> None:
    if not 0 <= time.time() - used < USED_GRAIN_S:
        os.utime(where)


def _sync(path: Path) -> None:
    with _guard(path, "write"):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _guard(path: Path, doing: str) -> Iterator[None]:
    """Turn the system's errors into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            message = f"the disk is full: cannot {doing} {path}; free some space and try again"
            raise DiskFull(message) from None
        message = f"cannot {doing} {path}: {error.strerror}; check the disk and the permissions"
        raise StorageError(message) from None
