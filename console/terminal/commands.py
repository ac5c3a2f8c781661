"""The commands of the command line that do what the console does: to copy, to learn, to put into a script. Pure."""

from collections.abc import Mapping, Sequence
from shlex import join
from typing import Any

from ...core.views import BuildSummary


def of(*words: str) -> str:
    """Return a command line of these words, quoted where that is needed."""
    return join(("orchestra", *words))


def builds(where: Mapping[str, Any], order: str = "-created") -> str:
    """Return the command that lists builds with these conditions."""
    rest = dict(where)
    words: list[str] = []
    project, job = rest.pop("project", None), rest.pop("job", None)
    if isinstance(project, str) and isinstance(job, str):
        words.append(f"{project}/{job}")
    elif isinstance(project, str):
        words.append(project)
        if job is not None:
            rest["job"] = job
    elif job is not None:
        rest["job"] = job
    for state in _texts(rest.pop("state", ())):
        words += ["--state", state]
    agent = rest.pop("agent", None)
    if isinstance(agent, str):
        words += ["--agent", agent]
    for field, value in rest.items():
        words += ["--where", f"{field}={value}"]
    if order != "-created":
        words += [f"--order={order}"]
    return of("builds", *words)


def on_builds(verb: str, found: Sequence[BuildSummary]) -> str:
    """Return the command that does something with builds."""
    return of(verb, *(one.id for one in found))


def reruns(found: Sequence[BuildSummary]) -> str:
    """Return the commands that run builds again."""
    return "; ".join(of("rerun", one.id) for one in found)


def submit(job: str, parameters: Mapping[str, str], priority: int | None = None) -> str:
    """Return the command that runs a job."""
    words = ["submit", job]
    for name, value in parameters.items():
        words += ["-p", f"{name}={value}"]
    if priority is not None:
        words += [f"--priority={priority}"]
    return of(*words)


def _texts(value: Any) -> Sequence[str]:  # noqa: ANN401 - of a condition
    return [value] if isinstance(value, str) else [str(one) for one in value]
