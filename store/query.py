"""Typed queries over the collections of a store: filters, words, order, keyset pages. Pure: each database answers them.

No OFFSET anywhere: a page ends with a cursor that holds the values of the order's fields in the last row, and the next
page begins behind it. The key of the collection is always the end of the order, so no row is seen twice or missed.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum
from typing import Any

import msgspec

from ..core.errors import InvalidInput
from ..core.instants import instant
from .collections import Collection, Field, Kind, collection_of, comparable, field_of
from .words import words

MAX_LIMIT = 1000
"""Rows of one page."""

MAX_CHOICES = 1000
"""Values that one condition may list."""


class Operator(StrEnum):
    """How a field is compared with a value. Nothing but EQ, NE and IN is true of a field without a value."""

    EQ = "eq"  # equal
    NE = "ne"  # not equal, or without a value
    LT = "lt"  # less
    LE = "le"  # less or equal
    GT = "gt"  # greater
    GE = "ge"  # greater or equal
    IN = "in"  # one of a list
    PREFIX = "prefix"  # text that begins with


RANGE = frozenset({Operator.LT, Operator.LE, Operator.GT, Operator.GE})


class Filter(msgspec.Struct, frozen=True):
    """One condition; all conditions of a query must hold."""

    field: str  # a field of the collection
    operator: Operator  # how to compare
    value: Any  # a text, number, None, or a tuple of those for IN; instants also as RFC 3339


class Order(msgspec.Struct, frozen=True):
    """One field to order by. Rows without a value come first, or last if it is descending."""

    field: str  # a field of the collection
    descending: bool = False  # largest first


class Query(msgspec.Struct, frozen=True):
    """What is wanted from a collection."""

    collection: str  # one of collections.COLLECTIONS
    where: tuple[Filter, ...] = ()  # conditions, all of which hold
    order: tuple[Order, ...] = ()  # empty: by the instant that `where` gives a range of, else by key (Collection)
    limit: int = 50  # rows in a page, 1 to 1000
    after: str | None = None  # the cursor that the page before returned
    search: str = ""  # words, each of which begins a word in the record's texts (Collection.texts)


class Page(msgspec.Struct, frozen=True):
    """Rows and the way to the next ones."""

    rows: tuple[Any, ...]  # records of the collection's type
    next: str | None = None  # cursor of the next page; None: this was the last


class Counted(StrEnum):
    """How far a count can be relied on."""

    EXACT = "exact"  # so many, now
    AT_LEAST = "at-least"  # so many were found, and not all was looked at


class Count(msgspec.Struct, frozen=True):
    """How many rows a query has."""

    rows: int  # their number
    counted: Counted = Counted.EXACT  # whether there may be more


class Resolved(msgspec.Struct, frozen=True):
    """A query that is right: fields exist, values fit, the order is total, the cursor is read."""

    collection: Collection  # that was asked for
    where: tuple[Filter, ...]  # values of the fields' types
    order: tuple[Order, ...]  # no two rows are alike in it
    limit: int  # 1 to MAX_LIMIT
    after: tuple[Any, ...] | None  # the values of the order's fields in the row before the page
    terms: tuple[str, ...] = ()  # beginnings of words, folded


def resolve(query: Query) -> Resolved:
    """Check a query. Raises InvalidInput with the nearest thing that is right."""
    collection = collection_of(query.collection)
    where = implied(collection, tuple(_filter(collection, one) for one in query.where))
    order = _order(collection, query.order, where)
    if not 1 <= query.limit <= MAX_LIMIT:
        message = f"limit must be 1 to {MAX_LIMIT}, not {query.limit}; ask for the next page with `after`"
        raise InvalidInput(message)
    after = None if query.after is None else _cursor(query.after, collection, order)
    return Resolved(collection, where, order, query.limit, after, _terms(collection, query.search))


def implied(collection: Collection, where: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """Return conditions with those that follow from them and are found by the key (Collection.implied)."""
    more: list[Filter] = []
    for one in where:
        if one.field not in collection.implied or one.operator not in {Operator.EQ, Operator.IN}:
            continue
        field, implies = collection.implied[one.field]
        if one.operator is Operator.EQ:
            more.append(Filter(field, Operator.EQ, implies(one.value)))
        else:
            more.append(Filter(field, Operator.IN, tuple(implies(value) for value in one.value)))
    return (*where, *more)


def page_of(resolved: Resolved, rows: list[Any]) -> Page:
    """Return a page from up to `limit + 1` rows: the one too many tells that there is a next page."""
    if len(rows) <= resolved.limit:
        return Page(tuple(rows))
    kept = rows[: resolved.limit]
    values = [resolved.collection.value(kept[-1], one.field) for one in resolved.order]
    signature = _signature(resolved.collection, resolved.order)
    return Page(tuple(kept), urlsafe_b64encode(msgspec.json.encode([signature, *values])).decode().rstrip("="))


def _filter(collection: Collection, one: Filter) -> Filter:
    field = field_of(collection, one.field)
    if one.operator is Operator.IN:
        if not isinstance(one.value, tuple) or len(one.value) > MAX_CHOICES:
            message = f"`in` for {one.field} takes a list of up to {MAX_CHOICES} values"
            raise InvalidInput(message)
        return Filter(one.field, one.operator, tuple(_value(one.field, field, value) for value in one.value))
    if one.operator is Operator.PREFIX and (field.kind is not Kind.TEXT or not isinstance(one.value, str)):
        message = f"`prefix` takes a text, and a field that holds texts; {one.field} holds {field.kind}"
        raise InvalidInput(message)
    return Filter(one.field, one.operator, _value(one.field, field, one.value))


def of_key(collection: Collection, key: object) -> tuple[Filter, ...]:
    """Return the conditions that hold of the record with a key, as `get` takes it."""
    values = key if isinstance(key, tuple) else (key,)
    found = [
        Filter(name, Operator.EQ, comparable(value) if isinstance(value, str) else value)
        for name, value in zip(collection.names, values, strict=True)
    ]
    return implied(collection, tuple(found))


def _terms(collection: Collection, search: str) -> tuple[str, ...]:
    if search and not collection.texts:
        message = f"{collection.name} have no texts to search; filter them by {', '.join(collection.fields)}"
        raise InvalidInput(message)
    terms = tuple(words(search))
    if search.strip() and not terms:
        message = f"{search[:60]!r} holds no word; search for letters and digits"
        raise InvalidInput(message)
    return terms


def _value(name: str, field: Field, value: Any) -> Any:  # noqa: ANN401 - whatever a client sent
    if value is None:
        return None
    if _fits(field, value):
        return comparable(value) if field.kind is Kind.TEXT else value
    if field.kind is Kind.INSTANT and isinstance(value, str):
        try:
            return instant(value)
        except (ValueError, OverflowError):
            message = f"{name} is an instant; {value[:60]!r} is none. Write it as 2026-01-31T09:30:00Z"
            raise InvalidInput(message) from None
    message = f"{name} holds {field.kind} values; {str(value)[:60]!r} is none"
    raise InvalidInput(message)


def _fits(field: Field, value: object) -> bool:
    """Whether a database can compare this value with what the field holds."""
    if field.kind is Kind.TEXT:
        return isinstance(value, str)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62


def _order(collection: Collection, wanted: tuple[Order, ...], where: tuple[Filter, ...]) -> tuple[Order, ...]:
    """Return the order that was asked for, made total with the key, by fields that are indexed where there is a choice.

    Time never runs backwards in the ledger, so by age and by number is the same.
    """
    descending = collection.newest_first
    if not wanted:
        ranged = [one.field for one in where if one.operator in RANGE and _is_instant(collection, one.field)]
        wanted = tuple(Order(one, descending) for one in ranged[:1])
    order: dict[str, Order] = {}
    for one in wanted:
        field_of(collection, one.field)
        field = collection.same_order.get(one.field, one.field)
        descending = one.descending
        order.setdefault(field, Order(field, descending))
        if (field,) == collection.key:
            break
    else:
        for field in collection.key:
            order.setdefault(field, Order(field, descending))
    known = {one.field for one in where if one.operator is Operator.EQ} | order.keys() - set(collection.key)
    (last, *_) = collection.key
    for fields, number in collection.within.items():
        if known.issuperset(fields) and last in order and number not in order:
            order[number] = Order(number, order.pop(last).descending)
    return _no_more(collection, tuple(order.values()), where)


def _no_more(collection: Collection, order: tuple[Order, ...], where: tuple[Filter, ...]) -> tuple[Order, ...]:
    """Return an order up to where no two rows agree: what comes behind would keep databases from using the index."""
    seen = {one.field for one in where if one.operator is Operator.EQ}
    unique = [set(one.fields) for one in collection.indexes if one.unique]
    for place, one in enumerate(order, 1):
        seen.add(one.field)
        if any(fields <= seen for fields in unique):
            return order[:place]
    return order


def _is_instant(collection: Collection, field: str) -> bool:
    """Whether rows are ordered by this instant, and not by a number that grows with it."""
    instant = collection.fields[field].kind is Kind.INSTANT
    return instant and field in collection.ordered and field not in collection.same_order


def _cursor(text: str, collection: Collection, order: tuple[Order, ...]) -> tuple[Any, ...]:
    try:
        signature, *values = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=list[Any])
        right = signature == _signature(collection, order) and len(values) == len(order)
        right = right and all(
            (value is None and collection.fields[one.field].optional) or _fits(collection.fields[one.field], value)
            for one, value in zip(order, values, strict=True)
        )
    except (ValueError, RecursionError):
        right, values = False, []
    if not right:
        message = "the cursor is not of this query; use `next` of the page before, with the same collection and order"
        raise InvalidInput(message)
    return tuple(values)


def _signature(collection: Collection, order: tuple[Order, ...]) -> str:
    return ",".join([collection.name, *(f"{'-' if one.descending else ''}{one.field}" for one in order)])
