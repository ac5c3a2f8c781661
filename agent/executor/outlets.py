"""Where the processes of an attempt write, and how that gets into its log.

Straight: the log itself is their output; nobody looks at a byte. On a terminal: what they write to it is copied, in
turns with everything else that the executor does. Filtered: through a pipe, or a terminal, to a process of ours
(filtering.py) that takes the secrets out, so that this costs the executor nothing. Refuses to know when processes
begin and end.
"""

import fcntl
import os
import selectors
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from . import filtering
from .terminals import Pty

Actions: TypeAlias = Sequence[tuple[int, ...] | tuple[int, int, str, int, int]]
"""What posix_spawn does with descriptors."""

TURN = 64
"""Reads from a terminal before others have their turn; the kernel gives at most 4 KiB in each."""

Then: TypeAlias = Callable[[], None]

StartHelper: TypeAlias = Callable[[Sequence[str], Mapping[str, str], Actions], None]
"""Starts a program of ours with these words, variables and descriptors; see Processes.start_helper."""


@dataclass(frozen=True)
class Tools:
    """What outlets need of the executor."""

    selector: selectors.BaseSelector  # told what to look at
    start_helper: StartHelper


_READ_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20
_NOTHING = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)


class Draining(Protocol):
    """A way into a log that ends."""

    def close(self, then: Then) -> None:
        """Call `then` when all that was written is in the log and nothing more will be."""
        ...

    def abandon(self) -> None:
        """Let go of it although somebody may still write. What was to be called is not."""
        ...


class Outlet(Draining, Protocol):
    """What processes write to."""

    actions: Actions
    """Descriptors for a process that writes there and reads nothing."""
    immediate: bool
    """Whether what is written is in the log at once, so that there is nothing to settle and to close."""

    def settle(self, then: Then) -> None:
        """Call `then` when all that was written before is in the log: at once where that is so already."""
        ...


class Straight:
    """The log itself."""

    immediate = True

    def __init__(self, log: int) -> None:
        """Write to the descriptor `log`."""
        self.actions: Actions = (_NOTHING, (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2))

    def settle(self, then: Then) -> None:
        """See Outlet."""
        then()

    def close(self, then: Then) -> None:
        """See Outlet."""
        then()

    def abandon(self) -> None:
        """See Outlet."""


class OnTerminal:
    """A terminal whose output is copied into the log."""

    immediate = False

    def __init__(self, pty: Pty, log: int, tools: Tools) -> None:
        """Copy from `pty` to the descriptor `log`."""
        self.actions: Actions = (_NOTHING, *pty.actions)
        self._pty = pty
        self._log = log
        self._selector = tools.selector
        self._ended = False
        self._selector.register(pty.master, selectors.EVENT_READ, lambda _: self._copy(TURN))

    def settle(self, then: Then) -> None:
        """See Outlet. Who writes on and on is not waited for."""
        self._copy(TURN)
        then()

    def close(self, then: Then) -> None:
        """See Outlet."""
        self._pty.hang_up()
        while not self._ended and self._copy(TURN):
            pass
        self.abandon()
        then()

    def abandon(self) -> None:
        """See Outlet."""
        if not self._ended:
            self._ended = True
            self._selector.unregister(self._pty.master)
        self._pty.close()

    def _copy(self, reads: int) -> bool:
        """Copy what is there; return whether there may be more."""
        for _ in range(reads):
            try:
                data = os.read(self._pty.master, _READ_BYTES)
            except BlockingIOError:
                return False
            except OSError:  # nobody has the terminal open any more
                data = b""
            if not data:
                return False
            with suppress(OSError):  # no space is left: the watch ends the attempt for that
                while data:
                    data = data[os.write(self._log, data) :]
        return True


class Filtered:
    """A process of ours that takes secrets out on the way to the log."""

    immediate = False

    def __init__(self, secrets: Sequence[str], pty: Pty | None, log: int, tools: Tools, on_broken: Then) -> None:
        """Write to the descriptor `log`, from `pty` or a pipe; `on_broken` is called when the filter dies too early.

        Raises OSError.
        """
        self._pty = pty
        self._selector = tools.selector
        self._on_broken = on_broken
        self._asked: list[Then] = []
        self._closing: Then | None = None
        self._ended = False
        self._pipe = -1
        self._control, other = socket.socketpair()
        self._control.setblocking(False)  # noqa: FBT003 - how the socket module has it
        if pty is None:
            source, self._pipe = _wide_pipe()
            self.actions: Actions = (_NOTHING, *((os.POSIX_SPAWN_DUP2, self._pipe, place) for place in (1, 2)))
        else:
            source = os.dup(pty.master)
            self.actions = (_NOTHING, *pty.actions)
        with other:
            try:
                _start_filter(secrets, (source, log, other.fileno()), tools.start_helper)
            finally:
                os.close(source)
        self._selector.register(self._control, selectors.EVENT_READ, lambda _: self._on_control())

    def settle(self, then: Then) -> None:
        """See Outlet."""
        if self._ended:
            then()
            return
        self._asked.append(then)
        with suppress(OSError):  # it has just died: that is told by its end of the socket
            self._control.send(filtering.ASK)

    def close(self, then: Then) -> None:
        """See Outlet."""
        self._closing = then
        self._let_go()
        if self._ended:
            self._finish()

    def abandon(self) -> None:
        """See Outlet."""
        self._let_go()
        if not self._ended:
            self._hang_up()

    def _let_go(self) -> None:
        """Close our end of what is written to, so that it ends with the last process that has it open."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        if self._pty is not None:
            self._pty.hang_up()

    def _on_control(self) -> None:
        try:
            answers = self._control.recv(64)
        except BlockingIOError:
            return
        except OSError:
            answers = b""
        for _ in answers:
            self._asked.pop(0)()
        if not answers and not self._ended:
            self._hang_up()
            self._finish()

    def _hang_up(self) -> None:
        self._ended = True
        self._selector.unregister(self._control)
        self._control.close()
        if self._pty is not None:
            self._pty.close()

    def _finish(self) -> None:
        asked, self._asked = self._asked, []
        for then in asked:
            then()
        if self._closing is not None:
            then, self._closing = self._closing, None
            then()
        else:
            self._on_broken()


def _wide_pipe() -> tuple[int, int]:
    """Return a pipe in which much fits, so that whoever writes need not wait for each turn of who reads."""
    reading, writing = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # more than this user may have
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return reading, writing


def _start_filter(secrets: Sequence[str], ends: tuple[int, int, int], start_helper: StartHelper) -> None:
    """Start the process that filters; `ends` are what it reads, what it writes, and its control."""
    env = {**os.environ, **{f"{filtering.SECRET}{place}": one for place, one in enumerate(secrets)}}
    # copies with numbers out of the way, lest one be overwritten before it has its place
    copies = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, filtering.CONTROL + 1) for one in ends]
    moves = [(os.POSIX_SPAWN_DUP2, one, place) for one, place in zip(copies, (0, 1, filtering.CONTROL), strict=True)]
    try:
        start_helper((sys.executable, "-E", "-P", "-m", filtering.__name__), env, moves)
    finally:
        for one in copies:
            os.close(one)
