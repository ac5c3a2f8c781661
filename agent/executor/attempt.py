"""The course of one attempt: what comes next, and how it all ended. A pure machine, fed with what happened.

Whatever stops it on the way, what comes behind still gets its turn as far as it makes sense then (`_in_order`). Refuses
to know about processes, files and clocks: it is told instants and log offsets.
"""

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from msgspec.structs import replace

from ...core.definition import When
from ...core.model import BuildState, Millis, StepResult, StepState
from .protocol import AttemptStatus, Plan, StepPlan

CLEANUP_S = 60.0
"""Seconds that a step gets which runs after its attempt was stopped, unless it has a timeout of its own."""

SERVICE = "service:"
"""What the names of services begin with where they are listed with the steps."""

OUTCOME = "ORCHESTRA_OUTCOME"
"""Variable by which `collect` is told the state in which the attempt ends, if it does its part."""


class Halt(Enum):
    """Why an attempt goes no further than its `always` steps."""

    ABORT = "abort"  # somebody asked
    TIMEOUT = "timeout"  # its time is over
    ERROR = "error"  # it cannot be run properly
    SERVICE = "service"  # a service that its steps count on has ended


_END_OF_HALT = {
    Halt.ABORT: BuildState.ABORTED,
    Halt.TIMEOUT: BuildState.FAILED,
    Halt.ERROR: BuildState.ERROR,
    Halt.SERVICE: BuildState.FAILED,
}
_STEP_OF_HALT = {
    Halt.ABORT: StepState.ABORTED,
    Halt.TIMEOUT: StepState.TIMEOUT,
    Halt.ERROR: StepState.ERROR,
    Halt.SERVICE: StepState.ABORTED,
}


class Turn(Enum):
    """What comes next where that is no process to wait for."""

    SERVICES = "services"  # start the services; go on when all are ready, or one is not going to be
    CLEAR = "clear"  # end the services and what steps left behind; go on when nothing of them is left


class _Role(Enum):
    """What the process is for that runs, or ran last."""

    PREPARE = "prepare"  # fills the workspace
    STEP = "step"  # what the attempt is about
    COLLECT = "collect"  # takes what is kept


@dataclass(eq=False)
class Course:
    """One attempt, from its plan to its end."""

    plan: Plan
    state: BuildState = BuildState.ASSIGNED
    reason: str = ""  # why it ended, or is about to end, so
    started: Millis | None = None  # when its first process was started
    finished: Millis | None = None  # when nothing of it was left
    log_bytes: int = 0  # as last told
    results: dict[str, str] = field(default_factory=dict[str, str])
    steps: list[StepResult] = field(default_factory=list[StepResult])  # services first, then what ran, the last last
    halt: Halt | None = None  # why no more steps than `always` ones run
    _role: _Role = _Role.STEP
    _begun: bool = False  # a step was started
    _timed_out: bool = False  # the running step's own time is over
    _failed: bool = False  # a step failed
    _uncollected: bool = False  # it had succeeded, but what is kept could not be taken
    _last_chance: bool = False  # asked to stop once more: no `always` steps either

    def __post_init__(self) -> None:
        self._order = self._in_order()

    def following(self) -> StepPlan | Turn | None:
        """Return what comes now; None when nothing does. Steps that must not run are marked as skipped."""
        return next(self._order, None)

    def _in_order(self) -> Iterator[StepPlan | Turn]:
        """Yield what comes, each when the one before is over; what has happened by then decides."""
        plan = self.plan
        if plan.prepare and self.halt is None:
            self._role = _Role.PREPARE
            yield StepPlan("prepare", plan.prepare)
        if plan.services and self.halt is None:
            yield Turn.SERVICES
        self._role = _Role.STEP
        for step in plan.steps:
            if self._may_run(step.when):
                yield step
            else:
                self.steps.append(StepResult(step.name, StepState.SKIPPED))
        if plan.services or plan.collect:
            yield Turn.CLEAR
        if plan.collect and self._begun and not self._last_chance:
            self._role = _Role.COLLECT
            yield StepPlan("collect", plan.collect, {OUTCOME: self._outcome().value})

    @property
    def reads(self) -> bool:
        """Whether the process that comes, or runs, is one that what is typed is meant for."""
        return self._role is _Role.STEP

    def time_for(self, step: StepPlan) -> float | None:
        """Return the seconds that a step may take by itself; None: as long as the attempt may."""
        if self.halt is not None:
            return step.timeout_s or CLEANUP_S
        return step.timeout_s

    def on_started(self, step: StepPlan, at: Millis, offset: int) -> None:
        """A step's process runs; its output begins at `offset` of the log."""
        if self.started is None:
            self.started = at
        self.state = BuildState.RUNNING
        if self._role is _Role.STEP:
            self._begun = True
            self.steps.append(StepResult(step.name, StepState.RUNNING, started=at, log_start=offset))

    def on_not_started(self, step: StepPlan, why: str, at: Millis, offset: int) -> None:
        """A step's process could not be started."""
        if self._role is _Role.STEP:
            result = StepResult(step.name, StepState.ERROR, finished=at, log_start=offset, log_end=offset)
            self.steps.append(result)
        self.on_halt(Halt.ERROR, why)

    def on_exit(self, code: int | None, number: int | None, at: Millis, offset: int) -> None:
        """The running step's process ended with an exit code or by a signal; its output ends at `offset`."""
        self.log_bytes = offset
        if self._role is _Role.PREPARE:
            if (code or number) and self.halt is None:
                self.on_halt(Halt.ERROR, "the workspace could not be prepared; the log says why")
            return
        if self._role is _Role.COLLECT:
            self._on_collected(well=code == 0)
            return
        running = self.steps[-1]
        state = self._state_of_step(running.name, code, number)
        self.steps[-1] = replace(running, state=state, exit_code=code, signal=number, finished=at, log_end=offset)
        self._timed_out = False

    def _on_collected(self, *, well: bool) -> None:
        if not well and self._outcome() is BuildState.SUCCEEDED:
            self._uncollected = True
            self.reason = "what it leaves could not be collected; the log says why"
        self._timed_out = False

    def on_step_timeout(self) -> None:
        """The running step's own time is over; it is about to be killed."""
        self._timed_out = True

    # -- services

    def on_service_started(self, name: str, at: Millis) -> None:
        """A service runs; what it writes is put into the log when it has ended."""
        if self.started is None:
            self.started = at
        self.state = BuildState.RUNNING
        offset = self.log_bytes
        self.steps.append(StepResult(SERVICE + name, StepState.RUNNING, started=at, log_start=offset, log_end=offset))

    def on_service_lost(self, name: str, why: str) -> None:
        """A service could not be started, was not ready in time, or has ended before it was told to."""
        self.on_halt(Halt.SERVICE if self._begun else Halt.ERROR, f"service {name} {why}")

    def on_service_ended(self, result: StepResult) -> None:
        """Nothing of a service is left; what it wrote is in the log."""
        for place, one in enumerate(self.steps):
            if one.name == result.name:
                self.steps[place] = result

    # -- how it ends

    def on_halt(self, halt: Halt, reason: str) -> None:
        """Go no further than the `always` steps; aborted after some other halt, not even those."""
        if self.halt is None:
            self.halt = halt
            self.reason = reason
        elif halt is Halt.ABORT and self.halt is not Halt.ABORT:
            self.on_hurry()

    def on_hurry(self) -> None:
        """Begin no further step, not even an `always` one."""
        self._last_chance = True

    def end(self, at: Millis, log_bytes: int) -> None:
        """Nothing of the attempt is left."""
        self.state = self._outcome()
        self.finished = at
        self.log_bytes = log_bytes

    def _outcome(self) -> BuildState:
        """Return the state in which it ends as things are."""
        if self.halt is not None:
            return _END_OF_HALT[self.halt]
        if self._failed:
            return BuildState.FAILED
        return BuildState.ERROR if self._uncollected else BuildState.SUCCEEDED

    def withdraw(self, at: Millis, state: BuildState, reason: str) -> None:
        """End before anything of it began."""
        self.state = state
        self.finished = at
        self.reason = reason

    def on_bad_results(self, why: str) -> None:
        """What it wrote as results cannot be understood: its own mistake."""
        if self._outcome() is BuildState.SUCCEEDED:
            self._failed = True
            self.reason = why

    def status(self) -> AttemptStatus:
        """Return all that is known now."""
        return AttemptStatus(
            key=self.plan.key,
            state=self.state,
            reason=self.reason,
            started=self.started,
            finished=self.finished,
            steps=tuple(self.steps),
            log_bytes=self.log_bytes,
            results=self.results,
        )

    def _may_run(self, when: When) -> bool:
        if self.halt is not None:
            return when is When.ALWAYS and not self._last_chance and self.started is not None
        if self._failed:
            return when is not When.SUCCESS
        return when is not When.FAILURE

    def _state_of_step(self, name: str, code: int | None, number: int | None) -> StepState:
        if self._timed_out:
            self._fail(f"step {name} ran out of time")
            return StepState.TIMEOUT
        if code == 0:
            return StepState.SUCCEEDED
        if self.halt is not None:
            return _STEP_OF_HALT[self.halt]
        self._fail(f"step {name} {how_it_ended(code, number)}")
        return StepState.FAILED

    def _fail(self, reason: str) -> None:
        if not self._failed and self.halt is None:
            self._failed = True
            self.reason = reason


def how_it_ended(code: int | None, number: int | None) -> str:
    """Return, for people, how a process ended that should not have ended so."""
    if number is None:
        return f"failed with exit code {code}"
    try:
        return f"was ended by signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"was ended by signal {number}"
