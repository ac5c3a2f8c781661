"""A job, as it is written: what it needs, takes and holds, how it is tried again, and what a submission may give."""

from typing import Any

from ..definition import MAX_RETRIES, Backoff, Lock, Need, Parameter, Retry, When
from ..names import check_name, check_parameter, check_secret, wrong_name
from ..requirements import parse_requirement
from ..retrying import check_reason
from ..shapes import (
    DURATION,
    INTEGER,
    LINE,
    NUMBER,
    TEXT,
    TRUTH,
    Key,
    Placed,
    Problems,
    Shape,
    checked,
    choice,
    expected,
    listing,
    mapping,
    one_or_many,
    placed,
    table,
    whole,
)
from ..templates import unless_template
from ..yamltree import Scalar, Table, Tree
from .keeping import ARTIFACTS, CACHES
from .matrices import MATRIX
from .sources import SOURCE
from .steps import COMMANDS, ENV, SERVICES, SHELL, STEPS, WHEN

MAX_HELD = 1_000_000
"""Builds of a job at a time, and units of a lock: more than anybody has."""

# -- parameters

_PARAMETER = mapping(
    {
        "name": Key(checked(LINE, check_parameter), "its name; a step sees it as PARAM_<NAME>", required=True),
        "description": Key(TEXT, "one line for people"),
        "default": Key(TEXT, "used when no value is given"),
        "required": Key(TRUTH, "a submission without a value is refused"),
        "choices": Key(listing(TEXT, "values"), "the only values allowed"),
    },
    {"type": "choices", "options": "choices"},
)


def _read_parameter(node: Tree, key: str, problems: Problems) -> Parameter | None:
    found = _PARAMETER.read(node, key, problems)
    if not found or not found.get("name"):
        return None
    default, choices = found.get("default"), found.get("choices") or ()
    if default is not None and found.get("required"):
        problems.add(node, key, "is required, so its default is never used; remove one of them")
    if default is not None and choices and default not in choices:
        problems.add(node, key, f"the default {default!r} is not among the choices: {', '.join(choices)}")
    return Parameter(
        name=found["name"],
        description=found.get("description") or "",
        default=default if default is not None or found.get("required") or not choices else choices[0],
        required=bool(found.get("required")),
        choices=choices,
    )


_PARAMETERS: Shape[tuple[Parameter, ...]] = listing(Shape(_read_parameter, _PARAMETER.schema), "parameters")

# -- being tried again

_MAX = whole(0, MAX_RETRIES)
_RETRY = mapping(
    {
        "max": Key(_MAX, f"further attempts, 0 to {MAX_RETRIES}", required=True),
        "when": Key(
            one_or_many(checked(LINE, check_reason), "reasons"),
            "for which reasons: agent-lost (default), failed, error, timeout, exit-N",
        ),
        "wait": Key(DURATION, "time before a further attempt"),
        "backoff": Key(choice(*Backoff), "constant (default): waits the same each time; exponential: twice as long"),
    },
    {"limit": "max", "attempts": "max", "max-attempts": "max", "delay": "wait"},
)


def _read_retry(node: Tree, key: str, problems: Problems) -> Retry | None:
    if not isinstance(node, Table):
        alone = _MAX.read(node, key, problems)
        return None if alone is None else Retry(alone)
    found = _RETRY.read(node, key, problems)
    if found is None or found.get("max") is None:
        return None
    return Retry(
        found["max"],
        found.get("when") or Retry().when,
        found.get("wait") or 0.0,
        Backoff(found.get("backoff") or Backoff.CONSTANT),
    )


# -- what it holds and takes

_LOCK_NAME = checked(LINE, unless_template(check_name))
_LOCK = mapping(
    {
        "name": Key(_LOCK_NAME, "the same name is the same lock, in all projects", required=True),
        "of": Key(whole(1, MAX_HELD), "how many there are; 1 by default"),
        "take": Key(whole(1, MAX_HELD), "how many a build takes; 1 by default"),
    }
)


def _read_lock(node: Tree, key: str, problems: Problems) -> Lock | None:
    if isinstance(node, Scalar):
        name = _LOCK_NAME.read(node, key, problems)
        return None if name is None else Lock(name)
    found = _LOCK.read(node, key, problems)
    if found is None or not found.get("name"):
        return None
    lock = Lock(found["name"], found.get("of") or 1, found.get("take") or 1)
    if lock.take > lock.of:
        problems.add(node, key, f"takes {lock.take} of {lock.of}, which can never be had; take fewer")
    return lock


_LOCK_SHAPE: Shape[Lock] = Shape(_read_lock, {"anyOf": [LINE.schema, _LOCK.schema]})
_LOCKS = listing(_LOCK_SHAPE, "locks")


def _read_locks(node: Tree, key: str, problems: Problems) -> tuple[Lock, ...] | None:
    if isinstance(node, Scalar | Table):
        found = _read_lock(node, key, problems)
        return None if found is None else (found,)
    several = _LOCKS.read(node, key, problems) or ()
    for name in sorted({one.name for one in several if sum(one.name == two.name for two in several) > 1}):
        problems.add(node, key, f"names the lock {name!r} twice; remove one")
    return several


_REQUIREMENTS = one_or_many(checked(LINE, unless_template(parse_requirement)), "requirements")

# -- what it needs

_NEED = mapping(
    {
        "job": Key(LINE, "its name", required=True),
        "when": Key(WHEN, "how it must have ended: success (default), failure, or always: in any way"),
        "artifacts": Key(TRUTH, "whether the artifacts of its builds are put into the workspace; they are by default"),
    },
    {"name": "job", "if": "when"},
)


def _read_need(node: Tree, key: str, problems: Problems) -> Need | None:
    if isinstance(node, Scalar):
        name = LINE.read(node, key, problems)
        return None if name is None else Need(name)
    found = _NEED.read(node, key, problems)
    if found is None or not found.get("job"):
        return None
    wanted = found.get("artifacts") is not False
    return Need(found["job"], When(found.get("when") or When.SUCCESS), artifacts=wanted)


_NEED_SHAPE: Shape[Placed[Need]] = placed(Shape(_read_need, {"anyOf": [LINE.schema, _NEED.schema]}))
_NEEDS = listing(_NEED_SHAPE, "names of jobs")


def _read_needs(node: Tree, key: str, problems: Problems) -> tuple[Placed[Need], ...] | None:
    if isinstance(node, Scalar | Table):
        found = _NEED_SHAPE.read(node, key, problems)
        return None if found is None else (found,)
    return _NEEDS.read(node, key, problems)


# -- all of it

COMMON = {
    "runs-on": Key(_REQUIREMENTS, "what an agent must have, as linux, gpu, zone=lab or memory>=8G"),
    "timeout": Key(DURATION, "longest time a build may take"),
    "waiting-timeout": Key(DURATION, "longest time a build may wait for an agent; then it ends as error"),
    "shell": Key(SHELL, "sh (default), bash, python, or the words of a program that takes -c TEXT"),
    "retry": Key(
        Shape(_read_retry, {"anyOf": [_MAX.schema, _RETRY.schema]}),
        "further attempts, of a build that was lost with its agent or for other reasons; 0 by default",
    ),
    "priority": Key(INTEGER, "builds with a higher one are assigned earlier; 0 by default"),
    "resources": Key(
        table(wrong_name, NUMBER, "resources"),
        "what a build takes of its agent: cpus, memory, gpus, or names of your own, as {cpus: 2, memory: 8G}",
    ),
    "cache": Key(CACHES, "files that builds leave for later ones: restored before the steps, saved after success"),
    "secrets": Key(one_or_many(checked(LINE, check_secret), "names"), "the project's secrets that steps see"),
}

FOREIGN = {
    "on": "schedules, or orchestra submit",
    "strategy": "matrix",
    "container": "run",
    "image": "run",
    "script": "run",
    "stage": "needs",
    "dependencies": "needs",
    "variables": "env",
    "inputs": "parameters",
    "concurrency-group": "lock",
    "timeout-minutes": "timeout",
    "tags": "runs-on",
    "caches": "cache",
    "locks": "lock",
    "outputs": "the file $ORCHESTRA_RESULTS, written by a step",
}

JOB = mapping(
    {
        "description": Key(TEXT, "one line for people"),
        "run": Key(COMMANDS, "shell text, or a list of them: each is a step"),
        "steps": Key(STEPS, "the steps, in order, instead of run"),
        "env": Key(ENV, "variables for all steps"),
        "parameters": Key(_PARAMETERS, "what a submission may or must give"),
        "needs": Key(
            Shape(_read_needs, {"anyOf": [LINE.schema, _NEED.schema, _NEEDS.schema]}),
            "jobs of this file that must have ended before; with {job: NAME, when: failure} also those that failed",
        ),
        "if": Key(LINE, "an expression, as branch == 'main'; where it is false the build is skipped"),
        "matrix": Key(MATRIX, "one build for each combination of values, which steps see as MATRIX_<KEY>"),
        "concurrency": Key(whole(1, MAX_HELD), "builds of this job that are with agents at a time; the others wait"),
        "lock": Key(
            Shape(_read_locks, {"anyOf": [LINE.schema, _LOCK.schema, _LOCKS.schema]}),
            "what only one build of the network may hold at a time, or, as {name: db, of: 4}, only so many",
        ),
        "services": Key(SERVICES, "processes that run beside the steps, by name"),
        "artifacts": Key(ARTIFACTS, "files that are kept when a build has ended: globs"),
        "source": Key(SOURCE, "what the workspace holds at the start, instead of the file's source"),
        **COMMON,
    },
    FOREIGN,
)


def _read_job(node: Tree, key: str, problems: Problems) -> dict[str, Any] | None:
    if isinstance(node, Table):
        return JOB.read(node, key, problems)
    if isinstance(node, Scalar) and node.kind == "nothing":
        return expected(node, key, problems, "a command or a mapping", "`test: make test`")
    if isinstance(node, Scalar) and node.kind == "integer":
        problems.add(node, key, f'{node.text[:40]} is a number, not a command; write "{node.text[:40]}" if it is one')
        return None
    return {"run": COMMANDS.read(node, key, problems)}


JOBS: Shape[dict[str, Placed[dict[str, Any]]]] = table(
    wrong_name, placed(Shape(_read_job, {"anyOf": [COMMANDS.schema, JOB.schema]})), "jobs"
)
