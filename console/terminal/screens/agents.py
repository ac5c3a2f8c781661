"""The screen Agents: who works, how busy; letting machines in, and taking agents out of work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.binding import Binding, BindingType

from ....core.api.agents import Agents
from ....core.api.network import Invitation, JoinRequest, JoinRequests, Links
from ....core.api.tasks import OneTask
from ....core.errors import InvalidInput, OrchestraError
from ....core.views.agents import AgentView
from ...feed.contract import Link
from ...feed.listing import Listing, Rows
from ...feed.words import Wish
from ...format import amount, duration, label_words, offer_words
from .. import commands
from ..cells import Part, Tone, bar, clean, sparkline, state
from ..columns import Column
from ..dialogs import Confirm, Line
from ..statusline import StatusLine
from ..telling import Lines, fact, pairs, section, text
from .base import Deed, names
from .document import DocumentScreen
from .listed import Listed

if TYPE_CHECKING:
    from textual.widget import Widget

REQUESTS_S = 2
"""Seconds between two looks at who waits for being let in: nothing tells of that."""

MOST_SLOTS = 1000
"""Builds at a time that nobody means to exceed."""

LOAD = 16
"""Cells of the picture of an agent's load."""


def _slots(agent: AgentView, _: datetime) -> Part:
    used, total = agent.slots.get("used", 0), agent.slots.get("total", 0)
    return f"{used}/{total} {bar(used / total if total else 0, 5)}", Tone.BUSY if used else Tone.DIM


def _labels(agent: AgentView, _: datetime) -> Part:
    return clean(label_words(agent.labels)), Tone.DIM


def _resources(agent: AgentView, _: datetime) -> Part:
    shown = (f"{name} {amount(name, one.used, one.total)}" for name, one in sorted(agent.resources.items()))
    return clean("  ".join(shown)) or "-", Tone.DIM


def _offer(agent: AgentView, _: datetime) -> Part:
    return clean(offer_words(agent.offer, agent.paused)) or "-", Tone.WARN if agent.paused else Tone.DIM


class AgentsScreen(Listed):
    """All agents."""

    PLACE = "agents"
    INTEREST = frozenset({"agent", "build", "standing"})
    FIELDS: ClassVar[Mapping[str, str]] = {}
    ORDER: ClassVar[Mapping[str, bool]] = {"name": False}
    EMPTY = "No agents.\n\nStart one:  orchestra up"
    NEEDS: ClassVar[dict[str, str]] = {
        "enable": "agents.set",
        "disable": "agents.set",
        "drain": "agents.set",
        "slots": "agents.offer",
        "remove": "agents.remove",
        "invite": "network.invite",
        "approve": "network.approve",
    }
    COLUMNS: ClassVar[Sequence[Column]] = (
        Column("name", "NAME", lambda one, _: (clean(one.name), Tone.STRONG), 10, 24, 0, value=lambda one: one.name),
        Column("state", "STATE", lambda one, _: state(one.state), 13, 13, 1, value=lambda one: one.state),
        Column("slots", "SLOTS", _slots, 9, 12, 2, value=lambda one: one.slots.get("used", 0)),
        Column("load", "LOAD", lambda _, __: ("", Tone.BUSY), 6, LOAD, 4),
        Column("roles", "ROLES", lambda one, _: (clean(",".join(one.roles)), Tone.PLAIN), 12, 22, 3),
        Column("offer", "OFFER", _offer, 8, 40, 5),
        Column("resources", "RESOURCES", _resources, 12, 60, 7, chosen=False),
        Column("version", "VERSION", lambda one, _: (clean(one.version), Tone.DIM), 7, 12, 7),
        Column("labels", "LABELS", _labels, 16, 200, 6),
        Column("id", "ID", lambda one, _: (one.id, Tone.DIM), 16, 16, 8, value=lambda one: one.id),
        Column(
            "addresses", "ADDRESSES", lambda one, _: (clean(" ".join(one.addresses)), Tone.DIM), 16, 60, 7, chosen=False
        ),
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "disable", "Disable", id="agent.disable"),
        Binding("e", "enable", "Enable", id="agent.enable"),
        Binding("D", "drain", "Drain", id="agent.drain"),
        Binding("s", "slots", "Slots", id="agent.slots"),
        Binding("p", "approve", "Approve", id="agent.approve"),
        Binding("I", "invite", "Invite", show=False, id="agent.invite"),
        Binding("X", "remove", "Remove", show=False, id="agent.remove"),
        Binding("b", "builds", "Its builds", show=False, id="agent.builds"),
    ]

    def __init__(self) -> None:
        """Show all agents."""
        super().__init__()
        self._requests: list[JoinRequest] = []
        self._seconds = 0

    def columns(self) -> Sequence[Column]:
        """See Listed."""
        return tuple(replace(one, show=self._load) if one.name == "load" else one for one in self.COLUMNS)

    def _load(self, agent: AgentView, _: datetime) -> Part:
        return sparkline(self.console.loads.of(agent.id), LOAD), Tone.BUSY

    def body(self) -> Iterable[Widget]:
        """See Place."""
        yield StatusLine("requests")
        yield from super().body()

    def key_of(self, row: Any) -> str:  # noqa: ANN401 - an AgentView
        """See Listed."""
        return cast("AgentView", row).id

    def source(self, wish: Wish) -> Rows:
        """See Listed."""
        values = {one.name: one.value for one in self.COLUMNS if one.value}
        order = [(values[name], down) for name, down in self.table.order.items() if name in values]

        async def fetch() -> Sequence[AgentView]:
            found: Agents = await self.feed.call("agents.list")
            self.console.agents = found.agents
            return found.agents

        return Listing(fetch, self.wanted(wish), order)

    def on_open(self, row: Any) -> None:  # noqa: ANN401 - an AgentView
        """See Listed."""
        agent = cast("AgentView", row)

        async def lines() -> Lines:
            links = Links([], {}, [])
            if "network.links" in self.feed.methods:
                links = await self.feed.call("network.links")
            return telling_agent(self.console.agent(agent.id) or agent, links)

        self.console.show(DocumentScreen(self.PLACE, f"Agent {clean(agent.name)}", lines, commands.of("network")))

    def command(self) -> str:
        """See Place."""
        return commands.of("agents")

    # -- who waits for being let in

    def tick(self) -> None:
        """See Place."""
        super().tick()
        self._seconds += 1
        if self._seconds % REQUESTS_S == 0 and self.feed.standing.link is Link.LIVE and self.table.loaded:
            self.run_worker(self._ask_requests, group="requests", exclusive=True)

    def ask(self) -> None:
        """See Place."""
        super().ask()
        if "network.requests" in self.feed.methods:
            self.run_worker(self._ask_requests, group="requests", exclusive=True)

    async def _ask_requests(self) -> None:
        if "network.requests" not in self.feed.methods:
            return
        try:
            found: JoinRequests = await self.feed.call("network.requests")
        except OrchestraError:
            return  # who may not see them, or cannot now, is told so when approving
        self._requests = found.requests
        if not self.stands:
            return
        line = self.query_one("#requests", StatusLine)
        line.display = bool(self._requests)
        if self._requests:
            first = self._requests[0]
            more = f" and {len(self._requests) - 1} more" if len(self._requests) > 1 else ""
            line.say(
                [
                    (f"{clean(first.name)} at {clean(first.address)}{more} wants to join", Tone.WARN),
                    (f", for {duration(first.expires)} still: compare the code it shows, then p", Tone.DIM),
                ]
            )

    def action_approve(self) -> None:
        """Let a machine in whose code one has compared."""
        waiting = [
            f"{clean(one.name)} at {clean(one.address)}, version {clean(one.version)}, {duration(one.expires)} left"
            for one in self._requests
        ]
        title = "Which code does the machine show that you mean to let in?"
        hint = "482-913; a wrong one refuses all that wait"
        self.app.push_screen(Line(title, hint=hint, check=_check_code, about=waiting), self._approve)

    def _approve(self, code: str | None) -> None:
        if code:
            self.do(
                self.feed.call("network.approve", code=code.strip()),
                lambda found: self.console.tell(cast("OneTask", found).task.outcome, "Let in"),
            )

    def action_invite(self) -> None:
        """Make an invitation, and copy it."""
        effects = [
            "Whoever has it can join one machine within an hour, and so run builds everywhere: treat it as a password.",
            "It is copied to the clipboard; there: orchestra join TOKEN",
        ]

        def answered(yes: bool | None) -> None:
            if yes:
                self.do(self.feed.call("network.invite"), self._invited)

        self.app.push_screen(
            Confirm("Make an invitation?", effects, commands.of("invite"), self.console.copy), answered
        )

    def _invited(self, found: Invitation) -> None:
        self.app.copy_to_clipboard(found.token)
        self.console.tell(f"Copied; good for one machine, until {found.expires}", "Invitation")

    # -- taking agents out of work, and back

    def action_enable(self) -> None:
        """Let agents take builds again."""
        self._set("Enable", "enable", ["It gets builds again."], {"enabled": True, "draining": False})

    def action_disable(self) -> None:
        """Give agents no new builds."""
        self._set("Disable", "disable", ["It gets no new builds; what it runs goes on."], {"enabled": False})

    def action_drain(self) -> None:
        """Let agents finish what they have."""
        self._set("Drain", "drain", ["It finishes what it has and gets nothing new."], {"draining": True})

    def _set(self, does: str, verb: str, effects: Sequence[str], change: dict[str, Any]) -> None:
        found: list[AgentView] = self.table.selected
        if found:
            shown = names([clean(one.name) for one in found])
            command = "; ".join(commands.of(verb, one.name) for one in found)
            requests = [("agents.set", {"agent": one.id, **change}) for one in found]
            self.ask_to(Deed(f"{does} {shown}?", effects, command, requests))

    def action_slots(self) -> None:
        """Change how many builds run on agents at a time."""
        found: list[AgentView] = self.table.selected
        if found:
            shown = names([clean(one.name) for one in found])
            title = f"How many builds at a time may run on {shown}? Those that run now go on."
            total = str(found[0].slots.get("total", 0))
            self.app.push_screen(
                Line(title, total, "a number; 0: none", _check_slots), lambda text: self._set_slots(found, text)
            )

    def _set_slots(self, agents: Sequence[AgentView], text: str | None) -> None:
        if text is not None:
            slots = int(text)
            self.do_each([("agents.offer", {"agent": one.id, "slots": slots}) for one in agents])

    def action_remove(self) -> None:
        """Take an agent out of the network."""
        found: list[AgentView] = self.table.selected
        if found:
            effects = [
                "Its vote goes to another one first; then it is no member any more, and its key lets it in no more.",
                "What it runs is lost.",
            ]
            shown = names([clean(one.name) for one in found])
            command = "; ".join(commands.of("remove", one.name) for one in found)
            requests = [("agents.remove", {"agent": one.id}) for one in found]
            self.ask_to(Deed(f"Remove {shown} from the network?", effects, command, requests))

    def action_builds(self) -> None:
        """Show the builds of an agent."""
        agent: AgentView | None = self.table.current
        if agent is not None:
            self.console.show_builds(f"agent:{agent.name}")


def _check_code(code: str) -> None:
    if not code.strip():
        raise InvalidInput("type the code that the machine shows, as 482-913")


def _check_slots(text: str) -> None:
    if not text.strip().isascii() or not text.strip().isdecimal() or int(text) > MOST_SLOTS:
        raise InvalidInput(f"type a number of builds, 0 to {MOST_SLOTS}")


def telling_agent(agent: AgentView, links: Links) -> Lines:
    """Return everything about an agent."""
    link = next((one for one in links.links if one.id == agent.id), None)
    lines = [
        text("agent", f"{agent.name} ({agent.id})"),
        fact("state", state(agent.state)),
        text("roles", ", ".join(agent.roles) or "-"),
        text("slots", f"{agent.slots.get('used', 0)} of {agent.slots.get('total', 0)} taken"),
        text("offer", offer_words(agent.offer, agent.paused) or "-"),
        text("version", agent.version),
        text("addresses", " ".join(agent.addresses) or "-"),
    ]
    if link is not None:
        reached = "yes" if link.reachable else "no"
        lines += [
            text("reached", f"{reached}, silent for {duration(link.silence)}"),
            text("round trip", "-" if link.round_trip is None else f"{link.round_trip * 1000:.1f} ms"),
            text("clock", "-" if link.skew is None else f"{link.skew:+.3f} s"),
        ]
    resources = {name: amount(name, one.used, one.total) for name, one in agent.resources.items()}
    return [*lines, *section("RESOURCES", pairs(resources)), *section("LABELS", pairs(agent.labels))]
