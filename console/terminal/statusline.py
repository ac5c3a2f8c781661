"""The line under a table or log: what is filtered and found, where one is; and the line in which one types a filter."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Input

from .cells import Part, Tone, cells, fit
from .painted import Painted


class StatusLine(Painted):
    """One line: something at the left, a place at the right."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $surface; }
    """

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        """Say nothing yet."""
        super().__init__(id=id)
        self._left: list[Part] = []
        self._right = ""

    def say(self, left: Sequence[Part], right: str = "") -> None:
        """Say this."""
        if (list(left), right) != (self._left, self._right):
            self._left, self._right = list(left), right
            self.refresh()

    @property
    def text(self) -> str:
        """What is said."""
        return "".join(text for text, _ in self._left) + self._right

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one
        """See Widget."""
        width = self.size.width
        right = f" {self._right} " if self._right else ""
        line: list[Part] = [(" ", Tone.PLAIN)]
        used = 1
        for text, tone in self._left:
            room = width - cells(right) - used
            if cells(text) > room:
                line.append((fit(text, room), tone))
                used = width - cells(right)
                break
            line.append((text, tone))
            used += cells(text)
        line += [(" " * max(0, width - used - cells(right)), Tone.PLAIN), (right, Tone.DIM)]
        return self.drawn(line, width)


class Asking(Input):
    """A line in which something is typed; it shows itself while that goes on."""

    DEFAULT_CSS = """
    Asking { height: 1; border: none; padding: 0 1; background: $surface; display: none; }
    Asking:focus { border: none; background: $panel; }
    Asking.-open { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Take it", id="asking.take"),
        Binding("escape", "leave", "Clear and leave", id="asking.leave"),
        Binding("down,up", "back", "To the rows", show=False, id="asking.back"),
    ]

    class Left(Message):
        """Whoever typed has had enough."""

        def __init__(self, asking: "Asking") -> None:
            """Tell of `asking`."""
            super().__init__()
            self.asking = asking

    def open(self, text: str = "", placeholder: str = "") -> None:
        """Begin: whatever key comes next is typed here."""
        self.value = text
        self.placeholder = placeholder
        self.add_class("-open")
        self.display = True
        self.screen.set_focus(self)  # at once; `focus` would let keys that came with this one through to the screen
        self.cursor_position = len(text)

    def close(self) -> None:
        """End."""
        self.remove_class("-open")
        self.display = False

    @property
    def is_open(self) -> bool:
        """Whether something is being typed."""
        return self.has_class("-open")

    def action_leave(self) -> None:
        """Clear, and go back to where one was."""
        self.value = ""
        self.post_message(self.Left(self))

    def action_back(self) -> None:
        """Go back, and leave what was typed in force."""
        self.post_message(self.Submitted(self, self.value, None))
