"""What a job may ask of an agent (`runs-on`), and whether an agent's labels meet it. Pure.

gpu             has the label, or its os, arch, distribution or host is called so (`linux`, `arm64`, `debian`)
zone=lab        the label has this value;  zone!=lab: it has not
memory>=8G      the label is a number and compares so (also >, <=, <; K, M, G and T are powers of 1024)
python>=3.9     likewise for versions, part by part: 3.10 is later than 3.9
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from .errors import InvalidInput

Labels: TypeAlias = Mapping[str, str]

NAMED_BY_VALUE = ("os", "arch", "distribution", "host")
"""Labels whose value may be asked for by itself."""

USUAL = {"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64", "darwin": "macos"}
"""Other names of systems and processors -> the one that is used here; either may be asked for."""

RESOURCE = re.compile(r"[^\W\d_][\w-]{0,63}")
"""How something is called of which builds take an amount."""

_PATTERN = re.compile(r"\s*(?P<label>[^\W_][\w.+/-]*)\s*(?:(?P<compare>>=|<=|!=|=|>|<)\s*(?P<value>[\w.+:/-]+)\s*)?")
_NUMBER = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>[KMGT]?)(?:i?B)?")
_VERSION = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})*")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Requirement(msgspec.Struct, frozen=True):
    """One condition on an agent's labels."""

    label: str  # name of the label
    compare: str = ""  # =, !=, >=, <=, >, <; empty: the label is there
    value: str = ""  # what it is compared with

    def __str__(self) -> str:
        """Return the condition as people write it, without blanks: equal conditions are equal texts."""
        return f"{self.label}{self.compare}{self.value}"


def parse_requirement(text: str) -> Requirement:
    """Return the condition that `text` describes. Raises InvalidInput with the forms there are."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        message = f"{text[:80]!r} is no requirement; write a label (linux), label=value, label!=value or label>=number"
        raise InvalidInput(message)
    compare, value = found["compare"] or "", found["value"] or ""
    if compare in {">=", "<=", ">", "<"} and number(value) is None and not _VERSION.fullmatch(value):
        message = f"{text[:80]!r} compares with {value!r}, which is no number; write one such as 4, 8G or 3.11"
        raise InvalidInput(message)
    return Requirement(found["label"], compare, value)


def number(text: str) -> float | None:
    """Return the number that a text such as `8G` or `2.5` stands for, None where it is none."""
    found = _NUMBER.fullmatch(text)
    return float(found["number"]) * _UNITS[found["unit"]] if found else None


def usual(name: str) -> str:
    """Return the name by which a system or a kind of processor is known here."""
    return USUAL.get(name, name)


def matches(wanted: Requirement, labels: Labels) -> bool:
    """Whether an agent with these labels meets the condition."""
    have = labels.get(wanted.label)
    match wanted.compare:
        case "":
            return have is not None or any(
                name in labels and usual(labels[name]) == usual(wanted.label) for name in NAMED_BY_VALUE
            )
        case "=":
            return have is not None and usual(have) == usual(wanted.value)
        case "!=":
            return have is None or usual(have) != usual(wanted.value)
        case _:
            return have is not None and _compares(wanted, have)


def _compares(wanted: Requirement, have: str) -> bool:
    order = _order(have, wanted.value)
    if order is None:
        return False
    return {">=": order >= 0, "<=": order <= 0, ">": order > 0, "<": order < 0}[wanted.compare]


def _order(left: str, right: str) -> int | None:
    """Return 1, 0 or -1 as the left value is larger, the same or smaller; None where the two do not compare."""
    versions = _version(left), _version(right)
    if versions[0] is not None and versions[1] is not None:
        return (versions[0] > versions[1]) - (versions[0] < versions[1])
    numbers = number(left), number(right)
    if numbers[0] is not None and numbers[1] is not None:
        return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1])
    return None


def _version(text: str) -> tuple[int, ...] | None:
    """Return the parts of a number without a unit, None where it is none; `12` and `12.0` are the same."""
    if not _VERSION.fullmatch(text):
        return None
    parts = [int(part) for part in text.split(".")]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def why_not(wanted: Requirement, labels: Labels) -> str:
    """Return, for people, what keeps an agent with these labels from meeting the condition."""
    have = labels.get(wanted.label)
    if have is None:
        return f"needs {wanted}, has no label {wanted.label}"
    return (
        f"needs {wanted}, has {wanted.label}={have}" if have else f"needs {wanted}, has {wanted.label} without a value"
    )
