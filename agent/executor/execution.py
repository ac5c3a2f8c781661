"""One attempt that holds a slot: carries out what its course says, with processes, a room and a log.

Everything here is called by the server when something happens - a process has ended, an instant has come - and nothing
waits. Refuses to know of the agent, and which attempt is next.
"""

import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...core.model import Millis
from .attempt import Course, Halt, Turn
from .ending import NEVER, Ending
from .journal import Journal
from .processes import Processes, Track
from .protocol import StepPlan
from .results import read_results
from .rooms import Room, Rooms

MIN_FREE = 64 * 1024
"""Bytes free on the disk below which it counts as full."""


@dataclass(frozen=True, eq=False)
class Site:
    """What all attempts of one executor share."""

    processes: Processes
    rooms: Rooms
    journal: Journal
    tracks: dict[str, Track]  # of those that run
    owners: "dict[int, Execution]"  # process id -> whose it is, of processes that are waited for
    on_news: "Callable[[Execution], None]"  # told when there is something to report
    on_over: "Callable[[Execution], None]"  # told when nothing of an attempt is left


class Clock:
    """The wall clock as it was when an attempt began, going on like the monotonic one: it never runs backwards."""

    def __init__(self, now: float) -> None:
        """Begin at `now` of the monotonic clock; the wall clock is not looked at again."""
        self._wall = time.time_ns() // 1_000_000
        self._began = now

    def at(self, now: float) -> Millis:
        """Return the instant at a monotonic time."""
        return self._wall + int((now - self._began) * 1000)


class Execution:
    """One attempt that holds a slot."""

    def __init__(self, course: Course, site: Site, now: float) -> None:
        """Prepare to carry out `course`; nothing happens before `begin`."""
        self.course = course
        self.plan = course.plan
        self._site = site
        self._track = site.tracks[self.plan.key] = Track()
        self._room: Room | None = None  # where it works
        self._env = self.plan.env  # of all its steps
        self._log = -1  # descriptor of the log
        self._clock = Clock(now)
        self._over_at = NEVER if self.plan.timeout_s is None else now + self.plan.timeout_s
        self._step_over_at = NEVER  # when the running step's own time is over
        self._ending = Ending()
        self._results_read = False

    @property
    def due(self) -> float:
        """When it has to be looked at next."""
        return min(self._over_at, self._step_over_at, self._ending.due)

    @property
    def ending(self) -> bool:
        """Whether its processes were told to end and some have not."""
        return self._ending.active

    # -- it begins and goes on

    def begin(self) -> None:
        """Take a room and start the first process."""
        plan = self.plan
        try:
            self._site.journal.begin(plan.key, plan.workspace)
            self._log = os.open(plan.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            room = self._room = self._site.rooms.take()
            if plan.workspace:
                os.makedirs(plan.workspace, 0o700, exist_ok=True)
        except OSError as error:
            self.course.on_halt(Halt.ERROR, _cannot(f"prepare {error.filename or plan.log}", error))
        else:
            self._track.directory, self._track.mark = room.directory, room.tmp
            self._track.workspace = plan.workspace or room.workspace
            self._env = {**plan.env, **room.variables(self._track.workspace)}
        self._go_on()

    def _go_on(self) -> None:
        """Do what comes next; where nothing does, see that nothing is left and end."""
        while (turn := self.course.following()) is not None:
            if isinstance(turn, StepPlan):
                if self._start(turn):
                    self._site.on_news(self)
                    return
            elif turn is Turn.CLEAR:
                if self._clear():
                    return
                self._read_results()
        if not self._clear():
            self._end(time.monotonic())

    def _start(self, step: StepPlan) -> bool:
        course, track = self.course, self._track
        if self._room is None:
            return False
        env = {**self._env, **step.env} if step.env else self._env
        try:
            offset = os.fstat(self._log).st_size
            pid = self._site.processes.spawn(step.argv, env, track.workspace, self._log, nice=self.plan.nice)
        except (OSError, ValueError) as error:
            now = time.monotonic()
            course.on_not_started(step, _cannot(f"start {step.argv[0]!r}", error), self._clock.at(now), 0)
            return False
        now = time.monotonic()
        track.main = pid
        track.sessions.add(pid)
        self._site.owners[pid] = self
        limit = course.time_for(step)
        self._step_over_at = NEVER if limit is None else now + limit
        course.on_started(step, self._clock.at(now), offset)
        return True

    def on_exit(self, status: int) -> None:
        """The running process has ended."""
        now = time.monotonic()
        self._track.main = 0
        self._step_over_at = NEVER
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        self._watch_disk()
        self.course.on_exit(code, number, self._clock.at(now), os.fstat(self._log).st_size)
        self._site.on_news(self)
        if not self._ending.active:
            self._go_on()

    # -- what stops it

    def stop(self, reason: str) -> None:
        """Abort it; once more: without its `always` steps, and without patience."""
        self.course.on_halt(Halt.ABORT, reason)
        self._end_processes(time.monotonic())

    def hurry(self, reason: str) -> None:
        """Abort it without its `always` steps: no time is left for them."""
        self.course.on_halt(Halt.ABORT, reason)
        self.stop(reason)

    def on_time(self, now: float) -> None:
        """Some instant has come."""
        if self._over_at <= now:
            self._over_at = NEVER
            self.course.on_halt(Halt.TIMEOUT, f"timed out after {self.plan.timeout_s:g} s")
            self._end_processes(now)
        if self._step_over_at <= now:
            self._step_over_at = NEVER
            self.course.on_step_timeout()
            self._end_processes(now)
        if self._ending.due <= now:
            self.look(now)

    def watch(self, now: float) -> None:
        """End it where its log is too long, or no disk is left to write to."""
        if self._ending.active or self._log < 0 or self.course.halt is not None:
            return
        limit = self.plan.log_limit
        if limit and os.fstat(self._log).st_size > limit:
            self.course.on_halt(Halt.ERROR, f"its log is longer than the limit of {limit} bytes")
        self._watch_disk()
        if self.course.halt is not None:
            self._end_processes(now)

    def _watch_disk(self) -> None:
        """Take note that the disk is full: output may be missing from the log, so the build cannot be trusted."""
        found = os.fstatvfs(self._log)
        if found.f_bavail * found.f_frsize < MIN_FREE:
            self.course.on_halt(Halt.ERROR, f"the disk is full ({Path(self.plan.log).parent.parent})")

    # -- it ends

    def _clear(self) -> bool:
        """End whatever still runs; return whether that has to be waited for."""
        if self._alive():
            self._end_processes(time.monotonic())
        return self._ending.active

    def _alive(self) -> set[int]:
        """Return the processes that live of it."""
        return self._site.processes.of(self.plan.key, self._site.tracks)

    def _end_processes(self, now: float) -> None:
        """Tell everything of it to end; what has not ended after its grace is killed."""
        if self._ending.ask(now, self.plan.grace_s):
            pids = self._alive()
            self._site.processes.signal(pids, signal.SIGTERM)
            self._site.processes.signal(pids, signal.SIGCONT)

    def look(self, now: float) -> None:
        """See whether what was told to end has ended, and kill it where its time is over."""
        pids = self._alive()
        if not pids and not self._track.main:
            self._ending.over()
            self._go_on()
            return
        if self._ending.kills(now):
            self._site.processes.kill(self.plan.key, self._site.tracks)
        if self._ending.hopeless(now):
            hanging = ", ".join(str(pid) for pid in sorted(pids)[:5])
            self.course.on_halt(Halt.ERROR, f"processes cannot be killed, they hang in the kernel: {hanging}")
            self._end(now)
            return
        self._ending.look_again(now)

    def _read_results(self) -> None:
        if self._room is None or self._results_read:
            return
        self._results_read = True
        try:
            self.course.results = read_results(self._room.results)
        except ValueError as error:
            self.course.on_bad_results(str(error))

    def _end(self, now: float) -> None:
        log_bytes = 0
        if self._log >= 0:
            log_bytes = os.fstat(self._log).st_size
            os.close(self._log)
        self._read_results()
        self.course.end(self._clock.at(now), log_bytes)
        self._site.owners.pop(self._track.main, None)  # it hangs
        del self._site.tracks[self.plan.key]
        if self._room is not None:
            self._site.rooms.give_back(self._room)
        self._site.on_over(self)


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
