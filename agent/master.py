"""What the elected master does: turns requests into commands, and waiting builds into assignments, on change only.

Workers are reached through the `WorkerPort` seam, whether they run in this process or on another machine. Refuses to
know how requests arrive (service, scripting) and how commands become durable (replica).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from ..core.commands import Assign, Command, Join, Overdue, Record, SetAgent
from ..core.definition import Spec
from ..core.errors import NoMaster, OrchestraError
from ..core.ledger import Changes, Outcome
from ..core.model import AgentRecord, Attempt, Build, BuildState, Millis, Stop
from ..core.quarantine import Quarantine
from ..core.reporting import check_record, sound
from ..core.scheduling import Scheduler, Worker
from .agreement import Replica

log = logging.getLogger(__name__)


def now_ms() -> Millis:
    """Return the time of day, in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


NO_SECRETS: Mapping[str, Mapping[str, str]] = MappingProxyType({})
"""Of attempts that need none."""


class WorkerPort(Protocol):
    """The way to one worker. Nothing here waits: what cannot be delivered is delivered again when it is back."""

    def assign(
        self, given: Sequence[tuple[Attempt, Build, Spec]], secrets: Mapping[str, Mapping[str, str]] = NO_SECRETS
    ) -> None:
        """Have attempts run; known ones are ignored. `secrets`: attempt key -> name -> value, where they see any."""
        ...

    def stop(self, attempt: Attempt, how: Stop, reason: str) -> None:
        """Have an attempt stopped."""
        ...


class Master:
    """Decides, while this agent is elected."""

    def __init__(self, replica: Replica, *, clock: Callable[[], Millis] = now_ms) -> None:
        """Decide whenever the replica leads."""
        self._replica = replica
        self._clock = clock
        self._workers: dict[str, WorkerPort] = {}
        self._warm: dict[str, frozenset[str]] = {}  # agent id -> keys of what it has at hand, see affinity
        self._scheduler = Scheduler()
        self._quarantine = Quarantine()
        self._ahead: Millis = 0  # how far the ledger's time is before this agent's clock
        self._look: asyncio.TimerHandle | None = None  # when to look at the queue without anything happening
        self._pass_due = False
        self._paused = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.reveal: Callable[[Build, Spec], Mapping[str, str]] = lambda _, __: {}
        """Returns the secrets that a build's steps see, by name; see Vault."""
        replica.watch(self.on_changes)
        replica.on_leading(self._on_leading)

    def _on_leading(self, leading: bool) -> None:  # noqa: FBT001 - told by the replica
        """Take over the network as the ledger describes it, or let go of it. Workers come by themselves."""
        self._scheduler = Scheduler()
        self._workers = {}
        self._warm = {}
        self._quarantine = Quarantine()
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if not leading:
            return
        ledger = self._replica.ledger
        # what the last master said to wait for is waited for by its clock, if that was ahead
        self._ahead = max(0, ledger.counters.at - self._clock())
        for record in ledger.agents.values():
            self._see(record)
        for build in ledger.builds.values():
            self._queue(build)

    async def propose(self, *commands: Command) -> list[Outcome]:
        """Have commands decided; see Replica.propose."""
        return await self._replica.propose(commands)

    def time(self) -> Millis:
        """Return the master's time, for commands."""
        return self._clock()

    def _queue_time(self) -> Millis:
        """Return the time that builds wait by: the ledger's, which never runs backwards when another agent leads."""
        return self._clock() + self._ahead

    def explain(self, build: str) -> list[str]:
        """Return why a build waits, one line for each worker."""
        return self._scheduler.explain(build, self._queue_time(), self._label)

    def possible(self, build: str) -> bool:
        """Whether an agent is there that could run a build as soon as it has room."""
        return self._scheduler.possible(build)

    def choice(self, agent: str, build: Build) -> str:
        """Return why a live build is with an agent."""
        return self._scheduler.choice(agent, self._replica.ledger.specs[build.spec], build.requester)

    def _label(self, build: str) -> str:
        found = self._replica.ledger.builds.get(build)
        return f"{found.label} ({build})" if found is not None else build

    def reachable(self, agent: str) -> bool:
        """Whether a worker can be given builds now."""
        return agent in self._workers

    def joined(self, agent: str, session: str) -> bool:
        """Whether a worker's session was let in since this agent leads."""
        record = self._replica.ledger.agents.get(agent)
        return agent in self._workers and record is not None and record.session == session

    def held(self, agent: str) -> tuple[Attempt, ...]:
        """Return the attempts that the network believes a worker to have."""
        return tuple(one for one in self._replica.ledger.attempts.values() if one.agent == agent)

    def pause(self) -> None:
        """Give nothing more to workers: this agent is about to end."""
        self._paused = True

    # -- workers come, report and go

    async def join(
        self, record: AgentRecord, reports: Iterable[Attempt], begun: tuple[str, ...] | None, port: WorkerPort
    ) -> tuple[str, ...]:
        """Let a worker in: first what it has to tell, then its session, then what it should have but does not.

        What its earlier sessions had and it does not report is lost if it was begun, or if that is unknown (see Join).
        Returns the keys of what it reported and what does not count any more, so that it need not go on with it. Raises
        InvalidInput where the record makes no sense.
        """
        at = self.time()
        check_record(record)
        told = tuple(sound(one, at) for one in reports)
        await self.propose(Record(at, record.id, told), Join(at, record, begun))
        ledger = self._replica.ledger
        if not self._replica.leading or record.id not in ledger.agents:
            raise NoMaster("this agent does not lead any more, or the worker is no member any more; ask the master")
        self._workers[record.id] = port
        self._see(ledger.agents[record.id])
        known = {attempt.key for attempt in told}
        mine = [one for one in ledger.attempts.values() if one.agent == record.id]
        self._deliver(port, [one for one in mine if one.key not in known])
        for attempt in mine:
            self._pass_on_stop(ledger.builds[attempt.build])
        self._kick()
        return tuple(known.difference(one.key for one in mine))

    def leave(self, agent: str) -> None:
        """Take note that a worker cannot be reached; what it has stays its own until its lease is over."""
        if self._workers.pop(agent, None) is not None and agent in self._replica.ledger.agents:
            self._see(self._replica.ledger.agents[agent])

    def warm(self, agent: str, keys: frozenset[str]) -> None:
        """Take note of what a worker has at hand."""
        record = self._replica.ledger.agents.get(agent)
        if record is not None and keys != self._warm.get(agent, frozenset()):
            self._warm[agent] = keys
            self._see(record)

    def _see(self, record: AgentRecord) -> None:
        """Let the queue know of a worker as it is now."""
        warm = self._warm.get(record.id, frozenset())
        self._scheduler.on_worker(Worker.of(record, reachable=record.id in self._workers, warm=warm))

    async def record(self, agent: str, attempts: Iterable[Attempt]) -> None:
        """Take over a worker's report; it is durable on return."""
        at = self.time()
        await self.propose(Record(at, agent, tuple(sound(one, at) for one in attempts)))

    # -- the ledger moved

    def on_changes(self, changes: Changes) -> None:
        """Keep the queue and the workers in step with the ledger."""
        if not self._replica.leading:
            return
        self._on_agents(changes)
        self._on_jobs(changes)
        for build in changes.builds.values():
            self._queue(build)
            if build.stop is not None:
                self._pass_on_stop(build)
        given: dict[str, list[Attempt]] = {}
        for attempt in changes.attempts.values():
            if attempt.state is BuildState.ASSIGNED:
                given.setdefault(attempt.agent, []).append(attempt)
            elif attempt.state.ended and attempt.build in changes.builds:
                self._suspect(attempt, changes.builds[attempt.build].spec)
        for agent, attempts in given.items():
            port = self._workers.get(agent)
            if port is not None:
                self._deliver(port, attempts)
        self._kick()

    def _on_agents(self, changes: Changes) -> None:
        for one in changes.removed_agents:
            self._workers.pop(one, None)
            self._warm.pop(one, None)
            self._scheduler.on_worker_gone(one)
        for record in changes.agents.values():
            self._see(record)
            if record.enabled:
                self._quarantine.forget(record.id)

    def _on_jobs(self, changes: Changes) -> None:
        """Let builds that wait or run be held to what their jobs say now about how many there may be at a time."""
        changed = changes.jobs.keys() | changes.removed_jobs.keys()
        if changed:
            for build in self._replica.ledger.builds.values():
                if f"{build.project}/{build.job}" in changed:
                    self._queue(build)

    def _suspect(self, attempt: Attempt, spec: str) -> None:
        """Take note of how an attempt ended; give nothing more to a worker that fails everything."""
        why = self._quarantine.on_end(attempt, spec)
        record = self._replica.ledger.agents.get(attempt.agent)
        if why and record is not None and record.enabled:
            log.warning("master.quarantine: %s: %s", record.name, why)
            self._later([SetAgent(self.time(), "network", attempt.agent, enabled=False, note=why)])

    def _later(self, commands: Sequence[Command]) -> None:
        """Propose what can wait, and need not come about."""

        async def propose() -> None:
            with contextlib.suppress(OrchestraError):
                await self._replica.propose(commands)

        task = asyncio.get_running_loop().create_task(propose())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _deliver(self, port: WorkerPort, attempts: Iterable[Attempt]) -> None:
        ledger = self._replica.ledger
        given = [
            (attempt, ledger.builds[attempt.build], ledger.specs[ledger.builds[attempt.build].spec])
            for attempt in attempts
            if attempt.build in ledger.builds
        ]
        port.assign(given, {one.key: self.reveal(build, spec) for one, build, spec in given if spec.secrets})

    def _pass_on_stop(self, build: Build) -> None:
        attempt = self._replica.ledger.attempts.get(build.id)
        if build.stop is not None and attempt is not None and attempt.agent in self._workers:
            self._workers[attempt.agent].stop(attempt, build.stop, build.reason)

    # -- scheduling

    def _queue(self, build: Build) -> None:
        """Let the queue know of a build that is new or changed."""
        ledger = self._replica.ledger
        spec = ledger.specs.get(build.spec)
        self._scheduler.on_build(build, spec, ledger.jobs.get(f"{build.project}/{build.job}"))

    def _kick(self) -> None:
        """Look for assignments once the event loop is through with what it is at."""
        if not self._pass_due and len(self._scheduler):
            self._pass_due = True
            asyncio.get_running_loop().call_soon(self._assign_now)

    def _assign_now(self) -> None:
        self._pass_due = False
        if self._paused or not self._replica.leading:
            return
        at = self._queue_time()
        chosen = self._scheduler.assignments(at)
        overdue = self._scheduler.overdue(at)
        if overdue:
            self._later([Overdue(at, overdue)])
        self._look_at(self._scheduler.next_look(), at)
        if not chosen:
            return
        ledger = self._replica.ledger
        commands = [
            Assign(at, one.worker, ledger.agents[one.worker].session if one.worker in ledger.agents else "", one.builds)
            for one in chosen
        ]
        task = asyncio.get_running_loop().create_task(self._carry_out(commands))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _look_at(self, instant: Millis | None, now: Millis) -> None:
        """Look at the queue again at an instant, if nothing happens before."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if instant is not None:
            self._look = asyncio.get_running_loop().call_later(max(0, instant - now) / 1000, self._kick)

    async def _carry_out(self, commands: Sequence[Assign]) -> None:
        try:
            outcomes = await self._replica.propose(commands)
        except OrchestraError as error:
            log.warning("master.assign-failed: %s", error)
            outcomes = [Outcome(changed=False)] * len(commands)
            asyncio.get_running_loop().call_later(1.0, self._kick)  # the disk may have room again
        ledger = self._replica.ledger
        for command, outcome in zip(commands, outcomes, strict=True):
            for one in set(command.builds).difference(outcome.builds):
                if one in ledger.builds:  # back into the queue; what has ended meanwhile is already out of it
                    self._queue(ledger.builds[one])
