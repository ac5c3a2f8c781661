"""Some disk space held in reserve, so that a full disk can still be told of: the ends of builds must be recordable.

Files of zeros that are given up one by one when the log cannot grow, and taken again when there is room. In parts,
because builds that have not been stopped yet may snatch what is given up.
"""

import os
from contextlib import suppress
from pathlib import Path

PART = 1 << 20
"""Bytes of one part: the ends of a thousand builds."""

PARTS = 8
"""Parts held."""


class Ballast:
    """The files."""

    def __init__(self, folder: Path) -> None:
        """Hold nothing yet; `hold` does."""
        self._files = [folder / f"ballast-{place}" for place in range(PARTS)]

    def hold(self) -> None:
        """Take the space, if the disk has more than twice as much."""
        with suppress(OSError):
            for file in self._files:
                found = os.statvfs(file.parent)
                if not file.exists() and found.f_bavail * found.f_frsize > 2 * PART * PARTS:
                    file.write_bytes(bytes(PART))

    def release(self) -> bool:
        """Give one part up; return whether there was one."""
        for file in self._files:
            with suppress(FileNotFoundError):
                file.unlink()
                return True
        return False
