"""The network's state, and the one way to change it: `apply(index, commands) -> outcomes + changes`.

Deterministic: the same commands in the same order give the same state, whose `digest()` is the same, on every voter.
Holds what is alive (builds that have not ended, definitions, members, counters); what has ended leaves with the changes
and is the store's. What a command does is said in a module for what it is about: how builds are accepted (`accepting`),
what becomes of their attempts (`attempting`), which jobs there are (`defining`), who belongs to the network
(`belonging`), and in `pipeline`, `timing`, `secrecy` and `pinning`. Refuses to know about disks, networks and clocks,
and which worker would be best (scheduling).
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from . import accepting, attempting, belonging, defining, lifecycle
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
from .lateness import Lateness
from .model import AgentRecord, Attempt, Build, BuildState, Millis, Stop, Task, TaskState
from .pinning import Pinning
from .pipeline import Pipelines
from .secrecy import Secrecy
from .timing import Timing

REQUEST_MEMORY_MS = 24 * 3600 * 1000
"""How long a client's request id is remembered. Longer: later retries are still safe; costs about 300 bytes each."""

COUNTERS = "counters"
"""Name of the meta row that holds the counters, as JSON."""


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
        self.uses: Counter[str] = Counter()  # digest -> live builds and jobs that refer to it
        if remembered is not None:
            self._restore(remembered)
        self._appliers: dict[type, Callable[[Any, Changes], Outcome]] = {
            Submit: partial(accepting.submit, self),
            Apply: partial(defining.apply, self),
            StopBuild: self.stop,
            StopPipeline: self.pipelines.stop,
            Assign: partial(attempting.assign, self),
            Record: partial(attempting.record, self),
            Overdue: partial(attempting.overdue, self),
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
        self.uses.update(build.spec for build in self.builds.values())
        for job in remembered.jobs:
            digest = job.spec.digest()
            self.uses[digest] += 1
            self.specs[digest] = job.spec
        self.pipelines.restore(remembered.pipelines, remembered.ended)
        for name, text in remembered.meta.items():
            if name.startswith(accepting.NUMBER):
                self.numbers[name.removeprefix(accepting.NUMBER)] = int(text)
            elif name.startswith(defining.SCHEDULES):
                for schedule in msgspec.json.decode(text, type=tuple[Schedule, ...]):
                    self.schedules[schedule.full_name] = schedule
        self.invites = belonging.remembered(remembered.meta)
        if COUNTERS in remembered.meta:
            self.counters = msgspec.json.decode(remembered.meta[COUNTERS], type=Counters)
        self.requests.update(sorted(remembered.requests.items(), key=lambda item: item[1]))
        self._forget_requests()

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

    # -- shared by all that change it

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
        self.end(replace(build, finished=self.counters.at, reason=reason), state, changes)

    def end(self, build: Build, state: BuildState, changes: Changes) -> None:
        """Let a build leave, as it is but for its state."""
        lifecycle.check(build.state, state)
        ended = changes.builds[build.id] = replace(build, state=state)
        del self.builds[build.id]
        self.attempts.pop(build.id, None)
        self.release(build.spec)
        if ended.pipeline:
            self.pipelines.on_end(ended)

    def use(self, digest: str, spec: Spec, changes: Changes) -> None:
        """Keep a spec for one more build or job that refers to it."""
        if digest not in self.specs:
            self.specs[digest] = changes.specs[digest] = spec
        self.uses[digest] += 1

    def release(self, digest: str) -> None:
        """Let go of a spec for one that referred to it; it goes with the last of them."""
        self.uses[digest] -= 1
        if not self.uses[digest]:
            del self.uses[digest], self.specs[digest]

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
