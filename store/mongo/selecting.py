"""From a stretch of an index to what MongoDB is asked for."""

from typing import Any

from ..collections import Kind
from ..query import RANGE, Filter, Operator
from ..stretches import Stretch
from .documents import path_of, value_of

_RANGES = {Operator.LT: "$lt", Operator.LE: "$lte", Operator.GT: "$gt", Operator.GE: "$gte"}
NOTHING: dict[str, Any] = {"_id": {"$in": []}}
"""What holds of no document."""


def match_of(stretch: Stretch) -> dict[str, Any]:
    """Return the conditions of a stretch."""
    collection = stretch.collection
    found: list[dict[str, Any]] = [{"words": stretch.word}] if stretch.word else []
    found += [
        _condition(path_of(collection, one.field), collection.fields[one.field].kind, one) for one in stretch.conditions
    ]
    found += [{"words": {"$regex": f"^{term}"}} for term in stretch.terms]  # letters and digits: no pattern
    # what an index could answer as well would keep it from answering the leading word in order
    found += [
        {"$expr": {"$gt": [{"$size": {"$setIntersection": ["$words", list(words)]}}, 0]}} for words in stretch.also
    ]
    if stretch.without:
        found.append({"words": {"$nin": list(stretch.without)}})
    if not collection.large:
        found.append({"gone": {"$exists": False}})
    return {"$and": found} if found else {}


def sort_of(stretch: Stretch) -> list[tuple[str, int]]:
    """Return the order of a stretch."""
    return [(path_of(stretch.collection, one.field), -1 if one.descending else 1) for one in stretch.order]


def _condition(path: str, kind: Kind, one: Filter) -> dict[str, Any]:
    value = one.value
    if one.operator is Operator.IN:
        return {path: {"$in": [value_of(kind, each) for each in value]}}
    if one.operator in RANGE and value is None:
        return NOTHING
    match one.operator:
        case Operator.EQ:
            return {path: value_of(kind, value)}
        case Operator.NE:
            return {path: {"$ne": value_of(kind, value)}}
        case Operator.PREFIX:
            return {path: {"$gte": value, "$lt": value + "\U0010ffff"}}
        case _:
            return {path: {_RANGES[one.operator]: value_of(kind, value)}}
