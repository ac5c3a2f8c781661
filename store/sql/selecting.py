"""From a stretch of an index to a SELECT, as peewee writes it."""

from functools import reduce
from operator import and_
from typing import Any

import peewee

from ..collections import Collection
from ..query import Filter, Operator
from ..stretches import MAX_EXPANDED, Stretch, within
from .statements import listed
from .tables import Tables


def rows_of(  # noqa: ANN201 - a query of peewee
    tables: Tables, stretch: Stretch, limit: int, columns: tuple[str, ...] = ("doc",), *, nulls: bool = False
):
    """Return the query for the first rows of a stretch; with `nulls` it says where missing values come."""
    model: Any = tables.collections[stretch.collection.name]
    lead = _lead(tables, stretch)
    query = _joined(model.select(*(getattr(model, one) for one in columns)), tables, model, lead, stretch)
    if holding := _holding(tables, stretch, model, lead):
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
    for one in stretch.conditions:
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
