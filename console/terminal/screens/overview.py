"""The screen Overview: what runs and how far it is, what waits and why, how busy agents are, what has begun to fail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container

from ....core.api.agents import Agents
from ....core.api.builds import Builds, Why
from ....core.browsing import FailingView
from ....core.errors import OrchestraError
from ....core.views.agents import AgentView
from ....core.views.builds import BuildSummary
from ...feed.contract import Link
from ...feed.insight import progress
from ...feed.listing import Listing
from ...format import age, between, duration
from .. import commands
from ..cells import Part, Tone, bar, clean, sparkline, state
from ..columns import Column
from ..doing import BuildActions
from ..statusline import StatusLine
from ..table import Table

if TYPE_CHECKING:
    from textual.widget import Widget

SHOWN = 50
"""Builds in each of the lists; Builds (2) has all."""

EXPLAINED = 10
"""Waiting builds for which the reason is asked."""

WIDE = 120
"""Columns from which on the lists stand side by side."""


def _job(build: BuildSummary, _: datetime) -> Part:
    return clean(f"{build.project}/{build.job}"), Tone.PLAIN


def _number(build: BuildSummary, _: datetime) -> Part:
    return f"#{build.number}", Tone.DIM


def _took(build: BuildSummary, now: datetime) -> Part:
    return duration(between(build.started, None, now)), Tone.BUSY


def _waits(build: BuildSummary, now: datetime) -> Part:
    return age(build.created, now), Tone.DIM


def _slots(agent: AgentView, _: datetime) -> Part:
    used, total = agent.slots.get("used", 0), agent.slots.get("total", 0)
    return f"{used}/{total}", Tone.BUSY if used else Tone.DIM


def _failing_job(found: FailingView, _: datetime) -> Part:
    return clean(f"{found.project}/{found.job}"), Tone.PLAIN


def _since(found: FailingView, _: datetime) -> Part:
    return f"#{found.since.number}", Tone.BAD


def _for(found: FailingView, now: datetime) -> Part:
    return age(found.since.finished or found.since.created, now), Tone.DIM


def _last(found: FailingView, _: datetime) -> Part:
    return f"#{found.last}", Tone.DIM


class OverviewScreen(BuildActions):
    """Everything at a glance."""

    PLACE = "overview"
    INTEREST = frozenset({"build", "agent", "job", "standing"})

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Next list", id="part.next"),
    ]

    DEFAULT_CSS = """
    OverviewScreen #lists { layout: vertical; height: 1fr; }
    OverviewScreen Table { height: 1fr; padding: 0; margin: 0 0 1 0; }
    OverviewScreen #running { height: 2fr; min-height: 3; }
    OverviewScreen #failing { margin: 0; }
    OverviewScreen.-wide #lists { layout: grid; grid-size: 2 2; grid-columns: 3fr 2fr; grid-rows: 2fr 1fr; }
    OverviewScreen.-wide Table { height: 100%; margin: 0 1 0 0; }
    """

    def __init__(self) -> None:
        """Show everything that lives."""
        super().__init__()
        self._reasons: dict[str, str] = {}
        self._names: dict[str, str] = {}  # agent id -> name
        self.running_table = Table(self._running_columns(), _key, empty="Nothing runs.", id="running")
        self.waiting_table = Table(self._waiting_columns(), _key, empty="Nothing waits.", id="waiting")
        self.agent_table = Table(self._agent_columns(), _key, empty="No agents.", id="agents")
        self.failing_table = Table(
            self._failing_columns(), lambda one: one.since.id, empty="No job's last build failed.", id="failing"
        )
        self._tables = (self.running_table, self.waiting_table, self.agent_table, self.failing_table)

    def body(self) -> Iterable[Widget]:
        """See Place."""
        yield StatusLine("queue")
        with Container(id="lists"):
            yield self.running_table
            yield self.agent_table
            yield self.waiting_table
            yield self.failing_table

    # -- columns

    def _running_columns(self) -> Sequence[Column]:
        return (
            Column("job", "RUNNING", _job, 16, 32, 0),
            Column("number", "NO", _number, 4, 8, 2, right=True),
            Column("progress", "PROGRESS", self._progress, 10, 18, 1),
            Column("took", "TOOK", _took, 6, 7, 3, right=True),
            Column("agent", "ON", self._where, 8, 20, 4),
            Column("requester", "BY", lambda one, _: (clean(one.requester), Tone.DIM), 10, 20, 6),
        )

    def _waiting_columns(self) -> Sequence[Column]:
        return (
            Column("job", "WAITING", _job, 16, 32, 0),
            Column("number", "NO", _number, 4, 8, 2, right=True),
            Column("waits", "FOR", _waits, 6, 7, 3, right=True),
            Column("why", "BECAUSE", lambda one, _: (self._reasons.get(one.id, ""), Tone.DIM), 16, 80, 1),
        )

    def _agent_columns(self) -> Sequence[Column]:
        return (
            Column("name", "AGENTS", lambda one, _: (clean(one.name), Tone.PLAIN), 10, 24, 0),
            Column("state", "STATE", lambda one, _: state(one.state), 13, 13, 1),
            Column("slots", "SLOTS", _slots, 5, 7, 2, right=True),
            Column("load", "LOAD", self._load, 8, 16, 3),
            Column("roles", "ROLES", lambda one, _: (clean(",".join(one.roles)), Tone.DIM), 12, 24, 5),
        )

    @staticmethod
    def _failing_columns() -> Sequence[Column]:
        return (
            Column("job", "FAILING", _failing_job, 16, 32, 0),
            Column("since", "SINCE", _since, 5, 8, 1, right=True),
            Column("for", "FOR", _for, 6, 7, 3, right=True),
            Column("last", "LAST", _last, 4, 8, 4, right=True),
            Column("why", "WHY", lambda one, _: (clean(one.since.reason), Tone.DIM), 12, 60, 2),
        )

    def _progress(self, build: BuildSummary, now: datetime) -> Part:
        usual = self.console.insight.known(build.project, build.job)
        share = progress(build, usual, now)
        if share is None:
            return "·" * 10, Tone.DIM
        return f"{bar(share, 10)} {share:>4.0%}", Tone.BUSY

    def _where(self, build: BuildSummary, _: datetime) -> Part:
        return clean(self._names.get(build.agent or "", build.agent or "")), Tone.DIM

    def _load(self, agent: AgentView, _: datetime) -> Part:
        return sparkline(self.console.loads.of(agent.id), 16), Tone.BUSY

    # -- asking

    def on_mount(self) -> None:
        """The screen is there."""
        self.set_class(self.app.size.width >= WIDE, "-wide")
        for table, fetch in zip(
            self._tables,
            (self._fetch_running, self._fetch_waiting, self._fetch_agents, self._fetch_failing),
            strict=True,
        ):
            table.show(Listing(fetch))
        self.running_table.focus()
        super().on_mount()

    def on_resize(self) -> None:
        """The terminal has another size."""
        self.set_class(self.app.size.width >= WIDE, "-wide")

    def ask(self) -> None:
        """See Place."""
        for table in self._tables:
            if table.loaded:
                table.look_again()
            elif table.problem:
                table.reload()
        self._say()

    async def _fetch_running(self) -> Sequence[BuildSummary]:
        found: Builds = await self.feed.call(
            "builds.list", where={"state": ["running", "assigned"]}, order="-created", limit=SHOWN
        )
        await self.console.insight.learn((one.project, one.job) for one in found.builds)
        return found.builds

    async def _fetch_waiting(self) -> Sequence[BuildSummary]:
        found: Builds = await self.feed.call("builds.list", where={"state": "pending"}, order="created", limit=SHOWN)
        if "builds.explain" in self.feed.methods:
            self._reasons = {build.id: await self._reason(build) for build in found.builds[:EXPLAINED]}
        return found.builds

    async def _reason(self, build: BuildSummary) -> str:
        try:
            why: Why = await self.feed.call("builds.explain", id=build.id)
        except OrchestraError:
            return self._reasons.get(build.id, "")
        return clean("; ".join(why.reasons))

    async def _fetch_agents(self) -> Sequence[AgentView]:
        found: Agents = await self.feed.call("agents.list")
        self.console.agents = found.agents
        self._names = {one.id: one.name for one in found.agents}
        return found.agents

    async def _fetch_failing(self) -> Sequence[FailingView]:
        return await self.console.insight.failing()

    def tick(self) -> None:
        """See Place."""
        super().tick()
        for table in self._tables:
            table.tick()
        self._say()

    @on(Table.Moved)
    def _on_moved(self) -> None:
        self._say()

    def _say(self) -> None:
        if not self.stands:
            return
        line = self.query_one("#queue", StatusLine)
        status = self.feed.standing.status
        parts: list[Part] = []
        if status is not None:
            queue, agents = status.queue, status.agents
            old = Tone.DIM if self.feed.standing.link is Link.LIVE else Tone.WARN
            parts += [
                (f"{queue.get('running', 0):,} running", Tone.BUSY),
                (f"   {queue.get('pending', 0):,} waiting", Tone.PLAIN if queue.get("pending") else Tone.DIM),
                (f"   {agents.get('ready', 0)} agents ready", Tone.GOOD if agents.get("ready") else Tone.BAD),
            ]
            if agents.get("unreachable"):
                parts.append((f"   {agents['unreachable']} unreachable", Tone.BAD))
            parts.append((f"   store {clean(status.store.partition(':')[0])}   version {clean(status.version)}", old))
        problem = next((one.problem for one in self._tables if one.problem and one.rows), "")
        if problem:
            parts = [(f"not up to date: {problem}", Tone.WARN)]
        line.say(parts)

    # -- doing

    @property
    def _focused_table(self) -> Table:
        return self.focused if isinstance(self.focused, Table) else self.running_table

    def targets(self) -> list[BuildSummary]:
        """See BuildActions."""
        found = self._focused_table.selected
        builds = [one.since if isinstance(one, FailingView) else one for one in found]
        return [one for one in builds if isinstance(one, BuildSummary)]

    @on(Table.Opened)
    def _on_opened(self, event: Table.Opened) -> None:
        from .build import BuildScreen

        row: Any = event.row
        if isinstance(row, AgentView):
            self.console.show_builds(f"agent:{row.name}")
        else:
            self.console.show(BuildScreen(cast("BuildSummary", row.since if isinstance(row, FailingView) else row)))

    def command(self) -> str:
        """See Place."""
        table = self._focused_table
        if table is self.agent_table:
            return commands.of("agents")
        states = {self.running_table: ["running", "assigned"], self.waiting_table: ["pending"]}
        return commands.builds({"state": states[table]} if table in states else {"state": ["failed", "error", "lost"]})


def _key(row: Any) -> str:  # noqa: ANN401 - of any of the lists
    return row.id
