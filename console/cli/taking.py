"""Options by which a command says what it takes and holds, how long it waits for that, and when it is tried again."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from ...core import resources
from ...core.api.submitting import LockParam
from ...core.definition import Backoff
from ...core.durations import parse_duration
from ...core.errors import InvalidInput

_F = TypeVar("_F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--cpus", metavar="N", help="Processors that it takes of its agent, as 2 or 0.5."),
    click.option("--memory", metavar="N", help="Memory that it takes, as 8G."),
    click.option("--gpus", metavar="N", help="GPUs that it takes: a whole number, or a part of one, as 0.5."),
    click.option("--take", multiple=True, metavar="NAME=N", help="Another resource that it takes; repeatable."),
    click.option(
        "--lock", "locks", multiple=True, metavar="NAME[=N]", help="Hold this lock, or one of N of it; repeatable."
    ),
    click.option("--waiting", metavar="TIME", help="Longest time it may wait for an agent, as 10m."),
    click.option("--retry", type=int, metavar="N", help="Try again up to N times [default: if its agent is lost]."),
    click.option(
        "--retry-when",
        multiple=True,
        metavar="REASON",
        help="For which reasons: agent-lost, failed, error, timeout, exit-75; repeatable.",
    ),
    click.option("--retry-wait", metavar="TIME", help="Time before it is tried again, as 30s."),
    click.option(
        "--backoff", type=click.Choice([one.value for one in Backoff]), help="Whether that stays or doubles each time."
    ),
)


def pairs(words: Sequence[str], what: str) -> dict[str, str]:
    """Return KEY=VALUE words as a mapping. Raises InvalidInput for others."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            message = f"{word!r} is no {what}; write NAME=VALUE"
            raise InvalidInput(message)
        found[name] = value
    return found


def taking_options(command: _F) -> _F:
    """Give a command the options; it gets their values by name, for `taken`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def taken(  # noqa: PLR0913 - one for each option
    *,
    cpus: str | None,
    memory: str | None,
    gpus: str | None,
    take: Sequence[str],
    locks: Sequence[str],
    waiting: str | None,
    retry: int | None,
    retry_when: Sequence[str],
    retry_wait: str | None,
    backoff: str | None,
) -> dict[str, Any]:
    """Return parameters of builds.submit. Raises InvalidInput for what is no amount, lock or time."""
    amounts = {"cpus": cpus, "memory": memory, "gpus": gpus}
    given = {name: resources.amount(name, text) for name, text in amounts.items() if text is not None}
    for word in take:
        name, _, text = word.partition("=")
        given[name] = resources.amount(name, text)
    return {
        "resources": given or None,
        "locks": [_lock(word) for word in locks] or None,
        "waiting": _seconds("waiting", waiting),
        "retry": 1 if retry is None and retry_when else retry,
        "retry_when": list(retry_when) or None,
        "retry_wait": _seconds("retry-wait", retry_wait),
        "backoff": backoff,
    }


def _seconds(name: str, text: str | None) -> float | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as problem:
        message = f"--{name} {text!r} {problem}"
        raise InvalidInput(message) from None


def _lock(word: str) -> LockParam:
    name, equals, count = word.partition("=")
    if equals and not count.isdecimal():
        message = f"{word!r} is no lock; write its name, or NAME=N where there are N of it"
        raise InvalidInput(message)
    return LockParam(name, int(count) if equals else 1)
