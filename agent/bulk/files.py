"""The files that are being served, kept open while somebody reads them.

A file is looked up by name when it is opened, and read as it was then, even if another takes its name meanwhile: who
fetches it checks its digest. Only regular files are opened. Used by one thread.
"""

import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

Resolve = Callable[[str], Path | None]
"""Gives a name its file; None: there is none of that name. Asked in the server's thread."""

OPEN = 64
"""Files kept open."""

IDLE_S = 10.0
"""Seconds for which a file stays open that nobody reads. A removed one holds its space on the disk that long."""


@dataclass
class _Open:
    descriptor: int
    size: int
    used: float  # seconds of the caller's clock


class Files:
    """What is open."""

    def __init__(self, resolve: Resolve) -> None:
        """Find files by `resolve`."""
        self._resolve = resolve
        self._open: OrderedDict[str, _Open] = OrderedDict()

    def size(self, name: str, now: float) -> int | None:
        """Return the bytes of a file; None: there is none. Raises OSError, and what `resolve` raises."""
        found = self._find(name, now)
        return found.size if found else None

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return a range of a file that `size` just found; less only where it ends. Raises OSError."""
        found = self._open[name]
        return os.pread(found.descriptor, min(length, max(0, found.size - offset)), offset)

    def close_idle(self, now: float) -> None:
        """Close what nobody read for a while."""
        for name in [name for name, one in self._open.items() if now - one.used > IDLE_S]:
            os.close(self._open.pop(name).descriptor)

    def close(self) -> None:
        """Close all."""
        while self._open:
            os.close(self._open.popitem()[1].descriptor)

    def _find(self, name: str, now: float) -> _Open | None:
        found = self._open.pop(name, None)
        if found is None:
            path = self._resolve(name)
            descriptor = None if path is None else _open(path)
            if descriptor is None:
                return None
            found = _Open(descriptor, os.fstat(descriptor).st_size, now)
            if len(self._open) >= OPEN:
                os.close(self._open.popitem(last=False)[1].descriptor)
        found.used = now
        self._open[name] = found
        return found


def _open(path: Path) -> int | None:
    """Open a regular file; None where there is none."""
    with suppress(FileNotFoundError, NotADirectoryError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # not to wait for the writer of a pipe
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    return None
