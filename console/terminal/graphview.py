"""A graph on the screen: nodes with how they stand, a cursor that goes from node to node, panned as it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from .cells import STATES, Part, Tone, cells, clean, fit, middle
from .graph import Drawing, Spot, draw
from .painted import Painted


@dataclass(frozen=True)
class Vertex:
    """A node, as it is shown."""

    name: str  # by which others need it
    state: str  # see cells.STATES; empty: it has not been run
    needs: Sequence[str] = ()  # names
    detail: str = ""  # behind the name: how many of its matrix are done

    @property
    def text(self) -> str:
        """What is written on it, clean."""
        sign = STATES.get(self.state, ("·", Tone.DIM))[0]
        return f"{sign} {clean(self.name)}{' ' + self.detail if self.detail else ''}"


class GraphView(Painted, can_focus=True):
    """Shows a graph."""

    DEFAULT_CSS = """
    GraphView { height: 1fr; width: 1fr; background: $background; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "go(-1, 0)", "Left", show=False, id="graph.left"),
        Binding("right,l", "go(1, 0)", "Right", show=False, id="graph.right"),
        Binding("up,k", "go(0, -1)", "Up", show=False, id="graph.up"),
        Binding("down,j", "go(0, 1)", "Down", show=False, id="graph.down"),
        Binding("g,home", "first", "First job", show=False, id="graph.top"),
        Binding("G,end", "last", "Last job", show=False, id="graph.end"),
        Binding("enter", "open", "Open", id="graph.open"),
    ]

    class Opened(Message):
        """Somebody wants to see a node."""

        def __init__(self, name: str) -> None:
            """Tell of the node `name`."""
            super().__init__()
            self.name = name

    class Moved(Message):
        """The cursor stands on another node, or the graph is another one."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        """Show nothing yet."""
        super().__init__(id=id)
        self.empty = "Loading ..."
        self.current = ""  # name of the node under the cursor
        self._vertices: Mapping[str, Vertex] = {}
        self._drawing = Drawing({}, [], 0)
        self._x = self._y = 0  # what is scrolled out at the left, and above

    def show(self, nodes: Sequence[Vertex]) -> None:
        """Show these nodes; where one stands stays."""
        found = {one.name: one for one in nodes}
        if found == self._vertices:
            return
        self._vertices = found
        widths = {name: cells(one.text) for name, one in found.items()}
        self._drawing = draw({name: one.needs for name, one in found.items()}, widths)
        if self.current not in found:
            self.current = self._first()
        self._keep_visible()
        self.refresh()
        self.post_message(self.Moved())

    @property
    def position(self) -> str:
        """Whether there is more than is visible, and where."""
        drawing, width, height = self._drawing, self.size.width - 2, self.size.height
        signs = (
            ("◂", self._x > 0),
            ("▸", self._x + width < drawing.width),
            ("▴", self._y > 0),
            ("▾", self._y + height < len(drawing.lines)),
        )
        return " ".join(sign for sign, there in signs if there)

    # -- drawing

    def render_line(self, y: int) -> Strip:
        """See Widget."""
        width = self.size.width
        if not self._vertices:
            text = self.empty if y == self.size.height // 3 else ""
            return self.drawn([("  ", Tone.PLAIN), (text, Tone.DIM)], width)
        top = max(0, (self.size.height - len(self._drawing.lines)) // 3)
        line = self._y + y - top
        parts: list[Part] = [(" ", Tone.PLAIN)]
        place = self._x
        end = self._x + width - 2
        text = self._drawing.lines[line] if 0 <= line < len(self._drawing.lines) else ""
        here = sorted(
            ((spot, name) for name, spot in self._drawing.spots.items() if spot.y == line), key=lambda one: one[0].x
        )
        for spot, name in here:
            parts += self._between(text, place, min(spot.x, end))
            place = max(place, spot.x)
            if place < end:
                parts += self._node(name, spot, place - spot.x, min(spot.x + spot.width, end) - place)
                place = max(place, min(spot.x + spot.width, end))
        parts += self._between(text, place, end)
        return self.drawn(parts, width)

    @staticmethod
    def _between(text: str, begin: int, end: int) -> list[Part]:
        return [(text[begin:end].ljust(end - begin), Tone.DIM)] if end > begin else []

    def _node(self, name: str, spot: Spot, skipped: int, room: int) -> list[Part]:
        node = self._vertices[name]
        text = middle(node.text, spot.width)
        tone = STATES.get(node.state, ("", Tone.DIM))[1]
        used = cells(text)
        shown = fit(text, max(used, spot.width))[skipped : skipped + room] if skipped else text
        if name == self.current and self.has_focus:
            return [(fit(shown, room), Tone.HERE)]
        gap = max(0, room - cells(shown))
        line = "─" if self._leads_on(spot) else " "
        return [(fit(shown, min(room, cells(shown))), tone), (" " * min(1, gap) + line * max(0, gap - 1), Tone.DIM)]

    def _leads_on(self, spot: Spot) -> bool:
        line = self._drawing.lines[spot.y]
        return spot.x + spot.width < len(line) and line[spot.x + spot.width] != " "

    # -- moving

    def action_go(self, right: int, down: int) -> None:
        """Go to the nearest node in a direction."""
        spot = self._drawing.spots.get(self.current)
        if spot is None:
            return
        ahead = [
            (abs(one.column - spot.column) * 1000 + abs(one.y - spot.y) if right else abs(one.y - spot.y), name)
            for name, one in self._drawing.spots.items()
            if (one.column - spot.column) * right > 0
            or (down and one.column == spot.column and (one.y - spot.y) * down > 0)
        ]
        if ahead:
            self._to(min(ahead)[1])

    def action_first(self) -> None:
        """Go to the first node."""
        self._to(self._first())

    def action_last(self) -> None:
        """Go to the last node."""
        spots = self._drawing.spots
        self._to(max(spots, key=lambda name: (spots[name].column, spots[name].y), default=""))

    def _first(self) -> str:
        spots = self._drawing.spots
        return min(spots, key=lambda name: (spots[name].column, spots[name].y), default="")

    def _to(self, name: str) -> None:
        self.current = name
        self._keep_visible()
        self.refresh()
        self.post_message(self.Moved())

    def _keep_visible(self) -> None:
        spot = self._drawing.spots.get(self.current)
        if spot is None or not self.size.width:
            return
        width, height = self.size.width - 2, self.size.height
        self._x = min(max(self._x, spot.x + spot.width - width), spot.x)
        self._y = min(max(self._y, spot.y + 1 - height), spot.y)
        self._x = max(0, min(self._x, self._drawing.width - width))
        self._y = max(0, min(self._y, len(self._drawing.lines) - height))

    def on_resize(self) -> None:
        """The widget has another size."""
        self._keep_visible()
        self.refresh()

    def action_open(self) -> None:
        """Open the node under the cursor."""
        if self.current:
            self.post_message(self.Opened(self.current))

    def on_click(self, event: events.Click) -> None:
        """Somebody clicked: on a node to go there, twice to open it."""
        self.focus()
        top = max(0, (self.size.height - len(self._drawing.lines)) // 3)
        x, y = self._x + event.x - 1, self._y + event.y - top
        for name, spot in self._drawing.spots.items():
            if spot.y == y and spot.x <= x < spot.x + spot.width:
                self._to(name)
                if event.chain > 1:
                    self.action_open()
