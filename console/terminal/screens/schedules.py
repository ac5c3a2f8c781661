"""The screen Schedules: what is submitted by the clock, when next, and what came of it last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, cast

from textual.binding import Binding, BindingType

from ....core.api.schedules import Schedules
from ....core.errors import NotFound
from ....core.views.schedules import ScheduleView
from ...feed.listing import Listing, Rows
from ...feed.words import Wish
from ...format import ago, between, duration
from .. import commands
from ..cells import Part, Tone, clean, state
from ..columns import Column
from ..telling import Lines, fact, pairs, section, text
from .base import Deed
from .document import DocumentScreen
from .listed import Listed

AHEAD = 10
"""Firings that are told of one schedule."""


def full_name(schedule: ScheduleView) -> str:
    """Return `project/name`."""
    return f"{schedule.project}/{schedule.name}"


def _next(schedule: ScheduleView, now: datetime) -> Part:
    if not schedule.enabled:
        return "off", Tone.WARN
    at = schedule.next[0] if schedule.next else None
    seconds = between(at, None, now)
    return ("never", Tone.WARN) if seconds is None else (f"in {duration(max(0.0, -seconds))}", Tone.BUSY)


def _last(schedule: ScheduleView, now: datetime) -> Part:
    return ago(schedule.last, now), Tone.DIM


def _when(schedule: ScheduleView, _: datetime) -> Part:
    zone = "" if schedule.timezone == "UTC" else f" {schedule.timezone}"
    return clean(f"{schedule.cron}{zone}"), Tone.PLAIN


def _builds(schedule: ScheduleView, _: datetime) -> Part:
    if not schedule.builds:
        return "-", Tone.DIM
    return state(schedule.builds[0].state)


class SchedulesScreen(Listed):
    """All schedules."""

    PLACE = "schedules"
    INTEREST = frozenset({"schedule", "build", "standing"})
    ORDER: ClassVar[Mapping[str, bool]] = {"name": False}
    EMPTY = (
        "No schedules are defined.\n\nA job file does it:\nschedules: { nightly: { cron: '0 3 * * *', jobs: [test] } }"
    )
    NEEDS: ClassVar[dict[str, str]] = {"switch": "schedules.set", "fire": "schedules.fire"}
    COLUMNS: ClassVar[Sequence[Column]] = (
        Column("name", "SCHEDULE", lambda one, _: (clean(full_name(one)), Tone.STRONG), 16, 36, 0, value=full_name),
        Column("next", "NEXT", _next, 8, 12, 1, value=lambda one: one.next[0] if one.next else None),
        Column("when", "WHEN", _when, 12, 36, 2),
        Column("jobs", "JOBS", lambda one, _: (clean(" ".join(one.jobs)), Tone.PLAIN), 8, 40, 4),
        Column("last", "LAST", _last, 10, 11, 5, value=lambda one: one.last),
        Column("builds", "CAME", _builds, 11, 11, 3),
        Column("outcome", "OUTCOME", lambda one, _: (clean(one.outcome) or "-", Tone.DIM), 12, 60, 6),
        Column("missed", "MISSED", lambda one, _: (one.missed, Tone.DIM), 6, 8, 8, chosen=False),
        Column("overlap", "OVERLAP", lambda one, _: (one.overlap, Tone.DIM), 7, 10, 8, chosen=False),
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "switch", "On or off", id="schedule.switch"),
        Binding("t", "fire", "Run now", id="schedule.fire"),
        Binding("b", "builds", "Builds of its jobs", show=False, id="schedule.builds"),
    ]

    def key_of(self, row: Any) -> str:  # noqa: ANN401 - a ScheduleView
        """See Listed."""
        return full_name(cast("ScheduleView", row))

    def source(self, wish: Wish) -> Rows:
        """See Listed."""
        values = {one.name: one.value for one in self.COLUMNS if one.value}
        order = [(values[name], down) for name, down in self.table.order.items() if name in values]

        async def fetch() -> Sequence[ScheduleView]:
            found: Schedules = await self.feed.call("schedules.list", next=1)
            return found.schedules

        return Listing(fetch, self.wanted(wish), order)

    def on_open(self, row: Any) -> None:  # noqa: ANN401 - a ScheduleView
        """See Listed."""
        name = full_name(cast("ScheduleView", row))

        async def lines() -> Lines:
            found: Schedules = await self.feed.call("schedules.list", schedule=name, next=AHEAD)
            if not found.schedules:
                raise NotFound(f"there is no schedule {name} any more")
            return telling_schedule(found.schedules[0], self.console.now())

        self.console.show(
            DocumentScreen(self.PLACE, f"Schedule {clean(name)}", lines, commands.of("schedules", "next", name))
        )

    def action_switch(self) -> None:
        """Switch a schedule on or off."""
        found: ScheduleView | None = self.table.current
        if found is None:
            return
        verb, says = ("disable", "It does not fire any more.") if found.enabled else ("enable", "It fires again.")
        self.ask_to(
            Deed(
                f"{verb.capitalize()} {clean(full_name(found))}?",
                [says, "What its job file says is kept; applying the file again does not change this."],
                commands.of("schedules", verb, full_name(found)),
                [("schedules.set", {"schedule": full_name(found), "enabled": not found.enabled})],
            )
        )

    def action_fire(self) -> None:
        """Submit now what a schedule submits."""
        found: ScheduleView | None = self.table.current
        if found is not None:
            self.ask_to(
                Deed(
                    f"Run {clean(full_name(found))} now?",
                    [f"It submits {clean(', '.join(found.jobs))}; its own turns are not touched."],
                    commands.of("schedules", "run", full_name(found)),
                    [("schedules.fire", {"schedule": full_name(found)})],
                    "Accepted",
                )
            )

    def action_builds(self) -> None:
        """Show the builds of the jobs of a schedule."""
        found: ScheduleView | None = self.table.current
        if found is not None:
            self.console.show_builds(f"project:{found.project} job:{','.join(found.jobs)}")

    def command(self) -> str:
        """See Place."""
        return commands.of("schedules")


def telling_schedule(found: ScheduleView, moment: datetime) -> Lines:
    """Return everything about a schedule."""
    return [
        text("schedule", full_name(found)),
        fact("fires", ("yes", Tone.GOOD) if found.enabled else ("no: it is switched off", Tone.WARN)),
        text("when", f"{found.cron} ({found.timezone})"),
        text("jobs", ", ".join(found.jobs)),
        text("missed", found.missed),
        text("overlap", found.overlap),
        text("last", f"{ago(found.last, moment)}: {found.outcome}" if found.last else "it has not fired yet"),
        *section("PARAMETERS", pairs(found.parameters)),
        *section("NEXT", [[(f"  {clean(at)}", Tone.PLAIN)] for at in found.next if at]),
        *section(
            "BUILDS",
            [
                [("  ", Tone.PLAIN), state(one.state), (clean(f"  {one.project}/{one.job}#{one.number}"), Tone.PLAIN)]
                for one in found.builds
            ],
        ),
    ]
