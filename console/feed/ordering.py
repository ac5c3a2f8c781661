"""Which orders of a large collection can be had at once: those in which a store keeps it sorted. Pure.

Anything else means that all rows are sorted for every page; with a million of them nobody wants to wait for that.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ...store.collections import COLLECTIONS, Collection

FEW = 20_000
"""Rows that a store sorts while one waits for it; of more than that only what is kept in an order is shown in it."""


def soon(collection: str, order: Sequence[str], where: Mapping[str, Any], *, few: bool) -> bool:
    """Whether rows come in this order before anybody gets impatient; `few`: there are no more than FEW."""
    return few or at_once(collection, order, where)


def at_once(collection: str, order: Sequence[str], where: Mapping[str, Any]) -> bool:
    """Whether rows with these conditions come in this order (fields, `-` before descending ones) without sorting."""
    found = COLLECTIONS[collection]
    if len({field.startswith("-") for field in order}) > 1:
        return False
    fields = [_keyed(found, field.removeprefix("-")) for field in order]
    if len(fields) == 1 and any(fields[0] == by and set(names) <= _fixed(where) for names, by in found.within.items()):
        return True
    kept = [found.key, *(one.fields for one in found.indexes if one.whole)]
    return any(_continues([*index, *found.key], fields, _fixed(where)) for index in kept)


def _keyed(collection: Collection, field: str) -> str:
    return collection.same_order.get(field, field)


def _fixed(where: Mapping[str, Any]) -> set[str]:
    """Return the fields that have one value in all rows."""
    return {field for field, value in where.items() if isinstance(value, str | int)}


def _continues(index: Sequence[str], fields: Sequence[str], fixed: set[str]) -> bool:
    """Whether an index has these fields next to each other, behind nothing but fixed ones."""
    rest = [field for field in dict.fromkeys(index) if field not in fixed]
    wanted = [field for field in fields if field not in fixed]
    return rest[: len(wanted)] == wanted
