"""A user at a terminal: a command with a pseudo-terminal of its own, what is on it, and keys."""

import fcntl
import os
import signal
import subprocess
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from select import select

from .commands import PROGRAM
from .waiting import DEADLINE_S


class Seat:
    """One command at one terminal."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int) -> None:
        """Sit at the other end of the process's terminal."""
        self.process = process
        self.seen = b""  # all that came
        self._terminal = terminal
        self._looked = 0  # bytes of it that `until` has passed

    def type(self, keys: str | bytes) -> None:
        """Press keys."""
        os.write(self._terminal, keys if isinstance(keys, bytes) else keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Make the window larger or smaller."""
        termios.tcsetwinsize(self._terminal, (rows, columns))

    def until(self, text: str | bytes) -> bytes:
        """Wait until a text appears behind what was waited for before; return what came up to its end."""
        wanted = text if isinstance(text, bytes) else text.encode()
        while (found := self.seen.find(wanted, self._looked)) < 0:
            assert self._read(), f"it ended without {wanted!r}; since then came {self.seen[self._looked :]!r}"
        before, self._looked = self._looked, found + len(wanted)
        return self.seen[before : self._looked]

    def end(self) -> int:
        """Wait until the command has ended; return its exit code."""
        while self._read():
            pass
        return self.process.wait(DEADLINE_S)

    @property
    def cooked(self) -> bool:
        """Whether the terminal is as a shell expects it."""
        return bool(termios.tcgetattr(self._terminal)[3] & termios.ICANON)

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self._terminal)
        self._terminal = -1

    def _read(self) -> bool:
        """Take in what is written next; return False where nothing more will be."""
        assert select([self._terminal], [], [], DEADLINE_S)[0], f"nothing came; before: {self.seen!r}"
        try:
            data = os.read(self._terminal, 1 << 16)
        except OSError:  # nobody has its other end open any more
            return False
        self.seen += data
        return bool(data)


@contextmanager
def seat(data: Path, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Iterator[Seat]:
    """Give a user who runs `orchestra WORDS` in a window of 90 times 30."""
    near, far = os.openpty()
    termios.tcsetwinsize(far, (30, 90))
    environment = {**os.environ, "ORCHESTRA_HOME": str(data), "TERM": "xterm-256color", **(env or {})}
    environment.pop("COLUMNS", None)
    environment.pop("LINES", None)
    process = subprocess.Popen(
        [*PROGRAM, *words],
        stdin=far,
        stdout=far,
        stderr=far,
        cwd=cwd,
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - nothing else runs threads here
    )
    os.close(far)
    found = Seat(process, near)
    try:
        yield found
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        if found._terminal >= 0:
            os.close(near)
