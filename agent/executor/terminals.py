"""A terminal for an attempt: what its processes see as one, with nobody but us behind it.

Each process that is started there leads a session of its own and has the terminal as its controlling one, so that what
is typed - Ctrl-C, Ctrl-Z - reaches its foreground group as it would anywhere else. Refuses to know what is written.
"""

import os
import sys
import termios

from ...core.model import Terminal

_UTF8 = 0x4000  # IUTF8 of Linux, which the termios module does not have: erasing takes whole characters
MAX_SIDE = 10_000
"""Largest width and height."""


class Pty:
    """One pseudo-terminal."""

    def __init__(self, wish: Terminal) -> None:
        """Open it. Raises OSError."""
        self.master, self._slave = os.openpty()
        os.set_blocking(self.master, False)
        self._path = os.ttyname(self._slave)
        self.term = wish.term
        self.resize(wish.columns, wish.rows)
        if sys.platform == "linux":
            modes = termios.tcgetattr(self._slave)
            modes[0] |= _UTF8
            termios.tcsetattr(self._slave, termios.TCSANOW, modes)

    @property
    def actions(self) -> tuple[tuple[int, int, str, int, int], tuple[int, int, int]]:
        """Descriptors of a process that writes there; a session's leader that opens a terminal has it as its own."""
        return (os.POSIX_SPAWN_OPEN, 1, self._path, os.O_RDWR, 0), (os.POSIX_SPAWN_DUP2, 1, 2)

    def resize(self, columns: int, rows: int) -> None:
        """Set its size; the foreground group is told by SIGWINCH where it changes."""
        if self.master >= 0:
            size = min(max(rows, 1), MAX_SIDE), min(max(columns, 1), MAX_SIDE)
            termios.tcsetwinsize(self.master, size)

    def hang_up(self) -> None:
        """Let go of the processes' end: it ends with the last of them that has it open."""
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1

    def close(self) -> None:
        """Let go of all of it; whoever has it open gets SIGHUP."""
        self.hang_up()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
