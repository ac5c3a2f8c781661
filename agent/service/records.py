"""Answers `tasks.list` and `store.*`: pages of what the store remembers, and what there is to browse."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from ...core import api, views
from ...core.browsing import CollectionView, Counting, FieldView, Rows, StoreView
from ...core.errors import InvalidInput
from ...core.model import Task
from ...store.collections import COLLECTIONS, Collection
from ...store.query import Counted, Filter, Operator, Order, Query
from .desk import Desk


class Records:
    """The history, page by page."""

    def __init__(self, desk: Desk) -> None:
        """Read from the desk's store."""
        self._desk = desk

    async def tasks_list(self, params: api.TasksList) -> api.Tasks:
        """Return a page of the audit trail."""
        page = await self.page("tasks", params.where, "-id", params.limit, params.after, params.search)
        return api.Tasks([views.task(cast("Task", row)) for row in page.rows], page.next)

    async def store_query(self, params: api.StoreQuery) -> Rows:
        """Return a page of any collection."""
        page = await self.page(params.collection, params.where, params.order, params.limit, params.after, params.search)
        return Rows(params.collection, [msgspec.to_builtins(row) for row in page.rows], page.next)

    async def store_count(self, params: api.StoreCount) -> Counting:
        """Return how many rows a query has."""
        query = Query(params.collection, self._conditions(params.where), search=params.search)
        found = await self._desk.read("count", query)
        return Counting(found.rows, found.counted is Counted.EXACT)

    async def store_describe(self, _: api.NoParams) -> StoreView:
        """Return what the store is, and what there is to browse."""
        found = await self._desk.read("describe")
        sizes = {one.collection: one.rows for one in found.sizes}
        return StoreView(
            url=found.url,
            kind=found.kind,
            schema=found.schema,
            applied=found.applied,
            bytes=found.bytes,
            behind=self._desk.history.backlog,
            problem=self._desk.history.problem,
            collections=[_view(one, sizes.get(name, 0)) for name, one in COLLECTIONS.items()],
        )

    async def page(  # noqa: PLR0913, PLR0917 - what a page is asked for with
        self, collection: str, where: Mapping[str, Any], order: str, limit: int, after: str | None, search: str = ""
    ) -> Any:  # noqa: ANN401 - a page of any type
        """Return a page of a collection; see api.StoreQuery. Raises InvalidInput with what is wrong."""
        query = Query(collection, self._conditions(where), orders(order), limit, after, search)
        return await self._desk.read("find", query)

    def _conditions(self, where: Mapping[str, Any]) -> tuple[Filter, ...]:
        return tuple(self._named(one) for one in conditions(where))

    def _named(self, one: Filter) -> Filter:
        """Let people name agents as they know them: by name, or by the beginning of an id."""
        if one.field != "agent" or one.operator is not Operator.EQ or not isinstance(one.value, str) or not one.value:
            return one
        return Filter(one.field, one.operator, self._desk.find.agent(one.value).id)


def _view(collection: Collection, rows: int) -> CollectionView:
    return CollectionView(
        name=collection.name,
        caption=collection.caption,
        rows=rows,
        key=list(collection.key),
        newest_first=collection.newest_first,
        searched=list(collection.texts),
        fields=[
            FieldView(name, one.kind, one.caption, one.optional, name in collection.ordered, list(one.choices))
            for name, one in collection.fields.items()
        ],
    )


def conditions(where: Mapping[str, Any]) -> list[Filter]:
    """Return filters from a client's `where`: field -> value, list of values, or {operator: value}."""
    found: list[Filter] = []
    for field, wanted in where.items():
        if isinstance(wanted, list):
            found.append(Filter(field, Operator.IN, tuple(cast("list[Any]", wanted))))
        elif isinstance(wanted, dict):
            for operator, value in cast("dict[str, Any]", wanted).items():
                try:
                    parsed = Operator(operator)
                except ValueError:
                    message = f"unknown operator {operator!r} for {field}; there are: {', '.join(Operator)}"
                    raise InvalidInput(message) from None
                found.append(
                    Filter(field, parsed, tuple(cast("list[Any]", value)) if isinstance(value, list) else value)
                )
        else:
            found.append(Filter(field, Operator.EQ, wanted))
    return found


def orders(text: str) -> tuple[Order, ...]:
    """Return the order that a text such as `-created,project` describes."""
    return tuple(
        Order(part.removeprefix("-"), descending=part.startswith("-"))
        for part in text.replace(" ", "").split(",")
        if part
    )
