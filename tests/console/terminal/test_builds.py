"""The screens Builds and Build, by keys, over a feed that makes everything up."""

from collections.abc import AsyncIterator

import pytest
from textual.events import Key
from textual.pilot import Pilot

from job_orchestra.console.terminal.app import Console
from job_orchestra.console.terminal.screens.build import BuildScreen
from job_orchestra.console.terminal.screens.builds import BuildsScreen
from job_orchestra.console.terminal.session import Session
from job_orchestra.console.terminal.statusline import Asking
from tests.kit.consoles import NOW, screen_text, settled, story
from tests.kit.feeds import FakeFeed


@pytest.fixture
def feed() -> FakeFeed:
    return story()


@pytest.fixture
async def pilot(feed: FakeFeed) -> AsyncIterator[Pilot[None]]:
    session = Session()
    session.state.place = "builds"
    app = Console(feed, session=session, now=lambda: NOW)
    async with app.run_test(size=(100, 30)) as found:
        await settled(found)
        yield found


def builds(pilot: Pilot[None]) -> BuildsScreen:
    assert isinstance(pilot.app.screen, BuildsScreen)
    return pilot.app.screen


async def test_builds_are_listed_newest_first(pilot: Pilot[None]) -> None:
    rows = builds(pilot).table.rows
    assert [row.created for row in rows] == sorted((row.created for row in rows), reverse=True)
    text = screen_text(pilot.app)
    assert "shop/test" in text
    assert "✗ failed" in text
    assert "workshop" in text
    assert "master anna" in text


async def test_a_filter_shows_what_matches_and_escape_shows_all(pilot: Pilot[None]) -> None:
    everything = len(builds(pilot).table.rows)
    await pilot.press("slash", *"state:failed", "enter")
    await settled(pilot)
    assert {row.state for row in builds(pilot).table.rows} == {"failed"}
    await pilot.press("escape")
    await settled(pilot)
    assert len(builds(pilot).table.rows) == everything


async def test_a_filter_may_be_typed_as_fast_as_it_likes(pilot: Pilot[None], feed: FakeFeed) -> None:
    for character in "/job:package state:aborted":  # all in one read, as over a slow line
        pilot.app.post_message(Key({"/": "slash", ":": "colon", " ": "space"}.get(character, character), character))
    await pilot.press("enter")
    await settled(pilot)
    assert {(row.job, row.state) for row in builds(pilot).table.rows} == {("package", "aborted")}
    await pilot.press("slash", "end", "slash")
    assert builds(pilot).query_one(Asking).value == "job:package state:aborted/"
    assert feed.asked == []


async def test_a_wrong_filter_says_what_is_right(pilot: Pilot[None]) -> None:
    await pilot.press("slash", *"stat:failed", "enter")
    await settled(pilot)
    assert "did you mean state:" in screen_text(pilot.app)


async def test_aborting_asks_and_names_the_target(pilot: Pilot[None], feed: FakeFeed) -> None:
    await pilot.press("i")
    await settled(pilot)
    target = builds(pilot).table.current
    assert target is not None
    await pilot.press("a")
    await settled(pilot)
    text = screen_text(pilot.app)
    assert f"Abort {target.project}/{target.job}#{target.number}?" in text
    assert f"orchestra abort {target.id}" in text
    await pilot.press("escape")
    await settled(pilot)
    assert feed.asked == []
    await pilot.press("a", "enter")
    await settled(pilot)
    assert feed.asked == [("builds.abort", {"id": target.id})]


async def test_marked_builds_are_acted_on_together(pilot: Pilot[None], feed: FakeFeed) -> None:
    await pilot.press("space", "space", "space", "r", "enter")
    await settled(pilot)
    assert [method for method, _ in feed.asked] == ["builds.rerun"] * 3


async def test_the_command_is_copied(pilot: Pilot[None]) -> None:
    await pilot.press("slash", *"state:failed job:test", "enter")
    await pilot.press("y")
    assert pilot.app.clipboard == "orchestra builds --state failed --where job=test"


async def test_a_build_is_opened_with_its_log(pilot: Pilot[None]) -> None:
    await pilot.press("enter")
    await settled(pilot)
    assert isinstance(pilot.app.screen, BuildScreen)
    await pilot.press("escape")
    await settled(pilot)
    builds(pilot)
