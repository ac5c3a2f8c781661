"""Whatever can be done on a screen has a key, is told by its help, and is found by its name."""

from collections.abc import Iterator
from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Input

from job_orchestra.console.terminal.palette import entries
from job_orchestra.console.terminal.screens.base import Place
from job_orchestra.console.terminal.screens.help import HelpScreen, keys_of
from tests.kit.consoles import press, screen_text
from tests.kit.screens import WAYS, filled, pilot_at

OURS = "job_orchestra."

CALLED = frozenset({"return", "take_theme"})
"""Actions that other actions, and the palette, make use of."""


def our_classes(screen: Screen[Any], app: App[Any]) -> Iterator[type]:
    """Yield the classes of a screen, of all on it and of the app that this project has written."""
    found = {kind for node in (screen, app, *screen.walk_children()) for kind in type(node).__mro__}
    yield from sorted((kind for kind in found if kind.__module__.startswith(OURS)), key=lambda kind: kind.__name__)


def bound(screen: Screen[Any], app: App[Any]) -> Iterator[Binding]:
    """Yield what our classes have bound there."""
    for kind in our_classes(screen, app):
        for binding in vars(kind).get("BINDINGS", ()):
            assert isinstance(binding, Binding), f"{kind.__name__} binds {binding}, which no user can bind otherwise"
            yield binding


def acting(action: str) -> str:
    """Return the name of an action without whose it is and its parameters."""
    return action.partition("(")[0].rpartition(".")[2]


ALIKE = frozenset({"build-running", "build-waiting", "filter", "filter-wrong", "task", "schedule", "record", "order"})
"""Pictures of screens, or questions, that others are of, too."""


@pytest.mark.parametrize("name", [name for name in WAYS if name not in ALIKE])
async def test_it_has_a_key_and_is_told(name: str) -> None:
    async with pilot_at(name, filled(), (120, 40)) as pilot:
        screen, app = pilot.app.screen, pilot.app
        bindings = list(bound(screen, app))
        for one in bindings:
            assert one.key, one
            assert one.description, one
            assert one.id, one
        done = {acting(one.action) for one in bindings} | CALLED
        for kind in our_classes(screen, app):
            undone = {one.removeprefix("action_") for one in vars(kind) if one.startswith("action_")} - done
            assert not undone, f"{kind.__name__} can do what no key does"
        for part in list(screen.focus_chain) or [None]:
            screen.set_focus(part)
            await pilot.pause()
            told = {says for group in keys_of(screen, app).values() for _, says in group}
            found = {one.name for one in entries(screen, app)}
            for active in screen.active_bindings.values():
                if active.enabled and active.node.__class__.__module__.startswith(OURS):
                    one = active.binding
                    assert one.description in told
                    assert one.description in found or (one.id or "").startswith(("go.", "palette"))
        if isinstance(screen, Place) and not isinstance(screen, HelpScreen) and not isinstance(screen.focused, Input):
            told = {says for group in keys_of(screen, app).values() for _, says in group}
            text = await press(pilot, "f1")
            assert isinstance(app.screen, HelpScreen)
            seen: set[str] = set()
            while not told <= seen:  # page by page
                seen |= {says for says in told if says in text}
                before, text = text, await press(pilot, "pagedown")
                if before == text:
                    break
            assert told <= seen, f"{told - seen} is not in the help:\n{screen_text(app)}"
