"""What a job may ask of an agent (`runs-on`), and whether an agent's labels meet it. Pure.

gpu             has the label, or its os, arch or host is called so (`linux`, `arm64`, `build-7`)
zone=lab        the label has this value;  zone!=lab: it has not
memory>=8G      the label is a number and compares so (also >, <=, <; K, M, G and T are powers of 1024)
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from .errors import InvalidInput

Labels: TypeAlias = Mapping[str, str]

NAMED_BY_VALUE = ("os", "arch", "host")
"""Labels whose value may be asked for by itself."""

_PATTERN = re.compile(r"\s*(?P<label>[^\W_][\w.+/-]*)\s*(?:(?P<compare>>=|<=|!=|=|>|<)\s*(?P<value>[\w.+:/-]+)\s*)?")
_NUMBER = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>[KMGT]?)(?:i?B)?")
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
    if compare in {">=", "<=", ">", "<"} and number(value) is None:
        message = f"{text[:80]!r} compares with {value!r}, which is no number; write one such as 4 or 8G"
        raise InvalidInput(message)
    return Requirement(found["label"], compare, value)


def number(text: str) -> float | None:
    """Return the number that a text such as `8G` or `2.5` stands for, None where it is none."""
    found = _NUMBER.fullmatch(text)
    return float(found["number"]) * _UNITS[found["unit"]] if found else None


def matches(wanted: Requirement, labels: Labels) -> bool:
    """Whether an agent with these labels meets the condition."""
    have = labels.get(wanted.label)
    match wanted.compare:
        case "":
            return have is not None or any(labels.get(name) == wanted.label for name in NAMED_BY_VALUE)
        case "=":
            return have == wanted.value
        case "!=":
            return have != wanted.value
        case _:
            return have is not None and _compares(wanted, have)


def _compares(wanted: Requirement, have: str) -> bool:
    left, right = number(have), number(wanted.value)
    if left is None or right is None:
        return False
    return {">=": left >= right, "<=": left <= right, ">": left > right, "<": left < right}[wanted.compare]


def why_not(wanted: Requirement, labels: Labels) -> str:
    """Return, for people, what keeps an agent with these labels from meeting the condition."""
    have = labels.get(wanted.label)
    if have is None:
        return f"needs {wanted}, has no label {wanted.label}"
    return (
        f"needs {wanted}, has {wanted.label}={have}" if have else f"needs {wanted}, has {wanted.label} without a value"
    )
