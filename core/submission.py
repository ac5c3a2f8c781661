"""From definitions to what a submission asks of the ledger: builds, what they execute, and how they wait. Pure.

A submission names jobs of one project. It brings along what they need, and multiplies what has a matrix; what is left
is one build, or a pipeline. Everything that is known now is filled in now, so what a build runs is fixed when it is
accepted, whatever becomes of its definition. Refuses to know who may submit, and how it is decided (ledger).
"""

import re
from collections.abc import Iterator, Mapping, Sequence

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
from .repository import Tip, check_ref, is_revision
from .templates import fill, fill_spec, has_templates

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
    tips: dict[tuple[str, str], Tip] = {}  # (repository, branch) -> what it is at the moment, as far as it was asked


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
    bound = _bound(job, wish)
    priority = job.priority if wish.priority is None else wish.priority
    last, digest = job.spec, job.spec.digest()
    made: list[NewBuild] = []
    for context, spec in _variants(job, bound, wish):
        filled = fill_spec(spec, _Facts(job, bound, context, wish)) if has_templates(spec) else spec
        if filled is not last:
            last, digest = filled, filled.digest()
        if filled is not job.spec:
            specs[digest] = filled
        made.append(NewBuild(job.project, job.name, digest, bound, priority, context if context != _PLAIN else None))
    return made


_PLAIN = Context()


def unresolved(wanted: Sequence[Job], jobs: Mapping[str, Job], wish: Wish) -> list[tuple[str, str]]:
    """Return what has to be asked of repositories, (repository, branch), for a wish's `tips`. Raises as `plan`."""
    found: dict[tuple[str, str], None] = {}
    for job in _with_needs(wanted, jobs) if wish.source is None else ():
        if job.spec.source.git:
            for _, spec in _variants(job, _bound(job, wish), wish):
                if not spec.source.revision:
                    found[spec.source.git, spec.source.branch] = None
    return list(found)


def _bound(job: Job, wish: Wish) -> dict[str, str]:
    """Return the values of a job's parameters. Raises InvalidInput."""
    own = {one.name for one in job.parameters}
    return bind(job, {name: value for name, value in wish.parameters.items() if name in own})


def _variants(job: Job, bound: Mapping[str, str], wish: Wish) -> Iterator[tuple[Context, Spec]]:
    """Yield what each combination of a job's matrix is about, and what it executes, with its source settled."""
    together = job.matrix.most if job.matrix is not None else 0
    given = job.spec if wish.source is None else replace(job.spec, source=wish.source)
    for values in combinations(job.matrix) if job.matrix is not None else [{}]:
        context = Context(matrix=values, most=job.most, most_of_node=together)
        if given.source.git:
            spec = _settled(given, _Facts(job, bound, context, wish), wish)
            branch, revision = spec.source.branch, spec.source.revision
        else:
            spec = given
            branch, revision = wish.branch or spec.source.branch, wish.revision or spec.source.revision
        if branch or revision:
            context = replace(context, branch=branch, revision=revision)
        yield context, spec


def _settled(spec: Spec, facts: "_Facts", wish: Wish) -> Spec:
    """Return what is executed with the revision that its repository's branch is, as far as that is known."""
    branch = wish.branch or fill(spec.source.branch, facts)
    revision = wish.revision or spec.source.revision
    if branch:
        check_ref(branch)
    if revision and not is_revision(revision):
        message = f"{revision[:60]!r} is no full revision; give all 40 digits, or the branch instead"
        raise InvalidInput(message)
    if is_revision(branch):
        branch, revision = "", revision or branch
    tip = None if revision else wish.tips.get((spec.source.git, branch))
    if tip is not None:
        revision, branch = tip
    has = any(re.fullmatch("git([^a-z].*)?", one) for one in spec.runs_on)
    runs_on = spec.runs_on if has else tuple(sorted((*spec.runs_on, "git")))
    return replace(spec, source=replace(spec.source, branch=branch, revision=revision), runs_on=runs_on)


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
