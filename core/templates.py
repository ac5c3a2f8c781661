"""`${{ }}` in the texts of a job: found, checked, and filled in with values. Pure.

Filled in is what surrounds the steps, never what they run: `run` is the same text in every build, and a value reaches
it as a variable (variables.py). So no value can become a part of a command. `hash()` in the key of a cache is left
as it is written, for whoever has the files.
"""

import re
from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from .definition import Spec
from .errors import InvalidInput
from .expressions import Call, Expression, Look, Scope, Value, checked_expression, evaluate, kind_of, parse_expression
from .names import check_name, check_path
from .requirements import parse_requirement

MARK = "${{"
"""Where an expression in a text begins."""

_PART = re.compile(r"\$\{\{((?:[^'\"}]|'[^']*'|\"[^\"]*\"|\}(?!\}))*)\}\}")


def is_template(text: str) -> bool:
    """Whether there is something to fill in."""
    return MARK in text


def check_template(text: str, scope: Scope) -> None:
    """Check the expressions in a text. Raises InvalidInput with what is wrong."""
    for written in _split(text)[1::2]:
        found = parse_expression(written, scope)
        if kind_of(found) == "list":
            raise InvalidInput("a list is no text; write one value")
        if not isinstance(found, Call) or found.function != "hash":
            _no_hash(found)


def _no_hash(found: Expression) -> None:
    if isinstance(found, Call):
        if found.function == "hash":
            raise InvalidInput("hash() stands alone; write it as ${{ hash('GLOB') }}")
        for one in found.arguments:
            _no_hash(one)


def fill(text: str, look: Look) -> str:
    """Return a text that was checked with its values in place; `hash()` is left as it is written."""
    if MARK not in text:
        return text
    parts = _split(text)
    for place in range(1, len(parts), 2):
        found = checked_expression(parts[place].strip())
        if isinstance(found, Call) and found.function == "hash":
            parts[place] = f"{MARK} {parts[place].strip()} }}}}"
        else:
            value = evaluate(found, look)
            parts[place] = value if isinstance(value, str) else str(value).lower()
    return "".join(parts)


def fill_hashes(text: str, digest: Callable[[Sequence[str]], str]) -> str:
    """Return a text in which only `hash()` is left with that in place; `digest` returns what it is of globs."""
    if MARK not in text:
        return text
    parts = _split(text)
    for place in range(1, len(parts), 2):
        found = checked_expression(parts[place].strip())
        if isinstance(found, Call) and found.function == "hash":
            globs = [one.value for one in found.arguments if isinstance(one, Value)]
            parts[place] = digest([one for one in globs if isinstance(one, str)])
    return "".join(parts)


def _split(text: str) -> list[str]:
    """Return texts and expressions in turn."""
    parts = _PART.split(text)
    for plain in parts[::2]:
        if MARK in plain:
            message = f"{plain[plain.index(MARK) :][:40]!r} has no end; close it with }}}}"
            raise InvalidInput(message)
    return parts


def has_templates(spec: Spec) -> bool:
    """Whether there is something to fill in, in what a build executes."""
    return MARK.encode() in msgspec.msgpack.encode(spec)


def fill_spec(spec: Spec, look: Look) -> Spec:
    """Return what a build executes with its values in place. Raises InvalidInput where they make something wrong."""

    def put(text: str) -> str:
        return fill(text, look)

    def variables(env: dict[str, str]) -> dict[str, str]:
        return {name: put(value) for name, value in env.items()}

    return replace(
        spec,
        steps=tuple(replace(one, env=variables(one.env)) for one in spec.steps),
        env=variables(spec.env),
        runs_on=tuple(sorted({str(parse_requirement(put(one))) for one in spec.runs_on})),
        source=replace(spec.source, branch=put(spec.source.branch)),
        locks=tuple(replace(one, name=_checked(put(one.name), check_name)) for one in spec.locks),
        artifacts=tuple(replace(one, paths=_paths(one.paths, put)) for one in spec.artifacts),
        caches=tuple(
            replace(one, key=put(one.key), paths=_paths(one.paths, put), restore=tuple(map(put, one.restore)))
            for one in spec.caches
        ),
        services=tuple(replace(one, env=variables(one.env)) for one in spec.services),
    )


def _paths(paths: tuple[str, ...], put: Callable[[str], str]) -> tuple[str, ...]:
    return tuple(_checked(put(one), check_path) for one in paths)


def _checked(text: str, check: Callable[[str], object]) -> str:
    check(text)
    return text


def unless_template(check: Callable[[str], object]) -> Callable[[str], object]:
    """Return the same check for texts in which nothing has to be filled in; what becomes of others is checked then."""
    return lambda text: None if is_template(text) else check(text)
