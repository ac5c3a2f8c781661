"""The executor: runs attempts at most `slots` at a time, in one thread around a selector, and tells the agent.

Everything that happens is an event: a message, the end of a process, a deadline. Two things it must look for itself:
whether processes that were told to end have ended, and once a second, while something runs, whether logs and disk are
within their limits.
"""

import os
import secrets
import selectors
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from ...core.model import BuildState, Stop
from .attempt import Course
from .blanks import Blanks
from .connection import Connection, listen
from .ending import GIVE_UP_S, NEVER, SWEEP_S
from .execution import Execution
from .groups import Groups
from .journal import Journal, boot_id
from .keyboards import Keyboard
from .outlets import Tools
from .processes import Processes, leftovers
from .protocol import (
    AttemptStatus,
    Configure,
    Forget,
    Hello,
    Input,
    Plan,
    Quit,
    Received,
    Report,
    Request,
    Resize,
    Start,
    StopAttempt,
    Taken,
)
from .rooms import Rooms
from .saying import say
from .site import Site
from .standby import Standby

IDLE_S = 30.0
"""Seconds without agent and without attempts after which the executor ends; the next agent starts another."""

WATCH_S = 1.0
"""Seconds between two looks at the size of logs, which are limited, and at the disk, which must not be full."""

REPORT_S = 0.005
"""Seconds between two reports while attempts wait for slots. Larger: fewer entries in the network's log under load.

When nothing waits, every report is sent at once: somebody may be looking at just this build.
"""

_CTRL_C = b"\x03"

REPORT_MAX = 500
"""Attempts in one report."""


class Server:
    """The executor process."""

    def __init__(self, socket_path: Path, state: Path, work: Path) -> None:
        """Clean up after an executor before this one, then listen."""
        self.session = secrets.token_hex(8)
        self._work = work
        self._slots = 1
        groups = Groups(str(work))
        processes = Processes(groups)
        self._journal = Journal(state / "journal", boot_id())
        self._lost = tuple(self._journal.begun)  # begun by an executor before this one, which did not live to end them
        _end_leftovers(str(work), *filter(None, self._journal.begun.values()))
        self._waiting: deque[Course] = deque()
        self._known: dict[str, Course] = {}  # waiting and running ones
        self._running: dict[str, Execution] = {}
        self._keyboards: dict[str, Keyboard] = {}  # of those that read what is typed
        self._changed: dict[str, None] = {}  # keys with news for the agent, in order
        self._refused: list[str] = []  # keys that the agent has to be told are barred
        self._in_flight = False
        self._report_at = 0.0  # when the next report may be sent, while attempts wait
        self._agent: Connection | None = None
        self._quitting = False
        self._alone_since = time.monotonic()
        self._watch_at = NEVER
        self._selector = selectors.DefaultSelector()
        self._standby = Standby(processes, self._selector, f"{work}/ready")
        self._site = Site(
            processes=processes,
            groups=groups,
            rooms=Rooms(str(work)),
            blanks=Blanks(),
            journal=self._journal,
            tools=Tools(self._selector, processes.start_helper),
            standby=self._standby,
            tracks={},
            owners={},
            on_news=self._on_news,
            on_over=self._on_over,
        )
        self._listener = listen(socket_path)
        self._selector.register(self._listener, selectors.EVENT_READ, self._on_connect)
        self._wakes, wake = socket.socketpair()
        for end in (self._wakes, wake):
            end.setblocking(False)  # noqa: FBT003 - how the socket module has it
        self._wake = wake
        self._selector.register(self._wakes, selectors.EVENT_READ, self._on_wake)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._quit("the executor was asked to end"))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        """Serve until told to quit, or until nobody needs it."""
        while not self._finished():
            timeout = self._until_next()
            for key, events in self._selector.select(timeout):
                key.data(events)
            self._on_time(time.monotonic())
            self._begin_waiting()
            self._report()
        if self._agent is not None:
            self._agent.drain()
        self._standby.let_go()
        self._site.rooms.wait()
        self._site.groups.close()

    def _finished(self) -> bool:
        if self._running or self._waiting:
            return False
        if self._quitting:
            return True
        return self._agent is None and time.monotonic() - self._alone_since >= IDLE_S

    def _until_next(self) -> float | None:
        due = min((one.due for one in self._running.values()), default=NEVER)
        due = min(due, self._standby.due)
        if self._agent is not None and self._keyboards:
            due = min(due, *(one.due for one in self._keyboards.values()))
        due = min(due, self._watch_at if self._running else NEVER)
        if self._agent is not None and (self._changed or self._refused) and not self._in_flight:
            due = min(due, self._report_at)
        if self._agent is None and not self._running:
            due = min(due, self._alone_since + IDLE_S)
        return None if due == NEVER else max(0.0, due - time.monotonic())

    # -- the agent

    def _on_connect(self, _: int) -> None:
        connection, _ = self._listener.accept()
        if self._agent is not None:  # a new agent takes the place of one that is gone without our noticing
            self._hang_up()
        connection.setblocking(False)  # noqa: FBT003 - how the socket module has it
        self._agent = Connection(connection, self._selector, self._on_request, self._hang_up)
        for one in self._keyboards.values():
            one.wait_on()
        self._standby.configure((), 0)  # it may be another version's: what stands by is as old as the agent
        statuses = [course.status() for course in self._known.values()] + list(self._journal.ends.values())
        self._in_flight = False
        self._changed.clear()
        self._refused.clear()
        self._agent.send(Hello(self.session, os.getpid(), tuple(statuses), self._lost, self._journal.sure))

    def _hang_up(self) -> None:
        if self._agent is not None:
            self._agent.close()
            self._agent = None
            self._alone_since = time.monotonic()

    def _on_request(self, request: Request) -> None:
        match request:
            case Start(plans):
                self._accept(plans)
            case StopAttempt(key, reason, only_waiting, at_once):
                self._stop(key, reason, Stop.CANCEL if only_waiting else Stop.KILL if at_once else Stop.ABORT)
            case Forget(keys):
                self._forget(keys)
            case Configure(slots, ready):
                self._slots = slots
                self._standby.configure(ready, slots)
            case Received():
                self._in_flight = False
            case Input():
                self._on_input(request)
            case Resize(key, columns, rows, owner):
                if key in self._running and self._running[key].plan.owner == owner:
                    self._running[key].resize(columns, rows)
            case Quit(reason):
                self._quit(reason)

    def _accept(self, plans: tuple[Plan, ...]) -> None:
        """Line attempts up. One whose key was here before never begins: its order was late, or came twice."""
        for plan in plans:
            if plan.key in self._known or plan.key in self._journal.ends:
                continue  # the agent is told of it anyway
            if self._journal.barred(plan.key):
                self._refused.append(plan.key)
                continue
            course = self._known[plan.key] = Course(plan)
            if plan.input:
                self._keyboards[plan.key] = Keyboard(self._answer, plan.silence_s)
            self._waiting.append(course)

    def _on_input(self, wish: Input) -> None:
        course = self._known.get(wish.key)
        keyboard = self._keyboards.get(wish.key)
        if course is None:
            self._answer(Taken(wish.number, 0, "it does not run here any more"))
        elif keyboard is None:
            self._answer(Taken(wish.number, 0, "it reads no input"))
        elif wish.owner != course.plan.owner:
            why = f"only {course.plan.owner}, who submitted it, may type for it"
            self._answer(Taken(wish.number, 0, why, foreign=True))
        elif _CTRL_C in wish.data and course.plan.terminal is not None and not self._has_steps(course):
            # no program of the build is there yet, or any more, that could be interrupted
            self._answer(Taken(wish.number, wish.offset + len(wish.data)))
            how = Stop.ABORT if course.halt is None else Stop.KILL
            self._stop(wish.key, "interrupted at its terminal", how)
        else:
            keyboard.take(wish)

    def _has_steps(self, course: Course) -> bool:
        """Whether it is at its steps: not waiting, being prepared, or collected from."""
        return course.plan.key in self._running and course.reads

    def _answer(self, taken: Taken) -> None:
        if self._agent is not None:
            self._agent.send(taken)

    def _forget(self, keys: tuple[str, ...]) -> None:
        self._lost = tuple(key for key in self._lost if key not in keys)
        try:
            self._journal.forget(keys)
            self._journal.settle()
        except OSError as error:
            say(f"executor.journal-not-written: {error.strerror}; it is reported once more to the next agent")

    def _quit(self, reason: str) -> None:
        self._quitting = True
        for course in list(self._waiting):
            self._stop(course.plan.key, reason, Stop.KILL)
        for execution in list(self._running.values()):
            execution.hurry(reason)

    def _stop(self, key: str, reason: str, how: Stop) -> None:
        execution = self._running.get(key)
        if execution is not None:
            if how is Stop.KILL:
                execution.hurry(reason)
            elif how is Stop.ABORT:
                execution.stop(reason)
            return
        course = self._known.get(key)
        if course is not None:
            self._waiting.remove(course)
            state = BuildState.CANCELLED if how is Stop.CANCEL else BuildState.ABORTED
            course.withdraw(time.time_ns() // 1_000_000, state, reason)
            self._ended(course)

    def _report(self) -> None:
        if self._agent is None or self._in_flight or not (self._changed or self._refused):
            return
        now = time.monotonic()
        if self._waiting and now < self._report_at:
            return
        self._report_at = now + REPORT_S
        keys = list(self._changed)[:REPORT_MAX]
        for key in keys:
            del self._changed[key]
        statuses = [self._status(key) for key in keys]
        refused, self._refused = tuple(self._refused), []
        self._in_flight = True
        self._agent.send(Report(tuple(one for one in statuses if one is not None), refused))

    def _status(self, key: str) -> AttemptStatus | None:
        course = self._known.get(key)
        return course.status() if course is not None else self._journal.ends.get(key)

    # -- attempts begin and go on

    def _begin_waiting(self) -> None:
        while self._waiting and len(self._running) < self._slots:
            self._begin(self._waiting.popleft())

    def _begin(self, course: Course) -> None:
        now = time.monotonic()
        keyboard = self._keyboards.get(course.plan.key)
        execution = self._running[course.plan.key] = Execution(course, self._site, keyboard, now)
        if self._watch_at == NEVER:
            self._watch_at = now + WATCH_S
        execution.begin()

    def _on_news(self, key: str) -> None:
        self._changed[key] = None

    def _on_wake(self, _: int) -> None:
        with suppress(BlockingIOError):
            while self._wakes.recv(4096):
                pass  # one byte per signal; what happened is looked up below
        for pid, status in self._site.processes.reap():
            owner = self._site.owners.pop(pid, None)
            if owner is not None:
                owner.on_exit(pid, status)
        now = time.monotonic()
        for execution in [one for one in self._running.values() if one.ending]:
            execution.look(now)

    def _on_time(self, now: float) -> None:
        self._standby.on_time(now)
        if self._agent is not None:  # without one nothing can come
            for key, one in self._keyboards.items():
                if one.due <= now:
                    say(f"executor.input-ended: {key}: who pipes into it is gone")
                    one.on_silence()
        if now >= self._watch_at:
            self._watch_at = now + WATCH_S if self._running else NEVER
            for execution in list(self._running.values()):
                execution.watch(now)
        for execution in [one for one in self._running.values() if one.due <= now]:
            execution.on_time(now)

    # -- attempts end

    def _on_over(self, course: Course) -> None:
        del self._running[course.plan.key]
        if not self._running:
            self._watch_at = NEVER
        self._ended(course)

    def _ended(self, course: Course) -> None:
        key = course.plan.key
        del self._known[key]
        if (keyboard := self._keyboards.pop(key, None)) is not None:
            keyboard.close("it has ended")
        try:
            self._journal.end(course.status())
        except OSError as error:
            say(f"executor.ends-not-kept: {error}; should the executor be killed now, {key} counts as lost")
        self._changed[key] = None


def _end_leftovers(work: str, *workspaces: str) -> None:
    """Kill what an executor that was killed left running: its attempts are lost, and nothing of them may live."""
    until = time.monotonic() + GIVE_UP_S
    while (left := leftovers(work, *workspaces)) and time.monotonic() < until:
        Processes.signal(left, signal.SIGKILL)
        time.sleep(SWEEP_S)
