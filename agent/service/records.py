"""Answers `tasks.list` and `store.*`: pages of what the store remembers, and what there is to browse."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from ...core.api.method import NoParams
from ...core.api.store import StoreCount, StoreQuery
from ...core.api.tasks import Tasks, TasksList
from ...core.browsing import Counting, Rows, StoreView
from ...core.model import Task
from ...core.views.tasks import task_view
from ...store.asking import conditions, orders
from ...store.query import Counted, Filter, Operator, Query
from ...store.showing import store_view
from .desk import Desk


class Records:
    """The history, page by page."""

    def __init__(self, desk: Desk) -> None:
        """Read from the desk's store."""
        self._desk = desk

    async def tasks_list(self, params: TasksList) -> Tasks:
        """Return a page of the audit trail."""
        page = await self.page("tasks", params.where, "-id", params.limit, params.after, params.search)
        return Tasks([task_view(cast("Task", row)) for row in page.rows], page.next)

    async def store_query(self, params: StoreQuery) -> Rows:
        """Return a page of any collection."""
        page = await self.page(params.collection, params.where, params.order, params.limit, params.after, params.search)
        return Rows(params.collection, [msgspec.to_builtins(row) for row in page.rows], page.next)

    async def store_count(self, params: StoreCount) -> Counting:
        """Return how many rows a query has."""
        query = Query(params.collection, self._conditions(params.where), search=params.search)
        found = await self._desk.read("count", query)
        return Counting(found.rows, found.counted is Counted.EXACT)

    async def store_describe(self, _: NoParams) -> StoreView:
        """Return what the store is, and what there is to browse."""
        found = await self._desk.read("describe")
        return store_view(found, behind=self._desk.history.backlog, problem=self._desk.history.problem)

    async def page(  # noqa: PLR0913, PLR0917 - what a page is asked for with
        self, collection: str, where: Mapping[str, Any], order: str, limit: int, after: str | None, search: str = ""
    ) -> Any:  # noqa: ANN401 - a page of any type
        """Return a page of a collection; see StoreQuery. Raises InvalidInput with what is wrong."""
        query = Query(collection, self._conditions(where), orders(order), limit, after, search)
        return await self._desk.read("find", query)

    def _conditions(self, where: Mapping[str, Any]) -> tuple[Filter, ...]:
        return tuple(self._named(one) for one in conditions(where))

    def _named(self, one: Filter) -> Filter:
        """Let people name agents as they know them: by name, or by the beginning of an id."""
        if one.field != "agent" or one.operator is not Operator.EQ or not isinstance(one.value, str) or not one.value:
            return one
        return Filter(one.field, one.operator, self._desk.find.agent(one.value).id)
