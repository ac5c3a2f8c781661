"""How the rows of a query are counted without looking at many: exactly where that is cheap, else "at least". Pure.

What an index tells by itself is counted up to MAX_COUNT. Where an index finds the rows of some conditions, and the
others have to be seen in each of them - the failures of one agent, say - no more of them are looked at than a page has
time for, and as many as were found by then there are at least.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from .collections import Collection, Index
from .query import RANGE, Count, Counted, Filter, Operator, Resolved
from .stretches import Fetch, Stretch, Vocabulary, bind, streams, within

MAX_COUNT = 10_000
"""Rows that are counted where no sum is kept. Larger: more of what is seen has an exact number, which takes longer."""

MAX_LOOKED = 2_000
"""Rows that are looked at, each for some microseconds, where an index does not tell all."""

Number: TypeAlias = Callable[[Stretch, Stretch | None, int], tuple[int, int]]
"""(what an index finds, what must hold as well, limit) -> how many of those rows there are, up to the limit, and of how
many of these the rest holds."""


Sieve: TypeAlias = tuple[Stretch, Stretch | None]
"""What an index finds, in any order, and what must hold of it as well; None: that is all."""


def count(resolved: Resolved, fetch: Fetch, vocabulary: Vocabulary, number: Number, *, merges: bool = False) -> Count:
    """Count the rows of a query, whatever its cursor; with `merges` the rows of several values are one part."""
    bound = bind(replace(resolved, after=None), fetch)
    total, looks = 0, MAX_LOOKED
    for ways in () if bound is None else _parts(bound, vocabulary, apart=not merges):
        found, rest = _shortest(ways, number, looks)
        looked, rows = number(found, rest, MAX_COUNT + 1 - total if rest is None else looks + 1)
        total += rows
        if total > MAX_COUNT:
            return Count(MAX_COUNT, Counted.AT_LEAST)
        if rest is not None:
            looks -= looked
            if looks < 0:
                return Count(total, Counted.AT_LEAST)
    return Count(total)


def _shortest(ways: Sequence[Sieve], number: Number, looks: int) -> Sieve:
    """Return the way that looks at no more rows than that, if there is one; it is seen from the indexes alone."""
    if len(ways) > 1:
        for found, rest in ways:
            if number(found, None, looks + 1)[0] <= looks:
                return found, rest
    return ways[0]


def _parts(resolved: Resolved, vocabulary: Vocabulary, *, apart: bool) -> Iterator[Sequence[Sieve]]:
    """Yield the ways to each part of a query; no part has a row of another."""
    led: dict[str, None] = {}
    for one in streams(resolved, vocabulary, apart=apart):
        word = one.stretch.word
        before = tuple(each for each in led if each != word)  # of several words that begin alike a record may have two
        ways = sieves(one.stretch)
        if before:
            nothing = Stretch(resolved.collection, (), ())
            ways = [(found, replace(rest or nothing, without=before)) for found, rest in ways]
        yield ways
        if word:
            led.setdefault(word)


def sieves(stretch: Stretch) -> Sequence[Sieve]:
    """Return the ways to a stretch, the best one first."""
    collection = stretch.collection
    if not collection.large:
        return [(replace(stretch, order=()), None)]
    if stretch.each:
        ways = [tuple(one for one in stretch.conditions if one.field in {*stretch.each, *collection.within.values()})]
    elif stretch.word:
        ways = [tuple(one for one in stretch.conditions if one.field == collection.key[0])]
    else:
        told = {_told(one, stretch.conditions): None for one in _indexes(collection)}
        ways = sorted(told, key=_worth, reverse=True)
        ways = [one for one in ways if not any(set(one) < set(other) for other in ways)]
    found: list[Sieve] = []
    for conditions in ways:
        rest = tuple(one for one in stretch.conditions if one not in conditions)
        seen = Stretch(collection, rest, (), also=stretch.also) if rest or stretch.also else None
        found.append((replace(stretch, conditions=conditions, order=(), also=()), seen))
    return found


def _indexes(collection: Collection) -> tuple[Index, ...]:
    return (Index(collection.key), *collection.indexes)


def _told(index: Index, conditions: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """Return the conditions of which an index finds the rows: equal values first, then one range."""
    if not _serves(index, conditions):
        return ()
    told: list[Filter] = []
    for field in index.fields:
        here = [one for one in conditions if one.field == field and _sorted(one)]
        told += here
        if not any(one.operator is Operator.EQ for one in here):
            break
    return tuple(told)


def _worth(told: tuple[Filter, ...]) -> tuple[int, int]:
    """Return how well conditions tell rows from others, the more the better: a value does so better than a range."""
    return sum(one.operator is Operator.EQ for one in told), len(told)


def _serves(index: Index, conditions: tuple[Filter, ...]) -> bool:
    """Whether all rows that the conditions hold of are in an index."""
    if index.given:
        return any(one.field == index.given and one.operator is Operator.EQ and one.value for one in conditions)
    if index.among is not None:
        field, values = index.among
        return any(one.field == field and within(one, values) for one in conditions)
    return True


def _sorted(one: Filter) -> bool:
    """Whether rows that a condition holds of are neighbours where they are sorted by its field."""
    return one.operator in {Operator.EQ, Operator.IN, Operator.PREFIX} or (
        one.operator in RANGE and one.value is not None
    )
