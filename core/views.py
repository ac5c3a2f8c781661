"""How builds, agents and the rest look to a client: the result shapes of the scripting contract, and how they are made.

Pure translation from the model: instants become RFC 3339 texts in UTC with milliseconds, defaults are written out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from .definition import Job, Missed, Overlap, Schedule, Spec, Step, When
from .ids import build_id
from .model import (
    AgentRecord,
    Attempt,
    Build,
    BuildState,
    Context,
    Millis,
    Node,
    Pin,
    Pipeline,
    PipelineState,
    ScheduleRecord,
    StepState,
    Task,
    TaskState,
)

if TYPE_CHECKING:
    from .secrecy import Sealed
    from .timing import Timed

SCHEMA_VERSION = 1
"""Version of the shapes below; printed by the command line's --json."""

_EPOCH = datetime.fromtimestamp(0, UTC)


def stamp(at: Millis | None) -> str | None:
    """Return an instant as RFC 3339, UTC, with milliseconds: `2026-11-23T20:05:13.042Z`."""
    if at is None:
        return None
    seconds, millis = divmod(at, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03}Z"


def instant(text: str) -> Millis:
    """Return the instant that an RFC 3339 text names. Raises ValueError if it names none."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        message = f"{text!r} has no time zone; end it with Z for UTC"
        raise ValueError(message)
    return (found - _EPOCH) // timedelta(milliseconds=1)  # in whole numbers: floats lose milliseconds from 2038 on


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


class PinView(msgspec.Struct, frozen=True):
    """That a build is kept until somebody unpins it, whatever its age."""

    build: str  # build id
    label: str  # project/job#number
    at: str | None  # when it was pinned, RFC 3339
    requester: str  # who did it
    note: str  # why


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


class NeedView(msgspec.Struct, frozen=True):
    """What a job waits for."""

    job: str  # its name
    when: When  # how it must have ended


class NodeView(msgspec.Struct, frozen=True):
    """A job of a pipeline."""

    job: str  # its name
    state: BuildState  # how its builds stand as one: pending, running, or an end
    needs: list[NeedView]  # what it waits for
    condition: str  # `if`; empty: none
    states: dict[str, int]  # state -> builds of it in that state
    builds: list[str]  # ids, in the order of its matrix
    taken: list[str]  # ids of builds of earlier pipelines whose success counts here


class PipelineSummary(msgspec.Struct, frozen=True):
    """A pipeline as it is listed."""

    id: str  # p- and a number
    project: str  # of its jobs
    state: PipelineState  # running, or how it ended
    reason: str  # why it is in this state
    jobs: list[str]  # names of its jobs
    builds: int  # how many it has
    requester: str  # who asked for it
    cause: str  # what made it
    created: str | None  # RFC 3339
    finished: str | None  # RFC 3339


class PipelineView(PipelineSummary, frozen=True):
    """A pipeline with its jobs."""

    nodes: list[NodeView]  # in the order in which they were submitted


class OfferView(msgspec.Struct, frozen=True):
    """What an agent lets builds have at the moment, and when."""

    slots: int  # builds at a time
    hours: list[str]  # when, by the agent's own clock; empty: always
    pause_when_used: bool  # takes no builds while somebody uses the machine
    idle: float  # seconds that nobody may have used it until it takes builds again
    pause_on_battery: bool  # takes no builds while it runs on its battery
    nice: bool  # builds give way to everything else on the machine
    changed: list[str]  # which of these, and cpus, people changed while it runs


class Amount(msgspec.Struct, frozen=True):
    """How much of something an agent has for builds."""

    total: float  # in all; of memory in bytes
    used: float  # taken by builds that are with it


class AgentView(msgspec.Struct, frozen=True):
    """An agent."""

    id: str  # fingerprint of its key
    name: str  # for people
    state: str  # ready, unreachable, disabled, leaving, draining or paused
    roles: list[str]  # master, voter, worker
    labels: dict[str, str]  # what `runs-on` is matched with
    slots: dict[str, int]  # {"total": n, "used": n}
    enabled: bool  # takes new builds
    draining: bool  # finishes what it has
    version: str  # of Job Orchestra
    addresses: list[str]  # where it listens
    paused: str = ""  # why it takes no builds at the moment, by its offer; empty: it does
    offer: OfferView | None = None  # what it lets builds have, and when
    resources: dict[str, Amount] = {}  # amounts that builds may take: cpus, memory, gpus, own names


class StepDefinition(msgspec.Struct, frozen=True):
    """A step of a job's definition."""

    name: str  # unique in the job
    run: str | list[str]  # shell text, or words
    env: dict[str, str]  # added to the job's
    when: When  # success, failure, always
    timeout: float | None  # seconds


class ParameterDefinition(msgspec.Struct, frozen=True):
    """A parameter of a job's definition."""

    name: str  # as given to submit
    description: str  # one line
    default: str | None  # used when none is given
    required: bool  # refused when none is given
    choices: list[str]  # the only ones allowed; empty: any


class JobView(msgspec.Struct, frozen=True):
    """A job's definition."""

    project: str  # the set of jobs it belongs to
    name: str  # unique in the project
    description: str  # one line
    priority: int  # of its builds
    parameters: list[ParameterDefinition]  # in the order of the file
    runs_on: list[str]  # requirements
    env: dict[str, str]  # for all steps
    timeout: float | None  # seconds
    shell: list[str]  # program and options
    steps: list[StepDefinition]  # in order
    needs: list[NeedView] = []  # what must have ended before
    condition: str = ""  # `if`; empty: none
    matrix: dict[str, list[str]] = {}  # key -> values by which it is multiplied; empty: it is one build


class DefinitionView(msgspec.Struct, frozen=True):
    """What a build executes."""

    version: str  # another text for everything that is not exactly the same
    steps: list[StepDefinition]  # in order
    env: dict[str, str]  # for all steps
    runs_on: list[str]  # requirements
    timeout: float | None  # seconds
    shell: list[str]  # program and options
    resources: dict[str, float]  # what it takes of its agent
    secrets: list[str]  # names of those that its steps see
    services: dict[str, str]  # name -> what runs beside the steps


class TaskView(msgspec.Struct, frozen=True):
    """A line of the audit trail."""

    id: int  # counts from 1
    kind: str  # the method
    requester: str  # who asked
    at: str | None  # RFC 3339
    state: TaskState  # done or refused
    target: str  # what it was about
    outcome: str  # what came of it
    builds: list[str]  # ids it created or touched


class ScheduleView(msgspec.Struct, frozen=True):
    """A schedule, and how it stands."""

    project: str  # of its jobs
    name: str  # unique in its project
    cron: str  # minute, hour, day of the month, month, day of the week
    timezone: str  # in which `cron` is read
    jobs: list[str]  # what it submits
    parameters: dict[str, str]  # values for them
    missed: Missed  # what becomes of firings that no master was there for
    overlap: Overlap  # what becomes of a firing while the one before still runs
    enabled: bool  # whether it fires
    switched: bool  # somebody said so; else its file does
    next: list[str | None]  # RFC 3339: its next firings; none where it is not enabled
    last: str | None  # RFC 3339: its last firing; null: there was none yet
    outcome: str  # what came of that
    builds: list[BuildLine]  # that it submitted last, and those before that had not ended then


class SecretView(msgspec.Struct, frozen=True):
    """A secret: everything about it but its value, which nobody is ever told."""

    project: str  # whose builds may have it
    name: str  # the variable by which their steps see it
    set: str | None  # RFC 3339; null: jobs ask for it, and it was never set
    requester: str  # who set it
    jobs: list[str]  # names of the project's jobs that ask for it


class CacheView(msgspec.Struct, frozen=True):
    """What builds left for later ones under a key."""

    project: str  # whose builds take it
    key: str  # as they name it
    size: int  # bytes of its files
    used: str  # when it was last used, RFC 3339
    agents: list[str]  # names of those that have it


def line(build: Build) -> BuildLine:
    """Return a build as builds.submit tells of it."""
    return BuildLine(build.id, build.project, build.job, build.number, build.state)


def pin(found: Pin) -> PinView:
    """Return a pin."""
    return PinView(found.build, found.label, stamp(found.at), found.requester, found.note)


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
        None if pinned is None else pin(pinned),
    )


def summary(build: Build, pinned: Pin | None = None) -> BuildSummary:
    """Return a build as it is listed, with its pin where it has one."""
    return BuildSummary(*_summary(build, pinned))


def whole(build: Build, attempts: Iterable[Attempt], pinned: Pin | None = None) -> BuildView:
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


def pipeline_line(found: Pipeline) -> PipelineSummary:
    """Return a pipeline as it is listed."""
    return PipelineSummary(*_pipeline(found))


def pipeline(found: Pipeline, live: Mapping[str, Build]) -> PipelineView:
    """Return a pipeline as it stands; `live` has those of its builds that have not ended, by id."""
    fields: tuple[Any, ...] = (*_pipeline(found), [_node(one, live) for one in found.nodes])
    return PipelineView(*fields)


def _pipeline(found: Pipeline) -> tuple[Any, ...]:
    return (
        found.id,
        found.project,
        found.state,
        found.reason,
        [one.job for one in found.nodes],
        sum(one.count for one in found.nodes),
        found.requester,
        found.cause,
        stamp(found.created),
        stamp(found.finished),
    )


def builds_of(found: Pipeline) -> tuple[str, ...]:
    """Return the ids of a pipeline's builds, in their order."""
    return tuple(one for node in found.nodes for one in _ids(node))


def _ids(node: Node) -> list[str]:
    return [build_id(serial) for serial in range(node.first, node.first + node.count)]


def _node(node: Node, live: Mapping[str, Build]) -> NodeView:
    ids = _ids(node)
    states = Counter(node.ends)
    states.update(str(live[one].state) for one in ids if one in live)
    if any(states[one] for one in (BuildState.RUNNING, BuildState.ASSIGNED)):
        state = BuildState.RUNNING
    elif states[BuildState.PENDING]:
        state = BuildState.PENDING
    else:
        from .pipeline import together  # every command imports this module, and hardly any needs that one

        state = together([*map(BuildState, states), *([BuildState.SUCCEEDED] if node.taken else [])])
    needs = [NeedView(one.job, one.when) for one in node.needs]
    return NodeView(node.job, state, needs, node.condition, dict(states), ids, list(node.taken))


def agent(  # noqa: PLR0913 - what is not in its record
    record: AgentRecord,
    *,
    reachable: bool,
    used: int,
    roles: Iterable[str],
    addresses: Iterable[str],
    resources: dict[str, Amount] | None = None,
) -> AgentView:
    """Return an agent; `used` counts the builds it holds at the moment, at most its slots."""
    state = "ready"
    if not reachable:
        state = "unreachable"
    elif not record.enabled:
        state = "disabled"
    elif record.leaving:
        state = "leaving"
    elif record.draining:
        state = "draining"
    elif record.paused:
        state = "paused"
    slots = record.offered_slots
    return AgentView(
        id=record.id,
        name=record.name,
        state=state,
        roles=list(roles),
        labels=record.labels,
        slots={"total": slots, "used": min(used, slots)},
        enabled=record.enabled,
        draining=record.draining,
        version=record.version,
        addresses=list(addresses),
        paused=record.paused,
        offer=_offer(record),
        resources=resources or {},
    )


def _offer(record: AgentRecord) -> OfferView:
    offer = record.offered
    return OfferView(
        slots=record.offered_slots,
        hours=list(offer.hours),
        pause_when_used=offer.pause_when_used,
        idle=offer.idle_s,
        pause_on_battery=offer.pause_on_battery,
        nice=offer.nice,
        changed=[name.removesuffix("_s") for name in record.asked.said()],
    )


def job(definition: Job) -> JobView:
    """Return a job's definition."""
    spec: Spec = definition.spec
    return JobView(
        project=definition.project,
        name=definition.name,
        description=definition.description,
        priority=definition.priority,
        parameters=[
            ParameterDefinition(one.name, one.description, one.default, one.required, list(one.choices))
            for one in definition.parameters
        ],
        runs_on=list(spec.runs_on),
        env=spec.env,
        timeout=spec.timeout_s,
        shell=list(spec.shell),
        steps=[_step(one) for one in spec.steps],
        needs=[NeedView(one.job, one.when) for one in definition.needs],
        condition=definition.condition,
        matrix={key: list(values) for key, values in definition.matrix.axes.items()} if definition.matrix else {},
    )


def definition(spec: Spec, version: str) -> DefinitionView:
    """Return what a build executes; `version` is the spec's digest."""
    return DefinitionView(
        version=version,
        steps=[_step(one) for one in spec.steps],
        env=spec.env,
        runs_on=list(spec.runs_on),
        timeout=spec.timeout_s,
        shell=list(spec.shell),
        resources=spec.resources,
        secrets=list(spec.secrets),
        services={one.name: one.run for one in spec.services},
    )


def _step(step: Step) -> StepDefinition:
    run = step.run if isinstance(step.run, str) else list(step.run)
    return StepDefinition(step.name, run, step.env, step.when, step.timeout_s)


def schedule(
    found: Schedule,
    stands: "Timed",
    ahead: Iterable[Millis],
    builds: Iterable[Build],
    *,
    enabled: bool,
) -> ScheduleView:
    """Return a schedule that stands so, with its next firings and last builds."""
    return ScheduleView(
        project=found.project,
        name=found.name,
        cron=found.cron,
        timezone=found.timezone,
        jobs=list(found.jobs),
        parameters=found.parameters,
        missed=found.missed,
        overlap=found.overlap,
        enabled=enabled,
        switched=stands.enabled is not None,
        next=[stamp(one) for one in ahead],
        last=stamp(stands.fired),
        outcome=stands.outcome,
        builds=[line(one) for one in builds],
    )


def recorded_schedule(found: ScheduleRecord, ahead: Iterable[Millis], builds: Iterable[Build]) -> ScheduleView:
    """Return a schedule as it is remembered, with its next firings and last builds."""
    return ScheduleView(
        project=found.project,
        name=found.name,
        cron=found.cron,
        timezone=found.timezone,
        jobs=list(found.jobs),
        parameters=found.parameters,
        missed=found.missed,
        overlap=found.overlap,
        enabled=found.enabled,
        switched=False,
        next=[stamp(one) for one in ahead],
        last=stamp(found.fired),
        outcome=found.outcome,
        builds=[line(one) for one in builds],
    )


def secret(found: "Sealed", jobs: Iterable[str]) -> SecretView:
    """Return what may be told of a secret; `jobs` ask for it."""
    return SecretView(found.project, found.name, stamp(found.set), found.requester, sorted(jobs))


def unset_secret(full_name: str, jobs: Iterable[str]) -> SecretView:
    """Return what there is to tell of a secret that `jobs` ask for and that was never set."""
    project, _, name = full_name.partition("/")
    return SecretView(project, name, None, "", sorted(jobs))


def task(found: Task) -> TaskView:
    """Return a line of the audit trail."""
    return TaskView(
        id=found.id,
        kind=found.kind,
        requester=found.requester,
        at=stamp(found.at),
        state=found.state,
        target=found.target,
        outcome=found.outcome,
        builds=list(found.builds),
    )
