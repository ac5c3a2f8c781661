"""From what people and programs write to conditions and orders of a query. Pure."""

from collections.abc import Mapping
from typing import Any, cast

from ..core.errors import InvalidInput
from .query import Filter, Operator, Order


def conditions(where: Mapping[str, Any]) -> list[Filter]:
    """Return filters from a client's `where`: field -> value, list of values, or {operator: value}."""
    found: list[Filter] = []
    for field, wanted in where.items():
        if isinstance(wanted, list):
            found.append(Filter(field, Operator.IN, tuple(cast("list[Any]", wanted))))
        elif isinstance(wanted, dict):
            for operator, value in cast("dict[str, Any]", wanted).items():
                try:
                    parsed = Operator(operator)
                except ValueError:
                    message = f"unknown operator {operator!r} for {field}; there are: {', '.join(Operator)}"
                    raise InvalidInput(message) from None
                found.append(
                    Filter(field, parsed, tuple(cast("list[Any]", value)) if isinstance(value, list) else value)
                )
        else:
            found.append(Filter(field, Operator.EQ, wanted))
    return found


def orders(text: str) -> tuple[Order, ...]:
    """Return the order that a text such as `-created,project` describes."""
    return tuple(
        Order(part.removeprefix("-"), descending=part.startswith("-"))
        for part in text.replace(" ", "").split(",")
        if part
    )
