"""Programs of ours that stand by, each for one process of one attempt: they are there before they are needed.

To start Python and to import takes longer than most of what such a program is for. So one is started ahead, which the
agent names: it has all imported and makes copies of itself (readiness). A copy that is told what to be has the session,
the control group, the niceness, the environment and the descriptors that it would have been started with. Where none
stands by it is started as everything else is. Only where orphans become children of the executor (Linux).

What has not been needed for a while is let go of; the next that is needed is started, and others are ready behind it.
Refuses to know what the programs do.
"""

import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from ...core.errors import InvariantError
from . import readiness
from .ending import NEVER
from .outlets import Actions
from .processes import LINUX, MARK, Processes, Track
from .readiness import Opened, Told
from .saying import say

UNUSED_S = 600.0
"""Seconds after the last use for which programs stand by. Larger: they are there more often; they take some memory."""

MOST = 4
"""Programs that stand by at a time, where as many attempts run. Larger: more of those that begin together are quick."""

_LOCALE = ("LANG", "LC_ALL", "LC_CTYPE")
_STANDARD = 3  # descriptors below this one are those of the process itself


class _Ready(NamedTuple):
    """A program that stands by."""

    pid: int  # its process id
    way: socket.socket  # on which it is told what to be


class Standby:
    """All that stand by for one executor."""

    def __init__(self, processes: Processes, selector: selectors.BaseSelector, mark: str) -> None:
        """Have nobody stand by. `mark` is by what the next executor finds what is left of them, see MARK."""
        self._processes = processes
        self._selector = selector
        self._mark = mark
        self._command: tuple[str, ...] = ()  # what starts the one that is copied; empty: nobody stands by
        self._wanted = 0  # how many are to stand by
        self._control: socket.socket | None = None  # to the one that is copied
        self._answered = False  # it has made a copy
        self._asked: deque[socket.socket] = deque()  # the ways to copies that are being made, in order
        self._ready: deque[_Ready] = deque()
        self.due = NEVER
        """When to look whether they are needed still."""

    def configure(self, command: Sequence[str], count: int) -> None:
        """Have so many stand by from their first use on; `command` starts what is copied, without it nobody does."""
        self._wanted = min(count, MOST)
        if tuple(command) != self._command:
            self.let_go()
            self._command = tuple(command) if LINUX else ()

    def take(
        self, track: Track, argv: Sequence[str], env: Mapping[str, str], actions: Actions, directory: str
    ) -> int | None:
        """Have a process of the attempt `track` be done by one that stands by; return its id.

        None where it is to be started: it is another program, or none stands by. See Processes.spawn.
        """
        fixed = len(self._command) - 1  # all but the module
        if fixed < 1 or tuple(argv[:fixed]) != self._command[:fixed]:
            return None
        self.due = time.monotonic() + UNUSED_S
        pid = self._tell(track, argv[fixed:], env, actions, f"{track.workspace}/{directory}") if self._ready else None
        self._fill_up()
        return pid

    def on_time(self, now: float) -> None:
        """Let go of what has not been needed for long."""
        if now >= self.due:
            self.let_go()

    def let_go(self) -> None:
        """Have nobody stand by: whoever does ends."""
        self.due = NEVER
        self._answered = False
        if self._control is not None:
            self._selector.unregister(self._control)
            self._control.close()
            self._control = None
        for way in (*self._asked, *(one.way for one in self._ready)):
            way.close()
        self._asked.clear()
        self._ready.clear()

    def _tell(
        self, track: Track, words: Sequence[str], env: Mapping[str, str], actions: Actions, directory: str
    ) -> int | None:
        descriptors: list[int] = []
        opened = tuple(_opened(one, descriptors) for one in actions)
        group = -1
        if track.group is not None:
            group = len(descriptors)
            descriptors.append(track.group.members)
        data = msgspec.msgpack.encode(Told(tuple(words), dict(env), directory, opened, group))
        if len(data) > readiness.MAX_TOLD or not os.path.isdir(directory):
            return None
        while self._ready:
            one = self._ready.popleft()
            with one.way:
                try:
                    self._processes.adopt(one.pid, track)
                    sent = socket.send_fds(one.way, [data], descriptors)
                except ChildProcessError:
                    continue  # it has ended, and its id may be another's
                except OSError:
                    sent = 0
            if sent == len(data):
                return one.pid
            self._processes.signal([one.pid], signal.SIGKILL)
        return None

    def _fill_up(self) -> None:
        """Have as many stand by as are wanted, in a moment."""
        try:
            if self._control is None:
                self._begin()
            while self._control is not None and len(self._ready) + len(self._asked) < self._wanted:
                self._ask(self._control)
        except OSError as error:  # too many descriptors or processes, for one: what is needed is started then
            say(f"executor.no-standby: {error.strerror}")
            self.let_go()

    def _begin(self) -> None:
        control, other = socket.socketpair()
        control.setblocking(False)  # noqa: FBT003 - how the socket module has it
        env = {name: os.environ[name] for name in _LOCALE if name in os.environ} | {MARK: self._mark}
        with other:
            try:
                actions = [(os.POSIX_SPAWN_DUP2, other.fileno(), readiness.CONTROL)]
                self._processes.start_helper(self._command, env, actions)
            except OSError:
                control.close()
                raise
        self._control = control
        self._selector.register(control, selectors.EVENT_READ, lambda _: self._on_answer(control))

    def _ask(self, control: socket.socket) -> None:
        way, other = socket.socketpair()
        way.setblocking(False)  # noqa: FBT003 - how the socket module has it
        with other:
            try:
                socket.send_fds(control, [readiness.COPY], [other.fileno()])
            except OSError:
                way.close()
                raise
        self._asked.append(way)

    def _on_answer(self, control: socket.socket) -> None:
        try:
            data = control.recv(readiness.PID.size)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            (pid,) = readiness.PID.unpack(data)
            self._answered = True
            self._processes.help_with(pid)
            self._ready.append(_Ready(pid, self._asked.popleft()))
            return
        if not self._answered:
            say(f"executor.no-standby: {self._command[-1]} does not start; its programs are started one by one")
            self._command = ()
        self.let_go()


def _opened(action: tuple[int | str, ...], descriptors: list[int]) -> Opened:
    """Return what a program is told of a descriptor; those that it has to be given are put into `descriptors`."""
    match action:
        case (os.POSIX_SPAWN_OPEN, int(place), str(path), int(flags), _):
            return Opened(place, path=path, flags=flags)
        case (os.POSIX_SPAWN_DUP2, int(source), int(place)):
            if source < _STANDARD:
                return Opened(place, copied=source)
            if source not in descriptors:
                descriptors.append(source)
            return Opened(place, given=descriptors.index(source))
        case _:
            message = f"no program that stands by can be told to do {action} with its descriptors"
            raise InvariantError(message)
