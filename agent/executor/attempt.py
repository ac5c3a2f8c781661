"""The course of one attempt: which step comes next, and how it all ended. A pure machine, fed with what happened.

Refuses to know about processes, files and clocks: the server tells it instants and log offsets.
"""

import signal
from dataclasses import dataclass, field
from enum import Enum

from ...core.definition import When
from ...core.model import BuildState, Millis, StepResult, StepState
from .protocol import AttemptStatus, Plan, StepPlan

CLEANUP_S = 60.0
"""Seconds that a step gets which runs after its attempt was stopped, unless it has a timeout of its own."""


class Halt(Enum):
    """Why an attempt goes no further than its `always` steps."""

    ABORT = "abort"  # somebody asked
    TIMEOUT = "timeout"  # its time is over
    ERROR = "error"  # it cannot be run properly


_END_OF_HALT = {Halt.ABORT: BuildState.ABORTED, Halt.TIMEOUT: BuildState.FAILED, Halt.ERROR: BuildState.ERROR}
_STEP_OF_HALT = {Halt.ABORT: StepState.ABORTED, Halt.TIMEOUT: StepState.TIMEOUT, Halt.ERROR: StepState.ERROR}


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
    steps: list[StepResult] = field(default_factory=list[StepResult])
    halt: Halt | None = None  # why no more steps than `always` ones run
    _next: int = 0  # place of the next step in the plan
    _preparing: bool = False  # the process that runs is the one that fills the workspace
    _timed_out: bool = False  # the running step's own time is over
    _failed: bool = False  # a step failed
    _last_chance: bool = False  # asked to stop once more: no `always` steps either

    def following(self) -> StepPlan | None:
        """Return the step to run now; None when there is none left. Steps that must not run are marked as skipped."""
        if self.plan.prepare and self.state is BuildState.ASSIGNED and not self._preparing and self.halt is None:
            self._preparing = True
            return StepPlan("prepare", self.plan.prepare)
        while self._next < len(self.plan.steps):
            step = self.plan.steps[self._next]
            self._next += 1
            if self._may_run(step.when):
                return step
            self.steps.append(StepResult(step.name, StepState.SKIPPED))
        return None

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
        if not self._preparing:
            self.steps.append(StepResult(step.name, StepState.RUNNING, started=at, log_start=offset))

    def on_not_started(self, step: StepPlan, why: str, at: Millis, offset: int) -> None:
        """A step's process could not be started."""
        preparing, self._preparing = self._preparing, False
        if not preparing:
            result = StepResult(step.name, StepState.ERROR, finished=at, log_start=offset, log_end=offset)
            self.steps.append(result)
        self.on_halt(Halt.ERROR, why)

    def on_exit(self, code: int | None, number: int | None, at: Millis, offset: int) -> None:
        """The running step's process ended with an exit code or by a signal; its output ends at `offset`."""
        self.log_bytes = offset
        if self._preparing:
            self._preparing = False
            if (code or number) and self.halt is None:
                self.on_halt(Halt.ERROR, "the workspace could not be prepared; the log says why")
            return
        running = self.steps[-1]
        state = self._state_of_step(running.name, code, number)
        self.steps[-1] = StepResult(
            name=running.name,
            state=state,
            exit_code=code,
            signal=number,
            started=running.started,
            finished=at,
            log_start=running.log_start,
            log_end=offset,
        )
        self._timed_out = False

    def on_step_timeout(self) -> None:
        """The running step's own time is over; it is about to be killed."""
        self._timed_out = True

    def on_halt(self, halt: Halt, reason: str) -> None:
        """Go no further than the `always` steps; asked to abort a second time, not even those."""
        if self.halt is None:
            self.halt = halt
            self.reason = reason
        elif halt is Halt.ABORT:
            self._last_chance = True

    def end(self, at: Millis, log_bytes: int) -> None:
        """Nothing of the attempt is left."""
        if self.halt is not None:
            self.state = _END_OF_HALT[self.halt]
        else:
            self.state = BuildState.FAILED if self._failed else BuildState.SUCCEEDED
        self.finished = at
        self.log_bytes = log_bytes

    def withdraw(self, at: Millis, state: BuildState, reason: str) -> None:
        """End before anything of it began."""
        self.state = state
        self.finished = at
        self.reason = reason

    def on_bad_results(self, why: str) -> None:
        """What it wrote as results cannot be understood: its own mistake."""
        if self.halt is None and not self._failed:
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
        how = (
            f"failed with exit code {code}" if number is None else f"was ended by signal {number}{_signal_name(number)}"
        )
        self._fail(f"step {name} {how}")
        return StepState.FAILED

    def _fail(self, reason: str) -> None:
        if not self._failed and self.halt is None:
            self._failed = True
            self.reason = reason


def _signal_name(number: int) -> str:
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:
        return ""
