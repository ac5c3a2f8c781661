"""How a query is answered from what is sorted: as stretches of an index, each read from its beginning. Pure.

A condition with several values, or a cursor in an order of several fields, makes a database look at far more rows than
it returns, or sort them. So a query is taken apart until each part is one stretch of one index: equal values first,
then at most one bound in the order that is asked for. Parts for different values are merged; parts for one cursor
follow each other, and the later ones are only asked for where the earlier ones do not fill the page.
"""

import heapq
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import islice, product
from typing import Any, TypeAlias

import msgspec

from ..core.errors import InvalidInput
from .collections import Collection
from .query import RANGE, Filter, Operator, Order, Page, Resolved, page_of

MAX_STREAMS = 24
"""Parts that are merged, at most. More: longer lists of values are found by index; each part costs a question."""

MAX_EXPANDED = 64
"""Words that may begin as a searched one does; beyond, more of it has to be written."""

FEW = 48
"""Rows that are read at once where a number is guessed. More: fewer guesses, each of which takes longer."""

EQ, NE, LT, LE, GT, GE, IN = (getattr(Operator, one) for one in ("EQ", "NE", "LT", "LE", "GT", "GE", "IN"))


class Stretch(msgspec.Struct, frozen=True):
    """Rows that all conditions hold of, in an order."""

    collection: Collection  # whose rows
    conditions: tuple[Filter, ...]  # all hold
    order: tuple[Order, ...]  # as they come
    word: str = ""  # only records with this word
    also: tuple[tuple[str, ...], ...] = ()  # and with one word of each of these
    terms: tuple[str, ...] = ()  # of a small collection: only records with words that begin so
    without: tuple[str, ...] = ()  # only records with none of these words
    each: tuple[str, ...] = ()  # fields of which all values that the sums know are tried: an index begins with them


class Stream(msgspec.Struct, frozen=True):
    """A stretch from a cursor on."""

    stretch: Stretch  # as if there were no cursor
    after: tuple[Any, ...] | None  # the values of the order's fields in the row before; None: from the beginning


Fetch: TypeAlias = Callable[[Stretch, int], list[Any]]
"""Returns so many records of a stretch."""

Vocabulary: TypeAlias = Callable[[Collection, str], Sequence[tuple[str, int]]]
"""Returns up to MAX_EXPANDED + 1 known words that begin with a term, each with the number of its records."""


def find(resolved: Resolved, fetch: Fetch, vocabulary: Vocabulary, *, merges: bool = False) -> Page:
    """Answer a query with one page; with `merges` the database itself merges the rows of several values."""
    bound = bind(resolved, fetch)
    if bound is None:
        return Page(())
    wanted = resolved.limit + 1
    parts = list(streams(bound, vocabulary, apart=not merges))
    if len(parts) == 1:
        return page_of(resolved, list(islice(_rows(parts[0], fetch, wanted), wanted)))
    if len({one.descending for one in resolved.order}) == 1:
        share = -(-wanted // max(1, len(parts))) + 1
        rows = _merged(resolved, [_rows(one, fetch, wanted, share) for one in parts])
    else:
        firsts = [row for one in parts for row in islice(_rows(one, fetch, wanted), wanted)]
        rows = merged(resolved.collection, firsts, resolved.order)
    found: dict[Any, Any] = {}
    for row in rows:  # a record may have several of the words that are looked for
        found.setdefault(resolved.collection.key_of(row), row)
        if len(found) == wanted:
            break
    return page_of(resolved, list(found.values()))


def _merged(resolved: Resolved, streams: list[Iterator[Any]]) -> Iterator[Any]:
    """Yield the rows of streams in the order, which goes one way, taking no more of each than it needs."""
    value = resolved.collection.value
    fields = [one.field for one in resolved.order]
    return heapq.merge(
        *streams,
        key=lambda row: [rank(value(row, field)) for field in fields],
        reverse=resolved.order[0].descending,
    )


def _rows(stream: Stream, fetch: Fetch, most: int, first: int = 0) -> Iterator[Any]:
    """Yield the rows of a stream: so many are fetched first, and then up to `most` at a time."""
    after, number, last = stream.after, first or most, None
    while True:
        left = number
        for stretch in _behind(stream.stretch, after):
            rows = fetch(stretch, left)
            yield from rows
            if rows:
                last = rows[-1]
            left -= len(rows)
            if left <= 0:
                break
        if left > 0:
            return
        after = tuple(stream.stretch.collection.value(last, one.field) for one in stream.stretch.order)
        number = min(most, 2 * number)


def merged(collection: Collection, rows: list[Any], order: Iterable[Order]) -> list[Any]:
    """Return rows in an order."""
    for one in reversed(list(order)):  # sorting is stable: the least important field first
        rows.sort(key=lambda row, field=one.field: rank(collection.value(row, field)), reverse=one.descending)
    return rows


def rank(value: Any) -> tuple[bool, Any]:  # noqa: ANN401 - what a field holds
    """Return what values are sorted by: those that are missing come first."""
    return (value is not None, value)


def scan(collection: Collection, after: tuple[Any, ...] | None, fetch: Fetch, rows: int = 1000) -> Iterator[Any]:
    """Yield all records in the order of the key, behind `after`, asking for so many at a time."""
    whole = Stretch(collection, (), tuple(Order(one) for one in collection.key))
    while True:
        found: list[Any] = []
        for stretch in _behind(whole, after):
            found += fetch(stretch, rows - len(found))
            if len(found) >= rows:
                break
        yield from found
        if len(found) < rows:
            return
        after = tuple(collection.value(found[-1], one) for one in collection.key)


# -- several values, several words


def streams(resolved: Resolved, vocabulary: Vocabulary, *, apart: bool = True) -> Iterable[Stream]:
    """Yield the parts of a bound query: one for each of several values, if apart, and for each word that leads."""
    collection = resolved.collection
    known = {name for one in collection.indexes for name in one.fields}
    known -= {*collection.names, *collection.key, resolved.order[0].field}
    equal = {one.field for one in resolved.where if one.operator is EQ}
    kept = list(resolved.where)
    choices: list[list[Filter]] = []
    room = MAX_STREAMS
    for one in resolved.where if apart else ():
        if one.operator is IN and one.field in known and 0 < len(one.value) <= room and _helps(collection, one, equal):
            kept.remove(one)
            choices.append([Filter(one.field, EQ, value) for value in dict.fromkeys(one.value)])
            room //= len(choices[-1])
    leads, also, terms = [""], (), ()
    each = _each(resolved)
    if resolved.terms and collection.large:
        leads, also = _words(resolved, vocabulary)
        if each:  # which are fewer than the records of any word
            leads, also = [""], (tuple(leads), *also)
    else:
        terms = resolved.terms
    for chosen in product(*choices):
        for word in leads:
            stretch = Stretch(collection, (*chosen, *kept), resolved.order, word, also, terms, each=each)
            yield Stream(stretch, resolved.after)


def _each(resolved: Resolved) -> tuple[str, ...]:
    """Return the fields of which each value is tried, where a number is asked for that only says much within those."""
    listed = {
        one.field: 1 if one.operator is EQ else len(one.value) for one in resolved.where if one.operator in {EQ, IN}
    }
    equal = {one.field for one in resolved.where if one.operator is EQ and one.value is not None}
    for fields, number in resolved.collection.within.items():
        found = not equal.issuperset(fields) and 0 < listed.get(number, 0) <= MAX_STREAMS
        if found and resolved.collection.key[0] not in listed:
            return fields
    return ()


def _helps(collection: Collection, listed: Filter, equal: set[str]) -> bool:
    """Whether an index finds the rows of each value of a list, and not just those of another condition."""
    finds = [one.fields for one in collection.indexes if one.fields[0] in equal and not one.given]
    return not finds or any(listed.field in fields for fields in finds)


def _words(resolved: Resolved, vocabulary: Vocabulary) -> tuple[list[str], tuple[tuple[str, ...], ...]]:
    """Return the words of the rarest term, which lead, and those of the other terms."""
    found: list[tuple[int, tuple[str, ...]]] = []
    for term in resolved.terms:
        known = vocabulary(resolved.collection, term)
        if len(known) > MAX_EXPANDED:
            message = f"more than {MAX_EXPANDED} words begin with {term!r}; write more of it"
            raise InvalidInput(message)
        found.append((sum(rows for _, rows in known), tuple(word for word, _ in known)))
    found.sort()
    return list(found[0][1]), tuple(words for _, words in found[1:])


# -- the cursor


def _behind(stretch: Stretch, after: tuple[Any, ...] | None) -> Iterable[Stretch]:
    """Yield the stretches that follow a cursor, in their order."""
    if after is None:
        yield stretch
        return
    order = stretch.order
    for place in range(len(order) - 1, -1, -1):
        same = tuple(Filter(one.field, EQ, value) for one, value in zip(order[:place], after[:place], strict=True))
        for beyond in _beyond(stretch.collection, order[place], after[place]):
            conditions = (*stretch.conditions, *same, beyond)
            yield msgspec.structs.replace(stretch, conditions=conditions, order=order[place:])


def _beyond(collection: Collection, one: Order, value: Any) -> Iterable[Filter]:  # noqa: ANN401 - what the field holds
    """Yield conditions for the values behind one, nearest first. Missing values are before all others."""
    if not one.descending:
        yield Filter(one.field, NE, None) if value is None else Filter(one.field, GT, value)
    elif value is not None:
        yield Filter(one.field, LT, value)
        if collection.fields[one.field].optional:
            yield Filter(one.field, EQ, None)


# -- instants as numbers


def bind(resolved: Resolved, fetch: Fetch) -> Resolved | None:
    """Put conditions that an index finds in place of others: values for beginnings, numbers for instants.

    An index that ends in the key's number finds a time range by that. Returns None where there is no such row.
    """
    collection = resolved.collection
    where = _spread(resolved, fetch)
    if where is None:
        return None
    resolved = msgspec.structs.replace(resolved, where=where)
    bounds: list[Filter] = []
    told: list[Filter] = []  # conditions that the bounds say as well; without them an index may tell all
    for one in resolved.where if collection.large else ():
        number = collection.same_order.get(one.field)
        if number is None or one.value is None or (one.operator not in RANGE and one.operator is not EQ):
            continue
        told.append(one)
        for lower, operator in _edges(one.operator):
            first = _first(collection, Filter(one.field, operator, one.value), number, fetch)
            if first is not None:
                bounds.append(Filter(number, GE if lower else LT, first))
            elif lower:
                return None
    rest = (one for one in resolved.where if one not in told)
    numbers = tuple(_numbers(resolved, bounds, fetch)) if bounds else ()  # which say all that the bounds say
    return msgspec.structs.replace(resolved, where=(*rest, *(numbers or bounds)))


def _spread(resolved: Resolved, fetch: Fetch) -> tuple[Filter, ...] | None:
    """Return the conditions with the values there are in place of the beginning of a text, as far as they are few.

    Those are found one after the other in an index, each by one question. Returns None where there is no such value.
    """
    collection = resolved.collection
    leading = {one.fields[0] for one in collection.indexes if one.fields[1:] == collection.key and one.whole}
    found = list(resolved.where)
    for place, one in enumerate(resolved.where if collection.large else ()):
        if one.operator is not Operator.PREFIX or one.field not in leading or one.field == resolved.order[0].field:
            continue
        order = (Order(one.field), *(Order(key) for key in collection.key))
        values: list[str] = []
        while len(values) <= MAX_STREAMS:
            # one bound on each side: of two on one side a database takes the first, and looks at all behind it
            end = Filter(one.field, LT, one.value + "\U0010ffff")
            where = (Filter(one.field, GT, values[-1]), end) if values else (one,)
            rows = fetch(Stretch(collection, where, order), 1)
            if not rows:
                found[place] = Filter(one.field, IN, tuple(values))
                break
            values.append(collection.value(rows[0], one.field))
        if not values:
            return None
    return tuple(found)


def _edges(operator: Operator) -> tuple[tuple[bool, Operator], ...]:
    """Return which rows begin, and end, what a condition on an instant holds of: (is it the beginning, first row)."""
    match operator:
        case Operator.GE | Operator.GT:
            return ((True, operator),)
        case Operator.LT:
            return ((False, GE),)
        case Operator.LE:
            return ((False, GT),)
        case _:
            return ((True, GE), (False, GT))


def within(one: Filter, values: Container[Any]) -> bool:
    """Whether a condition holds of rows with one of these values alone."""
    if one.operator is IN:
        return bool(one.value) and all(value in values for value in one.value)
    return one.operator is EQ and one.value in values


def _first(collection: Collection, condition: Filter, number: str, fetch: Fetch) -> int | None:
    rows = fetch(Stretch(collection, (condition,), (Order(condition.field), Order(number))), 1)
    return collection.value(rows[0], number) if rows else None


def _numbers(resolved: Resolved, bounds: list[Filter], fetch: Fetch) -> Iterable[Filter]:
    """Yield the same bounds for the number that the query is ordered by in place of the key's (Collection.within)."""
    collection = resolved.collection
    (ordered, *_), (key, *_) = resolved.order, collection.key
    if ordered.field == key or ordered.field not in collection.within.values():
        return
    same = tuple(one for one in resolved.where if one.operator is EQ)
    same = tuple(one for one in same if any(one.field in fields for fields in collection.within))

    def behind(number: int, rows: int) -> list[tuple[int, int]]:
        """Return number and key of the first rows that have a higher number."""
        found = fetch(Stretch(collection, (*same, Filter(ordered.field, GT, number)), (Order(ordered.field),)), rows)
        return [(collection.value(one, ordered.field), collection.value(one, key)) for one in found]

    ends = [fetch(Stretch(collection, same, (Order(ordered.field, down),)), 1) for down in (False, True)]
    for bound in bounds:
        if not ends[0]:
            yield Filter(ordered.field, bound.operator, 1)
            continue
        (first, its_key), (last, last_key) = (
            (collection.value(row, ordered.field), collection.value(row, key)) for (row,) in ends
        )
        if bound.value <= its_key:
            yield Filter(ordered.field, bound.operator, first)
        elif bound.value > last_key:
            yield Filter(ordered.field, bound.operator, last + 1)
        else:
            yield Filter(
                ordered.field, bound.operator, _meeting((first, its_key), (last, last_key), bound.value, behind)
            )


def _meeting(
    low: tuple[int, int], high: tuple[int, int], key: int, behind: Callable[[int, int], list[tuple[int, int]]]
) -> int:
    """Return the lowest number whose row has this key or a later one: behind `low`, and no later than `high`.

    Numbers are guessed from the keys, as both grow much alike, and some rows around are read. Where guesses fall short
    the middle is as good.
    """
    guessing = True
    while True:
        share = (key - low[1]) / (high[1] - low[1]) if guessing else 0.5
        start = max(low[0], low[0] + int(share * (high[0] - low[0])) - FEW // 2)
        rows = behind(start, FEW)
        if rows[-1][1] < key:
            low = rows[-1]
        elif rows[0][1] < key or start == low[0]:
            return next(number for number, found in rows if found >= key)
        else:
            high = (start + 1, rows[0][1])
        guessing = not guessing
