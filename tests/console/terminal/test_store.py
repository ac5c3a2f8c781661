"""The screen Store, by keys: over an agent that makes everything up, and over a store alone."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from job_orchestra.console.feed.archive import StoreFeed
from job_orchestra.console.terminal.screens.document import DocumentScreen
from job_orchestra.console.terminal.screens.store import CollectionScreen
from job_orchestra.console.terminal.session import Session
from job_orchestra.core.model import ScheduleRecord
from job_orchestra.store.showing import store_view
from tests.kit.builders import agent, batch
from tests.kit.consoles import NOW, opened, press, screen_text, shown, story
from tests.kit.feeds import FakeFeed


@pytest.fixture
def feed() -> FakeFeed:
    return story()


@pytest.fixture
async def pilot(feed: FakeFeed) -> AsyncIterator[Pilot[None]]:
    async with opened(feed, "store", size=(120, 24)) as found:
        yield found


def collection(pilot: Pilot[None]) -> CollectionScreen:
    assert isinstance(pilot.app.screen, CollectionScreen)
    return pilot.app.screen


async def test_collections_are_listed_with_what_is_in_them(pilot: Pilot[None], feed: FakeFeed) -> None:
    text = screen_text(pilot.app)
    for one in store_view(feed.store.describe()).collections:
        assert one.name in text
    assert "Executions of jobs" in text
    assert "memory:" in text
    await press(pilot, "y")
    assert pilot.app.clipboard == "orchestra store info"


async def test_a_collection_is_browsed(pilot: Pilot[None]) -> None:
    text = await press(pilot, "enter")
    assert "SERIAL*" in text
    assert "1/40" in text
    assert collection(pilot).table.rows[0]["serial"] == 40


async def test_records_are_filtered_by_their_fields(pilot: Pilot[None]) -> None:
    await press(pilot, "enter")
    await pilot.press("slash", *"state:failed project:shop")
    await press(pilot, "enter")
    rows = collection(pilot).table.rows
    assert rows
    assert {(row["state"], row["project"]) for row in rows} == {("failed", "shop")}
    await press(pilot, "y")
    assert pilot.app.clipboard == "orchestra store query builds -w state=failed -w project=shop"
    await press(pilot, "escape")
    assert len(collection(pilot).table.rows) == 40


async def test_a_wrong_field_is_told(pilot: Pilot[None]) -> None:
    await press(pilot, "enter")
    await pilot.press("slash", *"projekt:shop")
    assert "did you mean project:" in await press(pilot, "enter")


async def test_records_are_sorted(pilot: Pilot[None]) -> None:
    await press(pilot, "enter")
    collection(pilot)._order_by("number", further=False)
    await press(pilot)
    numbers = [row["number"] for row in collection(pilot).table.rows]
    assert numbers == sorted(numbers)
    await press(pilot, "y")
    assert pilot.app.clipboard == "orchestra store query builds --order=number"


async def test_a_record_is_a_document(pilot: Pilot[None]) -> None:
    text = await press(pilot, "enter", "enter")
    assert isinstance(pilot.app.screen, DocumentScreen)
    assert "serial       40" in text
    assert "marker: slow" in text  # nested
    await press(pilot, "y")
    assert pilot.app.clipboard.startswith("orchestra call store.query")
    assert '"collection":"builds"' in pilot.app.clipboard


async def test_each_collection_remembers_its_own_columns(feed: FakeFeed) -> None:
    session = Session()
    async with opened(feed, "store", session=session) as pilot:
        await press(pilot, "enter")
        collection(pilot)._on_columns(["serial", "requester"])
        await press(pilot, "escape", "enter")
        assert [one.name for one in collection(pilot).table.columns] == ["serial", "requester"]
        await press(pilot, "escape", "j", "enter")
        assert len(collection(pilot).table.columns) > 2
    assert set(session.state.tables) >= {"store.builds", "store.attempts"}


async def test_a_store_alone_is_browsed_with_no_network(feed: FakeFeed) -> None:
    alone = StoreFeed(feed.store)
    try:
        async with opened(alone, "store", readonly=True) as pilot:
            text = screen_text(pilot.app)
            assert "no network, read-only" in text
            assert "attempts" in text
            await press(pilot, "2")
            assert "shop/test" in await shown(pilot, "✗ failed")
            assert "Abort" not in screen_text(pilot.app)
            await press(pilot, "enter")
            await shown(pilot, "A store keeps no logs")
            await press(pilot, "7")
            assert "No schedules are defined" in screen_text(pilot.app)
    finally:
        alone.close()


async def test_schedules_of_a_store_alone_say_what_is_next_and_cannot_be_changed(feed: FakeFeed) -> None:
    nightly = ScheduleRecord("shop", "nightly", "0 3 * * *", "UTC", ("test",), enabled=True)
    feed.store.write(batch(99, schedules=[nightly, replace(nightly, name="weekly", enabled=False)]))
    alone = StoreFeed(feed.store, now=lambda: NOW)
    try:
        async with opened(alone, "schedules", readonly=True, size=(120, 24)) as pilot:
            text = await shown(pilot, "shop/weekly")
            lines = [line.split() for line in text.split("\n") if "shop/" in line]
            assert [line[:3] for line in lines] == [["shop/nightly", "in", "7h00m"], ["shop/weekly", "off", "0"]]
            assert "Run now" not in text
            await press(pilot, "enter")
            await shown(pilot, "2026-12-03T03:00:00")
    finally:
        alone.close()


async def test_an_agent_of_a_store_alone_is_a_page(feed: FakeFeed) -> None:
    feed.put(agents=[agent("ant")])
    alone = StoreFeed(feed.store)
    try:
        async with opened(alone, "agents", readonly=True) as pilot:
            assert "agent        ant" in await press(pilot, "enter")
    finally:
        alone.close()


@pytest.mark.parametrize("place", ["overview", "builds", "pipelines", "jobs", "agents", "tasks", "schedules", "store"])
async def test_every_screen_stands_over_a_store_alone(feed: FakeFeed, place: str) -> None:
    alone = StoreFeed(feed.store)
    try:
        async with opened(alone, place, readonly=True, size=(80, 24)) as pilot:
            assert "no network" in await press(pilot, "enter", "escape")
    finally:
        alone.close()
