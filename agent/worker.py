"""An agent in its part of running builds: assignments become plans for the executor, its reports become attempts.

Everything that outlives the agent is in the executor and in the ledger; the worker only carries between the two, so it
can be restarted at any moment. An attempt is reported until the network has recorded it, and forgotten only then.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from ..core.errors import DiskFull, OrchestraError
from ..core.model import AgentRecord, Attempt, Build, Spec, Step, Stop
from . import sources
from .ballast import Ballast
from .executor.link import ExecutorLink
from .executor.protocol import AttemptStatus, Plan, StepPlan
from .master import WorkerPort
from .paths import Paths

log = logging.getLogger(__name__)

PASSED_ON = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "SHELL"})
"""Variables of the agent's own environment that builds see; everything else is theirs to set."""

EXECUTOR_RETRY_S = 5.0
"""Seconds between attempts to start an executor that does not start."""

REPORT_RETRY_S = 1.0
"""Seconds between attempts to have a report recorded while the master or its disk refuses."""


class MasterPort(Protocol):
    """The way to the master, whether it is in this process or on another machine."""

    async def join(
        self, record: AgentRecord, reports: Sequence[Attempt], begun: tuple[str, ...] | None, port: WorkerPort
    ) -> None:
        """Begin a worker session; see Master.join."""
        ...

    async def record(self, agent: str, attempts: Sequence[Attempt]) -> None:
        """Have a report recorded; see Master.record."""
        ...

    def leave(self, agent: str) -> None:
        """Give no more builds to this worker."""
        ...


class Worker:
    """Runs builds on this machine."""

    def __init__(  # noqa: PLR0913 - the settings it works with
        self,
        paths: Paths,
        record: AgentRecord,
        master: MasterPort,
        *,
        ballast: Ballast,
        pass_on: Sequence[str] = (),
        log_limit: int = 0,
    ) -> None:
        """Work as the agent `record` describes; its session is filled in when the executor is there."""
        self.record = record
        self._paths = paths
        self._master = master
        self._attempts: dict[str, Attempt] = {}  # key -> as last known: all that the executor has or is to get
        self._link: ExecutorLink | None = None
        self._folders: set[Path] = set()
        self._base = base_environment(os.environ, pass_on)
        self._log_limit = log_limit
        self._ballast = ballast
        self._lost = asyncio.Event()
        self._idle: asyncio.Event | None = None

    @property
    def running(self) -> int:
        """Count the attempts that this machine has and that have not ended."""
        return sum(not one.state.ended for one in self._attempts.values())

    async def run(self, held: Sequence[Attempt]) -> None:
        """Work until cancelled. `held` are the attempts that the network believes to be here."""
        self._attempts = {attempt.key: attempt for attempt in held}
        while True:
            self._lost.clear()
            try:
                link = await ExecutorLink.open(self._paths, on_report=self._on_report, on_lost=self._lost.set)
            except OrchestraError as error:
                log.error("worker.no-executor: %s; builds wait, it is tried again", error)  # noqa: TRY400 - no defect
                await asyncio.sleep(EXECUTOR_RETRY_S)
                continue
            self._link = link
            self.record = replace(self.record, session=link.session)
            link.configure(self.record.slots)
            # given to this session but unknown to the executor: the last agent died before it passed them on; the
            # master, which is not told of them, gives them once more
            known = {status.key for status in link.attempts}
            self._attempts = {
                key: one for key, one in self._attempts.items() if key in known or one.session != link.session
            }
            told = self._take(link.attempts)
            begun = tuple(link.begun) if link.sure else None
            await self._until_accepted(
                lambda reports=told, begun=begun: self._master.join(self.record, reports, begun, self)
            )
            # what belongs to a session that is over has come to its end, or back into the queue, when we joined
            over = [key for key, one in self._attempts.items() if one.session != link.session]
            self._settle([*over, *(status.key for status in link.attempts if status.state.ended)], always=True)
            await self._lost.wait()
            log.warning("worker.executor-lost: the executor died; its attempts are lost, a new one is started")
            self._link = None
            self._master.leave(self.record.id)

    async def idle(self) -> None:
        """Return when nothing runs here."""
        self._idle = asyncio.Event()
        if self.running:
            await self._idle.wait()

    def assign(self, given: Sequence[tuple[Attempt, Build, Spec]]) -> None:
        """See WorkerPort."""
        if self._link is None:
            return  # a new session begins; the master learns what is missing when it does
        plans: list[Plan] = []
        for attempt, build, spec in given:
            if attempt.session != self._link.session or attempt.key in self._attempts:
                continue
            self._attempts[attempt.key] = attempt
            plans.append(self._plan(attempt, build, spec))
        if plans:
            self._link.start(plans)

    def stop(self, attempt: Attempt, how: Stop, reason: str) -> None:
        """See WorkerPort."""
        if self._link is not None:
            self._link.stop(attempt.key, reason, only_waiting=how is Stop.CANCEL)

    async def quit(self, reason: str) -> None:
        """End the executor with all that runs on it."""
        if self._link is not None:
            await self._link.quit(reason)

    async def close(self) -> None:
        """Let go of the executor, which goes on."""
        if self._link is not None:
            await self._link.close()

    # -- what the executor says

    async def _on_report(self, statuses: Sequence[AttemptStatus]) -> None:
        """Have a report recorded, however long that takes; then the executor may send the next."""
        reports = self._take(statuses)
        if not any(report.state.ended for report in reports):
            # nothing is lost with such a report: the next one of these attempts says all of it again
            with contextlib.suppress(OrchestraError):
                await self._master.record(self.record.id, reports)
            return
        await self._until_accepted(lambda: self._master.record(self.record.id, reports))
        self._settle([status.key for status in statuses if status.state.ended])

    def _take(self, statuses: Sequence[AttemptStatus]) -> list[Attempt]:
        """Bring what is known of attempts up to date; what the network does not count as ours is passed over."""
        reports: list[Attempt] = []
        for status in statuses:
            known = self._attempts.get(status.key)
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
            )
            self._attempts[status.key] = report
            reports.append(report)
        return reports

    def _settle(self, keys: Sequence[str], *, always: bool = False) -> None:
        """Forget attempts whose end is recorded."""
        for key in keys:
            self._attempts.pop(key, None)
        if (keys or always) and self._link is not None:
            self._link.forget(tuple(keys))
        if self._idle is not None and not self.running:
            self._idle.set()

    async def _until_accepted(self, call: Callable[[], Awaitable[None]]) -> None:
        complained = False
        while True:
            try:
                await call()
            except OrchestraError as error:
                if not complained:
                    log.warning("worker.report-refused: %s; trying again until it is recorded", error)
                complained = True
                if not (isinstance(error, DiskFull) and self._ballast.release()):
                    await asyncio.sleep(REPORT_RETRY_S)
            else:
                if complained:
                    self._ballast.hold()
                return

    # -- from assignment to plan

    def _plan(self, attempt: Attempt, build: Build, spec: Spec) -> Plan:
        log_file = self._paths.log(attempt.key)
        if log_file.parent not in self._folders:
            log_file.parent.mkdir(mode=0o700, exist_ok=True)
            self._folders.add(log_file.parent)
        prepare: tuple[str, ...] = ()
        if spec.source.archive:
            archive = sources.path_of(self._paths.sources, spec.source.archive)
            prepare = (sys.executable, "-E", "-P", "-m", sources.__name__, str(archive), ".")
        return Plan(
            key=attempt.key,
            log=str(log_file),
            env=self._environment(attempt, build, spec),
            steps=tuple(_step(one, spec.shell) for one in spec.steps),
            prepare=prepare,
            timeout_s=spec.timeout_s,
            log_limit=self._log_limit,
        )

    def _environment(self, attempt: Attempt, build: Build, spec: Spec) -> dict[str, str]:
        env = dict(self._base)
        env.update(
            CI="true",
            ORCHESTRA_BUILD_ID=build.id,
            ORCHESTRA_PROJECT=build.project,
            ORCHESTRA_JOB=build.job,
            ORCHESTRA_NUMBER=str(build.number),
            ORCHESTRA_ATTEMPT=str(attempt.number),
            ORCHESTRA_AGENT=self.record.name,
        )
        for name, value in build.parameters.items():
            env[parameter_variable(name)] = value
        env.update(spec.env)
        return env


def parameter_variable(name: str) -> str:
    """Return the environment variable by which a step sees a parameter."""
    return "PARAM_" + name.upper().replace("-", "_")


def base_environment(own: Mapping[str, str], pass_on: Sequence[str]) -> dict[str, str]:
    """Return what builds see of the agent's environment: PASSED_ON, and `pass_on` (a trailing `*` is any end)."""
    wanted = set(PASSED_ON).union(name for name in pass_on if not name.endswith("*"))
    prefixes = tuple(name[:-1] for name in pass_on if name.endswith("*"))
    return {name: value for name, value in own.items() if name in wanted or (prefixes and name.startswith(prefixes))}


def _step(step: Step, shell: tuple[str, ...]) -> StepPlan:
    argv = (*shell, "-c", step.run) if isinstance(step.run, str) else step.run
    return StepPlan(name=step.name, argv=argv, env=step.env, when=step.when, timeout_s=step.timeout_s)
