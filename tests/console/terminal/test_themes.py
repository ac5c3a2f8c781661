"""How the console looks: dark, light, and with no colours at all."""

import pytest
from textual.filter import Monochrome, NoColor

from job_orchestra.console.terminal.session import Session
from job_orchestra.console.terminal.themes import THEMES
from tests.kit.consoles import opened, press, screen_text, shown, story


@pytest.mark.parametrize("theme", THEMES)
async def test_the_console_opens_in_every_theme(theme: str) -> None:
    session = Session()
    session.state.theme = theme
    async with opened(story(), "builds", session=session) as pilot:
        assert pilot.app.theme == theme
        assert "✗ failed" in screen_text(pilot.app)
        assert "again?" in await press(pilot, "r")


async def test_themes_are_gone_through_and_remembered() -> None:
    session = Session()
    async with opened(story(), "builds", session=session) as pilot:
        for theme in ("light", "terminal", "dark"):
            await press(pilot, "T")
            assert pilot.app.theme == session.state.theme == theme
            assert "✗ failed" in screen_text(pilot.app)


async def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(story(), "builds") as pilot:
        assert pilot.app.theme == "terminal"
        assert "✗ failed" in screen_text(pilot.app)
        (taken_away,) = [one for one in pilot.app._filters if isinstance(one, NoColor | Monochrome)]
        assert isinstance(taken_away, NoColor)  # the other one makes black of the terminal's own colours
        await press(pilot, "T")
        await shown(pilot, "there are no colours")
