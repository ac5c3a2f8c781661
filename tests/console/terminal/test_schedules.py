"""The screen Schedules, by keys."""

from collections.abc import AsyncIterator

import pytest
from textual.pilot import Pilot

from job_orchestra.console.terminal.screens.builds import BuildsScreen
from tests.kit.consoles import opened, press, screen_text, story
from tests.kit.feeds import FakeFeed


@pytest.fixture
def feed() -> FakeFeed:
    return story()


@pytest.fixture
async def pilot(feed: FakeFeed) -> AsyncIterator[Pilot[None]]:
    async with opened(feed, "schedules", size=(120, 24)) as found:
        yield found


async def test_schedules_say_when_they_fire_next_and_how_it_went_last(pilot: Pilot[None]) -> None:
    text = screen_text(pilot.app)
    assert "shop/nightly  in 6h00m  0 3 * * * Europe/Paris" in text
    assert "18h00m ago  ✗ failed" in text
    assert "shop/weekly   off" in text


async def test_a_schedule_is_switched_off_and_on(pilot: Pilot[None], feed: FakeFeed) -> None:
    assert "Disable shop/nightly?" in await press(pilot, "e")
    assert "orchestra schedules disable shop/nightly" in screen_text(pilot.app)
    await press(pilot, "enter")
    assert feed.asked == [("schedules.set", {"schedule": "shop/nightly", "enabled": False})]
    assert "Enable shop/weekly?" in await press(pilot, "j", "e")
    await press(pilot, "enter")
    assert feed.asked[-1] == ("schedules.set", {"schedule": "shop/weekly", "enabled": True})


async def test_a_schedule_is_run_now(pilot: Pilot[None], feed: FakeFeed) -> None:
    text = await press(pilot, "t")
    assert "Run shop/nightly now?" in text
    assert "It submits test, package" in text
    await press(pilot, "escape")
    assert feed.asked == []
    await press(pilot, "t", "enter")
    assert feed.asked == [("schedules.fire", {"schedule": "shop/nightly"})]


async def test_its_next_firings_are_shown(pilot: Pilot[None]) -> None:
    text = await press(pilot, "enter")
    assert "2026-11-24T02:00:00.000Z" in text
    assert "marker = slow" in text
    await press(pilot, "y")
    assert pilot.app.clipboard == "orchestra schedules next shop/nightly"


async def test_it_leads_to_the_builds_of_its_jobs(pilot: Pilot[None]) -> None:
    await press(pilot, "b")
    assert isinstance(pilot.app.screen, BuildsScreen)
    assert pilot.app.screen.wish.text == "project:shop job:test,package"


async def test_where_one_only_looks_nothing_is_offered(feed: FakeFeed) -> None:
    async with opened(feed, "schedules", readonly=True) as pilot:
        assert "Run now" not in screen_text(pilot.app)
        await press(pilot, "t", "enter", "escape", "e", "enter")
        assert feed.asked == []


async def test_no_schedules_says_how_to_define_one(feed: FakeFeed) -> None:
    feed.schedules = []
    async with opened(feed, "schedules") as pilot:
        assert "A job file does it" in screen_text(pilot.app)
