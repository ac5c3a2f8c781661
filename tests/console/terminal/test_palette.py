"""The palette: found by name, however quickly it is typed; what enter does is what was typed."""

from collections.abc import AsyncIterator

import pytest
from textual.app import App
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from job_orchestra.console.terminal.dialogs import Confirm
from job_orchestra.console.terminal.palette import Entry, Palette, entries, matching
from job_orchestra.console.terminal.screens.base import Place
from tests.kit.consoles import opened, press, story
from tests.kit.feeds import FakeFeed

SIGNS = {"/": "slash", ":": "colon", " ": "space", "\r": "enter"}


@pytest.fixture
def feed() -> FakeFeed:
    return story()


@pytest.fixture
async def pilot(feed: FakeFeed) -> AsyncIterator[Pilot[None]]:
    async with opened(feed, "builds") as found:
        yield found


async def typed_at_once(pilot: Pilot[None], keys: str) -> str:
    """Type without waiting for anything, as when all arrives in one read; return what is there then."""
    for key in keys:
        pilot.app.post_message(Key(SIGNS.get(key, key), None if key == "\r" else key))
    return await press(pilot)


def place(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app.screen, Place)
    return pilot.app.screen.place


@pytest.mark.parametrize(
    ("keys", "arrives"),
    [(":go to tasks\r", "tasks"), (":sched\r", "schedules"), (":overv\r", "overview"), (":tskgo\r", "builds")],
)
async def test_what_was_typed_is_done_however_quickly(pilot: Pilot[None], keys: str, arrives: str) -> None:
    await typed_at_once(pilot, keys)
    if isinstance(pilot.app.screen, Palette):  # nothing is called so
        await press(pilot, "escape")
    assert place(pilot) == arrives


async def test_an_action_of_the_screen_asks_as_by_its_key(pilot: Pilot[None], feed: FakeFeed) -> None:
    await typed_at_once(pilot, ":rerun\r")
    assert isinstance(pilot.app.screen, Confirm)
    await press(pilot, "escape")
    assert feed.asked == []


async def test_one_may_choose_among_what_was_found(pilot: Pilot[None]) -> None:
    text = await typed_at_once(pilot, ":go to")
    assert "Go to Overview" in text
    await press(pilot, "down", "down", "enter")
    assert place(pilot) == "pipelines"


async def test_what_nothing_is_called_is_said(pilot: Pilot[None]) -> None:
    text = await typed_at_once(pilot, ":xyzzy\r")
    assert "Nothing is called so here." in text
    await press(pilot, *["backspace"] * 5, *"theme: light", "enter")
    assert pilot.app.theme == "light"


@pytest.mark.parametrize("key", ["escape", "ctrl+p"])
async def test_it_is_left(pilot: Pilot[None], key: str) -> None:
    await press(pilot, "ctrl+p", key)
    assert place(pilot) == "builds"


async def test_an_entry_is_clicked(pilot: Pilot[None]) -> None:
    text = await typed_at_once(pilot, ":go to jobs")
    line = next(number for number, one in enumerate(text.split("\n")) if "Go to Jobs" in one)
    await pilot.click(offset=(24, line))
    await press(pilot)
    assert place(pilot) == "jobs"


async def test_a_colon_is_a_letter_while_one_types_and_ctrl_p_opens_it_anywhere(pilot: Pilot[None]) -> None:
    await typed_at_once(pilot, "/state:bad")
    assert isinstance(pilot.app.focused, Input)
    assert pilot.app.focused.value == "state:bad"
    text = await press(pilot, "ctrl+p")
    assert isinstance(pilot.app.screen, Palette)
    assert "Take it" in text


async def test_there_is_no_palette_over_a_question(pilot: Pilot[None]) -> None:
    await press(pilot, "r", "colon", "ctrl+p")
    assert isinstance(pilot.app.screen, Confirm)


async def test_every_key_of_the_screen_is_beside_what_it_does(pilot: Pilot[None]) -> None:
    known = {one.name: one.key for one in entries(pilot.app.screen, pilot.app)}
    assert known["Rerun"] == "r"
    assert known["Go to Store"] == "8"
    text = await typed_at_once(pilot, ":rerun")
    assert [line.split("│")[1].split() for line in text.split("\n") if "│  Rerun" in line] == [["Rerun", "r"]]


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("", ["Copy command", "Commands", "Abort", "Rerun", "Go to Jobs"]),
        ("co", ["Copy command", "Commands"]),
        ("comm", ["Commands", "Copy command"]),
        ("copy comm", ["Copy command"]),
        ("run", ["Rerun"]),
        ("GO JOB", ["Go to Jobs"]),
        ("abrt", ["Abort"]),
        ("zzz", []),
    ],
)
def test_the_best_come_first(typed: str, names: list[str]) -> None:
    node: App[None] = App()
    known = [Entry(name, "", "", node) for name in ("Copy command", "Commands", "Abort", "Rerun", "Go to Jobs")]
    assert [one.name for one in matching(typed, known)] == names
