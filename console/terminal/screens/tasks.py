"""The screen Tasks: the audit trail, who asked for what and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, cast

import msgspec

from ....core import browsing
from ....core.browsing import Counting
from ....core.model import Task
from ....core.views.tasks import TaskView, task_view
from ...feed.listing import Rows
from ...feed.pages import Pages
from ...feed.words import Wish
from ...format import age
from .. import commands
from ..cells import Part, Tone, clean, state
from ..columns import Column
from ..telling import Lines, fact, section, text
from .document import DocumentScreen
from .listed import Listed


def _age(task: TaskView, now: datetime) -> Part:
    return age(task.at, now), Tone.DIM


def _outcome(task: TaskView, _: datetime) -> Part:
    return clean(task.outcome), Tone.PLAIN if task.state == "done" else Tone.WARN


class TasksScreen(Listed):
    """All tasks."""

    PLACE = "tasks"
    INTEREST = frozenset({"task", "standing"})
    COLUMNS: ClassVar[Sequence[Column]] = (
        Column("id", "TASK", lambda one, _: (str(one.id), Tone.DIM), low=4, high=9, rank=6, right=True, order="id"),
        Column("at", "AGE", _age, low=6, high=7, rank=2, right=True, order="at"),
        Column("requester", "BY", lambda one, _: (clean(one.requester), Tone.PLAIN), low=10, high=24, rank=4),
        Column("kind", "ASKED FOR", lambda one, _: (clean(one.kind), Tone.PLAIN), low=14, high=20, rank=3),
        Column("state", "CAME", lambda one, _: state(one.state), low=9, high=9, rank=1),
        Column("target", "ABOUT", lambda one, _: (clean(one.target), Tone.DIM), low=8, high=30, rank=5),
        Column("outcome", "OUTCOME", _outcome, low=16, high=80, rank=0),
    )
    FIELDS: ClassVar[Mapping[str, str]] = {
        "by": "requester",
        "requester": "requester",
        "kind": "kind",
        "state": "state",
        "about": "target",
        "target": "target",
        "id": "id",
    }
    NUMBERS = frozenset({"id"})
    SEARCHED = True
    ORDER: ClassVar[Mapping[str, bool]] = {"at": True}
    EMPTY = "Nothing was asked of this network yet."
    HINT = "words, or by:ann@box kind:builds.submit state:refused about:ID"

    def key_of(self, row: Any) -> str:  # noqa: ANN401 - a TaskView
        """See Listed."""
        return str(cast("TaskView", row).id)

    def source(self, wish: Wish) -> Rows:
        """See Listed."""
        down = next(iter(self.table.order.values()), True)
        asked: dict[str, Any] = {"collection": "tasks", "where": wish.where}
        if wish.search:
            asked["search"] = wish.search

        async def fetch(reverse: bool, after: str | None, limit: int) -> tuple[Sequence[Any], str | None]:
            order = "-id" if down is not reverse else "id"
            found: browsing.Rows = await self.feed.call("store.query", **asked, order=order, limit=limit, after=after)
            return [task_view(msgspec.convert(row, Task)) for row in found.rows], found.next

        async def count() -> tuple[int, bool]:
            found: Counting = await self.feed.call("store.count", **asked)
            return found.rows, found.exact

        return Pages(fetch, self.wanted(wish), count=count)

    def on_open(self, row: Any) -> None:  # noqa: ANN401 - a TaskView
        """See Listed."""
        task = cast("TaskView", row)

        async def lines() -> Lines:
            return [
                text("task", task.id),
                fact("came", state(task.state)),
                text("asked for", task.kind),
                text("about", task.target or "-"),
                text("by", task.requester),
                text("at", task.at or "-"),
                text("outcome", task.outcome),
                *section("BUILDS", [[("  ", Tone.PLAIN), (clean(one), Tone.PLAIN)] for one in task.builds]),
            ]

        where = {"collection": "tasks", "where": {"id": task.id}}
        command = commands.of("call", "store.query", msgspec.json.encode(where).decode())
        self.console.show(DocumentScreen(self.PLACE, f"Task {task.id}", lines, command))

    def command(self) -> str:
        """See Place."""
        return commands.of("tasks")
