"""Some disk space held in reserve, so that a full disk can still be told of: ends of builds must be recordable.

A file of zeros that is given up when the log cannot grow, and taken again when there is room.
"""

import os
from contextlib import suppress
from pathlib import Path

SIZE = 8 << 20
"""Bytes held: the ends of some ten thousand builds."""


class Ballast:
    """The file."""

    def __init__(self, path: Path) -> None:
        """Use the file at `path`; `hold` makes it."""
        self._path = path

    def hold(self) -> None:
        """Take the space, if the disk has four times as much."""
        free = os.statvfs(self._path.parent)
        if self._path.exists() or free.f_bavail * free.f_frsize < 4 * SIZE:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, SIZE)
            else:
                os.write(descriptor, bytes(SIZE))
        except OSError:
            self.release()
        finally:
            os.close(descriptor)

    def release(self) -> bool:
        """Give the space up; return whether there was any."""
        with suppress(FileNotFoundError):
            self._path.unlink()
            return True
        return False
