"""One attempt that holds a slot: carries out what its course says, with processes, a room and a log.

Everything here is called by the server when something happens - a process has ended, an instant has come - and nothing
waits. Refuses to know of the agent, and which attempt is next.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ...core.model import Millis
from .attempt import Course, Halt, Turn
from .ending import NEVER, Ending
from .keyboards import Keyboard
from .outlets import Actions, Draining
from .processes import LINUX, Exit, Track, exit_of
from .protocol import StepPlan
from .results import read_results
from .rooms import Room
from .saying import cannot
from .services import Loss, Services
from .site import Clock, Site
from .streams import Streams

MIN_FREE = 64 * 1024
"""Bytes free on the disk below which it counts as full."""

DRAIN_S = 5.0
"""Seconds for what was written to reach the log when all processes have ended, before it is let go."""


class Execution:
    """One attempt that holds a slot."""

    def __init__(self, course: Course, site: Site, keyboard: Keyboard | None, now: float) -> None:
        """Prepare to carry out `course`, whose steps read from `keyboard`; nothing happens before `begin`."""
        self.course = course
        self.plan = course.plan
        self._site = site
        self._keyboard = keyboard
        self._track = site.tracks[self.plan.key] = Track()
        self._room: Room | None = None  # where it works
        self._env = self.plan.env  # of all its steps
        self._log = -1  # descriptor of the log
        self._streams: Streams | None = None
        self._services: Services | None = None
        self._clock = Clock(now)
        self._over_at = NEVER if self.plan.timeout_s is None else now + self.plan.timeout_s
        self._step_over_at = NEVER  # when the running step's own time is over
        self._ending = Ending()
        self._sparing = bool(self.plan.services)  # its services go on when the rest is told to end
        self._then: Callable[[], None] | None = None  # what comes when all that was told to end has; None: _go_on
        self._settling = False  # the running process has ended, and what it wrote is on its way to the log
        self._serving = False  # waiting until the services are ready
        self._draining: set[Draining] = set()  # what is on its way to the log at last
        self._drain_by = NEVER  # when that is no longer waited for
        self._results_read = False

    @property
    def due(self) -> float:
        """When it has to be looked at next."""
        due = min(self._over_at, self._step_over_at, self._ending.due, self._drain_by)
        return due if self._services is None else min(due, self._services.due)

    @property
    def ending(self) -> bool:
        """Whether its processes were told to end and some have not."""
        return self._ending.active

    # -- it begins and goes on

    def begin(self) -> None:
        """Take a room and start the first process."""
        try:
            self._site.journal.begin(self.plan.key, self.plan.workspace)
            self._open()
        except OSError as error:
            self.course.on_halt(Halt.ERROR, cannot(f"prepare {error.filename or self.plan.log}", error))
        self._go_on()

    def _open(self) -> None:
        """Take a room, and open what its processes read and write. Raises OSError."""
        plan, site, track = self.plan, self._site, self._track
        self._log = site.blanks.take(plan.log)
        room = self._room = site.rooms.take()
        track.directory, track.mark, track.workspace = room.directory, room.tmp, room.workspace
        track.group, track.nice = site.groups.group(room.name), plan.nice
        self._env = {**plan.env, **room.variables}
        if plan.workspace:
            os.makedirs(plan.workspace, 0o700, exist_ok=True)
            track.workspace = self._env["ORCHESTRA_WORKSPACE"] = plan.workspace
        if plan.services:
            track.service_group = site.groups.group(f"{room.name}-services")
            self._services = Services(plan, room.directory, self._launch, site.tools)
            self._env |= self._services.ports
        streams = self._streams = Streams(plan, self._log, self._keyboard, site.tools, self._on_broken)
        if not streams.plain:
            self._env |= streams.variables

    def _go_on(self) -> None:
        """Do what comes next; where nothing does, see that nothing is left and end."""
        self._serving = False
        while (turn := self.course.following()) is not None:
            if isinstance(turn, StepPlan):
                if self._start(turn):
                    self._site.on_news(self.plan.key)
                    return
            elif turn is Turn.CLEAR:
                self._clear(self._conclude)
                return
            elif self._serve():
                return
        self._clear(self._finish)

    def _start(self, step: StepPlan) -> bool:
        """Start a step; return whether it runs."""
        if self._streams is None:
            return False
        actions = self._streams.reading if self.course.reads else self._streams.writing
        try:
            offset = os.fstat(self._log).st_size
            pid = self._launch(step.argv, step.env, actions, serves=False, directory=step.directory)
        except (OSError, ValueError) as error:
            now = time.monotonic()
            self.course.on_not_started(step, cannot(f"start {step.argv[0]!r}", error), self._clock.at(now), 0)
            return False
        now = time.monotonic()
        self._track.main = pid
        limit = self.course.time_for(step)
        self._step_over_at = NEVER if limit is None else now + limit
        self.course.on_started(step, self._clock.at(now), offset)
        return True

    def _launch(
        self, argv: Sequence[str], env: Mapping[str, str], actions: Actions, *, serves: bool, directory: str = ""
    ) -> int:
        """Start a process; see services.Launch."""
        whole = {**self._env, **env} if env else self._env
        pid = None
        if not serves and not self.course.reads:  # ours, and no step or service
            pid = self._site.standby.take(self._track, argv, whole, actions, directory)
        if pid is None:
            pid = self._site.processes.spawn(self._track, argv, whole, actions, serves=serves, directory=directory)
        self._site.owners[pid] = self
        return pid

    def _serve(self) -> bool:
        """Start the services; return whether the course has to wait."""
        if self._services is None:
            return False
        now = time.monotonic()
        at = self._clock.at(now)
        loss = self._services.start(now, at, partial(self.course.on_service_started, at=at))
        self._site.on_news(self.plan.key)
        if loss is not None:
            self._on_loss(loss, now)
            return True
        self._serving = not self._services.ready
        return self._serving

    # -- what happens to it

    def on_exit(self, pid: int, status: int) -> None:
        """A process of it has ended."""
        now = time.monotonic()
        how = exit_of(status)
        if pid == self._track.main and self._streams is not None:
            self._track.main = 0
            self._step_over_at = NEVER
            if self._streams.plain:
                self._on_settled(how, self._clock.at(now))
            else:
                self._settling = True
                self._streams.outlet.settle(partial(self._on_settled, how, self._clock.at(now)))
        elif self._services is not None:
            # once nothing is spared all were told to end, also one that is reaped when it was seen to be gone before
            asked = not self._sparing or (self._ending.active and pid not in self._track.services)
            loss = self._services.on_exit(pid, how, now, self._clock.at(now), asked=asked)
            if loss is not None:
                self._on_loss(loss, now)
            elif self._serving and self._services.ready and not self._ending.active:
                self._go_on()

    def _on_settled(self, how: Exit, at: Millis) -> None:
        """What the process that has ended wrote is in the log."""
        self._settling = False
        self._watch_disk()
        self.course.on_exit(*how, at, os.fstat(self._log).st_size)
        self._site.on_news(self.plan.key)
        if not self._ending.active:
            self._go_on()

    def _on_loss(self, loss: Loss, now: float) -> None:
        """A service is not there although it is needed."""
        self.course.on_service_lost(*loss)
        if not self._ending.active:
            self._end_processes(now)

    def _on_broken(self) -> None:
        """Nothing that is written reaches the log any more."""
        self.course.on_halt(Halt.ERROR, "the process that takes secrets out of its log has died; output is missing")
        self._end_processes(time.monotonic())

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
        if self._services is not None and self._services.due <= now and (loss := self._services.on_time(now)):
            self._on_loss(loss, now)
        if self._drain_by <= now:
            for one in list(self._draining):
                one.abandon()
                self._on_drained(one)
        elif self._ending.due <= now:
            self.look(now)

    def watch(self, now: float) -> None:
        """End it where its log is too long, or no disk is left to write to."""
        if self._ending.active or self._log < 0 or self.course.halt is not None:
            return
        limit = self.plan.log_limit
        written = os.fstat(self._log).st_size + (0 if self._services is None else self._services.written)
        if limit and written > limit:
            self.course.on_halt(Halt.ERROR, f"its log is longer than the limit of {limit} bytes")
        self._watch_disk()
        if self.course.halt is not None:
            self._end_processes(now)

    def _watch_disk(self) -> None:
        """Take note that the disk is full: output may be missing from the log, so the build cannot be trusted."""
        found = os.fstatvfs(self._log)
        if found.f_bavail * found.f_frsize < MIN_FREE:
            self.course.on_halt(Halt.ERROR, f"the disk is full ({Path(self.plan.log).parent.parent})")

    def resize(self, columns: int, rows: int) -> None:
        """Its terminal is shown in a window of another size."""
        if self._streams is not None:
            self._streams.resize(columns, rows)

    # -- what stops it

    def stop(self, reason: str) -> None:
        """Abort it. It may be told more than once: whoever passes an order on repeats it when in doubt."""
        if self.course.halt is not Halt.ABORT:
            self.course.on_halt(Halt.ABORT, reason)
            self._end_processes(time.monotonic())

    def hurry(self, reason: str) -> None:
        """Abort it without its `always` steps, and without patience if it was told to end before."""
        self.course.on_halt(Halt.ABORT, reason)
        self.course.on_hurry()
        self._end_processes(time.monotonic())

    def _alive(self) -> set[int]:
        """Return the processes that live of it, but for those that are spared."""
        return self._site.processes.of(self.plan.key, self._site.tracks, services=not self._sparing)

    def _end_processes(self, now: float) -> None:
        """Tell everything of it to end; what has not ended after its grace is killed."""
        if not self._draining and self._ending.ask(now, self.plan.grace_s):
            pids = self._alive()
            self._site.processes.signal(pids, signal.SIGTERM)
            self._site.processes.signal(pids, signal.SIGCONT)

    def look(self, now: float) -> None:
        """See whether what was told to end has ended, and kill it where its time is over."""
        pids = self._alive()
        if not pids and not self._track.main and not self._settling:
            self._ending.over()
            self._proceed()
            return
        if self._ending.kills(now):
            self._site.processes.kill(self.plan.key, self._site.tracks, services=not self._sparing)
        if self._ending.hopeless(now):
            self._abandon(pids)
            return
        self._ending.look_again(now)

    # -- it ends

    def _proceed(self) -> None:
        """Nothing is left of what had to end: do what was to come then."""
        then, self._then = self._then or self._go_on, None
        then()

    def _clear(self, then: Callable[[], None]) -> None:
        """End whatever still runs, the services too; then go on with `then`."""
        self._sparing = False
        if self._alive():
            self._then = then
            self._end_processes(time.monotonic())
        else:
            then()

    def _conclude(self) -> None:
        """Nothing of its steps and services is left: what they wrote is complete."""
        self._drain([] if self._services is None else self._services.outlets, self._on_concluded)

    def _on_concluded(self) -> None:
        """What its services wrote is in their files."""
        services, self._services = self._services, None
        if services is not None:
            for result in services.write_sections(self._log, self._clock.at(time.monotonic())):
                self.course.on_service_ended(result)
        self._read_results()
        self._go_on()

    def _finish(self) -> None:
        """Nothing of it is left, and nothing comes any more."""
        if self._streams is None or self._streams.plain:
            self._end()
        else:
            self._drain([self._streams], self._end)

    def _drain(self, ways: Sequence[Draining], then: Callable[[], None]) -> None:
        """Go on with `then` when all that was written is at the end of these ways, or that takes too long."""
        if not ways:
            then()
            return
        self._then = then
        self._draining = set(ways)
        self._drain_by = time.monotonic() + DRAIN_S
        for one in ways:
            one.close(partial(self._on_drained, one))

    def _on_drained(self, one: Draining) -> None:
        self._draining.discard(one)
        if not self._draining:
            self._drain_by = NEVER
            self._proceed()

    def _abandon(self, pids: set[int]) -> None:
        """End it although some processes do not."""
        hanging = ", ".join(str(pid) for pid in sorted(pids)[:5])
        self.course.on_halt(Halt.ERROR, f"processes cannot be killed, they hang in the kernel: {hanging}")
        for pid, owner in list(self._site.owners.items()):
            if owner is self:
                del self._site.owners[pid]
        if self._services is not None:
            self._services.abandon()
        if self._streams is not None:
            self._streams.abandon()
        self._end(sure=False)

    def _read_results(self) -> None:
        if self._results_read or self._room is None:
            return
        self._results_read = True
        try:
            self.course.results = read_results(self._room.results, self.plan.secrets)
        except ValueError as error:
            self.course.on_bad_results(str(error))

    def _end(self, *, sure: bool = LINUX) -> None:
        """Nothing of it is left; that is `sure` where nobody can be left who writes to its log."""
        log_bytes = 0
        if self._log >= 0:
            log_bytes = os.fstat(self._log).st_size
            if log_bytes == 0 and sure and self._streams is not None and self._streams.plain:
                self._site.blanks.give_back(self.plan.log, self._log)
            else:
                os.close(self._log)
        self._read_results()
        self.course.end(self._clock.at(time.monotonic()), log_bytes)
        del self._site.tracks[self.plan.key]
        if self._room is not None:
            self._site.rooms.give_back(self._room)
        self._site.on_over(self.course)
