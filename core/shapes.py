"""Reading a YAML tree against an expected shape: values come out typed, problems with their place and key. Pure.

A `Shape` is what one value may look like: how to read it and the JSON Schema that says the same to editors. Reading
never stops at the first problem, so that one run tells of all.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .durations import parse_duration
from .errors import InvalidInput
from .nearest import nearest
from .requirements import number
from .yamltree import Listing, Scalar, Table, Tree

T = TypeVar("T")

SHOWN = 20
"""Problems told at once."""


@dataclass
class Problems:
    """What is wrong with one file."""

    filename: str
    found: list[tuple[int, int, str]] = field(default_factory=list[tuple[int, int, str]])  # line, column, text

    def add(self, node: Tree, key: str, text: str) -> None:
        """Take note of a problem at `node`, which is the value (or the name) of `key`."""
        self.found.append((node.line, node.column, f"{key}: {text}" if key else text))

    def __str__(self) -> str:
        """Return one line per problem, in the order of the file."""
        told = sorted(dict.fromkeys(self.found))
        lines = [f"{self.filename}:{line}:{column}: {text}" for line, column, text in told[:SHOWN]]
        if len(told) > SHOWN:
            lines.append(f"{self.filename}: and {len(told) - SHOWN} more problems")
        return "\n".join(lines)


@dataclass(frozen=True)
class Shape(Generic[T]):
    """What a value may look like."""

    read: Callable[[Tree, str, Problems], T | None]  # node, key, where to report -> value; None: it was wrong
    schema: Mapping[str, Any]  # the same as JSON Schema


@dataclass(frozen=True)
class Key:
    """A key of a mapping."""

    shape: Shape[Any]  # of its value
    about: str  # one line for people
    required: bool = False  # it must be there


@dataclass(frozen=True)
class Placed(Generic[T]):
    """A value that remembers where it was written, for problems that are only seen together with others."""

    node: Tree  # as it was written
    key: str  # its path
    value: T  # as it was read


def expected(node: Tree, key: str, problems: Problems, wanted: str, example: str) -> None:
    """Report a value of the wrong type."""
    article = {"integer": "an integer", "nothing": "nothing"}.get(node.kind, f"a {node.kind}")
    problems.add(node, key, f"expected {wanted}, found {article}; write it as {example}")


def placed(shape: Shape[T]) -> Shape[Placed[T]]:
    """Return the same shape, whose values remember their place."""

    def read(node: Tree, key: str, problems: Problems) -> Placed[T] | None:
        found = shape.read(node, key, problems)
        return None if found is None else Placed(node, key, found)

    return Shape(read, shape.schema)


def mapping(keys: Mapping[str, Key], foreign: Mapping[str, str] = {}) -> Shape[dict[str, Any]]:
    """Return the shape of a mapping with these keys; `foreign` says what keys of other tools are called here."""

    def read(node: Tree, key: str, problems: Problems) -> dict[str, Any] | None:
        if not isinstance(node, Table):
            expected(node, key, problems, f"a mapping with {', '.join(keys)}", f"`{next(iter(keys))}: ...`")
            return None
        found: dict[str, Any] = {}
        for name, entry in node.entries.items():
            inner = f"{key}.{name}" if key else name
            if name in keys:
                found[name] = keys[name].shape.read(entry.value, inner, problems)
            elif name in foreign:
                problems.add(entry.key, inner, f"unknown key {name!r}; here this is {foreign[name]}")
            else:
                guess = nearest(name, keys)
                hint = f"did you mean {guess}?" if guess else f"there are: {', '.join(keys)}"
                problems.add(entry.key, inner, f"unknown key {name!r}; {hint}")
        for name, one in keys.items():
            if one.required and name not in node.entries:
                problems.add(node, key, f"the key {name!r} is missing; it is {one.about}")
        return found

    schema = {
        "type": "object",
        "properties": {name: {"description": one.about, **one.shape.schema} for name, one in keys.items()},
        "additionalProperties": False,
    }
    required = [name for name, one in keys.items() if one.required]
    return Shape(read, {**schema, "required": required} if required else schema)


def table(name: Callable[[str], str | None], value: Shape[T], wanted: str) -> Shape[dict[str, T]]:
    """Return the shape of a mapping with names of one's own; `name` says what is wrong with one, if anything."""

    def read(node: Tree, key: str, problems: Problems) -> dict[str, T] | None:
        if not isinstance(node, Table):
            expected(node, key, problems, wanted, "`NAME: value`")
            return None
        found: dict[str, T] = {}
        for one, entry in node.entries.items():
            wrong = name(one)
            if wrong:
                problems.add(entry.key, f"{key}.{one[:60]}", wrong)
            got = value.read(entry.value, f"{key}.{one[:60]}", problems)
            if got is not None:
                found[one] = got
        return found

    return Shape(read, {"type": "object", "additionalProperties": value.schema})


def listing(item: Shape[T], wanted: str) -> Shape[tuple[T, ...]]:
    """Return the shape of a list; items that are wrong are left out."""

    def read(node: Tree, key: str, problems: Problems) -> tuple[T, ...] | None:
        if not isinstance(node, Listing):
            expected(node, key, problems, wanted, "`[one, two]`, or lines that begin with `- `")
            return None
        read_items = [item.read(one, f"{key}[{place}]", problems) for place, one in enumerate(node.items)]
        return tuple(one for one in read_items if one is not None)

    return Shape(read, {"type": "array", "items": item.schema})


def one_or_many(item: Shape[T], wanted: str) -> Shape[tuple[T, ...]]:
    """Return the shape of a list, where a single item may stand for a list of one."""
    many = listing(item, wanted)

    def read(node: Tree, key: str, problems: Problems) -> tuple[T, ...] | None:
        if isinstance(node, Scalar):
            alone = item.read(node, key, problems)
            return None if alone is None else (alone,)
        return many.read(node, key, problems)

    return Shape(read, {"anyOf": [item.schema, many.schema]})


def checked(shape: Shape[str], check: Callable[[str], object]) -> Shape[str]:
    """Return a shape of texts that also pass `check`, which raises InvalidInput with what is wrong."""

    def read(node: Tree, key: str, problems: Problems) -> str | None:
        found = shape.read(node, key, problems)
        if found is not None:
            try:
                check(found)
            except InvalidInput as error:
                problems.add(node, key, str(error))
                return None
        return found

    return Shape(read, shape.schema)


def choice(*words: str) -> Shape[str]:
    """Return the shape of one of a few words."""

    def read(node: Tree, key: str, problems: Problems) -> str | None:
        if isinstance(node, Scalar) and node.text in words:
            return node.text
        guess = nearest(node.text, words) if isinstance(node, Scalar) else None
        hint = f"did you mean {guess}?" if guess else f"there are: {', '.join(words)}"
        problems.add(
            node, key, f"{node.text[:40]!r} is none of the choices; {hint}" if isinstance(node, Scalar) else hint
        )
        return None

    return Shape(read, {"enum": list(words)})


def _text(node: Tree, key: str, problems: Problems) -> str | None:
    """Read a text; a whole number is its digits. What YAML would change on the way must be quoted."""
    if not isinstance(node, Scalar):
        expected(node, key, problems, "a text", "`key: text`")
    elif node.kind in {"number", "boolean"}:
        sees = "a number with a fraction" if node.kind == "number" else "true or false"
        problems.add(
            node, key, f'{node.text[:40]} without quotes is {sees} to YAML; write "{node.text[:40]}" in quotes'
        )
    elif node.kind == "nothing":
        problems.add(node, key, 'there is no value; write "" for the empty text')
    elif "\0" in node.text:
        problems.add(node, key, "the text holds a NUL character, which no program can receive; remove it")
    else:
        return node.text
    return None


def _line(node: Tree, key: str, problems: Problems) -> str | None:
    if node.kind == "nothing":
        problems.add(node, key, "there is no value; write what it should be, or remove the key")
        return None
    found = _text(node, key, problems)
    if found is not None and not found.strip():
        problems.add(node, key, "is empty; write what it should be, or remove the key")
        return None
    return found


def _duration(node: Tree, key: str, problems: Problems) -> float | None:
    if not isinstance(node, Scalar) or node.kind not in {"text", "integer", "number"}:
        expected(node, key, problems, "a duration", "`30m`, `1h30m` or seconds")
        return None
    try:
        return parse_duration(node.text)
    except ValueError as error:
        problems.add(node, key, f"{node.text[:40]!r} {error}")
        return None


def _integer(node: Tree, key: str, problems: Problems) -> int | None:
    if not isinstance(node, Scalar) or node.kind != "integer":
        expected(node, key, problems, "a whole number", "`10`")
        return None
    try:
        found = _whole(node.text.replace("_", ""))
    except ValueError:  # its tag says so, not its text
        problems.add(node, key, f"{node.text[:40]!r} is no whole number; write it as `10`")
        return None
    if abs(found) <= 1_000_000:  # noqa: PLR2004 - more than anybody distinguishes
        return found
    problems.add(node, key, f"{node.text[:40]} is out of range; use -1000000 to 1000000")
    return None


def _whole(text: str) -> int:
    """Return a whole number of YAML 1.2: 0o and 0x, and zeros in front mean nothing. Raises ValueError."""
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text[:100])  # what is longer is out of range as well; Python refuses thousands of digits
    return int(text, 0)


def whole(low: int, high: int) -> Shape[int]:
    """Return the shape of whole numbers from `low` to `high`."""

    def read(node: Tree, key: str, problems: Problems) -> int | None:
        found = _integer(node, key, problems)
        if found is None or low <= found <= high:
            return found
        problems.add(node, key, f"{found} is out of range; use {low} to {high}")
        return None

    return Shape(read, {"type": "integer", "minimum": low, "maximum": high})


def _number(node: Tree, key: str, problems: Problems) -> float | None:
    found = number(node.text) if isinstance(node, Scalar) and node.kind in {"text", "integer", "number"} else None
    if found is None:
        expected(node, key, problems, "a number", "`2`, `0.5` or `8G`")
    elif not found:
        problems.add(node, key, "must be more than nothing")
    return found or None


def _truth(node: Tree, key: str, problems: Problems) -> bool | None:
    if isinstance(node, Scalar) and node.kind == "boolean" and node.text.lower() in {"true", "false"}:
        return node.text.lower() == "true"
    expected(node, key, problems, "true or false", "`true`")
    return None


TEXT = Shape(_text, {"type": ["string", "integer"]})
LINE = Shape(_line, {"type": "string", "minLength": 1})
DURATION = Shape(_duration, {"type": ["string", "number"], "examples": ["90s", "30m", "1h30m"]})
INTEGER = Shape(_integer, {"type": "integer"})
NUMBER = Shape(_number, {"type": ["string", "number"], "examples": [2, 0.5, "8G"]})
TRUTH = Shape(_truth, {"type": "boolean"})
