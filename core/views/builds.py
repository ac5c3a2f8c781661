"""How builds look, with their attempts and steps: in an answer to their submission, in lists, and whole."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ..instants import stamp
from ..model import Attempt, Build, BuildState, Context, Pin, StepState
from .pins import PinView, pin_view


class BuildLine(msgspec.Struct, frozen=True):
    """A build as it is returned by builds.submit: enough to ask for more."""

    id: str  # eight characters
    project: str  # of its job
    job: str  # name of its job
    number: int  # counts the job's builds from 1
    state: BuildState  # at the moment of the answer


class StepView(msgspec.Struct, frozen=True):
    """One step of a build's last attempt."""

    name: str  # as in the job
    state: StepState  # how it ended, or running
    exit_code: int | None  # 0-255; null when a signal ended it or it never ran
    signal: int | None  # number of the signal that ended it
    started: str | None  # RFC 3339
    finished: str | None  # RFC 3339
    log_start: int  # offset in the build's log where its output begins, bytes
    log_end: int | None  # offset behind its last byte; null while it runs


class AttemptView(msgspec.Struct, frozen=True):
    """One try of a build on one worker."""

    number: int  # 1 for the first
    agent: str  # agent id
    state: BuildState  # how it stands
    reason: str  # why it ended so
    assigned: str | None  # RFC 3339
    started: str | None  # RFC 3339
    finished: str | None  # RFC 3339
    log_bytes: int  # length of its log


class BuildSummary(msgspec.Struct, frozen=True):
    """A build as it is listed."""

    id: str  # eight characters
    project: str  # of its job
    job: str  # name of its job
    number: int  # counts the job's builds from 1
    state: BuildState  # see `orchestra --help`
    reason: str  # why it is in this state
    agent: str | None  # id of the agent of the current or last attempt
    attempt: int  # number of that attempt; 0: none yet
    parameters: dict[str, str]  # as it runs with
    results: dict[str, str]  # what its steps wrote to ORCHESTRA_RESULTS
    cause: str  # what made it
    requester: str  # who asked for it
    priority: int  # higher is assigned earlier
    pipeline: str | None  # id of the pipeline it belongs to
    created: str | None  # RFC 3339
    started: str | None  # RFC 3339
    finished: str | None  # RFC 3339
    log_bytes: int  # length of its log so far known
    matrix: dict[str, str] = {}  # the combination of its job's matrix that it is
    branch: str = ""  # of its source, as far as known
    revision: str = ""  # of its source, as far as known
    pin: PinView | None = None  # by whom, and why, it is kept whatever its age; null: it is not


class BuildView(BuildSummary, frozen=True):
    """A build with everything about it."""

    attempts: list[AttemptView] = []  # oldest first
    steps: list[StepView] = []  # of the current or last attempt
    artifacts: list[dict[str, Any]] = []  # `path` and `size` of files it kept; artifacts.list has all of each
    terminal: bool = False  # its processes have a terminal
    input: bool = False  # its steps read what its requester types


def build_line(build: Build) -> BuildLine:
    """Return a build as builds.submit tells of it."""
    return BuildLine(build.id, build.project, build.job, build.number, build.state)


def _summary(build: Build, pinned: Pin | None) -> tuple[Any, ...]:
    """Return the fields of BuildSummary, in their order."""
    return (
        build.id,
        build.project,
        build.job,
        build.number,
        build.state,
        build.reason,
        build.agent or None,
        build.attempt,
        build.parameters,
        build.results,
        build.cause,
        build.requester,
        build.priority,
        build.pipeline or None,
        stamp(build.created),
        stamp(build.started),
        stamp(build.finished),
        build.log_bytes,
        *((build.context.matrix, build.context.branch, build.context.revision) if build.context else ({}, "", "")),
        None if pinned is None else pin_view(pinned),
    )


def build_summary(build: Build, pinned: Pin | None = None) -> BuildSummary:
    """Return a build as it is listed, with its pin where it has one."""
    return BuildSummary(*_summary(build, pinned))


def build_view(build: Build, attempts: Iterable[Attempt], pinned: Pin | None = None) -> BuildView:
    """Return a build with its attempts, given oldest first, the steps of the last, and its pin."""
    tries = list(attempts)
    steps = [
        StepView(
            name=step.name,
            state=step.state,
            exit_code=step.exit_code,
            signal=step.signal,
            started=stamp(step.started),
            finished=stamp(step.finished),
            log_start=step.log_start,
            log_end=step.log_end,
        )
        for step in (tries[-1].steps if tries else ())
    ]
    rare = build.context or Context()
    attending = (rare.terminal is not None, rare.input)
    fields: tuple[Any, ...] = (*_summary(build, pinned), [_attempt(one) for one in tries], steps, [], *attending)
    return BuildView(*fields)


def _attempt(attempt: Attempt) -> AttemptView:
    return AttemptView(
        number=attempt.number,
        agent=attempt.agent,
        state=attempt.state,
        reason=attempt.reason,
        assigned=stamp(attempt.assigned),
        started=stamp(attempt.started),
        finished=stamp(attempt.finished),
        log_bytes=attempt.log_bytes,
    )
