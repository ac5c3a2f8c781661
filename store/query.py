"""Typed queries over the collections of a store: filters, order, keyset pages. Pure: each database translates them.

No OFFSET anywhere: a page ends with a cursor that holds the values of the order's fields in the last row, and the next
page begins behind it. The key of the collection is always the end of the order, so no row is seen twice or missed.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from ..core.definition import Job, Spec
from ..core.errors import InvalidInput
from ..core.model import AgentRecord, Attempt, Build, Task
from ..core.nearest import nearest
from ..core.views import instant

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


class Filter(msgspec.Struct, frozen=True):
    """One condition; all conditions of a query must hold."""

    field: str  # a field of the collection, see FIELDS
    operator: Operator  # how to compare
    value: Any  # a text, number, None, or a tuple of those for IN


class Order(msgspec.Struct, frozen=True):
    """One field to order by. Rows without a value count as 0."""

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


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"  # any text
    INTEGER = "integer"  # a whole number
    INSTANT = "instant"  # milliseconds since the epoch; conditions may give RFC 3339
    MAYBE = "maybe"  # as INSTANT, or nothing


_T, _I, _A, _M = Kind.TEXT, Kind.INTEGER, Kind.INSTANT, Kind.MAYBE

FIELDS: Mapping[str, Mapping[str, Kind]] = {
    "builds": {
        "serial": _I,
        "id": _T,
        "project": _T,
        "job": _T,
        "number": _I,
        "state": _T,
        "requester": _T,
        "cause": _T,
        "request": _T,
        "priority": _I,
        "pipeline": _T,
        "spec": _T,
        "agent": _T,
        "attempt": _I,
        "created": _A,
        "started": _M,
        "finished": _M,
        "log_bytes": _I,
    },
    "attempts": {
        "build": _T,
        "number": _I,
        "agent": _T,
        "session": _T,
        "state": _T,
        "assigned": _A,
        "started": _M,
        "finished": _M,
    },
    "tasks": {"id": _I, "kind": _T, "requester": _T, "at": _A, "state": _T, "target": _T},
    "jobs": {"project": _T, "name": _T},
    "agents": {"id": _T, "name": _T},
    "specs": {"digest": _T},
}
"""What can be filtered and ordered by."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "builds": ("serial",),
    "attempts": ("build", "number"),
    "tasks": ("id",),
    "jobs": ("project", "name"),
    "agents": ("id",),
    "specs": ("digest",),
}
"""What makes a record of each collection unique."""

TYPES: Mapping[str, type[Any]] = {
    "builds": Build,
    "attempts": Attempt,
    "tasks": Task,
    "jobs": Job,
    "agents": AgentRecord,
    "specs": Spec,
}
"""What a record of each collection is."""

#: Time never runs backwards in the ledger, so these orders are those of the keys, which are unique and always indexed.
_SAME_ORDER = {("builds", "created"): "serial", ("tasks", "at"): "id"}
_NEWEST_FIRST = frozenset({"builds", "tasks"})


class Resolved(msgspec.Struct, frozen=True):
    """A query that is right: fields exist, values fit, the order is total, the cursor is read."""

    collection: str  # as asked
    where: tuple[Filter, ...]  # values of the fields' types
    order: tuple[Order, ...]  # ends with the key
    limit: int  # 1 to MAX_LIMIT
    after: tuple[Any, ...] | None  # the values of the order's fields in the row before the page


def resolve(query: Query) -> Resolved:
    """Check a query. Raises InvalidInput with the nearest thing that is right."""
    fields = fields_of(query.collection)
    where = tuple(_filter(query.collection, fields, one) for one in query.where)
    order = _order(query.collection, fields, query.order)
    if query.collection == "builds" and order[0].field == "serial" and _of_one_job(where):
        order = (Order("number", order[0].descending),)  # the same order, and unique: what is indexed by job
    if not 1 <= query.limit <= MAX_LIMIT:
        message = f"limit must be 1 to {MAX_LIMIT}, not {query.limit}; ask for the next page with `after`"
        raise InvalidInput(message)
    after = None if query.after is None else _cursor(query.after, query.collection, order, fields)
    return Resolved(query.collection, where, order, query.limit, after)


def page_of(resolved: Resolved, rows: list[Any]) -> Page:
    """Return a page from up to `limit + 1` rows: the one too many tells that there is a next page."""
    if len(rows) <= resolved.limit:
        return Page(tuple(rows))
    kept = rows[: resolved.limit]
    values = [value_of(resolved.collection, kept[-1], one.field) for one in resolved.order]
    signature = _signature(resolved.collection, resolved.order)
    return Page(tuple(kept), urlsafe_b64encode(msgspec.json.encode([signature, *values])).decode().rstrip("="))


def fields_of(collection: str) -> Mapping[str, Kind]:
    """Return the fields of a collection. Raises InvalidInput where there is none of that name."""
    try:
        return FIELDS[collection]
    except KeyError:
        message = f"no collection {collection[:60]!r}; there are: {', '.join(FIELDS)}"
        raise InvalidInput(message) from None


def value_of(collection: str, record: Any, field: str) -> Any:  # noqa: ANN401 - the collection decides the type
    """Return a record's value for ordering: what is missing counts as 0."""
    if collection == "specs":
        return record.digest()
    value = getattr(record, field)
    return 0 if value is None else value


def _filter(collection: str, fields: Mapping[str, Kind], one: Filter) -> Filter:
    kind = _kind(collection, fields, one.field)
    if one.operator is Operator.IN:
        if not isinstance(one.value, tuple) or len(one.value) > MAX_CHOICES:
            message = f"`in` for {one.field} takes a list of up to {MAX_CHOICES} values"
            raise InvalidInput(message)
        return Filter(one.field, one.operator, tuple(_value(one.field, kind, value) for value in one.value))
    if one.operator is Operator.PREFIX and (kind is not Kind.TEXT or not isinstance(one.value, str)):
        message = f"`prefix` takes a text, and a field that holds texts; {one.field} holds {kind}"
        raise InvalidInput(message)
    return Filter(one.field, one.operator, _value(one.field, kind, one.value))


def _of_one_job(where: tuple[Filter, ...]) -> bool:
    return {"project", "job"} <= {one.field for one in where if one.operator is Operator.EQ}


def _value(field: str, kind: Kind, value: Any) -> Any:  # noqa: ANN401 - whatever a client sent
    if value is None or (kind is Kind.TEXT and isinstance(value, str)):
        return value
    if kind is not Kind.TEXT and _fits(kind, value):
        return value
    if kind in {Kind.INSTANT, Kind.MAYBE} and isinstance(value, str):
        try:
            return instant(value)
        except ValueError:
            message = f"{field} is an instant; {value[:60]!r} is none. Write it as 2026-01-31T09:30:00Z"
            raise InvalidInput(message) from None
    message = f"{field} holds {kind} values; {str(value)[:60]!r} is none"
    raise InvalidInput(message)


def _fits(kind: Kind, value: object) -> bool:
    """Whether a database can compare this value with what a field of this kind holds."""
    if kind is Kind.TEXT:
        return isinstance(value, str)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62


def _order(collection: str, fields: Mapping[str, Kind], wanted: tuple[Order, ...]) -> tuple[Order, ...]:
    order: list[Order] = []
    key = KEYS[collection]
    descending = collection in _NEWEST_FIRST
    for one in wanted:
        _kind(collection, fields, one.field)
        field = _SAME_ORDER.get((collection, one.field), one.field)
        if any(field == before.field for before in order):
            continue
        order.append(Order(field, one.descending))
        descending = one.descending
        if (field,) == key:
            return tuple(order)
    taken = {one.field for one in order}
    return (*order, *(Order(field, descending) for field in key if field not in taken))


def _kind(collection: str, fields: Mapping[str, Kind], field: str) -> Kind:
    kind = fields.get(field)
    if kind is None:
        guess = nearest(field, fields)
        hint = f"did you mean {guess}?" if guess else f"there are: {', '.join(fields)}"
        message = f"{collection} have no field {field[:60]!r}; {hint}"
        raise InvalidInput(message)
    return kind


def _cursor(text: str, collection: str, order: tuple[Order, ...], fields: Mapping[str, Kind]) -> tuple[Any, ...]:
    try:
        signature, *values = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=list[Any])
        right = signature == _signature(collection, order) and len(values) == len(order)
        right = right and all(_fits(fields[one.field], value) for one, value in zip(order, values, strict=True))
    except (ValueError, RecursionError):
        right, values = False, []
    if not right:
        message = "the cursor is not of this query; use `next` of the page before, with the same collection and order"
        raise InvalidInput(message)
    return tuple(values)


def _signature(collection: str, order: tuple[Order, ...]) -> str:
    return ",".join([collection, *(f"{'-' if one.descending else ''}{one.field}" for one in order)])
