"""The network's state, and the one way to change it: `apply(index, commands) -> outcomes + changes`.

Deterministic: the same commands in the same order give the same state, whose `digest()` is the same, on every voter.
Holds what is alive (builds that have not ended, definitions, members, counters); what has ended leaves with the changes
and is the store's. Refuses to know about disks, networks and clocks, and which worker would be best (scheduling).
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from . import belonging, lifecycle
from .changes import Changes, Counters, Outcome, Remembered
from .commands import (
    Admit,
    Apply,
    Assign,
    Command,
    Expire,
    Fire,
    Invite,
    Join,
    NewBuild,
    Overdue,
    PinBuilds,
    Record,
    Refuse,
    Rekey,
    Remove,
    RemoveSecret,
    SetAgent,
    SetOffer,
    SetSchedule,
    SetSecret,
    StopBuild,
    StopPipeline,
    Submit,
    UnpinBuilds,
)
from .definition import Job, Schedule, Spec
from .errors import Conflict, UserError
from .ids import build_id
from .lateness import Lateness
from .model import CRASH_LIMIT, AgentRecord, Attempt, Build, BuildState, Context, Millis, Stop, Task, TaskState
from .pinning import Pinning
from .pipeline import Pipelines, pipeline_id
from .retrying import allows, next_attempt
from .secrecy import Secrecy
from .timing import Timing

REQUEST_MEMORY_MS = 24 * 3600 * 1000
"""How long a client's request id is remembered. Longer: later retries are still safe; costs about 300 bytes each."""

COUNTERS = "counters"
"""Name of the meta row that holds the counters, as JSON."""

SCHEDULES = "schedules/"
"""Prefix of the meta rows that hold the schedules of each project, as JSON."""

NUMBER = "number/"
"""Prefix of the meta rows that hold the number of each job's last build."""


class Ledger:
    """All that is alive in the network."""

    def __init__(self, remembered: Remembered | None = None) -> None:
        """Begin with an empty network, or with what a store remembers; the log behind its index is applied next."""
        self.index = 0
        self.builds: dict[str, Build] = {}  # by id, live ones only, in the order of acceptance
        self.attempts: dict[str, Attempt] = {}  # by build id: the current attempt of each assigned or running build
        self.jobs: dict[str, Job] = {}  # by full name
        self.schedules: dict[str, Schedule] = {}  # by full name
        self.specs: dict[str, Spec] = {}  # by digest: those that live builds run or jobs define
        self.agents: dict[str, AgentRecord] = {}  # by id
        self.requests: OrderedDict[str, tuple[Millis, tuple[str, ...]]] = OrderedDict()  # oldest first
        self.counters = Counters()
        self.numbers: dict[str, int] = {}  # full job name -> number of its last build
        self.invites: dict[str, belonging.Invited] = {}  # SHA-256 of a secret -> what it is good for
        self.lateness = Lateness({} if remembered is None else remembered.meta)  # attempts that were given up
        self.timing = Timing({} if remembered is None else remembered.meta)  # how schedules stand
        self.secrecy = Secrecy({} if remembered is None else remembered.meta)  # sealed secrets
        self.pinning = Pinning(() if remembered is None else remembered.pins)  # builds that are kept
        self.pipelines = Pipelines(self)
        self._uses: Counter[str] = Counter()  # digest -> live builds and jobs that refer to it
        if remembered is not None:
            self._restore(remembered)
        self._appliers: dict[type, Callable[[Any, Changes], Outcome]] = {
            Submit: self.submit,
            Apply: self._apply_jobs,
            StopBuild: self.stop,
            StopPipeline: self.pipelines.stop,
            Assign: self._assign,
            Record: self._record,
            Overdue: self._overdue,
            Join: partial(belonging.join, self),
            SetAgent: partial(belonging.set_agent, self),
            SetOffer: partial(belonging.set_offer, self),
            Invite: partial(belonging.invite, self),
            Admit: partial(belonging.admit, self),
            Remove: partial(belonging.remove, self),
            Expire: partial(belonging.expire, self),
            Refuse: self._refuse,
            Fire: partial(self.timing.fire, self),
            SetSchedule: partial(self.timing.set, self),
            SetSecret: partial(self.secrecy.set, self),
            RemoveSecret: partial(self.secrecy.remove, self),
            Rekey: partial(self.secrecy.rekey, self),
            PinBuilds: partial(self.pinning.pin, self),
            UnpinBuilds: partial(self.pinning.unpin, self),
        }

    def apply(self, index: int, commands: Iterable[Command]) -> tuple[list[Outcome], Changes]:
        """Apply the commands of the log entry at `index`; return an outcome for each, and all that changed."""
        changes = Changes(index=index)
        outcomes: list[Outcome] = []
        for command in commands:
            outcomes.append(self._appliers[type(command)](command, changes))
            self.pipelines.settle(changes)
        self.index = index
        self.lateness.save(changes)
        changes.meta[COUNTERS] = msgspec.json.encode(self.counters).decode()
        return outcomes, changes

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the whole state; equal on all that applied the same commands."""
        parts = (
            *(self.builds, self.attempts, self.jobs, self.schedules, self.specs),
            *(self.agents, self.requests, self.numbers, self.invites, self.lateness.lost, self.secrecy.sealed),
            *(self.timing.states, self.pinning.pins),
        )
        pipelines = [(one, two.pipeline, two.counted()) for one, two in sorted(self.pipelines.live.items())]
        state = (self.index, self.counters, self.secrecy.keyring, [sorted(part.items()) for part in parts], pipelines)
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
        self.pipelines.restore(remembered.pipelines, remembered.ended)
        for name, text in remembered.meta.items():
            if name.startswith(NUMBER):
                self.numbers[name.removeprefix(NUMBER)] = int(text)
            elif name.startswith(SCHEDULES):
                for schedule in msgspec.json.decode(text, type=tuple[Schedule, ...]):
                    self.schedules[schedule.full_name] = schedule
        self.invites = belonging.remembered(remembered.meta)
        if COUNTERS in remembered.meta:
            self.counters = msgspec.json.decode(remembered.meta[COUNTERS], type=Counters)
        self.requests.update(sorted(remembered.requests.items(), key=lambda item: item[1]))
        self._forget_requests()

    # -- requests of users

    def submit(self, command: Submit, changes: Changes) -> Outcome:
        """Accept builds, or return those of the first time where the request id is known."""
        at = self.advance(command.at)
        if command.request and command.request in self.requests:
            return Outcome(builds=self.requests[command.request][1], changed=False)
        for new in command.builds:
            if new.spec not in command.specs and new.spec not in self.specs:
                target = f"{new.project}/{new.job}"
                error = Conflict(f"{target} was redefined while it was being submitted; submit it again")
                return self.refused(command.kind, command.requester, target, error, changes)
        reasons = self._waits(command)
        made = [
            self._accept(command, new, at, reason, changes) for new, reason in zip(command.builds, reasons, strict=True)
        ]
        ids = tuple(build.id for build in made)
        pipeline = self.pipelines.accept(command, made, changes) if command.nodes else ""
        if command.request:
            self.requests[command.request] = (at, ids)
        outcome = made[0].label if len(made) == 1 else f"{len(made)} builds, the first is {made[0].label}"
        target = f"{made[0].project}/{made[0].job}"
        task = self.task(command.kind, command.requester, target, outcome, ids, changes)
        return Outcome(ids, task, pipeline=pipeline)

    def _waits(self, command: Submit) -> list[str]:
        """Return for each new build what it waits for; empty: nothing of its pipeline."""
        if not command.nodes:
            return [""] * len(command.builds)
        live = {node.job for node in command.nodes if node.count}
        found: list[str] = []
        for node in command.nodes:
            needed = [need.job for need in node.needs if need.job in live]
            found += [f"waits for {', '.join(needed)}" if needed else ""] * node.count
        return found

    def _accept(self, command: Submit, new: NewBuild, at: Millis, waits: str, changes: Changes) -> Build:
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
            pipeline=pipeline_id(self.counters.pipeline + 1) if command.nodes else "",
            reason=waits,
            context=replace(new.context or Context(), held=True) if waits else new.context,
        )
        if new.spec in command.specs:
            self._use(new.spec, command.specs[new.spec], changes)
        else:
            self._uses[new.spec] += 1
        self.builds[build.id] = changes.builds[build.id] = build
        return build

    def _apply_jobs(self, command: Apply, changes: Changes) -> Outcome:
        self.advance(command.at)
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
        planned, dropped = self._apply_schedules(command, changes)
        parts = [f"defined {', '.join([*sorted(new), *planned])}"] if new or planned else []
        parts += [f"removed {', '.join([*sorted(gone), *dropped])}"] if gone or dropped else []
        outcome = "; ".join(parts) or "nothing to change"
        task = self.task("jobs.apply", command.requester, command.project, outcome, (), changes)
        return Outcome(task=task, changed=bool(parts))

    def _apply_schedules(self, command: Apply, changes: Changes) -> tuple[list[str], list[str]]:
        """Define the schedules of a project; return the names of those that are new or changed, and that are gone."""
        before = {name: one for name, one in self.schedules.items() if one.project == command.project}
        after = {one.full_name: one for one in command.schedules}
        if before == after:
            return [], []
        new = sorted(name for name, one in after.items() if before.get(name) != one)
        gone = sorted(set(before).difference(after))
        for name in gone:
            changes.schedules.pop(name, None)
            changes.removed_schedules[name] = self.timing.record(self.schedules.pop(name))
        self.timing.on_defined(command, before, after, changes)
        for name in new:
            self.schedules[name] = after[name]
            changes.schedules[name] = self.timing.record(after[name])
            changes.removed_schedules.pop(name, None)
        changes.meta[SCHEDULES + command.project] = msgspec.json.encode(command.schedules).decode()
        return new, gone

    def stop(self, command: StopBuild, changes: Changes) -> Outcome:
        """Stop a build: end it where it waits, else ask its worker."""
        self.advance(command.at)
        kind = f"builds.{command.how}"
        build = self.builds.get(command.build)
        if build is None:
            error = Conflict(f"build {command.build} has already ended")
            return self.refused(kind, command.requester, command.build, error, changes)
        if build.state is BuildState.RUNNING and command.how is Stop.CANCEL:
            error = Conflict(f"{build.label} is already running; to stop it: orchestra abort {build.id}")
            return self.refused(kind, command.requester, build.id, error, changes)
        if build.state is BuildState.PENDING:
            state = BuildState.CANCELLED if command.how is Stop.CANCEL else BuildState.ABORTED
            self.withdraw(build, state, f"{state} by {command.requester}", changes)
            outcome = f"{build.label} {state}"
        else:
            self.ask(build, command.how, f"{command.how} asked by {command.requester}", changes)
            outcome = f"asked the worker of {build.label}"
        ids = (build.id,)
        return Outcome(ids, self.task(kind, command.requester, build.id, outcome, ids, changes))

    def _refuse(self, command: Refuse, changes: Changes) -> Outcome:
        self.advance(command.at)
        return self.refused(command.kind, command.requester, command.target, Conflict(command.reason), changes)

    # -- what master and workers say

    def _assign(self, command: Assign, changes: Changes) -> Outcome:
        at = self.advance(command.at)
        agent = self.agents.get(command.agent)
        if agent is None or agent.session != command.session:
            return Outcome(changed=False)  # the worker began a new session meanwhile; the builds stay pending
        given: list[str] = []
        for one in command.builds:
            build = self.builds.get(one)
            if build is None or build.state is not BuildState.PENDING or build.held:
                continue  # cancelled or given away while this command was on its way
            missing = self.secrecy.missing(build.project, self.specs[build.spec].secrets)
            if missing:
                self._end(replace(build, finished=at, reason=missing), BuildState.ERROR, changes)
                continue
            number = build.attempt + 1
            attempt = Attempt(one, number, agent.id, agent.session, BuildState.ASSIGNED, assigned=at)
            build = replace(build, state=BuildState.ASSIGNED, agent=agent.id, attempt=number, reason="")
            self.builds[one] = changes.builds[one] = build
            self.attempts[one] = changes.attempts[attempt.key] = attempt
            given.append(one)
        return Outcome(tuple(given), changed=bool(given))

    def _overdue(self, command: Overdue, changes: Changes) -> Outcome:
        """End builds that waited for longer than they may. One that got a worker meanwhile has not."""
        at = self.advance(command.at)
        ended: list[str] = []
        for one, why in command.builds.items():
            build = self.builds.get(one)
            if build is None or build.state is not BuildState.PENDING or build.held:
                continue
            limit = self.specs[build.spec].waiting_s
            if limit is not None and at - (build.ready or build.created) >= limit * 1000:
                reason = f"waited for a worker for longer than {limit:g} s, as it may{f': {why}' if why else ''}"
                self._end(replace(build, finished=at, reason=reason), BuildState.ERROR, changes)
                ended.append(one)
        return Outcome(tuple(ended), changed=bool(ended))

    def _record(self, command: Record, changes: Changes) -> Outcome:
        self.advance(command.at)
        touched: list[str] = []
        for report in command.attempts:
            current = self.attempts.get(report.build)
            if current is not None and current.number == report.number:
                mine = current.agent == command.agent == report.agent and current.session == report.session
                if mine and self._fits(report):
                    self.take(current, report, changes)
                    touched.append(report.build)
            else:
                self.lateness.take(report, command.agent, changes)  # superseded, or of a build that has ended
        return Outcome(tuple(touched), changed=bool(touched))

    def _fits(self, report: Attempt) -> bool:
        """Whether a worker may say this of its build as it stands. To raise where it may not would stop every voter."""
        state = self.builds[report.build].state
        if report.state is BuildState.PENDING:
            return False  # whether there is another attempt is not the worker's to say
        return report.state is state or report.state in lifecycle.BUILD[state]

    def take(self, current: Attempt, report: Attempt, changes: Changes) -> None:
        """Let the current attempt of a live build, and so the build, follow its worker's report."""
        build = self.builds[report.build]
        report = replace(report, assigned=current.assigned)
        changes.attempts[report.key] = report
        fields = {"started": report.started, "log_bytes": report.log_bytes}
        if report.state.ended:
            ready = next_attempt(build, self.specs[build.spec].retry, report, self.counters.at)
            if ready is not None:
                self._try_again(build, report.reason, ready, changes)
                return
            build = replace(
                build, **fields, finished=report.finished, reason=report.reason, results=report.results, stop=None
            )
            if report.artifacts:
                build = replace(build, context=replace(build.context or Context(), kept=report.artifacts))
            self._end(build, report.state, changes)
            return
        self.attempts[build.id] = report
        if report.state is not build.state:
            lifecycle.check(build.state, report.state)
            # a cancel came too late for a build that had started: it goes on, as if it had not been asked
            stop = None if build.stop is Stop.CANCEL else build.stop
            build = replace(build, **fields, state=report.state, stop=stop)
            self.builds[build.id] = changes.builds[build.id] = build

    def lose(self, attempt: Attempt, reason: str, changes: Changes) -> None:
        """Take the current attempt of a live build for lost with its worker; try the build again if its policy says so.

        A build that took down CRASH_LIMIT workers is not given to another one.
        """
        build = self.builds[attempt.build]
        build = self.builds[build.id] = replace(build, crashes=build.crashes + 1)
        lost = replace(attempt, state=BuildState.LOST, finished=self.counters.at, reason=reason)
        self.lateness.give_up(attempt)
        wanted = build.stop is None and allows(build, self.specs[build.spec].retry, lost)
        if wanted and build.crashes >= CRASH_LIMIT:
            lost = replace(
                lost, reason=f"{reason}; it is not tried again, for {build.crashes} workers were lost with it"
            )
        self.take(attempt, lost, changes)

    def _try_again(self, build: Build, reason: str, ready: Millis, changes: Changes) -> None:
        """Put a build whose attempt has ended back into the queue."""
        lifecycle.check(build.state, BuildState.PENDING)
        del self.attempts[build.id]
        again = replace(
            build,
            state=BuildState.PENDING,
            agent="",
            reason=f"tried again: {reason}",
            ready=ready,
            retries=build.retries + 1,
        )
        self.builds[build.id] = changes.builds[build.id] = again

    def give_back(self, attempt: Attempt, reason: str, changes: Changes) -> None:
        """Put a build whose attempt was never begun back into the queue, or end it if it was asked to stop."""
        at = self.counters.at
        build = self.builds[attempt.build]
        changes.attempts[attempt.key] = replace(attempt, state=BuildState.LOST, finished=at, reason=reason)
        if build.stop is not None:
            state = BuildState.CANCELLED if build.stop is Stop.CANCEL else BuildState.ABORTED
            self._end(replace(build, finished=at, stop=None), state, changes)
            return
        lifecycle.check(build.state, BuildState.PENDING)
        del self.attempts[build.id]
        back = replace(build, state=BuildState.PENDING, agent="", reason=reason, ready=at)
        self.builds[build.id] = changes.builds[build.id] = back

    # -- shared by the above

    def advance(self, at: Millis) -> Millis:
        """Return the time of a command: `at`, but never before an earlier command's (a clock may be set back)."""
        self.counters.at = max(self.counters.at, at)
        self._forget_requests()
        return self.counters.at

    def ask(self, build: Build, how: Stop, reason: str, changes: Changes) -> None:
        """Ask the worker of a build to stop it."""
        # an abort replaces a cancel that the worker has not confirmed; never the other way round
        if build.stop is not None and build.stop is not Stop.CANCEL:
            how = build.stop if how is Stop.CANCEL else Stop.KILL
        self.builds[build.id] = changes.builds[build.id] = replace(build, stop=how, reason=reason)

    def withdraw(self, build: Build, state: BuildState, reason: str, changes: Changes) -> None:
        """End a build that no worker has."""
        self._end(replace(build, finished=self.counters.at, reason=reason), state, changes)

    def _end(self, build: Build, state: BuildState, changes: Changes) -> None:
        lifecycle.check(build.state, state)
        ended = changes.builds[build.id] = replace(build, state=state)
        del self.builds[build.id]
        self.attempts.pop(build.id, None)
        self._release(build.spec)
        if ended.pipeline:
            self.pipelines.on_end(ended)

    def _use(self, digest: str, spec: Spec, changes: Changes) -> None:
        if digest not in self.specs:
            self.specs[digest] = changes.specs[digest] = spec
        self._uses[digest] += 1

    def _release(self, digest: str) -> None:
        self._uses[digest] -= 1
        if not self._uses[digest]:
            del self._uses[digest], self.specs[digest]

    def task(  # noqa: PLR0913, PLR0917 - the columns of the audit trail
        self, kind: str, requester: str, target: str, outcome: str, builds: tuple[str, ...], changes: Changes
    ) -> int:
        """Write a line of the audit trail; return its id."""
        self.counters.task += 1
        number = self.counters.task
        at = self.counters.at
        changes.tasks[number] = Task(number, kind, requester, at, TaskState.DONE, target, outcome, builds)
        return number

    def refused(self, kind: str, requester: str, target: str, error: UserError, changes: Changes) -> Outcome:
        """Write into the audit trail that a request was refused."""
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
