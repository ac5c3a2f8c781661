"""Answers `tasks.*` and `store.*`: pages of what the store remembers."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from ...core import api, views
from ...core.errors import InvalidInput
from ...core.model import Task
from ...store.query import Filter, Operator, Order, Query
from .desk import Desk


class Records:
    """The history, page by page."""

    def __init__(self, desk: Desk) -> None:
        """Read from the desk's store."""
        self._desk = desk

    async def tasks_list(self, params: api.TasksList) -> api.Tasks:
        """Return a page of the audit trail."""
        page = await self.page("tasks", params.where, "-id", params.limit, params.after)
        return api.Tasks([views.task(cast("Task", row)) for row in page.rows], page.next)

    async def store_query(self, params: api.StoreQuery) -> api.Rows:
        """Return a page of any collection."""
        page = await self.page(params.collection, params.where, params.order, params.limit, params.after)
        return api.Rows(params.collection, [msgspec.to_builtins(row) for row in page.rows], page.next)

    async def page(self, collection: str, where: Mapping[str, Any], order: str, limit: int, after: str | None) -> Any:  # noqa: ANN401 - a page of any type
        """Return a page of a collection; see api.StoreQuery. Raises InvalidInput with what is wrong."""
        query = Query(collection, tuple(self._named(one) for one in conditions(where)), orders(order), limit, after)
        await self._desk.history.reached(self._desk.replica.ledger.index)
        return await self._desk.history.read(self._desk.history.store.find, query)

    def _named(self, one: Filter) -> Filter:
        """Let people name agents as they know them: by name, or by the beginning of an id."""
        if one.field != "agent" or one.operator is not Operator.EQ or not isinstance(one.value, str) or not one.value:
            return one
        return Filter(one.field, one.operator, self._desk.find.agent(one.value).id)


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
