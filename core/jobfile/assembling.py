"""From what was read of a job file to jobs: defaults filled in, variables laid over each other, steps named."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from ..definition import Job, Need, Parameter, Retry, Service, Source, Spec, Step, When
from ..requirements import parse_requirement
from ..shapes import Placed, Problems
from ..templates import is_template
from ..variables import variable
from ..yamltree import Listing, Table, Tree
from .steps import SHELLS


def jobs(found: Mapping[str, Any], problems: Problems, root: Tree) -> tuple[Job, ...]:
    """Return the jobs of a file, as far as it is right; what does not fit together becomes a problem."""
    given: dict[str, Placed[dict[str, Any]]] | None = found.get("jobs")
    if given == {} and not problems.found:
        problems.add(root, "jobs", "there is no job; write at least one, as `test: make test`")
    return tuple(_job(found, name, one, problems) for name, one in (given or {}).items())


def _job(found: Mapping[str, Any], name: str, given: Placed[dict[str, Any]], problems: Problems) -> Job:
    job = given.value
    defaults: dict[str, Any] = found.get("defaults") or {}
    env: dict[str, str] = found.get("env") or {}
    common: dict[str, Any] = {**defaults, **job}
    runs_on: tuple[str, ...] = common.get("runs-on") or ()
    needs: tuple[Placed[Need], ...] = job.get("needs") or ()
    services: dict[str, Service] = job.get("services") or {}
    return Job(
        project=found.get("project") or "",
        name=name,
        spec=Spec(
            steps=_steps(given.key, given.node, job, problems),
            env={**env, **(job.get("env") or {})},
            runs_on=tuple(sorted({one if is_template(one) else str(parse_requirement(one)) for one in runs_on})),
            timeout_s=common.get("timeout"),
            shell=common.get("shell") or SHELLS["sh"],
            source=job.get("source") or found.get("source") or Source(),
            retry=common.get("retry") or Retry(),
            resources=common.get("resources") or {},
            locks=job.get("lock") or (),
            waiting_s=common.get("waiting-timeout"),
            artifacts=job.get("artifacts") or (),
            caches=common.get("cache") or (),
            secrets=tuple(dict.fromkeys(common.get("secrets") or ())),
            services=tuple(replace(one, name=called) for called, one in services.items()),
        ),
        parameters=_parameters(given.key, given.node, job, problems),
        description=job.get("description") or "",
        priority=common.get("priority") or 0,
        needs=tuple(one.value for one in needs),
        matrix=job.get("matrix"),
        condition=job.get("if") or "",
        most=job.get("concurrency") or 0,
    )


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
    given: tuple[Placed[dict[str, Any]], ...] = job.get("steps") or ()
    for place, one in enumerate(given, 1):
        name: str = one.value.get("name") or f"step-{place}"
        if name in names:
            problems.add(one.node, f"{key}.steps", f"two steps are called {name!r}; rename one")
        names.add(name)
        steps.append(
            Step(
                name=name,
                run=one.value.get("run") or "",
                env=one.value.get("env") or {},
                when=When(one.value.get("when") or When.SUCCESS),
                timeout_s=one.value.get("timeout"),
            )
        )
    return tuple(steps)


def _parameters(key: str, node: Tree, job: Mapping[str, Any], problems: Problems) -> tuple[Parameter, ...]:
    found: tuple[Parameter, ...] = job.get("parameters") or ()
    seen: dict[str, str] = {}
    for one in found:
        called = variable("param", one.name)
        if called in seen:
            problems.add(node, f"{key}.parameters", f"{seen[called]!r} and {one.name!r} are both {called}; rename one")
        seen[called] = one.name
    return found
