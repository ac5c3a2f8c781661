"""From definitions to what a submission asks of the ledger: builds, what they execute, and how they wait. Pure.

A submission names jobs of one project. It brings along what they need, and multiplies what has a matrix; what is left
is one build, or a pipeline. Everything that is known now is filled in now, so what a build runs is fixed when it is
accepted, whatever becomes of its definition. Refuses to know who may submit, and how it is decided (ledger).
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from .commands import NewBuild
from .definition import Job, Source, Spec
from .errors import Conflict, InvalidInput, LimitReached
from .expressions import Path
from .jobfile import bind
from .matrix import combinations
from .model import Context, Node
from .nearest import nearest
from .templates import fill_spec, has_templates

MAX_BUILDS = 10_000
"""Builds of one pipeline."""


class Wish(msgspec.Struct, frozen=True):
    """What a submission says beside the names of its jobs."""

    requester: str  # who asks
    cause: str = "submit"  # what makes it
    parameters: dict[str, str] = {}  # for those of the jobs that have them
    priority: int | None = None  # None: each job's own
    branch: str = ""  # what to build; empty: the source's own
    revision: str = ""  # as branch
    source: Source | None = None  # instead of what the jobs say


class Plan(msgspec.Struct, frozen=True):
    """What to ask of the ledger."""

    builds: tuple[NewBuild, ...]  # in the order of the nodes
    specs: dict[str, Spec]  # digest -> what the ledger may not know
    nodes: tuple[Node, ...] = ()  # empty: it is one build that waits for nothing


def plan(wanted: Sequence[Job], jobs: Mapping[str, Job], wish: Wish) -> Plan:
    """Return what submitting these jobs asks for. `jobs`: all of the project, by name.

    Raises InvalidInput for parameters that fit none or are missing, and LimitReached.
    """
    chosen = _with_needs(wanted, jobs)
    _check_parameters(chosen, wish.parameters)
    builds: list[NewBuild] = []
    specs: dict[str, Spec] = {}
    nodes: list[Node] = []
    for job in chosen:
        made = _builds(job, wish, specs)
        builds += made
        if len(builds) > MAX_BUILDS:
            message = f"this makes more than {MAX_BUILDS} builds; submit fewer jobs at a time"
            raise LimitReached(message)
        early = job.matrix is not None and job.matrix.stop_early
        nodes.append(Node(job.name, len(made), needs=job.needs, condition=job.condition, stop_early=early))
    alone = len(builds) == 1 and not nodes[0].condition
    return Plan(tuple(builds), specs, () if alone else tuple(nodes))


def _with_needs(wanted: Sequence[Job], jobs: Mapping[str, Job]) -> list[Job]:
    """Return jobs with all that they need, each once and behind what it needs."""
    found: dict[str, Job] = {}
    way = [(job, iter(job.needs)) for job in reversed(wanted)]
    while way:
        job, needs = way[-1]
        need = next((one for one in needs if one.job not in found), None)
        if need is None:
            found.setdefault(job.name, job)
            way.pop()
        elif need.job in jobs and len(way) <= len(jobs) + len(wanted):
            way.append((jobs[need.job], iter(jobs[need.job].needs)))
        else:  # a job file is checked for that, so it was changed at this moment
            message = f"{job.full_name} needs {need.job}, which is not defined any more; apply its job file again"
            raise Conflict(message)
    return list(found.values())


def _check_parameters(chosen: Sequence[Job], given: Mapping[str, str]) -> None:
    """Check that each value is for a parameter of at least one job."""
    known = dict.fromkeys(one.name for job in chosen for one in job.parameters)
    unknown = [name for name in given if name not in known]
    if unknown and len(chosen) > 1:
        guess = nearest(unknown[0], known)
        hint = f"did you mean {guess}?" if guess else f"there are: {', '.join(known) or 'none'}"
        message = f"none of {', '.join(job.name for job in chosen)} has a parameter {unknown[0]!r}; {hint}"
        raise InvalidInput(message)
    if unknown:
        bind(chosen[0], given)  # raises, naming the job


def _builds(job: Job, wish: Wish, specs: dict[str, Spec]) -> list[NewBuild]:
    own = {one.name for one in job.parameters}
    bound = bind(job, {name: value for name, value in wish.parameters.items() if name in own})
    spec = _sourced(job.spec, wish)
    branch, revision = wish.branch or spec.source.branch, wish.revision or spec.source.revision
    priority = job.priority if wish.priority is None else wish.priority
    together = job.matrix.most if job.matrix is not None else 0
    context = Context(branch=branch, revision=revision, most=job.most, most_of_node=together)
    template = has_templates(spec)
    digest = spec.digest()
    if spec is not job.spec:
        specs[digest] = spec
    made: list[NewBuild] = []
    for values in combinations(job.matrix) if job.matrix is not None else [{}]:
        own_context = replace(context, matrix=values) if values else context
        if template:
            filled = fill_spec(spec, _Facts(job, bound, own_context, wish))
            digest = filled.digest()
            specs[digest] = filled
        made.append(
            NewBuild(job.project, job.name, digest, bound, priority, own_context if own_context != _PLAIN else None)
        )
    return made


_PLAIN = Context()


def _sourced(spec: Spec, wish: Wish) -> Spec:
    if wish.source is not None:
        return replace(spec, source=wish.source)
    if spec.source.git and (wish.branch or wish.revision):
        source = replace(spec.source, branch=wish.branch or spec.source.branch, revision=wish.revision)
        return replace(spec, source=source)
    return spec


class _Facts:
    """What names in the texts around the steps stand for."""

    def __init__(self, job: Job, parameters: Mapping[str, str], context: Context, wish: Wish) -> None:
        self._values: dict[Path, str] = {
            **{("parameters", name): value for name, value in parameters.items()},
            **{("matrix", name): value for name, value in context.matrix.items()},
            ("branch",): context.branch,
            ("revision",): context.revision,
            ("project",): job.project,
            ("job",): job.name,
            ("cause",): wish.cause,
            ("requester",): wish.requester,
        }

    def __call__(self, path: Path) -> str:
        return self._values.get(path, "")
