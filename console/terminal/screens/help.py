"""The help: the keys of the screen one came from, and what the signs mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType

from ..cells import STATES, Part, Tone
from ..paper import Paper
from ..telling import Lines, title
from .base import Place

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen
    from textual.widget import Widget

_KEY = 22  # cells for the keys of one action

GROUPS: Mapping[str, str] = {
    "build": "BUILDS",
    "builds": "BUILDS",
    "job": "JOBS",
    "agent": "AGENTS",
    "pipeline": "PIPELINES",
    "graph": "GRAPH",
    "schedule": "SCHEDULES",
    "store": "STORE",
    "artifact": "FILES",
    "log": "LOG",
    "table": "TABLES",
    "paper": "PAGES",
    "document": "PAGES",
    "trigger": "FORM",
    "go": "GOING ABOUT",
}
"""First part of an action's id -> heading; others are EVERYWHERE."""


def keys_of(screen: Screen[Any], app: App[Any]) -> dict[str, list[tuple[str, str]]]:
    """Return (keys, what they do) of all that can be done on a screen, by heading."""
    actions: dict[tuple[str, str], list[str]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not binding.description or not active.enabled or binding.system:
            continue
        group = GROUPS.get((binding.id or "").partition(".")[0], "EVERYWHERE")
        key = app.get_key_display(binding)
        shown = actions.setdefault((group, binding.description), [])
        if key not in shown:
            shown.append(key)
    found: dict[str, list[tuple[str, str]]] = {}
    for (group, description), shown in actions.items():
        found.setdefault(group, []).append((" ".join(shown), description))
    return found


class HelpScreen(Place):
    """All keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,h,left", "back", "Back", id="back"),
    ]

    def __init__(self, place: str, keys: Mapping[str, Sequence[tuple[str, str]]]) -> None:
        """Show `keys` of the screen `place`."""
        super().__init__()
        self._place = place
        self._keys = keys

    @property
    def place(self) -> str:
        """See Place."""
        return self._place

    def body(self) -> Iterable[Widget]:
        """See Place."""
        yield Paper(id="paper")

    def on_mount(self) -> None:
        """The screen is there."""
        super().on_mount()
        paper = self.query_one(Paper)
        paper.write(self._lines())
        paper.focus()

    def _lines(self) -> Lines:
        lines: Lines = [[("What the keys do here. ", Tone.PLAIN), (": finds any action by its name.", Tone.DIM)]]
        last = ("GOING ABOUT", "EVERYWHERE")
        for group in [*(one for one in self._keys if one not in last), *(one for one in last if one in self._keys)]:
            lines += title(group)
            lines += [[(f"  {keys:<{_KEY}} ", Tone.ACCENT), (does, Tone.PLAIN)] for keys, does in self._keys[group]]
        lines += title("SIGNS")
        signs: list[Part] = []
        for value, (sign, tone) in STATES.items():
            if value not in {"done", "refused"}:
                signs += [(f"{sign} {value}", tone), ("   ", Tone.PLAIN)]
        lines.append([("  ", Tone.PLAIN), *signs])
        lines += title("FILTERS")
        for example, says in FILTERS:
            lines.append([(f"  {example:<{_KEY}} ", Tone.ACCENT), (says, Tone.PLAIN)])
        return lines

    def action_back(self) -> None:
        """Go back."""
        self.console.action_return()

    def command(self) -> str:
        """See Place."""
        return "orchestra --help"


FILTERS = (
    ("shop test", "rows with words that begin so; in short tables also with what was left out (tst)"),
    ("~tst", "the same, forgiving, in large tables: looks at row by row"),
    ("state:failed,lost", "a field has one of these values; live, ended and bad stand for several states"),
    ("job:te*", "a field begins with this"),
    ("no:>40", "a number is larger; also >=, <, <="),
)
"""Example of a filter -> what it shows."""
