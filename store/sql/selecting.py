"""From a stretch of an index to a SELECT, as peewee writes it."""

from functools import reduce
from operator import and_
from typing import Any

import peewee
from msgspec.structs import replace

from ..collections import Collection
from ..query import RANGE, Filter, Operator
from ..stretches import MAX_EXPANDED, Stretch, within
from .statements import era, listed
from .tables import Tables


def rows_of(  # noqa: ANN201 - a query of peewee
    tables: Tables, stretch: Stretch, limit: int, columns: tuple[str, ...] = ("doc",), *, nulls: bool = False
):
    """Return the query for the first rows of a stretch; with `nulls` it says where missing values come."""
    model: Any = tables.collections[stretch.collection.name]
    lead = _lead(tables, stretch)
    query = _joined(model.select(*(getattr(model, one) for one in columns)), tables, model, lead, stretch)
    if _by_scattered(tables, stretch):
        query = query.where(_firsts(tables, stretch, limit))
    elif holding := _holding(tables, stretch, model, lead):
        query = query.where(*holding)
    ordering: list[Any] = []
    for one in stretch.order:
        # the number is the same in both; the index of words is sorted by its own
        column = getattr(lead if one.field == stretch.collection.key[0] else model, one.field)
        told = nulls and stretch.collection.fields[one.field].optional
        ordering.append(
            column.desc(nulls="last" if told else None)
            if one.descending
            else column.asc(nulls="first" if told else None)
        )
    return query.order_by(*ordering).limit(limit)


def number_of(tables: Tables, found: Stretch, rest: Stretch | None, limit: int) -> Any:  # noqa: ANN401 - a query of peewee
    """Return the query for how many rows a stretch has, up to a limit, and of how many of those the rest holds."""
    model: Any = tables.collections[found.collection.name]
    lead = _lead(tables, found)
    one, none = peewee.SQL("1"), peewee.SQL("0")
    fits = one
    if rest is not None:
        fits = peewee.Case(None, [(reduce(and_, _holding(tables, rest, model, lead)), one)], none)
    (key, *_) = found.collection.key
    if found.word and all(each.field == key for each in (*found.conditions, *(rest.conditions if rest else ()))):
        query = lead.select(fits.alias("fits"))  # which the words tell alone
    elif (
        rest is None and found.conditions and all(each.field in _scattered(tables, found) for each in found.conditions)
    ):
        rows = _in_eras(tables, found, limit).select(one.alias("fits")).alias("rows")
        return peewee.Select([rows], [peewee.fn.COUNT(peewee.SQL("*")), peewee.fn.SUM(rows.c.fits)])
    else:
        query = _joined(model.select(fits.alias("fits")), tables, model, lead, found)
    if holding := _holding(tables, found, model, lead):
        query = query.where(*holding)
    rows = query.limit(limit).alias("rows")
    return peewee.Select([rows], [peewee.fn.COUNT(peewee.SQL("*")), peewee.fn.SUM(rows.c.fits)])


def _lead(tables: Tables, stretch: Stretch) -> Any:  # noqa: ANN401 - of peewee
    """Return where the order of a stretch is: in the words, or in the records themselves."""
    if stretch.word:
        return tables.words[stretch.collection.name].alias("lead")
    return tables.collections[stretch.collection.name]


def _joined(query: Any, tables: Tables, model: Any, lead: Any, stretch: Stretch) -> Any:  # noqa: ANN401 - of peewee
    if stretch.each:  # in this order: SQLite would rather look at all rows that come in the order
        sums: Any = tables.tallies.alias("sums")
        places = sums.select(*(getattr(sums, one) for one in stretch.each)).distinct().alias("places")
        query = query.from_(places).join(model, peewee.JOIN.CROSS)
        return query.where(*(getattr(model, one) == getattr(places.c, one) for one in stretch.each))
    if not stretch.word:
        return query
    key = stretch.collection.key[0]
    return query.join_from(model, lead, on=getattr(lead, key) == getattr(model, key))


def _holding(tables: Tables, stretch: Stretch, model: Any, lead: Any) -> list[Any]:  # noqa: ANN401 - of peewee
    """Return what holds of the rows of a stretch."""
    collection = stretch.collection
    given = {one.given for one in collection.indexes}
    among = {one.among for one in collection.indexes if one.among is not None} if tables.partial else ()
    holding: list[Any] = [lead.word == stretch.word] if stretch.word else []
    scattered = _scattered(tables, stretch)
    for one in stretch.conditions:
        if one.field in scattered and one.operator in {*RANGE, Operator.PREFIX} and one.value is not None:
            alone = replace(stretch, conditions=(one,))
            holding.append(getattr(model, collection.key[0]).in_(_in_eras(tables, alone)))
            continue
        holding.append(condition(getattr(lead if one.field == collection.key[0] else model, one.field), one))
        if one.field in given and one.operator is Operator.EQ and one.value:
            # it follows from the condition, but a database has to be told so to use an index of such rows alone
            holding.append(getattr(model, one.field) != peewee.SQL("''"))
        for field, values in among:
            if field == one.field and within(one, values):
                listing = peewee.SQL(listed(values))
                holding.append(peewee.Expression(getattr(model, field), peewee.OP.IN, listing))
    # letters and digits only: nothing that LIKE takes for a pattern
    holding += [peewee.Expression(model.words, peewee.OP.LIKE, f"% {one}%") for one in stretch.terms]
    holding += [_has(tables, stretch, lead, alternatives) for alternatives in stretch.also]
    if stretch.without:
        holding.append(~_has(tables, stretch, lead, stretch.without))
    return holding


# -- eras: an index of scattered values is one index for each era of the numbers, which are looked through


def _scattered(tables: Tables, stretch: Stretch) -> frozenset[str]:
    """Return the fields that are indexed so."""
    return frozenset(one.fields[0] for one in stretch.collection.indexes if one.scattered and tables.eras)


def _by_scattered(tables: Tables, stretch: Stretch) -> bool:
    """Whether rows are wanted in an order that each era has, and nothing else is said of them."""
    said = (*(one.field for one in stretch.order[:1]), *(one.field for one in stretch.conditions))
    more = stretch.word or stretch.also or stretch.without or stretch.each
    return bool(stretch.order) and not more and _scattered(tables, stretch).issuperset(said)


def _firsts(tables: Tables, stretch: Stretch, limit: int) -> Any:  # noqa: ANN401 - of peewee
    """Return the condition that a row is among the first ones of all eras: of each, no more than that can be."""
    model, one, other, number, eras, within_era = _eras(tables, stretch.collection)
    (order, *_) = stretch.order
    ordered, first = (getattr(each, order.field) for each in (one, other))
    if order.descending:
        ordered, first = ordered.desc(), first.desc()
    of_era = [condition(getattr(one, each.field), each) for each in stretch.conditions]
    heads = one.select(getattr(one, number)).where(within_era, *of_era).order_by(ordered).limit(limit)
    found = peewee.Select([peewee.Join(eras, other, peewee.JOIN.CROSS)], [getattr(other, number)])
    found = found.where(getattr(other, number).in_(heads))
    return getattr(model, number).in_(found.order_by(first).limit(limit))


def _in_eras(tables: Tables, stretch: Stretch, limit: int | None = None) -> Any:  # noqa: ANN401 - a query of peewee
    """Return the query for the numbers of rows that conditions on scattered values hold of."""
    _, one, _, number, eras, within_era = _eras(tables, stretch.collection)
    found = peewee.Select([peewee.Join(eras, one, peewee.JOIN.CROSS)], [getattr(one, number)])
    return found.where(within_era, *(condition(getattr(one, each.field), each) for each in stretch.conditions)).limit(
        limit
    )


def _eras(tables: Tables, collection: Collection) -> tuple[Any, ...]:
    """Return a collection's model, two further names of it, the number's field, its eras, and what holds within one."""
    model: Any = tables.collections[collection.name]
    number = collection.key[0]
    last = era(f"MAX({number})")
    eras = peewee.SQL(
        f"(WITH RECURSIVE eras(era) AS (SELECT 0 UNION ALL SELECT era + 1 FROM eras"  # noqa: S608 - only our own words
        f" WHERE era < (SELECT {last} FROM {collection.name})) SELECT era FROM eras) AS eras"
    )
    within = peewee.SQL(f"{era(f'one.{number}')} = eras.era")
    return model, model.alias("one"), model.alias("other"), number, eras, within


def _has(tables: Tables, stretch: Stretch, lead: Any, alternatives: tuple[str, ...]) -> Any:  # noqa: ANN401 - of peewee
    """Return the condition that a record has one of these words."""
    key = stretch.collection.key[0]
    other = tables.words[stretch.collection.name].alias("other")
    same = (getattr(other, key) == getattr(lead, key)) & other.word.in_(alternatives)
    return peewee.fn.EXISTS(other.select(peewee.SQL("1")).where(same))


def known_words(tables: Tables, collection: Collection, term: str) -> Any:  # noqa: ANN401 - a query of peewee
    """Return the query for the words that begin with a term."""
    model: Any = tables.vocabulary
    alike = (model.word >= term) & (model.word < term + "\U0010ffff") & (model.count > 0)
    query = model.select(model.word, model.count).where(model.collection == collection.name, alike)
    return query.order_by(model.word).limit(MAX_EXPANDED + 1)


def condition(column: Any, one: Filter) -> Any:  # noqa: ANN401, PLR0911 - of peewee; an answer per operator
    """Return a condition as peewee writes it."""
    value = one.value
    match one.operator:
        case Operator.EQ:
            return column.is_null() if value is None else column == value
        case Operator.NE:
            return column.is_null(is_null=False) if value is None else (column != value) | column.is_null()
        case Operator.IN:
            known = column.in_([each for each in value if each is not None])
            return known | column.is_null() if None in value else known
        case Operator.LT:
            return column < value
        case Operator.LE:
            return column <= value
        case Operator.GT:
            return column > value
        case Operator.GE:
            return column >= value
        case Operator.PREFIX:
            return (column >= value) & (column < value + "\U0010ffff")
