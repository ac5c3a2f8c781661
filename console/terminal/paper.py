"""A page of text with parts, scrolled by keys: details, documents, help. Long lines are wrapped, never cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from .cells import Part, Tone, cells
from .painted import Painted
from .scrolling import bar_at


class Paper(Painted, can_focus=True):
    """Shows lines."""

    DEFAULT_CSS = """
    Paper { height: 1fr; width: 1fr; background: $background; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll(1)", "Down", show=False, id="paper.down"),
        Binding("up,k", "scroll(-1)", "Up", show=False, id="paper.up"),
        Binding("pagedown,ctrl+f,space", "scroll_page(1)", "Page down", show=False, id="paper.page_down"),
        Binding("pageup,ctrl+b", "scroll_page(-1)", "Page up", show=False, id="paper.page_up"),
        Binding("g,home", "scroll_to(0)", "Beginning", show=False, id="paper.top"),
        Binding("G,end", "scroll_to(-1)", "End", show=False, id="paper.end"),
    ]

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        """Show nothing yet."""
        super().__init__(id=id)
        self._lines: Sequence[Sequence[Part]] = ()
        self._wrapped: list[list[Part]] = []
        self._top = 0

    def write(self, lines: Sequence[Sequence[Part]]) -> None:
        """Show these lines; where one is stays."""
        if lines != self._lines:
            self._lines = lines
            self._wrap()

    @property
    def text(self) -> str:
        """What is written."""
        return "\n".join("".join(text for text, _ in line) for line in self._lines)

    @property
    def position(self) -> str:
        """Where one is, for people; empty where all is visible."""
        if len(self._wrapped) <= self.size.height:
            return ""
        return f"{min(len(self._wrapped), self._top + self.size.height)}/{len(self._wrapped)}"

    def on_resize(self) -> None:
        """The widget has another size."""
        self._wrap()

    def _wrap(self) -> None:
        width = max(10, self.size.width - 3)
        self._wrapped = [one for line in self._lines for one in wrapped(line, width)]
        self._top = max(0, min(self._top, len(self._wrapped) - self.size.height))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """See Widget."""
        width = self.size.width
        place = self._top + y
        line = self._wrapped[place] if place < len(self._wrapped) else []
        used = sum(cells(text) for text, _ in line)
        bar = bar_at(y, self.size.height, self._top, len(self._wrapped))
        return self.drawn([(" ", Tone.PLAIN), *line, (" " * (width - 2 - used), Tone.PLAIN), (bar, Tone.DIM)], width)

    def action_scroll(self, by: int) -> None:
        """Move by lines."""
        self.action_scroll_to(max(0, self._top + by))

    def action_scroll_page(self, by: int) -> None:
        """Move by a page."""
        self.action_scroll(by * max(1, self.size.height - 1))

    def action_scroll_to(self, line: int) -> None:
        """Move to a line; -1 is the end."""
        last = max(0, len(self._wrapped) - self.size.height)
        self._top = last if line < 0 else min(line, last)
        self.refresh()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel was turned."""
        event.stop()
        self.action_scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel was turned."""
        event.stop()
        self.action_scroll(-3)


def wrapped(line: Sequence[Part], width: int) -> list[list[Part]]:
    """Return a line as lines of at most `width` cells; what is wrapped is indented like the second part of the line."""
    if sum(cells(text) for text, _ in line) <= width:
        return [list(line)]
    indent = min(cells(line[0][0]) if len(line) > 1 else 0, width // 2)
    lines: list[list[Part]] = [[]]
    used = 0
    for text, tone in line:
        rest = text
        while rest:
            room = width - used
            if cells(rest) <= room:
                lines[-1].append((rest, tone))
                used += cells(rest)
                break
            head = _head(rest, room)
            if head:
                lines[-1].append((head, tone))
            lines.append([(" " * indent, Tone.PLAIN)] if indent else [])
            used = indent
            rest = rest[len(head) :].lstrip(" ")
    return lines


def _head(text: str, room: int) -> str:
    """Return how much of a text goes into `room` cells, to the end of a word where one ends not too long before."""
    end = used = 0
    for character in text:
        used += cells(character)
        if used > room:
            break
        end += 1
    space = text.rfind(" ", 0, end + 1)
    return text[: space + 1] if space > end // 2 else text[:end]
