"""From a stretch of an index to a SELECT, as peewee writes it."""

from typing import Any

import peewee

from ..collections import Collection
from ..query import Filter, Operator
from ..stretches import MAX_EXPANDED, Stretch
from .statements import listed
from .tables import Tables


def rows_of(  # noqa: ANN201 - a query of peewee
    tables: Tables, stretch: Stretch, limit: int, columns: tuple[str, ...] = ("doc",), *, nulls: bool = False
):
    """Return the query for the first rows of a stretch; with `nulls` it says where missing values come."""
    model: Any = tables.collections[stretch.collection.name]
    query = model.select(*(getattr(model, one) for one in columns))
    sorted_by = model
    if stretch.word:
        sorted_by = tables.words[stretch.collection.name].alias("lead")
        if columns == stretch.collection.key[:1] and not stretch.conditions:  # which the words tell alone
            query = _also(tables, sorted_by.select(getattr(sorted_by, columns[0])), sorted_by, stretch)
        else:
            same = getattr(sorted_by, stretch.collection.key[0]) == getattr(model, stretch.collection.key[0])
            query = _also(tables, query.join_from(model, sorted_by, on=same), sorted_by, stretch)
    indexes = stretch.collection.indexes
    given = {one.given for one in indexes}
    among = {one.among for one in indexes if one.among is not None} if tables.partial else ()
    for one in stretch.conditions:
        query = query.where(condition(getattr(model, one.field), one))
        if one.field in given and one.operator is Operator.EQ and one.value:
            # it follows from the condition, but a database has to be told so to use an index of such rows alone
            query = query.where(getattr(model, one.field) != peewee.SQL("''"))
        for field, values in among:
            if field == one.field and _within(one, values):
                listing = peewee.SQL(listed(values))
                query = query.where(peewee.Expression(getattr(model, field), peewee.OP.IN, listing))
    for one in stretch.terms:  # letters and digits only: nothing that LIKE takes for a pattern
        query = query.where(peewee.Expression(model.words, peewee.OP.LIKE, f"% {one}%"))
    ordering: list[Any] = []
    for one in stretch.order:
        # the number is the same in both; the index of words is sorted by its own
        column = getattr(sorted_by if one.field == stretch.collection.key[0] else model, one.field)
        told = nulls and stretch.collection.fields[one.field].optional
        ordering.append(
            column.desc(nulls="last" if told else None)
            if one.descending
            else column.asc(nulls="first" if told else None)
        )
    return query.order_by(*ordering).limit(limit)


def _within(one: Filter, values: tuple[str, ...]) -> bool:
    """Whether a condition holds of rows with one of these values alone."""
    if one.operator is Operator.IN:
        return bool(one.value) and set(one.value).issubset(values)
    return one.operator is Operator.EQ and one.value in values


def _also(tables: Tables, query: Any, lead: Any, stretch: Stretch) -> Any:  # noqa: ANN401 - of peewee
    """Return a query with the conditions on words."""
    key = stretch.collection.key[0]
    words: Any = tables.words[stretch.collection.name]
    query = query.where(lead.word == stretch.word)
    for place, alternatives in enumerate(stretch.also):
        other = words.alias(f"also{place}")
        same = (getattr(other, key) == getattr(lead, key)) & other.word.in_(alternatives)
        query = query.where(peewee.fn.EXISTS(other.select(peewee.SQL("1")).where(same)))
    return query


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
