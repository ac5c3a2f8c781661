"""An agent in its part of running builds: assignments become plans for the executor, its reports become attempts.

Everything that outlives the agent is in the executor and in the ledger; the worker only carries between the two, so it
can be restarted at any moment. An attempt is reported until the network has recorded it, and forgotten only then.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from typing import Protocol, TypeVar

from msgspec.structs import replace

from ..core.definition import Spec
from ..core.errors import Conflict, DiskFull, LimitReached, NotAllowed, NotFound, OrchestraError
from ..core.messages import Resized, Taken, Typed
from ..core.model import AgentRecord, Attempt, Build, BuildState, Stop
from .ballast import Ballast
from .executor.link import ExecutorLink
from .executor.protocol import AttemptStatus, Plan, Report
from .furnishing import READY, Furnisher
from .master import NO_SECRETS, WorkerPort, now_ms
from .paths import Paths
from .planning import Planner

log = logging.getLogger(__name__)

QUIT_S = 10.0
"""Seconds for the network to take the last reports of an executor that is to end: longer than an election takes."""

EXECUTOR_RETRY_S = 5.0
"""Seconds between attempts to start an executor that does not start."""

REPORT_RETRY_S = 1.0
"""Seconds between attempts to have a report recorded while the master or its disk refuses."""


_T = TypeVar("_T")


class MasterPort(Protocol):
    """The way to the master, whether it is in this process or on another machine."""

    async def held(self, agent: str) -> Sequence[Attempt]:
        """Return the attempts that the network believes this worker to have."""
        ...

    async def join(
        self, record: AgentRecord, reports: Sequence[Attempt], begun: tuple[str, ...] | None, port: WorkerPort
    ) -> tuple[str, ...]:
        """Begin a worker session, or go on with it under another master; see Master.join."""
        ...

    async def record(self, agent: str, attempts: Sequence[Attempt]) -> None:
        """Have a report recorded; see Master.record."""
        ...

    def leave(self, agent: str) -> None:
        """Give no more builds to this worker."""
        ...


class Archive(Protocol):
    """Where logs go, so that they survive this machine."""

    async def digests(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the SHA-256 (hex) of these attempts' logs, which will not grow any more; empty ones are left out."""
        ...

    async def keep(self, logs: Mapping[str, str], artifacts: Mapping[str, str]) -> None:
        """Return when the network holds these logs and directories (attempt -> SHA-256, hex).

        May take as long as no majority answers.
        """
        ...


class Worker:
    """Runs builds on this machine."""

    def __init__(  # noqa: PLR0913 - its seams
        self,
        paths: Paths,
        record: AgentRecord,
        master: MasterPort,
        *,
        ballast: Ballast,
        archive: Archive,
        furnisher: Furnisher,
        planner: Planner,
    ) -> None:
        """Work as the agent `record` describes; its session is filled in when the executor is there."""
        self.record = record
        self._slots = record.slots  # builds that it runs at a time now
        self._paths = paths
        self._master = master
        self._attempts: dict[str, Attempt] = {}  # key -> as last known: all that the executor has or is to get
        self._link: ExecutorLink | None = None
        self._furnisher = furnisher
        self._planner = planner
        self._ballast = ballast
        self._archive = archive
        self._working: set[asyncio.Task[None]] = set()  # keeping logs, bringing what builds need
        self._bringing: dict[str, asyncio.Task[None]] = {}  # by attempt, of those that are not with the executor yet
        self._lost = asyncio.Event()  # the executor is gone
        self._quitting = False  # the executor was told to end
        self._recalled = asyncio.Event()  # it is known what this executor has
        self._unsure = asyncio.Event()  # set when the master may not count on us any more: it is another, or said so
        self._idle: asyncio.Event | None = None

    @property
    def running(self) -> int:
        """Count the attempts that this machine has and that have not ended."""
        return sum(not one.state.ended for one in self._attempts.values())

    @property
    def sure(self) -> bool:
        """Whether it is known what the executor has: for a moment after the start it is not."""
        return self._recalled.is_set()

    def holds(self, key: str) -> bool:
        """Whether an attempt is here and has not ended."""
        one = self._attempts.get(key)
        return one is not None and not one.state.ended

    def knows(self, key: str) -> bool:
        """Whether an attempt is here, or ended and what it left is not with the network yet."""
        return key in self._attempts

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._lost.clear()
            self._recalled.clear()
            try:
                link = await ExecutorLink.open(self._paths, on_report=self._on_report, on_lost=self._lost.set)
            except OrchestraError as error:
                log.error("worker.no-executor: %s; builds wait, it is tried again", error)  # noqa: TRY400 - no defect
                await asyncio.sleep(EXECUTOR_RETRY_S)
                continue
            self._link = link
            self.record = replace(self.record, session=link.session)
            link.configure(self._slots, READY)
            await self._recall(link)
            while not self._lost.is_set():
                self._unsure.clear()
                await self._join(link)
                await _first(self._lost, self._unsure)
            if self._quitting:
                return
            log.warning("worker.executor-lost: the executor died; its attempts are lost, a new one is started")
            self._link = None
            self._master.leave(self.record.id)

    def behave(self, slots: int, *, paused: str, nice: bool) -> None:
        """Run so many builds at a time from now on, as nicely as that; `paused` is why no more are to come, if so."""
        self._planner.nice = nice
        slots = max(1, slots)  # what it was given already it ends in any case
        if slots != self._slots:
            self._slots = slots
            if self._link is not None:
                self._link.configure(slots, READY)
        if paused != self.record.paused:
            self.record = replace(self.record, paused=paused)
            self.join_again()

    def join_again(self) -> None:
        """Tell the master anew what this worker has: it is another one, or lost sight of us."""
        self._unsure.set()

    async def _recall(self, link: ExecutorLink) -> None:
        """Bring together what the network believes to be here and what the executor has."""
        for one in await self._until_accepted(lambda: self._master.held(self.record.id)):
            self._attempts.setdefault(one.key, one)
        # given to this session but unknown to the executor: the last agent died before it passed them on; the
        # master, which is not told of them, gives them once more
        known = {status.key for status in link.attempts}
        self._attempts = {
            key: one for key, one in self._attempts.items() if key in known or one.session != link.session
        }
        # what the network does not count as ours any more is told all the same, as that attempt's history
        self._take(link.attempts, await self._digests(link.attempts), strangers=known.difference(self._attempts))
        self._recalled.set()
        # what the network dropped while this agent was down would pin directories and mirrors for ever
        self._furnisher.clear_others(self._attempts)

    async def _join(self, link: ExecutorLink) -> None:
        """Begin the executor's session with the network, or go on with it under another master."""
        # of sessions before, too, where the executor remembers how it ended
        told = tuple(one for one in self._attempts.values() if one.session == link.session or one.state.ended)
        begun = tuple(link.begun) if link.sure else None
        over = await self._until_accepted(lambda: self._master.join(self.record, told, begun, self))
        for key in over:
            one = self._attempts.get(key)
            if one is not None and not one.state.ended:
                link.stop(key, "the network has given this attempt up")
        # what belongs to a session that is over has come to its end, or back into the queue, when we joined
        over_and_gone = [one.key for one in self._attempts.values() if one.session != link.session and one not in told]
        self._settle(over_and_gone, always=True)
        self._finish([one for one in told if one.state.ended])

    async def idle(self) -> None:
        """Return when nothing runs here."""
        self._idle = asyncio.Event()
        if self.running:
            await self._idle.wait()

    def assign(
        self, given: Sequence[tuple[Attempt, Build, Spec]], secrets: Mapping[str, Mapping[str, str]] = NO_SECRETS
    ) -> None:
        """See WorkerPort."""
        if self._link is None:
            return  # a new session begins; the master learns what is missing when it does
        ready: list[Plan] = []
        for attempt, build, spec in given:
            if attempt.session != self._link.session or attempt.key in self._attempts:
                continue  # an order may come twice; if so late that the attempt is forgotten, the executor refuses it
            self._attempts[attempt.key] = attempt
            shown = secrets.get(attempt.key, {})
            if lacking := [name for name in spec.secrets if name not in shown]:
                self._later(self._give_up(attempt, f"the master could not open {', '.join(lacking)}; its log says why"))
                continue
            try:
                if self._furnisher.lacks(build, spec):
                    bringing = self._bring_and_start(attempt, build, spec, shown, self._link)
                    self._bringing[attempt.key] = self._later(bringing)
                else:
                    ready.append(self._plan(attempt, build, spec, shown))
            except (OrchestraError, OSError) as error:  # a full disk, for one: the others begin all the same
                self._later(self._give_up(attempt, f"its workspace cannot be ordered: {error}"))
        if ready:
            self._link.start(ready)

    def _plan(self, attempt: Attempt, build: Build, spec: Spec, secrets: Mapping[str, str]) -> Plan:
        furnished = self._furnisher.furnish(attempt, build, spec)
        return self._planner.plan(attempt, build, spec, furnished=furnished, secrets=secrets)

    async def _bring_and_start(
        self, attempt: Attempt, build: Build, spec: Spec, secrets: Mapping[str, str], link: ExecutorLink
    ) -> None:
        try:
            await self._furnisher.bring(build, spec)
        except OrchestraError as error:
            del self._bringing[attempt.key]
            await self._give_up(attempt, f"what it needs cannot be brought here: {error}")
            return
        del self._bringing[attempt.key]
        try:
            plan = self._plan(attempt, build, spec, secrets)
        except OSError as error:
            await self._give_up(attempt, f"its workspace cannot be ordered: {error}")
        else:
            link.start([plan])

    async def _give_up(self, attempt: Attempt, reason: str, state: BuildState = BuildState.ERROR) -> None:
        """End an attempt that does not begin."""
        ended = replace(attempt, state=state, reason=reason, finished=now_ms())
        self._attempts[attempt.key] = ended
        await self._until_accepted(lambda: self._master.record(self.record.id, [ended]))
        self._drop([attempt.key])

    def _later(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return task

    def stop(self, attempt: Attempt, how: Stop, reason: str) -> None:
        """See WorkerPort."""
        if self._link is not None:
            bringing = self._bringing.pop(attempt.key, None)
            if bringing is not None:  # the executor does not know of it yet
                bringing.cancel()
                state = BuildState.CANCELLED if how is Stop.CANCEL else BuildState.ABORTED
                self._later(self._give_up(self._attempts[attempt.key], reason, state))
            else:
                self._link.stop(attempt.key, reason, how)

    async def type(self, typed: Typed) -> Taken:
        """See sittings.Typist."""
        taken = await self._executor_of(typed.key).type(typed)
        if taken.refused:
            kind = NotAllowed if taken.foreign else LimitReached if taken.late else Conflict
            raise kind(taken.refused)
        return Taken(taken.next)

    async def resize(self, wish: Resized) -> None:
        """See sittings.Typist."""
        self._executor_of(wish.key).resize(wish)

    def _executor_of(self, key: str) -> ExecutorLink:
        """Return the way to the executor that runs an attempt."""
        if self._link is None or not self.holds(key):
            raise NotFound("it does not run here any more")
        if key in self._bringing:
            raise Conflict("what it needs is still on its way to its agent; it can read nothing before")
        return self._link

    def stop_all(self, reason: str) -> None:
        """Stop everything that is here."""
        for one in list(self._attempts.values()):
            if not one.state.ended:
                self.stop(one, Stop.ABORT, reason)

    async def quit(self, reason: str) -> None:
        """End the executor with all that runs on it."""
        self._quitting = True
        if self._link is not None:
            try:
                async with asyncio.timeout(QUIT_S):
                    await self._link.quit(reason)
            except TimeoutError:  # no master takes the last reports; the executor remembers them for the next start
                log.warning("worker.unreported: what ended last is told to the network at the next start")

    async def close(self) -> None:
        """Let go of the executor, which goes on."""
        for task in self._working:
            task.cancel()  # the executor tells of them again
        if self._link is not None:
            await self._link.close()

    # -- what the executor says

    async def _on_report(self, report: Report) -> None:
        """Have a report recorded, however long that takes; then the executor may send the next."""
        await self._recalled.wait()
        self._drop(report.refused)
        reports = self._take(report.attempts, await self._digests(report.attempts))
        if not any(report.state.ended for report in reports):
            # nothing is lost with such a report: the next one of these attempts says all of it again
            with contextlib.suppress(OrchestraError):
                await self._master.record(self.record.id, reports)
            return
        await self._until_accepted(lambda: self._master.record(self.record.id, reports))
        self._finish([report for report in reports if report.state.ended])

    async def _digests(self, statuses: Sequence[AttemptStatus]) -> dict[str, str]:
        """Return the digests of those logs that are complete."""
        return await self._archive.digests([one.key for one in statuses if one.state.ended and one.log_bytes])

    def _finish(self, ended: Sequence[Attempt]) -> None:
        """Let the network hold the logs of attempts whose end is recorded; then forget them."""
        if not ended:
            return
        logs = {one.key: one.log for one in ended if one.log}
        artifacts = {one.key: one.artifacts for one in ended if one.artifacts}
        if not logs and not artifacts:
            self._settle([one.key for one in ended])
            return

        async def keep() -> None:
            await self._archive.keep(logs, artifacts)
            self._settle([one.key for one in ended])

        self._later(keep())

    def _take(
        self, statuses: Sequence[AttemptStatus], logs: Mapping[str, str], strangers: Collection[str] = ()
    ) -> list[Attempt]:
        """Bring what is known of attempts up to date; what is neither ours nor among `strangers` is passed over."""
        reports: list[Attempt] = []
        for status in statuses:
            known = self._attempts.get(status.key)
            if known is None and status.key in strangers:
                build, _, number = status.key.rpartition(".")
                known = Attempt(build, int(number), self.record.id, self.record.session, BuildState.ASSIGNED)
            if known is None:
                continue
            report = Attempt(
                build=known.build,
                number=known.number,
                agent=known.agent,
                session=known.session,
                state=status.state,
                reason=status.reason,
                assigned=known.assigned,
                started=status.started,
                finished=status.finished,
                steps=status.steps,
                log_bytes=status.log_bytes,
                results=status.results,
                log=logs.get(status.key, ""),
                artifacts=self._furnisher.kept(status.key) if status.state.ended else "",
            )
            self._attempts[status.key] = report
            reports.append(report)
        return reports

    def _settle(self, keys: Sequence[str], *, always: bool = False) -> None:
        """Forget attempts whose end is recorded."""
        self._drop(keys)
        if (keys or always) and self._link is not None:
            self._link.forget(tuple(keys))

    def _drop(self, keys: Sequence[str]) -> None:
        for key in keys:
            if self._attempts.pop(key, None) is not None:
                self._furnisher.clear(key)
        if self._idle is not None and not self.running:
            self._idle.set()

    async def _until_accepted(self, call: Callable[[], Awaitable[_T]]) -> _T:
        complained = False
        while True:
            try:
                found = await call()
            except OrchestraError as error:
                if not complained:
                    log.warning("worker.report-refused: %s; trying again until it is recorded", error)
                complained = True
                if not (isinstance(error, DiskFull) and self._ballast.release()):
                    await asyncio.sleep(REPORT_RETRY_S)
            else:
                if complained:
                    self._ballast.hold()
                return found


async def _first(*events: asyncio.Event) -> None:
    """Return when one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()
