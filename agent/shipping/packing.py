"""Packing a directory: its contents, as far as they are new, go to where this machine's agent has them.

First `Packing` looks, and says how much is new and what of it is large; then `store` reads that and only that. Refuses
to know what is run in the directory, and where.
"""

import errno
import os
import shutil
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ...core import manifest
from ...core.errors import DiskFull, InvalidInput
from ...core.manifest import Digest, Entry, file_mode, shown
from ..blobs import Contents, Why
from ..blobs.contents import Writer
from .listing import Found, Listing
from .memory import Memory, load, save

RESERVE = 100 << 20
"""Bytes of disk that stay free whatever is packed."""


class Packing:
    """One directory that is being packed."""

    def __init__(self, listing: Listing, contents: Contents, memories: Path, memory: Memory | None = None) -> None:
        """Pack what was listed into `contents`; what is remembered of directories is in the folder `memories`.

        `memory` is what is remembered of this one, where that was read already.
        """
        self.listing = listing
        self._at = time.time_ns()
        self._contents = contents
        self._memories = memories
        self._memory = load(memories, listing.top) if memory is None else memory
        self._same = self._memory.same(listing.found) and contents.use(self._memory.root)
        known = {} if self._same else self._memory.known()
        self._digests = [known.get(one) for one in listing.found]
        self.new = [] if self._same else [one for one in listing.found if one not in known and stat.S_ISREG(one.mode)]

    @property
    def new_bytes(self) -> int:
        """The bytes of files that were not packed before as they are now."""
        return sum(one.size for one in self.new)

    def largest(self, count: int) -> list[Found]:
        """Return the largest of the files that were not packed before."""
        return sorted(self.new, key=lambda one: -one.size)[:count]

    def store(self, progress: Callable[[int], None] = lambda _: None) -> Digest:
        """Put what is new where the agent has it; return the digest that stands for the directory.

        `progress` is told of bytes that were just read. Raises InvalidInput for what cannot be read or is too much,
        DiskFull or StorageError.
        """
        if self._same:
            return self._memory.root
        self._check_room()
        descriptor = os.open(self.listing.top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with self._contents.staying():
                return self._store(descriptor, progress)
        finally:
            os.close(descriptor)

    def _store(self, top: int, progress: Callable[[int], None]) -> Digest:
        with self._contents.writer() as writer:
            entries = [
                one
                for found, digest in zip(self.listing.found, self._digests, strict=True)
                if (one := self._entry(top, found, digest, writer, progress)) is not None
            ]
            if not self._contents.holds(self._memory.root):
                writer.flush()
                self._fill(top, entries, writer)
            root = writer.put_directory(manifest.write(entries))
        self._contents.hold(root, Why.SOURCE)
        digests = {one.path: one.digest for one in entries}
        kept = [one for one in self.listing.found if one.name in digests]
        memory = Memory(root, self._at, kept, [digests[one.name] for one in kept], self._memory.returned)
        memory.settle()
        save(self._memories, self.listing.top, memory)
        return root

    def _entry(
        self, top: int, found: Found, digest: Digest | None, writer: Writer, progress: Callable[[int], None]
    ) -> Entry | None:
        """Return what travels of a file, whose content is put if it is new; None where it is gone by now."""
        kind = stat.S_IFMT(found.mode)
        try:
            if kind == stat.S_IFDIR:
                return Entry(found.name, kind | _FOLDER)
            if kind == stat.S_IFLNK:
                return Entry(found.name, kind | _LINK, 0, os.readlink(found.name, dir_fd=top))
            size = found.size
            if digest is None:
                digest, size = _put(top, found.name, writer)
                progress(size)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(found.name, error) from None
        return Entry(found.name, file_mode(found.mode), size, digest, max(0, found.mtime))

    def _fill(self, top: int, entries: Sequence[Entry], writer: Writer) -> None:
        """Put contents that were packed once and are here no more."""
        lacking = set(self._contents.lacking(one.digest for one in entries if one.is_file))
        for one in entries:
            if one.is_file and one.digest in lacking:
                try:
                    digest, _ = _put(top, one.path, writer)
                except OSError as error:
                    raise self._unreadable(one.path, error) from None
                if digest != one.digest:
                    message = f"{shown(one.path)} changes while it is packed; try again"
                    raise InvalidInput(message)

    def _check_room(self) -> None:
        free = shutil.disk_usage(self._contents.folder).free
        if self.new_bytes > free - RESERVE:
            message = (
                f"{self.listing.top} has {self.new_bytes >> 20} MiB that are new, and {free >> 20} MiB are free in "
                f"{self._contents.folder}; free some space, or ship less"
            )
            raise DiskFull(message)

    def _unreadable(self, name: bytes, error: OSError) -> InvalidInput | DiskFull:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return DiskFull(f"the disk is full: {self.listing.top} cannot be packed; free some space")
        return InvalidInput(
            f"cannot read {shown(name)} in {self.listing.top}: {error.strerror}; change its permissions, or have git "
            "ignore it"
        )


def _put(top: int, name: bytes, writer: Writer) -> tuple[Digest, int]:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=top)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "it is no file any more", name)
    with os.fdopen(descriptor, "rb") as file:
        return writer.put_file(file)


_FOLDER = 0o755
_LINK = 0o777
