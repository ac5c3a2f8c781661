"""A program in a terminal of its own: keys go in, what it draws is waited for, with the time that took."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ESCAPES = re.compile(rb"\x1b\[[0-9;?:>=$ ]*[a-zA-Z~]|\x1b[()][0-9A-B]|\x1b[=>]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)")
_PATIENCE_S = 60.0


class Terminal:
    """A program and the terminal that it draws to."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], size: tuple[int, int] = (120, 40)
    ) -> None:
        """Start `command` in a terminal of `size` (columns, lines)."""
        self._side, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=inner, stdout=inner, stderr=inner, env=environment, start_new_session=True
        )
        os.close(inner)
        self._drawn = b""

    def press(self, keys: str) -> float:
        """Press keys, and forget what was drawn before; return when."""
        while self._read(0.0):
            pass
        self._drawn = b""
        os.write(self._side, keys.encode())
        return time.perf_counter()

    def wait(self, pattern: str, since: float) -> float:
        """Return how many seconds after `since` all of a pattern had been drawn. Raises RuntimeError in the end."""
        wanted = re.compile(pattern.encode())
        while not wanted.search(_ESCAPES.sub(b"", self._drawn)):
            ended = not self._read(1.0) and self.process.poll() is not None
            if ended or time.perf_counter() - since > _PATIENCE_S:
                message = f"nothing like {pattern!r} was drawn, but: {_ESCAPES.sub(b' ', self._drawn)[-2000:]!r}"
                raise RuntimeError(message)
        return time.perf_counter() - since

    def settle(self, quiet_s: float = 0.5) -> None:
        """Return when nothing was drawn for a while."""
        while self._read(quiet_s):
            pass

    def ask(self, keys: str, pattern: str) -> float:
        """Press keys; return the seconds until a pattern was drawn."""
        return self.wait(pattern, self.press(keys))

    def resident(self) -> int:
        """Return the bytes of memory that the program has resident."""
        return int(Path(f"/proc/{self.process.pid}/status").read_text().split("VmRSS:")[1].split()[0]) << 10

    def cpu_seconds(self) -> float:
        """Return its processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rest(self, seconds: float) -> None:
        """Let it go on for a while, taking what it draws."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._read(left)
            self._drawn = self._drawn[-10_000:]

    def _read(self, wait_s: float) -> bytes:
        if not select.select([self._side], [], [], wait_s)[0]:
            return b""
        with suppress(OSError):  # the program has ended
            found = os.read(self._side, 1 << 20)
            self._drawn += found
            return found
        return b""

    def __enter__(self) -> Self:
        """Use as a context manager: the program is ended."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._side)
