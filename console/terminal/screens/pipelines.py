"""The screen Pipelines: builds that were submitted together, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, cast

from ....core.api.pipelines import Pipelines
from ....core.browsing import Counting
from ....core.views.pipelines import PipelineSummary
from ...feed.listing import Rows
from ...feed.ordering import FEW, soon
from ...feed.pages import Pages
from ...feed.words import Wish
from ...format import age, between, duration
from .. import commands
from ..cells import Part, Tone, clean, state
from ..columns import Column
from ..piping import PipelineActions
from .builds import reverse_of
from .listed import Listed


def _took(one: PipelineSummary, now: datetime) -> Part:
    return duration(between(one.created, one.finished, now)), Tone.PLAIN if one.finished else Tone.BUSY


def _age(one: PipelineSummary, now: datetime) -> Part:
    return age(one.created, now), Tone.DIM


class PipelinesScreen(PipelineActions, Listed):
    """All pipelines."""

    PLACE = "pipelines"
    INTEREST = frozenset({"build", "standing"})
    ORDER: ClassVar[Mapping[str, bool]] = {"created": True}
    FIELDS: ClassVar[Mapping[str, str]] = {
        "state": "state",
        "project": "project",
        "by": "requester",
        "requester": "requester",
    }
    EMPTY = "No pipelines yet.\n\nSubmit a job that needs others, or a project:  orchestra submit PROJECT"
    HINT = "words, or state:failed project:shop by:ann"
    COLUMNS: ClassVar[Sequence[Column]] = (
        Column("id", "PIPELINE", lambda one, _: (clean(one.id), Tone.STRONG), 8, 12, 1),
        Column("state", "STATE", lambda one, _: state(one.state), 11, 11, 0, order="state"),
        Column("project", "PROJECT", lambda one, _: (clean(one.project), Tone.PLAIN), 10, 24, 2, order="project"),
        Column("builds", "BUILDS", lambda one, _: (f"{one.builds:,}", Tone.PLAIN), 6, 8, 3, right=True),
        Column("took", "TOOK", _took, 6, 7, 4, right=True),
        Column("created", "AGE", _age, 6, 7, 5, right=True, order="created"),
        Column("jobs", "JOBS", lambda one, _: (clean(" ".join(one.jobs)), Tone.DIM), 16, 60, 6),
        Column("requester", "BY", lambda one, _: (clean(one.requester), Tone.DIM), 10, 24, 8, order="requester"),
        Column("reason", "WHY", lambda one, _: (clean(one.reason), Tone.PLAIN), 16, 60, 7),
        Column("cause", "CAUSE", lambda one, _: (clean(one.cause), Tone.DIM), 8, 30, 9, chosen=False),
    )

    def key_of(self, row: Any) -> str:  # noqa: ANN401 - a PipelineSummary
        """See Listed."""
        return cast("PipelineSummary", row).id

    def source(self, wish: Wish) -> Rows:
        """See Listed."""
        order = self._order(self.table.order)
        backwards = reverse_of(order)

        async def fetch(reverse: bool, after: str | None, limit: int) -> tuple[Sequence[Any], str | None]:
            wanted = backwards if reverse else order
            found: Pipelines = await self.feed.call(
                "pipelines.list", where=wish.where, order=wanted, limit=limit, after=after
            )
            return found.pipelines, found.next

        async def count() -> tuple[int, bool]:
            found: Counting = await self.feed.call("store.count", collection="pipelines", where=wish.where)
            return found.rows, found.exact

        return Pages(fetch, self.wanted(wish), count=count)

    def _order(self, order: Mapping[str, bool]) -> str:
        by_name = {one.name: one.order for one in self.COLUMNS}
        return ",".join(("-" if down else "") + by_name[name] for name, down in order.items()) or "-created"

    def check_order(self, order: dict[str, bool]) -> str:
        """See Listed."""
        if soon("pipelines", self._order(order).split(","), self.wish.where, few=self.few):
            return ""
        return f"More than {FEW:,} pipelines are only had by age, or by project, state or who asked."

    def targets(self) -> list[PipelineSummary]:
        """See PipelineActions."""
        return self.table.selected

    def on_open(self, row: Any) -> None:  # noqa: ANN401 - a PipelineSummary
        """See Listed."""
        from .pipeline import PipelineScreen

        self.console.show(PipelineScreen(cast("PipelineSummary", row).id))

    def command(self) -> str:
        """See Place."""
        project = self.wish.where.get("project")
        return commands.of("pipelines", *([project] if isinstance(project, str) else []))
