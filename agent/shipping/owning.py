"""Which files of a directory are people's own, and not to be overwritten by what comes back from a build.

Their own is whatever travelled, whatever git tracks by now, and, where git is not there to ignore it, whatever lies
there at all; but not what came back from a build itself, earlier, and is as it came.
"""

import os
from collections.abc import Callable, Iterable
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from ...core.manifest import Entry, shown
from . import gittree, memory
from .listing import Listing


class Owning:
    """One directory, after it was packed."""

    def __init__(self, listing: Listing, memories: Path) -> None:
        """Speak of what was listed; what is remembered of directories is in the folder `memories`."""
        self.top = listing.top
        self._listing = listing
        self._top = os.fsencode(listing.top)
        self._memories = memories

    @cached_property
    def _travelled(self) -> set[bytes]:
        return {one.name for one in self._listing.found}

    @cached_property
    def _returned(self) -> dict[str, bytes]:
        return memory.load(self._memories, self.top).returned

    def guard(self, entries: Iterable[Entry]) -> Callable[[bytes], bool]:
        """Return what says whether a file may go that lies where one of the entries is to be put."""
        there = [one.path for one in entries if os.path.lexists(self._at(one.path))]
        unasked = [path for path in there if path not in self._travelled and not self._came_back(path)]
        ignored = gittree.ignored(self.top, unasked) if self._listing.git and unasked else set[bytes]()

        def may_overwrite(path: bytes) -> bool:
            return path in ignored or self._came_back(path)

        return may_overwrite

    def on_returned(self, entries: Iterable[Entry]) -> None:
        """Remember what came back."""
        returned = self._returned
        returned |= {shown(one.path): one.digest for one in entries}
        found = memory.load(self._memories, self.top)
        found.returned |= returned
        memory.save(self._memories, self.top, found)

    def _came_back(self, path: bytes) -> bool:
        """Whether a file is as it came from a build before."""
        before = self._returned.get(shown(path))
        return before is not None and before == self._digest(path)

    def _digest(self, path: bytes) -> bytes:
        """Return what an entry has as digest."""
        at = self._at(path)
        try:
            if os.path.islink(at):  # noqa: PTH114 - names are bytes
                return os.readlink(at)  # noqa: PTH115 - names are bytes
            with open(at, "rb") as file:  # noqa: PTH123 - names are bytes
                digest = sha256()
                while part := file.read(1 << 20):
                    digest.update(part)
                return digest.digest()
        except OSError:
            return b""

    def _at(self, path: bytes) -> bytes:
        return os.path.join(self._top, path)  # noqa: PTH118 - names are bytes
