"""The job file (orchestra.yaml): its text to jobs, its JSON Schema, and the values that a submission gives. Pure.

One table of keys per mapping says how a key is read, what it means and how it looks to an editor; docs/jobfile.md and
`orchestra schema` come from the same tables. Every problem is told as `file:line:column: key: what; what to do`.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from .definition import MAX_RETRIES, Job, Parameter, Retry, Spec, Step, When
from .errors import InvalidInput, JobFileError
from .nearest import nearest
from .requirements import parse_requirement
from .shapes import (
    DURATION,
    INTEGER,
    LINE,
    TEXT,
    TRUTH,
    Key,
    Problems,
    Shape,
    checked,
    choice,
    expected,
    listing,
    mapping,
    one_or_many,
    table,
)
from .yamltree import Listing, Malformed, Scalar, Table, Tree, read

RESERVED_PROJECT = "run"
"""The project that single commands are counted under."""

SHELLS: Mapping[str, tuple[str, ...]] = {
    "sh": ("/bin/sh", "-e"),
    "bash": ("bash", "-eo", "pipefail"),
    "python": ("python3",),
}
"""Shells by name: the words before `-c TEXT`."""

_NAME = re.compile(r"[^\W_][\w.+-]{0,99}")
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class JobFile(msgspec.Struct, frozen=True):
    """What a job file says."""

    project: str  # name of the project
    jobs: tuple[Job, ...]  # in the order of the file, at least one


def parse(text: str, filename: str = "orchestra.yaml") -> JobFile:
    """Return what a job file says. Raises JobFileError with one line per problem, `filename` in front."""
    problems = Problems(filename)
    try:
        tree = read(text)
        found = _FILE.read(tree, "", problems)
        jobs = _jobs(found, problems, tree) if found is not None else ()
    except Malformed as problem:
        message = f"{filename}:{problem.line}:{problem.column}: {problem}"
        raise JobFileError(message) from None
    if problems.found or found is None:
        raise JobFileError(str(problems))
    return JobFile(found["project"], jobs)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of job files."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Job Orchestra job file",
        **_FILE.schema,
    }


def bind(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """Return the values that a build of `job` runs with. Raises InvalidInput for what does not fit its parameters."""
    known = {one.name: one for one in job.parameters}
    for name, value in given.items():
        if name not in known:
            guess = nearest(name, known)
            hint = f"did you mean {guess}?" if guess else f"it has: {', '.join(known) or 'none'}"
            message = f"{job.full_name} has no parameter {name!r}; {hint}"
            raise InvalidInput(message)
        choices = known[name].choices
        if choices and value not in choices:
            message = (
                f"parameter {name} of {job.full_name} cannot be {value[:80]!r}; choose one of: {', '.join(choices)}"
            )
            raise InvalidInput(message)
        if "\0" in value:
            message = f"parameter {name} holds a NUL character, which no program can receive; remove it"
            raise InvalidInput(message)
    missing = [one.name for one in job.parameters if one.required and one.name not in given]
    if missing:
        message = f"{job.full_name} needs a value for {', '.join(missing)}; give it with -p {missing[0]}=VALUE"
        raise InvalidInput(message)
    return {name: given.get(name, one.default or "") for name, one in known.items()}


# -- names


def _name(text: str) -> str | None:
    if _NAME.fullmatch(text):
        return None
    return "is no name; use up to 100 letters, digits, `-`, `_`, `.` and `+`, and begin with a letter or digit"


def _variable(text: str) -> str | None:
    if text.startswith("ORCHESTRA_"):
        return "variables that begin with ORCHESTRA_ are set by Job Orchestra; choose another name"
    return None if _VARIABLE.fullmatch(text) else "is no variable's name; use letters, digits and `_`"


def _checked_name(text: str) -> None:
    wrong = _name(text)
    if wrong:
        message = f"{text[:60]!r} {wrong}"
        raise InvalidInput(message)


def _project_name(text: str) -> None:
    _checked_name(text)
    if text == RESERVED_PROJECT:
        message = f"the project {text!r} is that of single commands; choose another name"
        raise InvalidInput(message)


def _parameter_name(text: str) -> None:
    if not _PARAMETER.fullmatch(text):
        message = f"{text[:60]!r} is no parameter's name; use letters, digits, `_` and `-`, and begin with a letter"
        raise InvalidInput(message)


# -- the shapes of the file


def _read_shell(node: Tree, key: str, problems: Problems) -> tuple[str, ...] | None:
    if isinstance(node, Listing):
        words = listing(LINE, "words").read(node, key, problems)
        if not node.items:
            problems.add(node, key, "is empty; name the program that takes `-c TEXT`, as [zsh, -e]")
        return words or None
    found = choice(*SHELLS).read(node, key, problems)
    return SHELLS[found] if found else None


_SHELL: Shape[tuple[str, ...]] = Shape(
    _read_shell, {"anyOf": [{"enum": list(SHELLS)}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
)
_ENV = table(_variable, TEXT, "variables")
_REQUIREMENTS = one_or_many(checked(LINE, parse_requirement), "requirements")
_WHEN = choice(*When)

_STEP = mapping(
    {
        "name": Key(checked(LINE, _checked_name), "what it is called; step-1, step-2 ... by default"),
        "run": Key(LINE, "shell text that it runs", required=True),
        "env": Key(_ENV, "variables for this step"),
        "when": Key(_WHEN, "success (default): if all before succeeded; failure: if one failed; always: in any case"),
        "timeout": Key(DURATION, "longest time it may take"),
    }
)


def _read_step(node: Tree, key: str, problems: Problems) -> tuple[Tree, dict[str, Any]] | None:
    if isinstance(node, Scalar):
        text = LINE.read(node, key, problems)
        return None if text is None else (node, {"run": text})
    found = _STEP.read(node, key, problems)
    return None if found is None else (node, found)


_STEPS: Shape[tuple[tuple[Tree, dict[str, Any]], ...]] = listing(
    Shape(_read_step, {"anyOf": [{"type": "string", "minLength": 1}, _STEP.schema]}), "steps"
)

_PARAMETER_KEYS = mapping(
    {
        "name": Key(checked(LINE, _parameter_name), "its name; a step sees it as PARAM_<NAME>", required=True),
        "description": Key(TEXT, "one line for people"),
        "default": Key(TEXT, "used when no value is given"),
        "required": Key(TRUTH, "a submission without a value is refused"),
        "choices": Key(listing(TEXT, "values"), "the only values allowed"),
    }
)


def _read_parameter(node: Tree, key: str, problems: Problems) -> Parameter | None:
    found = _PARAMETER_KEYS.read(node, key, problems)
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


_PARAMETERS: Shape[tuple[Parameter, ...]] = listing(Shape(_read_parameter, _PARAMETER_KEYS.schema), "parameters")


def _read_retry(node: Tree, key: str, problems: Problems) -> Retry | None:
    place = f"{key}.max" if isinstance(node, Table) else key
    most = (
        (_RETRY.read(node, key, problems) or {}).get("max")
        if isinstance(node, Table)
        else INTEGER.read(node, key, problems)
    )
    if most is not None and not 0 <= most <= MAX_RETRIES:
        problems.add(node, place, f"{most} is out of range; use 0 to {MAX_RETRIES}")
        return None
    return None if most is None else Retry(most)


_RETRY = mapping(
    {"max": Key(INTEGER, f"further attempts, 0 to {MAX_RETRIES}", required=True)},
    {"when": "retrying for other reasons than a lost agent (when)"},
)

_COMMON = {
    "runs-on": Key(_REQUIREMENTS, "what an agent must have, as linux, gpu, zone=lab or memory>=8G"),
    "timeout": Key(DURATION, "longest time a build may take"),
    "shell": Key(_SHELL, "sh (default), bash, python, or the words of a program that takes -c TEXT"),
    "retry": Key(
        Shape(_read_retry, {"anyOf": [INTEGER.schema, _RETRY.schema]}),
        "further attempts of a build that was lost with its agent; 0 by default",
    ),
    "priority": Key(INTEGER, "builds with a higher one are assigned earlier; 0 by default"),
}

_LATER_IN_JOB = {
    "needs": "an order between jobs (needs)",
    "matrix": "multiplying jobs (matrix)",
    "if": "a condition (if)",
    "cache": "a cache",
    "artifacts": "keeping files (artifacts)",
    "secrets": "secrets",
    "lock": "a lock",
    "services": "services",
    "source": "a source",
}

_JOB = mapping(
    {
        "description": Key(TEXT, "one line for people"),
        "run": Key(one_or_many(LINE, "commands"), "shell text, or a list of them: each is a step"),
        "steps": Key(_STEPS, "the steps, in order, instead of run"),
        "env": Key(_ENV, "variables for all steps"),
        "parameters": Key(_PARAMETERS, "what a submission may or must give"),
        **_COMMON,
    },
    _LATER_IN_JOB,
)


def _read_job(node: Tree, key: str, problems: Problems) -> tuple[Tree, dict[str, Any]] | None:
    if isinstance(node, Table):
        found = _JOB.read(node, key, problems)
    elif isinstance(node, Scalar) and node.kind == "nothing":
        expected(node, key, problems, "a command or a mapping", "`test: make test`")
        return None
    else:
        found = {"run": one_or_many(LINE, "commands").read(node, key, problems)}
    return None if found is None else (node, found)


_COMMANDS = one_or_many(LINE, "commands").schema
_JOBS: Shape[dict[str, tuple[Tree, dict[str, Any]]]] = table(
    _name, Shape(_read_job, {"anyOf": [_COMMANDS, _JOB.schema]}), "jobs"
)

_FILE = mapping(
    {
        "project": Key(checked(LINE, _project_name), "the name that the jobs are listed under", required=True),
        "env": Key(_ENV, "variables for all jobs"),
        "defaults": Key(mapping(_COMMON), "what jobs have that do not say otherwise"),
        "jobs": Key(_JOBS, "the jobs by name; a text is a whole job", required=True),
    },
    {"schedules": "running jobs by the clock (schedules)", "source": "a source"},
)


# -- from values to the model


def _jobs(found: Mapping[str, Any], problems: Problems, root: Tree) -> tuple[Job, ...]:
    given: dict[str, tuple[Tree, dict[str, Any]]] | None = found.get("jobs")
    if given == {} and not problems.found:
        problems.add(root, "jobs", "there is no job; write at least one, as `test: make test`")
    defaults: dict[str, Any] = found.get("defaults") or {}
    env: dict[str, str] = found.get("env") or {}
    made: list[Job] = []
    for name, (node, job) in (given or {}).items():
        steps = _steps(f"jobs.{name}", node, job, problems)
        common: dict[str, Any] = {**defaults, **job}
        runs_on: tuple[str, ...] = common.get("runs-on") or ()
        made.append(
            Job(
                project=found.get("project") or "",
                name=name,
                spec=Spec(
                    steps=steps,
                    env={**env, **(job.get("env") or {})},
                    runs_on=tuple(sorted({str(parse_requirement(one)) for one in runs_on})),
                    timeout_s=common.get("timeout"),
                    shell=common.get("shell") or SHELLS["sh"],
                    retry=common.get("retry") or Retry(),
                ),
                parameters=_parameters(f"jobs.{name}", node, job, problems),
                description=job.get("description") or "",
                priority=common.get("priority") or 0,
            )
        )
    return tuple(made)


def _steps(key: str, node: Tree, job: Mapping[str, Any], problems: Problems) -> tuple[Step, ...]:
    if "run" in job and "steps" in job:
        problems.add(node, key, "has both `run` and `steps`; keep one of them")
    elif "run" not in job and "steps" not in job:
        problems.add(node, key, "says nothing to do; give it `run` or `steps`")
    elif _is_empty(node):
        problems.add(node, key, "has an empty list of steps; write at least one")
    if "steps" not in job:
        texts: tuple[str, ...] = job.get("run") or ()
        if len(texts) == 1:
            return (Step("run", texts[0]),)
        return tuple(Step(f"run-{place}", text) for place, text in enumerate(texts, 1))
    return _own_steps(key, job, problems)


def _is_empty(node: Tree) -> bool:
    """Whether a job's list of steps was written empty (one whose items are all wrong is told of by its items)."""
    if isinstance(node, Table):
        given = [node.entries[name].value for name in ("run", "steps") if name in node.entries]
        return any(_is_empty(one) for one in given if isinstance(one, Listing))
    return isinstance(node, Listing) and not node.items


def _own_steps(key: str, job: Mapping[str, Any], problems: Problems) -> tuple[Step, ...]:
    steps: list[Step] = []
    names: set[str] = set()
    given: tuple[tuple[Tree, dict[str, Any]], ...] = job.get("steps") or ()
    for place, (where, one) in enumerate(given, 1):
        name: str = one.get("name") or f"step-{place}"
        if name in names:
            problems.add(where, f"{key}.steps", f"two steps are called {name!r}; rename one")
        names.add(name)
        steps.append(
            Step(
                name=name,
                run=one.get("run") or "",
                env=one.get("env") or {},
                when=When(one.get("when") or When.SUCCESS),
                timeout_s=one.get("timeout"),
            )
        )
    return tuple(steps)


def _parameters(key: str, node: Tree, job: Mapping[str, Any], problems: Problems) -> tuple[Parameter, ...]:
    found: tuple[Parameter, ...] = job.get("parameters") or ()
    seen: dict[str, str] = {}
    for one in found:
        variable = one.name.upper().replace("-", "_")
        if variable in seen:
            problems.add(
                node, f"{key}.parameters", f"{seen[variable]!r} and {one.name!r} are both PARAM_{variable}; rename one"
            )
        seen[variable] = one.name
    return found
