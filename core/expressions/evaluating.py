"""From an expression and the values of its names to its own value. Total: it cannot fail. Pure."""

import re
from collections.abc import Callable
from typing import TypeAlias

from .tree import Call, Expression, Name, Path, Value

Look: TypeAlias = Callable[[Path], str]  # a name that the scope has -> its text


def evaluate(expression: Expression, look: Look) -> str | bool:
    """Return the value of an expression; `look` answers for every name that its scope allowed."""
    match expression:
        case Value(value):
            return value if not isinstance(value, tuple) else ""
        case Name(path):
            return look(path)
        case Call("&&", (left, right)):
            return bool(evaluate(left, look)) and bool(evaluate(right, look))
        case Call("||", (left, right)):
            return bool(evaluate(left, look)) or bool(evaluate(right, look))
        case Call("in", (left, Value(tuple(choices)))):
            return evaluate(left, look) in choices
        case Call(function, arguments):
            return _apply(function, [evaluate(one, look) for one in arguments])


def _apply(function: str, given: list[str | bool]) -> str | bool:  # noqa: C901, PLR0911 - one answer per function
    first, second = given[0], given[-1]
    match function:
        case "!":
            return not first
        case "==":
            return first == second
        case "!=":
            return first != second
        case "<":
            return _version(first) < _version(second)
        case "<=":
            return _version(first) <= _version(second)
        case ">":
            return _version(first) > _version(second)
        case ">=":
            return _version(first) >= _version(second)
        case "contains":
            return str(second) in str(first)
        case "startsWith":
            return str(first).startswith(str(second))
        case "endsWith":
            return str(first).endswith(str(second))
        case "choose":
            return given[1] if first else second
        case _:
            return ""  # hash, which is the workspace's


def _version(text: object) -> list[tuple[int, int, str]]:
    """Return what two texts are compared by: digits as whole numbers, and before all else."""
    parts = re.findall(r"[0-9]+|[^0-9]+", str(text))
    return [(0, int(part[:100]), "") if part[0] in "0123456789" else (1, 0, part) for part in parts]
