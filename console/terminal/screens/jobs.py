"""The screen Jobs: what is defined, how it went last, and running it with parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, cast

from textual.binding import Binding, BindingType

from ....core.api.builds import Builds
from ....core.api.jobs import Jobs, OneJob
from ....core.errors import OrchestraError
from ....core.views.builds import BuildSummary
from ....core.views.jobs import JobView, ParameterDefinition, StepDefinition
from ...feed.listing import Listing, Rows
from ...feed.words import Wish
from ...format import age, duration
from .. import commands
from ..cells import Part, Tone, clean, state
from ..columns import Column
from ..telling import Lines, pairs, section, text
from .document import DocumentScreen
from .listed import Listed
from .trigger import TriggerScreen

RECENT = 200
"""Builds among which the last one of each job is looked for."""


def full_name(job: JobView) -> str:
    """Return `project/job`, clean."""
    return clean(f"{job.project}/{job.name}")


def _parameters(job: JobView, _: datetime) -> Part:
    shown = " ".join(f"{one.name}{'!' if one.required else ''}" for one in job.parameters)
    return clean(shown), Tone.PLAIN


def _steps(job: JobView, _: datetime) -> Part:
    return clean(" ".join(one.name for one in job.steps)), Tone.DIM


def _priority(job: JobView, _: datetime) -> Part:
    return str(job.priority), Tone.DIM


class JobsScreen(Listed):
    """All definitions."""

    PLACE = "jobs"
    INTEREST = frozenset({"job", "build", "standing"})
    ORDER: ClassVar[Mapping[str, bool]] = {"job": False}
    EMPTY = "No jobs are defined.\n\nWrite an orchestra.yaml, then:  orchestra apply orchestra.yaml"
    NEEDS: ClassVar[dict[str, str]] = {"trigger": "builds.submit"}
    COLUMNS: ClassVar[Sequence[Column]] = (
        Column("job", "JOB", lambda one, _: (full_name(one), Tone.STRONG), 16, 40, 0, value=full_name),
        Column("last", "LAST", lambda _, __: ("", Tone.PLAIN), 11, 11, 1),
        Column("number", "NO", lambda _, __: ("", Tone.DIM), 4, 8, 3, right=True),
        Column("when", "AGE", lambda _, __: ("", Tone.DIM), 6, 7, 2, right=True),
        Column("parameters", "PARAMETERS", _parameters, 12, 40, 5),
        Column("runs_on", "RUNS ON", lambda one, _: (clean(" ".join(one.runs_on)), Tone.DIM), 8, 30, 6),
        Column("steps", "STEPS", _steps, 8, 40, 7),
        Column("description", "DESCRIPTION", lambda one, _: (clean(one.description), Tone.PLAIN), 12, 60, 4),
        Column("priority", "PRIO", _priority, 4, 6, 8, right=True, value=lambda one: one.priority, chosen=False),
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "trigger", "Trigger", id="job.trigger"),
        Binding("b", "builds", "Its builds", id="job.builds"),
        Binding("p", "graph", "Graph", id="job.graph"),
    ]

    def __init__(self) -> None:
        """Show all jobs."""
        self._last: dict[tuple[str, str], BuildSummary] = {}
        super().__init__()

    def columns(self) -> Sequence[Column]:
        """See Listed: what is known of the last build is looked up in the screen."""
        shows = {"last": self._state, "number": self._number, "when": self._age}
        return tuple(replace(one, show=shows[one.name]) if one.name in shows else one for one in self.COLUMNS)

    def _build(self, job: JobView) -> BuildSummary | None:
        return self._last.get((job.project, job.name))

    def _state(self, job: JobView, _: datetime) -> Part:
        build = self._build(job)
        return state(build.state) if build else ("-", Tone.DIM)

    def _number(self, job: JobView, _: datetime) -> Part:
        build = self._build(job)
        return (f"#{build.number}" if build else "", Tone.DIM)

    def _age(self, job: JobView, now: datetime) -> Part:
        build = self._build(job)
        return (age(build.created, now) if build else "", Tone.DIM)

    def key_of(self, row: Any) -> str:  # noqa: ANN401 - a JobView
        """See Listed."""
        return full_name(cast("JobView", row))

    def source(self, wish: Wish) -> Rows:
        """See Listed."""
        values = {one.name: one.value for one in self.COLUMNS if one.value}
        order = [(values[name], down) for name, down in self.table.order.items() if name in values]

        async def fetch() -> Sequence[JobView]:
            found: Jobs = await self.feed.call("jobs.list")
            recent: Builds = await self.feed.call("builds.list", order="-created", limit=RECENT)
            for build in reversed(recent.builds):
                self._last[build.project, build.job] = build
            for job in found.jobs:
                if (job.project, job.name) not in self._last:
                    await self._look_back(job)
            return found.jobs

        return Listing(fetch, self.wanted(wish), order)

    async def _look_back(self, job: JobView) -> None:
        """Ask for the last build of a job that has none among the recent ones."""
        try:
            where = {"project": job.project, "job": job.name}
            found: Builds = await self.feed.call("builds.list", where=where, order="-number", limit=1)
        except OrchestraError:
            return
        if found.builds:
            self._last[job.project, job.name] = found.builds[0]

    def on_open(self, row: Any) -> None:  # noqa: ANN401 - a JobView
        """See Listed."""
        job = cast("JobView", row)

        async def lines() -> Lines:
            found: OneJob = await self.feed.call("jobs.get", job=f"{job.project}/{job.name}")
            return telling_job(found.job)

        command = commands.of("jobs", job.project)
        self.console.show(DocumentScreen(self.PLACE, f"Job {full_name(job)}", lines, command))

    def action_trigger(self) -> None:
        """Run the job under the cursor."""
        job: JobView | None = self.table.current
        if job is not None:
            self.console.show(TriggerScreen(job))

    def action_graph(self) -> None:
        """Show the jobs of the project as they need each other."""
        job: JobView | None = self.table.current
        if job is not None:
            from .pipeline import ProjectScreen

            self.console.show(ProjectScreen(job.project, self._last))

    def action_builds(self) -> None:
        """Show the builds of the job under the cursor."""
        job: JobView | None = self.table.current
        if job is not None:
            self.console.show_builds(f"project:{job.project} job:{job.name}")

    def command(self) -> str:
        """See Place."""
        return commands.of("jobs")


def telling_job(job: JobView) -> Lines:
    """Return everything about a job."""
    lines = [
        text("job", f"{job.project}/{job.name}"),
        text("about", job.description or "-"),
        text("runs on", " ".join(job.runs_on) or "any agent"),
        text("timeout", duration(job.timeout) if job.timeout else "none"),
        text("priority", job.priority),
        text("shell", " ".join(job.shell)),
    ]
    return [
        *lines,
        *section("PARAMETERS", [_told_parameter(one) for one in job.parameters]),
        *section("ENVIRONMENT", pairs(job.env)),
        *section("STEPS", [line for step in job.steps for line in _told_step(step)]),
    ]


def _told_parameter(one: ParameterDefinition) -> list[Part]:
    given = "required" if one.required else "optional" if one.default is None else f"default {one.default!r}"
    choices = f", one of {', '.join(one.choices)}" if one.choices else ""
    return [(f"  {clean(one.name)}  ", Tone.STRONG), (clean(f"{given}{choices}  {one.description}"), Tone.DIM)]


def _told_step(step: StepDefinition) -> Lines:
    run = step.run if isinstance(step.run, str) else " ".join(step.run)
    when = f"  when {step.when}" if step.when != "success" else ""
    head: list[Part] = [(f"  {clean(step.name)}", Tone.STRONG), (when, Tone.DIM)]
    body: Lines = [[("    ", Tone.PLAIN), (clean(one), Tone.PLAIN)] for one in run.rstrip().split("\n")]
    return [head, *body]
