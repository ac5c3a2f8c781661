"""The screen Builds: all of them, newest first, a window at a time; filter, order, mark, act on many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, cast

from textual.binding import Binding, BindingType

from ....core.api.builds import Builds
from ....core.browsing import Counting
from ....core.views.builds import BuildSummary
from ...feed.listing import Rows
from ...feed.ordering import FEW, soon
from ...feed.pages import Pages
from ...feed.words import Wish
from ...format import age, between, duration, size
from .. import commands
from ..cells import Part, Tone, clean, state
from ..columns import Column
from ..doing import BuildActions
from .listed import Listed


def _job(build: BuildSummary, _: datetime) -> Part:
    return clean(f"{build.project}/{build.job}"), Tone.PLAIN


def _number(build: BuildSummary, _: datetime) -> Part:
    return f"#{build.number}", Tone.DIM


def _took(build: BuildSummary, now: datetime) -> Part:
    return duration(between(build.started, build.finished, now)), Tone.PLAIN if build.finished else Tone.BUSY


def _created(build: BuildSummary, now: datetime) -> Part:
    return age(build.created, now), Tone.DIM


def _results(build: BuildSummary, _: datetime) -> Part:
    return clean(" ".join(f"{name}={value}" for name, value in build.results.items())), Tone.PLAIN


def _parameters(build: BuildSummary, _: datetime) -> Part:
    return clean(" ".join(f"{name}={value}" for name, value in build.parameters.items())), Tone.PLAIN


def _dim(value: Callable[[BuildSummary], object]) -> Callable[[BuildSummary, datetime], Part]:
    return lambda build, _: (clean(str(value(build))), Tone.DIM)


def _pin(build: BuildSummary, _: datetime) -> Part:
    return "pinned" if build.pin is not None else "", Tone.TITLE


def _why(build: BuildSummary, _: datetime) -> Part:
    return clean(build.reason), Tone.PLAIN


COLUMNS: Sequence[Column] = (
    Column("state", "STATE", lambda one, _: state(one.state), low=11, high=11, rank=0, order="state"),
    Column("job", "JOB", _job, low=16, high=36, rank=1, order="project,job"),
    Column("number", "NO", _number, low=4, high=8, rank=2, right=True, order="number"),
    Column("took", "TOOK", _took, low=6, high=7, rank=4, right=True),
    Column("created", "AGE", _created, low=6, high=7, rank=3, right=True, order="created"),
    Column("requester", "BY", _dim(lambda one: one.requester), low=12, high=20, rank=7, order="requester"),
    Column("reason", "WHY", _why, low=20, high=60, rank=5, order="reason"),
    Column("id", "ID", _dim(lambda one: one.id), low=8, high=8, rank=8, order="id"),
    Column(
        "attempt", "TRY", _dim(lambda one: one.attempt or "-"), low=3, rank=9, right=True, order="attempt", chosen=False
    ),
    Column("cause", "CAUSE", _dim(lambda one: one.cause), low=6, high=24, rank=9, order="cause", chosen=False),
    Column(
        "priority", "PRIO", _dim(lambda one: one.priority), low=4, rank=9, right=True, order="priority", chosen=False
    ),
    Column(
        "log", "LOG", _dim(lambda one: size(one.log_bytes)), low=8, rank=9, right=True, order="log_bytes", chosen=False
    ),
    Column("pin", "KEPT", _pin, low=6, rank=9, chosen=False),
    Column("parameters", "PARAMETERS", _parameters, low=10, high=40, rank=9, chosen=False),
    Column("results", "RESULTS", _results, low=8, high=40, rank=9, chosen=False),
    Column(
        "pipeline", "PIPELINE", _dim(lambda one: one.pipeline or "-"), low=8, rank=9, order="pipeline", chosen=False
    ),
)


class BuildsScreen(BuildActions, Listed):
    """All builds."""

    PLACE = "builds"
    INTEREST = frozenset({"build", "pin", "standing"})
    COLUMNS = COLUMNS
    FIELDS: ClassVar[Mapping[str, str]] = {
        "state": "state",
        "project": "project",
        "job": "job",
        "number": "number",
        "no": "number",
        "agent": "agent",
        "by": "requester",
        "requester": "requester",
        "cause": "cause",
        "pipeline": "pipeline",
        "id": "id",
        "created": "created",
    }
    NUMBERS = frozenset({"number"})
    SEARCHED = True
    ORDER: ClassVar[Mapping[str, bool]] = {"created": True}
    EMPTY = "No builds yet.\n\nRun one:  orchestra run -- true\nor go to Jobs (4) and trigger one with t."
    HINT = "words, ~wrds, state:failed job:test agent:box by:ann no:>40"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "only('state:bad')", "Failed only", show=False, id="builds.failed"),
        Binding("i", "only('state:live')", "Live only", show=False, id="builds.live"),
        Binding("J", "same_job", "Same job", show=False, id="builds.same_job"),
    ]

    def key_of(self, row: Any) -> str:  # noqa: ANN401 - a BuildSummary
        """See Listed."""
        return cast("BuildSummary", row).id

    def source(self, wish: Wish) -> Rows:
        """See Listed."""
        order = self._order()
        backwards = reverse_of(order)
        asked: dict[str, Any] = {"where": wish.where, **({"search": wish.search} if wish.search else {})}

        async def fetch(reverse: bool, after: str | None, limit: int) -> tuple[Sequence[Any], str | None]:
            found: Builds = await self.feed.call(
                "builds.list", **asked, order=backwards if reverse else order, limit=limit, after=after
            )
            return found.builds, found.next

        async def count() -> tuple[int, bool]:
            found: Counting = await self.feed.call("store.count", collection="builds", **asked)
            return found.rows, found.exact

        return Pages(fetch, self.wanted(wish), count=count)

    def check_order(self, order: dict[str, bool]) -> str:
        """See Listed: a million builds are not sorted while somebody waits."""
        if soon("builds", self._order(order).split(","), self.wish.where, few=self.few):
            return ""
        return (
            f"Of more than {FEW:,} builds only these orders can be had, all one way: job and number, state and age, "
            "who asked, age. Filter first: by project and job for numbers."
        )

    def _order(self, order: Mapping[str, bool] | None = None) -> str:
        by_name = {one.name: one.order for one in COLUMNS}
        parts = [
            ("-" if down else "") + field
            for name, down in (self.table.order if order is None else order).items()
            for field in by_name.get(name, "").split(",")
            if field
        ]
        return ",".join(parts) or "-created"

    def targets(self) -> list[BuildSummary]:
        """See BuildActions."""
        return self.table.selected

    def on_open(self, row: Any) -> None:  # noqa: ANN401 - a BuildSummary
        """See Listed."""
        from .build import BuildScreen

        self.console.show(BuildScreen(cast("BuildSummary", row)))

    def action_only(self, text: str) -> None:
        """Show only builds of a filter, or again all."""
        self.filter_by("" if self.wish.text == text else text)

    def action_same_job(self) -> None:
        """Show only builds of the job under the cursor."""
        build: BuildSummary | None = self.table.current
        if build is not None:
            self.filter_by(f"project:{build.project} job:{build.job}")

    def command(self) -> str:
        """See Place."""
        return commands.builds(self.wish.where, self._order(), self.wish.search)


def reverse_of(order: str) -> str:
    """Return the order that begins where another one ends."""
    return ",".join(part[1:] if part.startswith("-") else f"-{part}" for part in order.split(","))
