"""What all tables can do: sorted by several columns, filtered forgivingly, marked, with columns of one's own choice."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import OptionList

from job_orchestra.console.terminal.screens import listed
from job_orchestra.console.terminal.screens.builds import BuildsScreen
from job_orchestra.console.terminal.screens.listed import Listed
from job_orchestra.console.terminal.session import Session
from job_orchestra.console.terminal.table import Table
from tests.kit.consoles import opened, press, screen_text, settled, shown, story
from tests.kit.feeds import FakeFeed


@pytest.fixture
def feed() -> FakeFeed:
    return story()


@pytest.fixture
async def pilot(feed: FakeFeed) -> AsyncIterator[Pilot[None]]:
    async with opened(feed, "builds", size=(120, 24)) as found:
        yield found


def listing(pilot: Pilot[None]) -> Listed:
    assert isinstance(pilot.app.screen, Listed)
    return pilot.app.screen


def rows(pilot: Pilot[None]) -> list[Any]:
    return listing(pilot).table.rows


async def choose(pilot: Pilot[None], title: str) -> None:
    """Take one of the list that is open, by its title."""
    options = pilot.app.screen.query_one(OptionList)
    found = next(
        number for number in range(options.option_count) if title in str(options.get_option_at_index(number).prompt)
    )
    options.highlighted = found
    await press(pilot, "enter")


async def test_rows_are_sorted_by_several_columns(pilot: Pilot[None]) -> None:
    await press(pilot, "o")
    await choose(pilot, "STATE")
    await press(pilot, "O")
    await choose(pilot, "NO")
    await press(pilot, "O")
    await choose(pilot, "NO")  # once more: the other way round
    found = [(row.state, -row.number) for row in rows(pilot)]
    assert found == sorted(found)
    head = screen_text(pilot.app).split("\n")[2]
    assert "STATE↑¹" in head
    assert "NO↓²" in head


async def test_titles_are_clicked_and_more_with_shift(pilot: Pilot[None]) -> None:
    head = screen_text(pilot.app).split("\n")[2]
    await pilot.click(Table, offset=(head.index("STATE"), 0))
    await settled(pilot)
    assert listing(pilot).table.order == {"state": False}
    await pilot.click(Table, offset=(head.index("BY"), 0), shift=True)
    await settled(pilot)
    assert listing(pilot).table.order == {"state": False, "requester": False}
    assert [row.state for row in rows(pilot)] == sorted(row.state for row in rows(pilot))


async def test_the_end_of_a_sorted_table_is_its_end(pilot: Pilot[None]) -> None:
    await press(pilot, "o")
    await choose(pilot, "NO")
    assert [row.number for row in rows(pilot)] == sorted(row.number for row in rows(pilot))
    await press(pilot, "G")
    assert listing(pilot).table.current is rows(pilot)[-1]


async def test_many_rows_are_only_sorted_as_they_are_kept(feed: FakeFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "FEW", 10)
    session = Session()
    async with opened(feed, "builds", session=session) as pilot:
        screen = listing(pilot)
        screen._order_by("number", further=False)
        await shown(pilot, "Of more than")
        assert screen.table.order == {"created": True}
        screen.filter_by("state:aborted project:site")  # so few that any order will do
        await settled(pilot)
        screen._order_by("number", further=False)
        await settled(pilot)
        assert screen.table.order == {"number": False}
        screen.filter_by("")
        await settled(pilot)
        assert screen.table.order == {"created": True}


async def test_an_order_that_takes_sorting_is_found_again_where_rows_are_few(feed: FakeFeed) -> None:
    session = Session()
    session.keep_table("builds", columns=[], order={"number": False}, filter="")
    async with opened(feed, "builds", session=session) as pilot:
        assert listing(pilot).table.order == {"number": False}
        assert rows(pilot)[0].number == 1
    assert session.table("builds").order == {"number": False}


async def test_words_are_found_forgivingly(pilot: Pilot[None], feed: FakeFeed) -> None:
    await pilot.press("slash", *"~pckg")
    await press(pilot, "enter")
    assert {row.job for row in rows(pilot)} == {"package"}
    await press(pilot, "4")
    await pilot.press("slash", *"pckg")
    await press(pilot, "enter")
    assert [row.name for row in rows(pilot)] == ["package"]


async def test_marks_stay_where_they_were_made_and_are_acted_on(pilot: Pilot[None], feed: FakeFeed) -> None:
    marked = [row.id for row in rows(pilot)[:2]]
    text = await press(pilot, "space", "space")
    assert "2 marked" in text
    assert text.count("▌") == 2
    await press(pilot, "c")
    assert "Cancel shop/test#40, site/deploy#39?" in screen_text(pilot.app)
    await press(pilot, "enter")
    assert feed.asked == [("builds.cancel", {"id": one}) for one in marked]
    assert "marked" not in await press(pilot, "u")


async def test_columns_are_chosen_with_keys_and_remembered(feed: FakeFeed) -> None:
    session = Session()
    async with opened(feed, "builds", session=session) as pilot:
        await press(pilot, "C", "space", "enter")
        assert isinstance(pilot.app.screen, BuildsScreen)
        assert "STATE" not in screen_text(pilot.app).split("\n")[2]
    async with opened(feed, "builds", session=session) as pilot:
        assert "STATE" not in screen_text(pilot.app).split("\n")[2]


async def test_vim_keys_and_arrows_move_alike(pilot: Pilot[None]) -> None:
    table = listing(pilot).table
    for keys, row in (("j", 1), ("down", 2), ("k", 1), ("up", 0), ("G", 39), ("g", 0), ("end", 39), ("home", 0)):
        await press(pilot, keys)
        assert table.current is table.rows[row]
    await press(pilot, "ctrl+f")
    assert table.current is table.rows[18]
    await press(pilot, "pageup")
    assert table.current is table.rows[0]
    await press(pilot, "l")
    assert not isinstance(pilot.app.screen, BuildsScreen)


async def test_the_wheel_scrolls_and_a_double_click_opens(pilot: Pilot[None]) -> None:
    await pilot._post_mouse_events([events.MouseScrollDown], Table, offset=(5, 5))
    await settled(pilot)
    assert "37" in screen_text(pilot.app).split("\n")[3]
    await pilot.click(Table, offset=(5, 4), times=2)
    await settled(pilot)
    assert not isinstance(pilot.app.screen, BuildsScreen)
