"""The commands of the command line that do what the console does: to copy, to learn, to put into a script. Pure."""

from collections.abc import Mapping, Sequence
from shlex import join
from typing import Any, cast

import msgspec

from ...core.views.builds import BuildSummary


def of(*words: str) -> str:
    """Return a command line of these words, quoted where that is needed."""
    return join(("orchestra", *words))


def call(method: str, **params: object) -> str:
    """Return the command that makes a request as it is; what is empty is left out."""
    given = {name: value for name, value in params.items() if value not in ({}, "", None)}
    return of("call", method, *([msgspec.json.encode(given).decode()] if given else []))


def query(collection: str, where: Mapping[str, Any], order: str, search: str, *words: str) -> str:
    """Return the command that lists records with these conditions; `words` say of which store."""
    plain = {field: _single(value) for field, value in where.items()}
    if search or None in plain.values():
        return call("store.query", collection=collection, where=where, order=order, search=search)
    conditions = [word for field, value in plain.items() for word in ("-w", f"{field}={value}")]
    return of("store", "query", *words, collection, *conditions, *([f"--order={order}"] if order else []))


def _single(value: Any) -> str | None:  # noqa: ANN401 - of a condition
    """Return the one value of a condition; None where it takes more words than there are on a command line."""
    if isinstance(value, list):
        found = cast("list[Any]", value)
        return str(found[0]) if len(found) == 1 else None
    return None if isinstance(value, dict) else str(value)


def builds(where: Mapping[str, Any], order: str = "-created", search: str = "") -> str:
    """Return the command that lists builds with these conditions."""
    if search or any(_single(value) is None for field, value in where.items() if field != "state"):
        return call("builds.list", where=where, order=order, search=search)
    rest = {field: value if field == "state" else _single(value) for field, value in where.items()}
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
