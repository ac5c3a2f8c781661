"""Log files that nothing was written to, used again for the logs of attempts to come.

Many small builds print nothing, and making a file costs the executor more than all else that it does for one of them:
some file systems look long for room after many files were deleted. So the empty log of an attempt that has ended gets
the next one's name. An attempt whose log is not there has an empty log, for whoever reads it.
"""

import os
from contextlib import suppress
from typing import NamedTuple


class _Blank(NamedTuple):
    """A log file that is empty, and whose attempt has ended."""

    path: str
    descriptor: int  # open for reading and appending


class Blanks:
    """All that there are: never more than attempts ran at a time."""

    def __init__(self) -> None:
        """Begin without any."""
        self._free: list[_Blank] = []

    def take(self, path: str) -> int:
        """Return the descriptor of the log at `path`, which is there then. Raises OSError where it cannot be made."""
        while self._free:
            blank = self._free.pop()
            with suppress(OSError):  # it may be deleted by now, as logs of builds are that nobody remembers
                os.rename(blank.path, path)
                return blank.descriptor
            os.close(blank.descriptor)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def give_back(self, path: str, descriptor: int) -> None:
        """Take back a log that is empty, and that nobody is left to write to."""
        self._free.append(_Blank(path, descriptor))
