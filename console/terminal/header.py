"""The head of every screen: network, master, term, quorum, round trip, age of the data; then the screens.

It never lies about how fresh things are: the age counts on while nobody answers, and a line says why.
"""

from typing import ClassVar

from textual import events
from textual.message import Message
from textual.strip import Strip

from ..feed.contract import Link, Standing
from ..format import duration
from .cells import Part, Tone, cells, clean, middle
from .painted import Painted

PLACES: dict[str, tuple[str, str]] = {
    "overview": ("1", "Overview"),
    "builds": ("2", "Builds"),
    "pipelines": ("3", "Pipelines"),
    "jobs": ("4", "Jobs"),
    "agents": ("5", "Agents"),
    "tasks": ("6", "Tasks"),
    "schedules": ("7", "Schedules"),
    "store": ("8", "Store"),
}
"""Name of a screen -> its key and title, in the order in which they are shown."""

STALE_S = 3.0
"""Seconds after which data counts as old."""


class Header(Painted):
    """Two lines, and a third one where there is something to say."""

    DEFAULT_CSS = """
    Header { height: 2; width: 1fr; background: $panel; }
    Header.-told { height: 3; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = set()

    class Chosen(Message):
        """Somebody clicked on a screen's name."""

        def __init__(self, place: str) -> None:
            """Tell of `place`."""
            super().__init__()
            self.place = place

    def __init__(self, place: str) -> None:
        """Show the head of the screen `place`."""
        super().__init__()
        self._place = place
        self._standing = Standing(Link.SEEKING)
        self._age: float | None = None
        self._readonly = False

    def tell(self, standing: Standing, now: float, *, readonly: bool) -> None:
        """Show how the feed stands; `now` by its clock."""
        age = None if standing.heard is None else now - standing.heard + (standing.status.age if standing.status else 0)
        before = self._shown()
        self._standing, self._age, self._readonly = standing, age, readonly
        self.set_class(bool(self._notice()), "-told")
        if self._shown() != before:
            self.refresh()

    def _shown(self) -> tuple[list[Part], list[Part]]:
        return self._facts(), self._notice()

    def render_line(self, y: int) -> Strip:
        """See Widget."""
        width = self.size.width
        if y == 0:
            return self.drawn(self._spread(self._facts(), width), width)
        if y == 1:
            return self.drawn(self._tabs(width), width)
        return self.drawn(self._notice(), width)

    # -- what is said

    def _facts(self) -> list[Part]:
        standing, status = self._standing, self._standing.status
        if standing.link is Link.STORE:
            return [(" store ", Tone.STRONG), (clean(standing.source), Tone.PLAIN), ("no network, read-only", Tone.DIM)]
        if status is None:
            return [(" no network yet", Tone.STRONG), (f"looking for an agent on {clean(standing.source)}", Tone.WARN)]
        parts: list[Part] = [(f" {middle(clean(status.network.name), 24)}", Tone.STRONG)]
        live = standing.link is Link.LIVE
        if not live:
            parts.append(("✗ DISCONNECTED", Tone.BAD))
        elif status.master is None:
            parts.append(("✗ NO MASTER", Tone.BAD))
        else:
            parts.append((f"master {middle(clean(status.master.name), 20)}", Tone.GOOD))
        parts.append((f"term {status.term}", Tone.DIM))
        if status.quorum or not live:
            parts.append((f"quorum of {len(status.voters)}", Tone.DIM))
        else:
            parts.append(("✗ NO QUORUM", Tone.BAD))
        if live:
            parts.append((f"via {middle(clean(status.agent.name), 16)}", Tone.DIM))
            parts.append((_round_trip(standing.round_trip or 0.0), Tone.DIM))
        parts.append(self._freshness())
        if self._readonly:
            parts.append(("READ-ONLY", Tone.WARN))
        return parts

    def _freshness(self) -> Part:
        age = self._age or 0.0
        if self._standing.link is Link.LIVE and age < STALE_S:
            return ("● live", Tone.GOOD)
        return (f"data {duration(float(int(age)))} old" if age >= 1 else "data just now", Tone.WARN)

    def _notice(self) -> list[Part]:
        standing = self._standing
        if standing.link in {Link.LOST, Link.SEEKING} and standing.problem:
            return [(f" {standing.problem}", Tone.WARN)]
        notices = standing.status.notices if standing.status else []
        if not notices:
            return []
        more = f"  (and {len(notices) - 1} more: see Overview)" if len(notices) > 1 else ""
        return [(f" {clean(notices[0])}", Tone.WARN), (more, Tone.DIM)]

    @staticmethod
    def _spread(parts: list[Part], width: int) -> list[Part]:
        """Put two spaces, or as little as there is room for, between facts."""
        gap = "  " if sum(cells(text) + 2 for text, _ in parts) <= width else " "
        return [one for part in parts for one in (part, (gap, Tone.PLAIN))]

    def _tabs(self, width: int) -> list[Part]:
        wide = sum(len(key) + len(title) + 4 for key, title in PLACES.values()) <= width
        line: list[Part] = [(" ", Tone.PLAIN)]
        for name, (key, title) in PLACES.items():
            here = name == self._place
            line += [
                (key, Tone.ACCENT),
                (f" {title}", Tone.HERE if here else Tone.DIM),
                ("   " if wide else " ", Tone.PLAIN),
            ]
        return line

    def on_click(self, event: events.Click) -> None:
        """Somebody clicked on a screen's name."""
        if event.y != 1:
            return
        place = 0
        wide = sum(len(key) + len(title) + 4 for key, title in PLACES.values()) <= self.size.width
        for name, (key, title) in PLACES.items():
            end = place + 1 + len(key) + 1 + len(title) + (2 if wide else 0)
            if place <= event.x < end:
                self.post_message(self.Chosen(name))
                return
            place += len(key) + 1 + len(title) + (3 if wide else 1)


def _round_trip(seconds: float) -> str:
    """Return whole milliseconds: smaller parts are another each time, and say nothing."""
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "< 1 ms"  # noqa: PLR2004 - a millisecond
