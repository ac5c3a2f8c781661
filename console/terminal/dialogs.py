"""Questions over a screen: yes or no, one line of text, one or several of a list. Escape always leaves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, OptionList, SelectionList, Static
from textual.widgets.option_list import Option
from textual.widgets.selection_list import Selection

from ...core.errors import InvalidInput
from .cells import clean
from .options import Options, Ticks

if TYPE_CHECKING:
    from textual.app import ComposeResult


_FRAME = """
    align: center middle;
    & > Vertical { width: 72; max-width: 96%; height: auto; max-height: 90%; border: round $accent; padding: 0 1;
        background: $surface; }
    & .title { text-style: bold; padding: 0 0 1 0; }
    & .command { color: $text-muted; padding: 1 0 0 0; }
    & .problem { color: $error; height: auto; }
    & Horizontal { height: auto; align: right middle; padding: 1 0 0 0; }
    & Button { margin: 0 0 0 2; min-width: 10; height: 1; border: none; }
    & Button:focus { text-style: bold reverse; }
    & Input { border: tall $panel; }
    & OptionList, & SelectionList { height: auto; max-height: 16; border: none; background: $surface; }
    & OptionList:focus, & SelectionList:focus { border: none; }
"""


class Confirm(ModalScreen[bool]):
    """Names what would be done and what comes of it."""

    DEFAULT_CSS = f"Confirm {{ {_FRAME} }}"
    AUTO_FOCUS = "#yes"  # enter does what is lit up, and at first that is what was asked for
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "yes", "Do it", id="dialog.yes"),
        Binding("escape,n,q", "no", "Leave it", id="dialog.no"),
        Binding("y", "copy", "Copy the command", id="dialog.copy"),
        Binding("right,l,tab", "app.focus_next", "Next button", show=False, id="dialog.next"),
        Binding("left,h,shift+tab", "app.focus_previous", "Button before", show=False, id="dialog.before"),
    ]

    def __init__(self, title: str, effects: Sequence[str], command: str, copy: Callable[[str], None]) -> None:
        """Ask `title`; `effects` are sentences. `command` does the same, and `copy` takes it away."""
        super().__init__()
        self._title = title
        self._effects = effects
        self._command = command
        self._copy = copy

    def compose(self) -> ComposeResult:
        """See Screen."""
        with Vertical():
            yield Static(Text(clean(self._title)), classes="title")
            for effect in self._effects:
                yield Static(Text(clean(effect)))
            yield Static(Text(clean(f"$ {self._command}")), classes="command")
            with Horizontal():
                yield Button("esc Leave it", id="no", compact=True)
                yield Button("enter Do it", id="yes", compact=True)
                yield Button("y Copy the command", id="copy", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Somebody clicked."""
        {"yes": self.action_yes, "no": self.action_no, "copy": self.action_copy}[event.button.id or "no"]()

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(result=True)

    def action_no(self) -> None:
        """Leave it."""
        self.dismiss(result=False)

    def action_copy(self) -> None:
        """Copy the command, and leave it."""
        self._copy(self._command)
        self.dismiss(result=False)


class Line(ModalScreen[str | None]):
    """Asks for one line of text."""

    DEFAULT_CSS = f"Line {{ {_FRAME} }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave it", id="dialog.leave")]

    def __init__(
        self,
        title: str,
        text: str = "",
        hint: str = "",
        check: Callable[[str], object] = lambda _: None,
        *,
        about: Sequence[str] = (),
    ) -> None:
        """Ask `title`, under lines `about` it, beginning with `text`; `check` raises InvalidInput for what won't do."""
        super().__init__()
        self._title = title
        self._about = about
        self._text = text
        self._hint = hint
        self._check = check

    def compose(self) -> ComposeResult:
        """See Screen."""
        with Vertical():
            for line in self._about:
                yield Static(Text(clean(line)))
            yield Static(Text(clean(self._title)), classes="title")
            yield Input(self._text, placeholder=self._hint)
            yield Static("", classes="problem")
            yield Static(Text("enter takes it, esc leaves it"), classes="command")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """It was typed."""
        try:
            self._check(event.value)
        except InvalidInput as error:
            self.query_one(".problem", Static).update(Text(clean(str(error))))
            return
        self.dismiss(event.value)

    def action_leave(self) -> None:
        """Leave it."""
        self.dismiss(None)


class Choice(ModalScreen[str | None]):
    """Asks for one of a list."""

    DEFAULT_CSS = f"Choice {{ {_FRAME} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Leave it", id="dialog.leave"),
        Binding("j", "list('cursor_down')", "Down", show=False, id="dialog.down"),
        Binding("k", "list('cursor_up')", "Up", show=False, id="dialog.up"),
    ]

    def __init__(
        self, title: str, choices: Sequence[tuple[str, str]], hint: str = "enter takes one, esc leaves it"
    ) -> None:
        """Ask `title`; `choices` are (value, text)."""
        super().__init__()
        self._title = title
        self._choices = choices
        self._hint = hint

    def compose(self) -> ComposeResult:
        """See Screen."""
        with Vertical():
            yield Static(Text(clean(self._title)), classes="title")
            yield Options(*(Option(Text(clean(text)), id=value) for value, text in self._choices))
            yield Static(Text(self._hint), classes="command")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """One was taken."""
        self.dismiss(event.option.id)

    def action_list(self, how: str) -> None:
        """Move in the list."""
        getattr(self.query_one(OptionList), f"action_{how}")()

    def action_leave(self) -> None:
        """Leave it."""
        self.dismiss(None)


class Several(ModalScreen[list[str] | None]):
    """Asks for some of a list."""

    DEFAULT_CSS = f"Several {{ {_FRAME} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Leave it", id="dialog.leave"),
        Binding("enter", "take", "Take these", priority=True, id="dialog.yes"),
        Binding("j", "list('cursor_down')", "Down", show=False, id="dialog.down"),
        Binding("k", "list('cursor_up')", "Up", show=False, id="dialog.up"),
    ]

    def __init__(self, title: str, choices: Sequence[tuple[str, str, bool]]) -> None:
        """Ask `title`; `choices` are (value, text, whether it is taken already)."""
        super().__init__()
        self._title = title
        self._choices = choices

    def compose(self) -> ComposeResult:
        """See Screen."""
        with Vertical():
            yield Static(Text(clean(self._title)), classes="title")
            yield Ticks(*(Selection(Text(clean(text)), value, taken) for value, text, taken in self._choices))
            yield Static(Text("space changes one, enter takes them, esc leaves it"), classes="command")

    def action_take(self) -> None:
        """Take what is chosen, in the order of the list."""
        chosen = set(self.query_one(SelectionList).selected)
        self.dismiss([value for value, _, _ in self._choices if value in chosen])

    def action_list(self, how: str) -> None:
        """Move in the list."""
        getattr(self.query_one(SelectionList), f"action_{how}")()

    def action_leave(self) -> None:
        """Leave it."""
        self.dismiss(None)
