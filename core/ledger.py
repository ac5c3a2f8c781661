"""The network's state, and the one way to change it: `apply(index, commands) -> outcomes + changes`.

Deterministic: the same commands in the same order give the same state, whose `digest()` is the same, on every voter.
Holds what is alive (builds that have not ended, definitions, members, counters); what has ended leaves with the changes
and is the store's. Refuses to know about disks, networks and clocks, and which worker would be best (scheduling).
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from . import lifecycle
from .commands import Apply, Assign, Command, Join, NewBuild, Record, Refuse, SetAgent, StopBuild, Submit
from .errors import Conflict, NotFound, UserError
from .ids import build_id
from .model import AgentRecord, Attempt, Build, BuildState, Job, Millis, Spec, Stop, Task, TaskState

REQUEST_MEMORY_MS = 24 * 3600 * 1000
"""How long a client's request id is remembered. Longer: later retries are still safe; costs about 300 bytes each."""

COUNTERS = "counters"
"""Name of the meta row that holds the counters, as JSON."""

NUMBER = "number/"
"""Prefix of the meta rows that hold the number of each job's last build."""


class Outcome(msgspec.Struct, frozen=True):
    """What one command came to."""

    builds: tuple[str, ...] = ()  # ids of the builds it created or touched
    task: int = 0  # id of the task that records it; 0: it was no request, or a repeated one
    error: UserError | None = None  # why it was refused; nothing but the task was written
    changed: bool = True  # whether anything is different from before


class Changes(msgspec.Struct):
    """What a log entry changed: newest values by key. Feeds the store, the scheduler and the watchers."""

    index: int = 0  # the log index they lead to
    builds: dict[str, Build] = {}  # id -> as it is now, ended ones included
    attempts: dict[str, Attempt] = {}  # key -> as it is now
    tasks: dict[int, Task] = {}  # id -> new tasks
    jobs: dict[str, Job] = {}  # full name -> new or changed definitions
    removed_jobs: dict[str, Job] = {}  # full name -> definitions that are gone
    specs: dict[str, Spec] = {}  # digest -> specs not seen before
    agents: dict[str, AgentRecord] = {}  # id -> new or changed records
    meta: dict[str, str] = {}  # name -> text

    def merge(self, later: "Changes") -> None:
        """Take in the changes of a later entry; the later value of each key wins."""
        self.index = later.index
        for field in ("builds", "attempts", "tasks", "specs", "agents", "meta"):
            getattr(self, field).update(getattr(later, field))
        for name, job in later.jobs.items():
            self.removed_jobs.pop(name, None)
            self.jobs[name] = job
        for name, job in later.removed_jobs.items():
            self.jobs.pop(name, None)
            self.removed_jobs[name] = job


class Counters(msgspec.Struct):
    """Numbers that only grow."""

    serial: int = 0  # of the last build accepted
    task: int = 0  # id of the last task
    at: Millis = 0  # latest time seen in a command; time never runs backwards in here


class Remembered(msgspec.Struct, frozen=True):
    """What a ledger is rebuilt from: the part of it that a store keeps, as of one log index."""

    index: int  # the log index that this reflects
    builds: tuple[Build, ...] = ()  # live ones
    attempts: tuple[Attempt, ...] = ()  # of those builds
    jobs: tuple[Job, ...] = ()  # all definitions
    specs: dict[str, Spec] = {}  # by digest, of those builds
    agents: tuple[AgentRecord, ...] = ()  # all members
    requests: dict[str, tuple[Millis, tuple[str, ...]]] = {}  # request id -> when it was accepted, its build ids
    meta: dict[str, str] = {}  # as in Changes


class Ledger:
    """All that is alive in the network."""

    def __init__(self, remembered: Remembered | None = None) -> None:
        """Begin with an empty network, or with what a store remembers; the log behind its index is applied next."""
        self.index = 0
        self.builds: dict[str, Build] = {}  # by id, live ones only, in the order of acceptance
        self.attempts: dict[str, Attempt] = {}  # by build id: the current attempt of each assigned or running build
        self.jobs: dict[str, Job] = {}  # by full name
        self.specs: dict[str, Spec] = {}  # by digest: those that live builds run or jobs define
        self.agents: dict[str, AgentRecord] = {}  # by id
        self.requests: OrderedDict[str, tuple[Millis, tuple[str, ...]]] = OrderedDict()  # oldest first
        self.counters = Counters()
        self.numbers: dict[str, int] = {}  # full job name -> number of its last build
        self._uses: Counter[str] = Counter()  # digest -> live builds and jobs that refer to it
        if remembered is not None:
            self._restore(remembered)
        self._appliers: dict[type, Callable[[Any, Changes], Outcome]] = {
            Submit: self._submit,
            Apply: self._apply_jobs,
            StopBuild: self._stop,
            Assign: self._assign,
            Record: self._record,
            Join: self._join,
            SetAgent: self._set_agent,
            Refuse: self._refuse,
        }

    def apply(self, index: int, commands: Iterable[Command]) -> tuple[list[Outcome], Changes]:
        """Apply the commands of the log entry at `index`; return an outcome for each, and all that changed."""
        changes = Changes(index=index)
        outcomes = [self._appliers[type(command)](command, changes) for command in commands]
        self.index = index
        changes.meta[COUNTERS] = msgspec.json.encode(self.counters).decode()
        return outcomes, changes

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the whole state; equal on all that applied the same commands."""
        parts = (self.builds, self.attempts, self.jobs, self.specs, self.agents, self.requests, self.numbers)
        state = (self.index, self.counters, [sorted(part.items()) for part in parts])
        return sha256(msgspec.msgpack.Encoder(order="deterministic").encode(state)).hexdigest()

    def _restore(self, remembered: Remembered) -> None:
        self.index = remembered.index
        self.builds = {build.id: build for build in sorted(remembered.builds, key=lambda build: build.serial)}
        for attempt in remembered.attempts:
            build = self.builds.get(attempt.build)
            if build is not None and build.attempt == attempt.number and build.state is not BuildState.PENDING:
                self.attempts[attempt.build] = attempt
        self.agents = {agent.id: agent for agent in remembered.agents}
        self.jobs = {job.full_name: job for job in remembered.jobs}
        self.specs = dict(remembered.specs)
        self._uses.update(build.spec for build in self.builds.values())
        for job in remembered.jobs:
            digest = job.spec.digest()
            self._uses[digest] += 1
            self.specs[digest] = job.spec
        for name, text in remembered.meta.items():
            if name.startswith(NUMBER):
                self.numbers[name.removeprefix(NUMBER)] = int(text)
        if COUNTERS in remembered.meta:
            self.counters = msgspec.json.decode(remembered.meta[COUNTERS], type=Counters)
        self.requests.update(sorted(remembered.requests.items(), key=lambda item: item[1]))
        self._forget_requests()

    # -- requests of users

    def _submit(self, command: Submit, changes: Changes) -> Outcome:
        at = self._advance(command.at)
        if command.request and command.request in self.requests:
            return Outcome(builds=self.requests[command.request][1], changed=False)
        for new in command.builds:
            if new.spec not in command.specs and new.spec not in self.specs:
                target = f"{new.project}/{new.job}"
                error = Conflict(f"{target} was redefined while it was being submitted; submit it again")
                return self._refused(command.kind, command.requester, target, error, changes)
        made = [self._accept(command, new, at, changes) for new in command.builds]
        ids = tuple(build.id for build in made)
        if command.request:
            self.requests[command.request] = (at, ids)
        outcome = made[0].label if len(made) == 1 else f"{len(made)} builds, the first is {made[0].label}"
        target = f"{made[0].project}/{made[0].job}"
        return Outcome(ids, self._task(command.kind, command.requester, target, outcome, ids, changes))

    def _accept(self, command: Submit, new: NewBuild, at: Millis, changes: Changes) -> Build:
        self.counters.serial += 1
        name = f"{new.project}/{new.job}"
        number = self.numbers[name] = self.numbers.get(name, 0) + 1
        changes.meta[NUMBER + name] = str(number)
        build = Build(
            id=build_id(self.counters.serial),
            serial=self.counters.serial,
            project=new.project,
            job=new.job,
            number=number,
            state=BuildState.PENDING,
            spec=new.spec,
            created=at,
            requester=command.requester,
            cause=command.cause,
            request=command.request,
            parameters=new.parameters,
            priority=new.priority,
        )
        if new.spec in command.specs:
            self._use(new.spec, command.specs[new.spec], changes)
        else:
            self._uses[new.spec] += 1
        self.builds[build.id] = changes.builds[build.id] = build
        return build

    def _apply_jobs(self, command: Apply, changes: Changes) -> Outcome:
        self._advance(command.at)
        before = {name: job for name, job in self.jobs.items() if job.project == command.project}
        after = {job.full_name: job for job in command.jobs}
        new = {name: job for name, job in after.items() if before.get(name) != job}
        gone = {name: job for name, job in before.items() if name not in after}
        for name, job in new.items():
            self._use(job.spec.digest(), job.spec, changes)
            self.jobs[name] = changes.jobs[name] = job
            changes.removed_jobs.pop(name, None)
            if name in before:
                self._release(before[name].spec.digest())
        for name, job in gone.items():
            del self.jobs[name]
            changes.jobs.pop(name, None)
            changes.removed_jobs[name] = job
            self._release(job.spec.digest())
        parts = [f"defined {', '.join(sorted(new))}"] if new else []
        parts += [f"removed {', '.join(sorted(gone))}"] if gone else []
        outcome = "; ".join(parts) or "nothing to change"
        task = self._task("jobs.apply", command.requester, command.project, outcome, (), changes)
        return Outcome(task=task, changed=bool(new or gone))

    def _stop(self, command: StopBuild, changes: Changes) -> Outcome:
        at = self._advance(command.at)
        kind = f"builds.{command.how}"
        build = self.builds.get(command.build)
        if build is None:
            error = Conflict(f"build {command.build} has already ended")
            return self._refused(kind, command.requester, command.build, error, changes)
        if build.state is BuildState.RUNNING and command.how is Stop.CANCEL:
            error = Conflict(f"{build.label} is already running; to stop it: orchestra abort {build.id}")
            return self._refused(kind, command.requester, build.id, error, changes)
        if build.state is BuildState.PENDING:
            state = BuildState.ABORTED if command.how is Stop.ABORT else BuildState.CANCELLED
            self._end(replace(build, finished=at, reason=f"{state} by {command.requester}"), state, changes)
            outcome = f"{build.label} {state}"
        else:
            # an abort replaces a cancel that the worker has not confirmed; never the other way round
            how = Stop.ABORT if Stop.ABORT in (build.stop, command.how) else Stop.CANCEL
            reason = f"{command.how} asked by {command.requester}"
            self.builds[build.id] = changes.builds[build.id] = replace(build, stop=how, reason=reason)
            outcome = f"asked the worker of {build.label}"
        ids = (build.id,)
        return Outcome(ids, self._task(kind, command.requester, build.id, outcome, ids, changes))

    def _set_agent(self, command: SetAgent, changes: Changes) -> Outcome:
        at = self._advance(command.at)
        record = self.agents.get(command.agent)
        if record is None:
            error = NotFound(f"no agent {command.agent} in this network; orchestra agents lists them")
            return self._refused("agents.set", command.requester, command.agent, error, changes)
        enabled = record.enabled if command.enabled is None else command.enabled
        draining = record.draining if command.draining is None else command.draining
        changed = replace(record, enabled=enabled, draining=draining, seen=at)
        self.agents[record.id] = changes.agents[record.id] = changed
        outcome = f"{record.name}: {'enabled' if enabled else 'disabled'}{', draining' if draining else ''}"
        return Outcome(task=self._task("agents.set", command.requester, record.id, outcome, (), changes))

    def _refuse(self, command: Refuse, changes: Changes) -> Outcome:
        self._advance(command.at)
        return self._refused(command.kind, command.requester, command.target, Conflict(command.reason), changes)

    # -- what master and workers say

    def _assign(self, command: Assign, changes: Changes) -> Outcome:
        at = self._advance(command.at)
        agent = self.agents.get(command.agent)
        if agent is None or agent.session != command.session:
            return Outcome(changed=False)  # the worker began a new session meanwhile; the builds stay pending
        given: list[str] = []
        for one in command.builds:
            build = self.builds.get(one)
            if build is None or build.state is not BuildState.PENDING:
                continue  # cancelled or given away while this command was on its way
            number = build.attempt + 1
            attempt = Attempt(one, number, agent.id, agent.session, BuildState.ASSIGNED, assigned=at)
            build = replace(build, state=BuildState.ASSIGNED, agent=agent.id, attempt=number, reason="")
            self.builds[one] = changes.builds[one] = build
            self.attempts[one] = changes.attempts[attempt.key] = attempt
            given.append(one)
        return Outcome(tuple(given), changed=bool(given))

    def _record(self, command: Record, changes: Changes) -> Outcome:
        self._advance(command.at)
        touched: list[str] = []
        for report in command.attempts:
            current = self.attempts.get(report.build)
            if current is not None and current.number == report.number:
                mine = current.agent == command.agent == report.agent and current.session == report.session
                if mine and self._fits(report):
                    self._take(current, report, changes)
                    touched.append(report.build)
            elif report.state.ended and report.agent == command.agent:
                # superseded, or of a build that has ended: that attempt's own history, nothing else
                changes.attempts[report.key] = report
        return Outcome(tuple(touched), changed=bool(touched))

    def _fits(self, report: Attempt) -> bool:
        """Whether a worker may say this of its build as it stands. To raise where it may not would stop every voter."""
        state = self.builds[report.build].state
        if report.state is BuildState.PENDING:
            return False  # whether there is another attempt is not the worker's to say
        return report.state is state or report.state in lifecycle.BUILD[state]

    def _take(self, current: Attempt, report: Attempt, changes: Changes) -> None:
        """Let the current attempt of a live build, and so the build, follow its worker's report."""
        build = self.builds[report.build]
        report = replace(report, assigned=current.assigned)
        changes.attempts[report.key] = report
        fields = {"started": report.started, "log_bytes": report.log_bytes}
        if report.state.ended:
            build = replace(
                build, **fields, finished=report.finished, reason=report.reason, results=report.results, stop=None
            )
            self._end(build, report.state, changes)
            return
        self.attempts[build.id] = report
        if report.state is not build.state:
            lifecycle.check(build.state, report.state)
            # a cancel came too late for a build that had started: it goes on, as if it had not been asked
            stop = None if build.stop is Stop.CANCEL else build.stop
            build = replace(build, **fields, state=report.state, stop=stop)
            self.builds[build.id] = changes.builds[build.id] = build

    def _give_back(self, attempt: Attempt, reason: str, changes: Changes) -> None:
        """Put a build whose attempt was never begun back into the queue, or end it if it was asked to stop."""
        at = self.counters.at
        build = self.builds[attempt.build]
        changes.attempts[attempt.key] = replace(attempt, state=BuildState.LOST, finished=at, reason=reason)
        if build.stop is not None:
            state = BuildState.ABORTED if build.stop is Stop.ABORT else BuildState.CANCELLED
            self._end(replace(build, finished=at, stop=None), state, changes)
            return
        lifecycle.check(build.state, BuildState.PENDING)
        del self.attempts[build.id]
        back = replace(build, state=BuildState.PENDING, agent="", reason=reason)
        self.builds[build.id] = changes.builds[build.id] = back

    def _join(self, command: Join, changes: Changes) -> Outcome:
        at = self._advance(command.at)
        record = command.agent
        before = self.agents.get(record.id)
        if before is not None:
            record = replace(record, enabled=before.enabled, draining=before.draining, joined=before.joined)
        else:
            record = replace(record, joined=at)
        if before is None or replace(before, seen=0) != replace(record, seen=0):
            record = replace(record, seen=at)
            self.agents[record.id] = changes.agents[record.id] = record
        gone = [one for one in self.attempts.values() if one.agent == record.id and one.session != record.session]
        for attempt in gone:
            if command.begun is not None and attempt.state is BuildState.ASSIGNED and attempt.key not in command.begun:
                self._give_back(attempt, f"the executor on {record.name} died before it began", changes)
                continue
            reason = f"the executor on {record.name} died while it ran"
            self._take(attempt, replace(attempt, state=BuildState.LOST, finished=at, reason=reason), changes)
        return Outcome(tuple(one.build for one in gone))

    # -- shared by the above

    def _advance(self, at: Millis) -> Millis:
        """Return the time of a command: `at`, but never before an earlier command's (a clock may be set back)."""
        self.counters.at = max(self.counters.at, at)
        self._forget_requests()
        return self.counters.at

    def _end(self, build: Build, state: BuildState, changes: Changes) -> None:
        lifecycle.check(build.state, state)
        changes.builds[build.id] = replace(build, state=state)
        del self.builds[build.id]
        self.attempts.pop(build.id, None)
        self._release(build.spec)

    def _use(self, digest: str, spec: Spec, changes: Changes) -> None:
        if digest not in self.specs:
            self.specs[digest] = changes.specs[digest] = spec
        self._uses[digest] += 1

    def _release(self, digest: str) -> None:
        self._uses[digest] -= 1
        if not self._uses[digest]:
            del self._uses[digest], self.specs[digest]

    def _task(  # noqa: PLR0913, PLR0917 - the columns of the audit trail
        self, kind: str, requester: str, target: str, outcome: str, builds: tuple[str, ...], changes: Changes
    ) -> int:
        self.counters.task += 1
        number = self.counters.task
        at = self.counters.at
        changes.tasks[number] = Task(number, kind, requester, at, TaskState.DONE, target, outcome, builds)
        return number

    def _refused(self, kind: str, requester: str, target: str, error: UserError, changes: Changes) -> Outcome:
        self.counters.task += 1
        number = self.counters.task
        at = self.counters.at
        changes.tasks[number] = Task(number, kind, requester, at, TaskState.REFUSED, target, str(error))
        return Outcome(task=number, error=error, changed=False)

    def _forget_requests(self) -> None:
        oldest = self.counters.at - REQUEST_MEMORY_MS
        while self.requests:
            request, (at, _) = next(iter(self.requests.items()))
            if at >= oldest:
                return
            del self.requests[request]
