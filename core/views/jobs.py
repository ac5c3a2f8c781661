"""How definitions look: of jobs, and of what a build executes."""

import msgspec

from ..definition import Job, Spec, Step, When


class NeedView(msgspec.Struct, frozen=True):
    """What a job waits for."""

    job: str  # its name
    when: When  # how it must have ended


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


def job_view(definition: Job) -> JobView:
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


def definition_view(spec: Spec, version: str) -> DefinitionView:
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
