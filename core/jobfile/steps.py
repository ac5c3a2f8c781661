"""What a job executes, as it is written: steps, their variables and shell, and the services beside them."""

from collections.abc import Mapping
from typing import Any

from ..definition import ANY_PORT, Service, When
from ..names import check_name, wrong_name, wrong_variable
from ..shapes import (
    DURATION,
    LINE,
    TEXT,
    Key,
    Placed,
    Problems,
    Shape,
    checked,
    choice,
    listing,
    mapping,
    one_or_many,
    placed,
    table,
    whole,
)
from ..yamltree import Listing, Scalar, Tree

SHELLS: Mapping[str, tuple[str, ...]] = {
    "sh": ("/bin/sh", "-e"),
    "bash": ("bash", "-eo", "pipefail"),
    "python": ("python3",),
}
"""Shells by name: the words before `-c TEXT`."""


def _read_shell(node: Tree, key: str, problems: Problems) -> tuple[str, ...] | None:
    if isinstance(node, Listing):
        words = listing(LINE, "words").read(node, key, problems)
        if not node.items:
            problems.add(node, key, "is empty; name the program that takes `-c TEXT`, as [zsh, -e]")
        return words or None
    found = choice(*SHELLS).read(node, key, problems)
    return SHELLS[found] if found else None


SHELL: Shape[tuple[str, ...]] = Shape(
    _read_shell, {"anyOf": [{"enum": list(SHELLS)}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
)
ENV = table(wrong_variable, TEXT, "variables")
WHEN = choice(*When)
COMMANDS = one_or_many(LINE, "commands")

_STEP = mapping(
    {
        "name": Key(checked(LINE, check_name), "what it is called; step-1, step-2 ... by default"),
        "run": Key(LINE, "shell text that it runs", required=True),
        "env": Key(ENV, "variables for this step"),
        "when": Key(WHEN, "success (default): if all before succeeded; failure: if one failed; always: in any case"),
        "timeout": Key(DURATION, "longest time it may take"),
    },
    {"if": "when", "working-directory": "`cd` in run", "shell": "shell of the job", "timeout-minutes": "timeout"},
)


def _read_step(node: Tree, key: str, problems: Problems) -> dict[str, Any] | None:
    if isinstance(node, Scalar):
        text = LINE.read(node, key, problems)
        return None if text is None else {"run": text}
    return _STEP.read(node, key, problems)


STEPS: Shape[tuple[Placed[dict[str, Any]], ...]] = listing(
    placed(Shape(_read_step, {"anyOf": [{"type": "string", "minLength": 1}, _STEP.schema]})), "steps"
)

_PORT = whole(1, 65535)


def _read_port(node: Tree, key: str, problems: Problems) -> int | None:
    if isinstance(node, Scalar) and node.text == "auto":
        return ANY_PORT
    return _PORT.read(node, key, problems)


_READY = mapping(
    {
        "tcp": Key(_PORT, "port on the loopback that answers once it is ready"),
        "http": Key(LINE, "address that answers with a status below 400 once it is ready"),
        "run": Key(LINE, "shell text that succeeds once it is ready"),
        "within": Key(DURATION, "longest time until it is ready, 60s by default; then the build ends as error"),
    }
)
_SERVICE = mapping(
    {
        "run": Key(LINE, "shell text that it runs, in the foreground", required=True),
        "env": Key(ENV, "variables for this service"),
        "ready": Key(_READY, "how to see that it is ready, its port by default; the steps wait for it"),
        "port": Key(
            Shape(_read_port, {"anyOf": [_PORT.schema, {"const": "auto"}]}),
            "where it answers on the loopback, or auto: one that is free; all see it as SERVICE_<NAME>_PORT",
        ),
    },
    {"image": "run", "ports": "port"},
)


def _read_service(node: Tree, key: str, problems: Problems) -> Service | None:
    if isinstance(node, Scalar):
        text = LINE.read(node, key, problems)
        return None if text is None else Service("", text)
    found = _SERVICE.read(node, key, problems)
    if found is None:
        return None
    ready: dict[str, Any] = found.get("ready") or {}
    probes = [one for one in ("tcp", "http", "run") if one in ready]
    if len(probes) > 1:
        problems.add(node, f"{key}.ready", f"has {' and '.join(probes)}; keep one of them")
    return Service(
        "",
        found.get("run") or "",
        found.get("env") or {},
        ready_tcp=ready.get("tcp") or 0,
        ready_http=ready.get("http") or "",
        ready_run=ready.get("run") or "",
        ready_s=ready.get("within") or 60.0,
        port=found.get("port") or 0,
    )


SERVICES: Shape[dict[str, Service]] = table(
    wrong_name, Shape(_read_service, {"anyOf": [{"type": "string", "minLength": 1}, _SERVICE.schema]}), "services"
)
