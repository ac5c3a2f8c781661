"""The palette: every action that can be done here, and every screen, found by name.

What enter does is decided by what was typed at that moment, however quickly: there is no search that could be late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from rich.text import Text
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Vertical
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ..feed.words import found
from .cells import cells, fit
from .header import PLACES
from .options import Options
from .themes import THEMES

if TYPE_CHECKING:
    from textual.app import App, ComposeResult
    from textual.screen import Screen

_WIDE = 54  # cells of a line beside which there is room for a bar
_MOVES = frozenset({"up", "down", "page_up", "page_down", "half_up", "half_down", "left", "right", "next", "previous"})


class Entry(NamedTuple):
    """Something that can be done."""

    name: str  # what it does, in few words
    key: str  # that does it, too; empty: none
    action: str  # as Textual has it
    node: DOMNode  # whose action it is


def entries(screen: Screen[Any], app: App[Any]) -> list[Entry]:
    """Return what can be done on a screen: first what its foot shows, last ways of moving about."""
    return list(_entries(screen, app))


def _entries(screen: Screen[Any], app: App[Any]) -> Iterator[Entry]:
    told: set[str] = set()
    for active in sorted(screen.active_bindings.values(), key=_rank):
        binding = active.binding
        if not active.enabled or not binding.description or binding.description in told or _is_elsewhere(binding.id):
            continue
        told.add(binding.description)
        yield Entry(binding.description, app.get_key_display(binding), binding.action, active.node)
    for place, (key, title) in PLACES.items():
        yield Entry(f"Go to {title}", key, f"go('{place}')", app)
    for theme in THEMES:
        yield Entry(f"Theme: {theme}", "", f"take_theme('{theme}')", app)


def _rank(active: ActiveBinding) -> int:
    moves = (active.binding.id or "").rpartition(".")[2] in _MOVES
    return 2 if moves or active.binding.id is None else 1 - active.binding.show


def _is_elsewhere(identity: str | None) -> bool:
    """Whether an action is in the list in other words, or is the list itself."""
    return identity is not None and identity.startswith(("go.", "palette"))


def matching(typed: str, known: Sequence[Entry]) -> list[Entry]:
    """Return the entries that have all the typed words, the best ones first."""
    words = typed.lower().split()
    ranked = [(_distance(words, one.name.lower()), place) for place, one in enumerate(known)]
    return [known[place] for distance, place in sorted(ranked) if distance <= _FORGIVEN]


_FORGIVEN, _ABSENT = 3, 4  # something was left out while typing; a word is not there


def _distance(words: Sequence[str], name: str) -> int:
    """Return how far a name is from what was typed: 0 it begins so, 1 its words do, 2 it has that, 3 nearly."""
    if name.startswith(" ".join(words)):
        return 0
    return max(_far(word, name) for word in words)


def _far(word: str, name: str) -> int:
    if any(part.startswith(word) for part in name.split()):
        return 1
    if word in name:
        return 2
    return _FORGIVEN if found(word, name) else _ABSENT


class Palette(ModalScreen[Entry | None]):
    """Asks which one."""

    AUTO_FOCUS = "Input"
    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette > Vertical { width: 62; max-width: 96%; height: auto; max-height: 90%; margin: 2 0 0 0; padding: 0 1;
        border: round $accent; background: $surface; }
    Palette Input, Palette Input:focus { border: none; height: 1; padding: 0 1; background: $panel; }
    Palette OptionList { height: auto; max-height: 16; border: none; margin: 1 0 0 0; background: $surface;
        scrollbar-size-vertical: 1; }
    Palette .option-list--option-highlighted { background: $cursor; color: $foreground; text-style: bold; }
    Palette .hint { color: $text-muted; padding: 1 0 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+p", "leave", "Leave it", id="dialog.leave"),
        Binding("down,ctrl+n,tab", "list('cursor_down')", "Down", show=False, id="palette.down"),
        Binding("up,shift+tab", "list('cursor_up')", "Up", show=False, id="palette.up"),
        Binding("pagedown", "list('page_down')", "Page down", show=False, id="palette.page_down"),
        Binding("pageup", "list('page_up')", "Page up", show=False, id="palette.page_up"),
    ]

    def __init__(self, known: Sequence[Entry]) -> None:
        """Offer these."""
        super().__init__()
        self._known = known
        self._typed = ""  # that the list is for
        self._offered = list(known)

    def compose(self) -> ComposeResult:
        """See Screen."""
        with Vertical():
            yield Input(placeholder="what to do")
            yield Options()
            yield Static(Text("enter does it, esc leaves it"), classes="hint")

    def on_mount(self) -> None:
        """The screen is there."""
        self.query_one(OptionList).can_focus = False
        self._offer()

    def _offer(self) -> None:
        """Show what there is for what was typed."""
        self._offered = matching(self._typed, self._known)
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(Text(_line(one), no_wrap=True)) for one in self._offered])
        if self._offered:
            options.highlighted = 0
        else:
            options.add_option(Option(Text("Nothing is called so here."), disabled=True))

    def _narrow(self, typed: str) -> None:
        if typed != self._typed:
            self._typed = typed
            self._offer()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Another letter was typed."""
        self._narrow(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """It was chosen: of what was typed until now, not of what was looked for last."""
        self._narrow(event.value)
        place = self.query_one(OptionList).highlighted
        if self._offered and place is not None:
            self.dismiss(self._offered[place])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """It was clicked."""
        self.dismiss(self._offered[event.option_index])

    def action_list(self, how: str) -> None:
        """Move in the list."""
        getattr(self.query_one(OptionList), f"action_{how}")()

    def action_leave(self) -> None:
        """Leave it."""
        self.dismiss(None)


def _line(entry: Entry) -> str:
    return fit(entry.name, _WIDE - cells(entry.key) - 1) + " " + entry.key
