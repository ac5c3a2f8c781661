"""The executor: runs attempts at most `slots` at a time, in one thread around a selector, and tells the agent.

Everything that happens is an event: a message, the end of a process, a deadline. Two things it must look for itself:
whether processes that were told to end have ended, and once a second, while something runs, whether logs and disk are
within their limits.
"""

import errno
import os
import secrets
import selectors
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from ...core.model import BuildState, Millis
from .attempt import Course, Halt
from .connection import Connection, listen
from .journal import Journal, boot_id
from .processes import Processes, Track, leftovers
from .protocol import (
    AttemptStatus,
    Configure,
    Forget,
    Hello,
    Plan,
    Quit,
    Received,
    Report,
    Request,
    Start,
    StepPlan,
    StopAttempt,
)
from .results import read_results
from .rooms import Room, Rooms
from .saying import say

IDLE_S = 30.0
"""Seconds without agent and without attempts after which the executor ends; the next agent starts another."""

SWEEP_S = 0.01
"""Seconds between two looks at processes that were told to end."""

GIVE_UP_S = 60.0
"""Seconds of killing after which processes are left to the kernel (they hang in it) and their attempt ends as error."""

WATCH_S = 1.0
"""Seconds between two looks at the size of logs, which are limited, and at the disk, which must not be full."""

MIN_FREE = 64 * 1024
"""Bytes free on the disk below which it counts as full."""

REPORT_S = 0.005
"""Seconds between two reports while attempts wait for slots. Larger: fewer entries in the network's log under load.

When nothing waits, every report is sent at once: somebody may be looking at just this build.
"""

REPORT_MAX = 500
"""Attempts in one report."""

_NEVER = float("inf")


class Execution:
    """One attempt that holds a slot."""

    def __init__(self, course: Course, now: float) -> None:
        self.course = course
        self.plan = course.plan
        self.track = Track()
        self.room: Room | None = None  # where it works
        self.env = course.plan.env  # of all its steps
        self.log = -1  # descriptor of the log
        self.wall = time.time_ns() // 1_000_000  # the clock when it began; later instants are counted from here
        self.began = now  # the same on the monotonic clock
        self.over_at = _NEVER if course.plan.timeout_s is None else now + course.plan.timeout_s
        self.step_over_at = _NEVER  # when the running step's own time is over
        self.ending = False  # its processes were told to end
        self.kill_at = _NEVER  # when they are killed
        self.look_at = _NEVER  # when to look at them again

    def instant(self, now: float) -> Millis:
        """Return the wall clock at a monotonic time; never runs backwards within an attempt."""
        return self.wall + int((now - self.began) * 1000)

    @property
    def due(self) -> float:
        """When it has to be looked at next."""
        return min(self.over_at, self.step_over_at, self.kill_at, self.look_at)


class Server:
    """The executor process."""

    def __init__(self, socket_path: Path, state: Path, work: Path) -> None:
        """Clean up after an executor before this one, then listen."""
        self.session = secrets.token_hex(8)
        self._work = work
        self._slots = 1
        self._processes = Processes()
        _end_leftovers(str(work))
        self._journal = Journal(state / "journal", boot_id())
        self._lost = tuple(self._journal.begun)  # begun by an executor before this one, which did not live to end them
        self._waiting: deque[Course] = deque()
        self._known: dict[str, Course] = {}  # waiting and running ones
        self._running: dict[str, Execution] = {}
        self._tracks: dict[str, Track] = {}
        self._of_pid: dict[int, Execution] = {}
        self._changed: dict[str, None] = {}  # keys with news for the agent, in order
        self._refused: list[str] = []  # keys that the agent has to be told are barred
        self._in_flight = False
        self._report_at = 0.0  # when the next report may be sent, while attempts wait
        self._agent: Connection | None = None
        self._quitting = False
        self._alone_since = time.monotonic()
        self._watch_at = _NEVER
        self._rooms = Rooms(str(work))
        self._selector = selectors.DefaultSelector()
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
        self._rooms.wait()

    def _finished(self) -> bool:
        if self._running or self._waiting:
            return False
        if self._quitting:
            return True
        return self._agent is None and time.monotonic() - self._alone_since >= IDLE_S

    def _until_next(self) -> float | None:
        due = min((one.due for one in self._running.values()), default=_NEVER)
        due = min(due, self._watch_at if self._running else _NEVER)
        if self._agent is not None and (self._changed or self._refused) and not self._in_flight:
            due = min(due, self._report_at)
        if self._agent is None and not self._running:
            due = min(due, self._alone_since + IDLE_S)
        return None if due == _NEVER else max(0.0, due - time.monotonic())

    # -- the agent

    def _on_connect(self, _: int) -> None:
        connection, _ = self._listener.accept()
        if self._agent is not None:  # a new agent takes the place of one that is gone without our noticing
            self._hang_up()
        connection.setblocking(False)  # noqa: FBT003 - how the socket module has it
        self._agent = Connection(connection, self._selector, self._on_request, self._hang_up)
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
            case StopAttempt(key, reason, only_waiting):
                self._stop(key, reason, only_waiting=only_waiting)
            case Forget(keys):
                self._forget(keys)
            case Configure(slots):
                self._slots = slots
            case Received():
                self._in_flight = False
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
            self._waiting.append(course)

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
            self._stop(course.plan.key, reason, only_waiting=False)
        for execution in list(self._running.values()):
            execution.course.on_halt(Halt.ABORT, reason)
            execution.course.on_halt(Halt.ABORT, reason)  # twice: nothing is run any more, not even `always` steps
            self._end_processes(execution, time.monotonic())

    def _stop(self, key: str, reason: str, *, only_waiting: bool) -> None:
        execution = self._running.get(key)
        if execution is not None:
            if not only_waiting:
                execution.course.on_halt(Halt.ABORT, reason)
                self._end_processes(execution, time.monotonic())
            return
        course = self._known.get(key)
        if course is not None:
            self._waiting.remove(course)
            state = BuildState.CANCELLED if only_waiting else BuildState.ABORTED
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
        plan = course.plan
        execution = self._running[plan.key] = Execution(course, time.monotonic())
        self._tracks[plan.key] = execution.track
        if self._watch_at == _NEVER:
            self._watch_at = execution.began + WATCH_S
        try:
            self._journal.begin(plan.key)
            execution.log = os.open(plan.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            room = execution.room = self._rooms.take()
        except OSError as error:
            course.on_halt(Halt.ERROR, _cannot(f"prepare {error.filename or plan.log}", error))
        else:
            execution.track.directory = room.directory
            execution.env = {**plan.env, **room.variables}
        self._go_on(execution)

    def _go_on(self, execution: Execution) -> None:
        """Start the next step; where there is none, see that nothing is left and end."""
        course = execution.course
        while (step := course.following()) is not None:
            if self._start(execution, step):
                self._changed[execution.plan.key] = None
                return
        now = time.monotonic()
        if self._processes.of(execution.plan.key, self._tracks):
            self._end_processes(execution, now)
        else:
            self._end(execution, now)

    def _start(self, execution: Execution, step: StepPlan) -> bool:
        course, track, room = execution.course, execution.track, execution.room
        if room is None:
            return False
        env = {**execution.env, **step.env} if step.env else execution.env
        try:
            offset = os.fstat(execution.log).st_size
            pid = self._processes.spawn(step.argv, env, room.workspace, execution.log)
        except (OSError, ValueError) as error:
            now = time.monotonic()
            course.on_not_started(step, _cannot(f"start {step.argv[0]!r}", error), execution.instant(now), 0)
            return False
        now = time.monotonic()
        track.main = pid
        track.sessions.add(pid)
        self._of_pid[pid] = execution
        limit = course.time_for(step)
        execution.step_over_at = _NEVER if limit is None else now + limit
        course.on_started(step, execution.instant(now), offset)
        return True

    def _on_wake(self, _: int) -> None:
        with suppress(BlockingIOError):
            while self._wakes.recv(4096):
                pass  # one byte per signal; what happened is looked up below
        for pid, status in self._processes.reap():
            execution = self._of_pid.pop(pid, None)
            if execution is not None:
                self._on_exit(execution, status)
        for execution in [one for one in self._running.values() if one.ending]:
            self._look(execution, time.monotonic())

    def _on_exit(self, execution: Execution, status: int) -> None:
        now = time.monotonic()
        execution.track.main = 0
        execution.step_over_at = _NEVER
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        self._watch_disk(execution)
        execution.course.on_exit(code, number, execution.instant(now), os.fstat(execution.log).st_size)
        self._changed[execution.plan.key] = None
        if not execution.ending:
            self._go_on(execution)

    # -- deadlines

    def _on_time(self, now: float) -> None:
        if now >= self._watch_at:
            self._watch_at = now + WATCH_S if self._running else _NEVER
            for execution in list(self._running.values()):
                self._watch(execution, now)
        for execution in [one for one in self._running.values() if one.due <= now]:
            if execution.over_at <= now:
                execution.over_at = _NEVER
                execution.course.on_halt(Halt.TIMEOUT, f"timed out after {execution.plan.timeout_s:g} s")
                self._end_processes(execution, now)
            if execution.step_over_at <= now:
                execution.step_over_at = _NEVER
                execution.course.on_step_timeout()
                self._end_processes(execution, now)
            if min(execution.kill_at, execution.look_at) <= now:
                self._look(execution, now)

    def _watch(self, execution: Execution, now: float) -> None:
        """End an attempt whose log is too long, or which has no disk left to write to."""
        if execution.ending or execution.log < 0 or execution.course.halt is not None:
            return
        limit = execution.plan.log_limit
        if limit and os.fstat(execution.log).st_size > limit:
            execution.course.on_halt(Halt.ERROR, f"its log is longer than the limit of {limit} bytes")
        self._watch_disk(execution)
        if execution.course.halt is not None:
            self._end_processes(execution, now)

    def _watch_disk(self, execution: Execution) -> None:
        """Take note that the disk is full: output may be missing from the log, so the build cannot be trusted."""
        found = os.fstatvfs(execution.log)
        if found.f_bavail * found.f_frsize < MIN_FREE:
            execution.course.on_halt(Halt.ERROR, f"the disk is full ({Path(execution.plan.log).parent.parent})")

    # -- attempts end

    def _end_processes(self, execution: Execution, now: float) -> None:
        """Tell everything of an attempt to end; what has not ended after its grace is killed."""
        pids = self._processes.of(execution.plan.key, self._tracks)
        if execution.ending:
            execution.kill_at = now  # asked again: no more patience
        else:
            execution.ending = True
            execution.kill_at = now + execution.plan.grace_s
            self._processes.signal(pids, signal.SIGTERM)
            self._processes.signal(pids, signal.SIGCONT)
        execution.look_at = now + SWEEP_S

    def _look(self, execution: Execution, now: float) -> None:
        """See whether what was told to end has ended, and kill it where its time is over."""
        key = execution.plan.key
        pids = self._processes.of(key, self._tracks)
        if not pids and not execution.track.main:
            execution.ending = False
            execution.kill_at = execution.look_at = _NEVER
            self._go_on(execution)
            return
        if now >= execution.kill_at:
            self._processes.kill(key, self._tracks)
        if now >= execution.kill_at + GIVE_UP_S:
            hanging = ", ".join(str(pid) for pid in sorted(pids)[:5])
            execution.course.on_halt(Halt.ERROR, f"processes cannot be killed, they hang in the kernel: {hanging}")
            self._end(execution, now)
            return
        execution.look_at = now + SWEEP_S
        if now < execution.kill_at < execution.look_at:
            execution.look_at = execution.kill_at

    def _end(self, execution: Execution, now: float) -> None:
        course, plan = execution.course, execution.plan
        log_bytes = 0
        if execution.log >= 0:
            log_bytes = os.fstat(execution.log).st_size
            os.close(execution.log)
        if execution.room is not None:
            try:
                course.results = read_results(execution.room.results)
            except ValueError as error:
                course.on_bad_results(str(error))
        course.end(execution.instant(now), log_bytes)
        del self._running[plan.key], self._tracks[plan.key]
        if not self._running:
            self._watch_at = _NEVER
        if execution.room is not None:
            self._rooms.give_back(execution.room)
        self._ended(course)

    def _ended(self, course: Course) -> None:
        key = course.plan.key
        del self._known[key]
        try:
            self._journal.end(course.status())
        except OSError as error:
            say(f"executor.ends-not-kept: {error}; should the executor be killed now, {key} counts as lost")
        self._changed[key] = None


def _end_leftovers(work: str) -> None:
    """Kill what an executor that was killed left running: its attempts are lost, and nothing of them may live."""
    until = time.monotonic() + GIVE_UP_S
    while (left := leftovers(work)) and time.monotonic() < until:
        Processes.signal(left, signal.SIGKILL)
        time.sleep(SWEEP_S)


def _cannot(what: str, error: OSError | ValueError) -> str:
    """Return, for people, why something could not be done."""
    if isinstance(error, FileNotFoundError) and what.startswith("start"):
        return f"cannot {what}: there is no such program on the PATH of this agent"
    number = getattr(error, "errno", None)
    if number in {errno.ENOSPC, errno.EDQUOT}:
        return f"cannot {what}: the disk is full"
    if number == errno.ENOEXEC:
        return f"cannot {what}: it is no program; a script begins with a line such as #!/bin/sh"
    if number == errno.E2BIG:
        return f"cannot {what}: its arguments and environment are too long"
    return f"cannot {what}: {getattr(error, 'strerror', None) or error}"
