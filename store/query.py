"""Typed queries over the collections of a store: filters, order, keyset pages. Pure: each database translates them.

No OFFSET anywhere: a page ends with a cursor that holds the values of the order's fields in the last row, and the next
page begins behind it. `serial`/`id` is always the last field of the order, so no row is seen twice or missed.
"""

from enum import StrEnum
from typing import Any

import msgspec


class Operator(StrEnum):
    """How a field is compared with a value."""

    EQ = "eq"  # equal
    NE = "ne"  # not equal
    LT = "lt"  # less
    LE = "le"  # less or equal
    GT = "gt"  # greater
    GE = "ge"  # greater or equal
    IN = "in"  # one of a list
    PREFIX = "prefix"  # text that begins with


class Filter(msgspec.Struct, frozen=True):
    """One condition; all conditions of a query must hold."""

    field: str  # a field of the collection, see FIELDS
    operator: Operator  # how to compare
    value: Any  # a text, number, None, or a tuple of those for IN


class Order(msgspec.Struct, frozen=True):
    """One field to order by."""

    field: str  # a field of the collection
    descending: bool = False  # largest first


class Query(msgspec.Struct, frozen=True):
    """What is wanted from a collection."""

    collection: str  # builds, attempts, tasks, jobs, agents, specs
    where: tuple[Filter, ...] = ()  # conditions, all of which hold
    order: tuple[Order, ...] = ()  # empty: newest first where the collection has an age, else by key
    limit: int = 50  # rows in a page, 1 to 1000
    after: str | None = None  # the cursor that the page before returned


class Page(msgspec.Struct, frozen=True):
    """Rows and the way to the next ones."""

    rows: tuple[Any, ...]  # records of the collection's type
    next: str | None = None  # cursor of the next page; None: this was the last
