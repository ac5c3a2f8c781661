"""Going from screen to screen, and back."""

import pytest

from job_orchestra.console.terminal.header import PLACES
from job_orchestra.console.terminal.screens.base import Place
from tests.kit.consoles import opened, press, screen_text, story


def place(app: object) -> str:
    screen = getattr(app, "screen", None)
    assert isinstance(screen, Place)
    return screen.place


async def test_every_screen_is_one_key_away() -> None:
    async with opened(story(), "overview") as pilot:
        for name, (key, title) in reversed(PLACES.items()):
            text = await press(pilot, key)
            assert place(pilot.app) == name
            assert title in text


@pytest.mark.parametrize("name", PLACES)
async def test_escape_leads_back_and_never_out(name: str) -> None:
    async with opened(story(), name) as pilot:
        await press(pilot, "enter", "escape", "escape", "escape")
        assert place(pilot.app) == name
        assert len(pilot.app.screen_stack) == 2


async def test_a_screen_is_found_as_it_was_left() -> None:
    async with opened(story(), "builds") as pilot:
        await pilot.press("slash", *"state:failed")
        await press(pilot, "enter", "j", "j")
        before = screen_text(pilot.app)
        await press(pilot, "4", "2")
        assert screen_text(pilot.app) == before


async def test_a_screen_opened_from_another_leaves_nothing_behind() -> None:
    async with opened(story(), "builds") as pilot:
        await press(pilot, "enter", "question_mark", "3", "escape", "2")
        assert place(pilot.app) == "builds"
        assert len(pilot.app.screen_stack) == 2


async def test_a_screen_that_goes_is_left_alone_while_its_parts_go() -> None:
    async with opened(story(), "builds") as pilot:
        await press(pilot, "enter")
        build = pilot.app.screen
        assert isinstance(build, Place)
        assert build.stands
        going = pilot.app.pop_screen()
        assert build.children  # they go one by one; what was asked for may be answered in between
        assert not build.stands
        await going


async def test_tabs_are_clicked() -> None:
    async with opened(story(), "overview") as pilot:
        line = screen_text(pilot.app).split("\n")[1]
        await pilot.click(offset=(line.index("Agents") + 1, 1))
        await press(pilot)
        await pilot.pause()
        assert place(pilot.app) == "agents"
