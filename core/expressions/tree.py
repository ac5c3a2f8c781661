"""What an expression is, once it is read: values, names and calls; what kinds there are and which functions. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

Path: TypeAlias = tuple[str, ...]  # the parts of a name: ("matrix", "python")

PLAIN_NAMES = ("branch", "revision", "project", "job", "cause", "requester")
"""Names without parts."""


class Scope(msgspec.Struct, frozen=True):
    """Which names and functions there are where an expression stands."""

    parameters: tuple[str, ...] = ()  # parameters.NAME
    matrix: tuple[str, ...] = ()  # matrix.KEY
    needs: tuple[str, ...] | None = None  # needs.JOB.state and needs.JOB.results.KEY; None: not known here
    hashes: bool = False  # whether there is hash('GLOB', ...)


@dataclass(frozen=True, slots=True)
class Value:
    """Something written as it is: a text, a truth, or a list of texts."""

    value: str | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A text that is known only when the expression is evaluated."""

    path: Path


@dataclass(frozen=True, slots=True)
class Call:
    """A function, or an operator, with what it is applied to."""

    function: str
    arguments: "tuple[Expression, ...]"


Expression: TypeAlias = Value | Name | Call

TEXT, TRUTH, LIST = "text", "truth", "list"
KINDS = {TEXT: "a text", TRUTH: "true or false", LIST: "a list"}

#: function -> the kinds of what it takes, the kind of its result
FUNCTIONS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "contains": ((TEXT, TEXT), TRUTH),
    "startsWith": ((TEXT, TEXT), TRUTH),
    "endsWith": ((TEXT, TEXT), TRUTH),
    "choose": ((TRUTH, TEXT, TEXT), TEXT),
}


def kind_of(expression: Expression) -> str:
    """Return the kind of an expression's value: text, truth or list."""
    match expression:
        case Value(value):
            return LIST if isinstance(value, tuple) else TRUTH if isinstance(value, bool) else TEXT
        case Name():
            return TEXT
        case Call(function, _):
            return FUNCTIONS[function][1] if function in FUNCTIONS else TEXT if function == "hash" else TRUTH


def named(expression: Expression) -> Iterable[Path]:
    """Yield the names in an expression."""
    match expression:
        case Name(path):
            yield path
        case Call(_, arguments):
            for one in arguments:
                yield from named(one)
        case _:
            return
