"""Where one only looks nothing that changes anything is offered, and nothing is accepted."""

import pytest
from textual.binding import Binding

from job_orchestra.console.feed.looking import LookingFeed
from job_orchestra.console.terminal.app import Console
from job_orchestra.console.terminal.header import PLACES
from tests.kit.consoles import opened, press, screen_text, settled, story
from tests.kit.feeds import FakeFeed

CHANGES = {
    "Abort",
    "Approve",
    "Cancel",
    "Disable",
    "Drain",
    "Enable",
    "Invite",
    "On or off",
    "Remove",
    "Rerun",
    "Rerun failed",
    "Run it",
    "Run now",
    "Trigger",
}


def offered(app: object) -> set[str]:
    assert isinstance(app, Console)
    return {one.binding.description for one in app.screen.active_bindings.values() if one.enabled}


@pytest.fixture
def feed() -> FakeFeed:
    return story()


@pytest.mark.parametrize("place", PLACES)
async def test_no_key_of_any_screen_changes_anything(feed: FakeFeed, place: str) -> None:
    async with opened(feed, place, readonly=True) as pilot:
        app = pilot.app
        assert isinstance(app, Console)
        assert isinstance(app.feed, LookingFeed)
        assert "READ-ONLY" in screen_text(app)
        for _ in range(2):  # the screen, and what one opens from it
            assert not offered(app) & CHANGES
            mine = [one for cls in type(app.screen).__mro__ for one in vars(cls).get("BINDINGS", ())]
            actions = {one.action for one in mine if isinstance(one, Binding) and one.description in CHANGES}
            for action in actions:
                await app.run_action(action, app.screen)
                await settled(pilot)
                assert len(app.screen_stack) <= 3
            await press(pilot, "enter")
        assert feed.asked == []


async def test_otherwise_it_is_offered(feed: FakeFeed) -> None:
    found: set[str] = set()
    async with opened(feed, "overview") as pilot:
        for key, _ in PLACES.values():
            await press(pilot, key)
            found |= offered(pilot.app)
        await press(pilot, "4", "t")
        found |= offered(pilot.app)
    assert found >= CHANGES
