"""The screens Pipelines and Pipeline, and the graph of a project, by keys."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from job_orchestra.console.terminal.graphview import GraphView
from job_orchestra.console.terminal.screens.build import BuildScreen
from job_orchestra.console.terminal.screens.builds import BuildsScreen
from job_orchestra.console.terminal.screens.pipeline import PipelineScreen
from job_orchestra.console.terminal.screens.trigger import TriggerScreen
from job_orchestra.core.errors import NoAgent
from tests.kit.consoles import opened, press, screen_text, settled, shown, story
from tests.kit.feeds import FakeFeed


@pytest.fixture
def feed() -> FakeFeed:
    return story()


@pytest.fixture
async def pilot(feed: FakeFeed) -> AsyncIterator[Pilot[None]]:
    async with opened(feed, "pipelines") as found:
        yield found


def graph(pilot: Pilot[None]) -> GraphView:
    return pilot.app.screen.query_one(GraphView)


async def test_pipelines_are_listed(pilot: Pilot[None]) -> None:
    text = screen_text(pilot.app)
    assert "p-12      ● running  shop" in text
    assert "p-11      ✗ failed" in text
    assert await press(pilot, "y")
    assert pilot.app.clipboard == "orchestra pipelines"


async def test_a_pipeline_is_a_graph_that_one_walks_through(pilot: Pilot[None]) -> None:
    text = await press(pilot, "enter")
    assert "✓ lint    ─────● test 3/4─────○ package" in text
    assert graph(pilot).current == "lint"
    assert "deploy  ○ pending" in await press(pilot, "l", "l", "l")
    assert "needs package, docs  if branch == 'main'" in screen_text(pilot.app)
    await press(pilot, "g")
    assert graph(pilot).current == "lint"
    await press(pilot, "j")
    assert graph(pilot).current == "docs"
    await press(pilot, "G", "k", "h", "y")
    assert graph(pilot).current == "package"
    assert pilot.app.clipboard == "orchestra show p-12"


async def test_a_pipeline_is_shown_as_it_goes_on(pilot: Pilot[None], feed: FakeFeed) -> None:
    await press(pilot, "enter")
    feed.pipelines[0] = replace(feed.pipelines[0], nodes=feed.pipelines[1].nodes)
    feed.tell("build", build={"id": "x"})
    await shown(pilot, "✗ test 4/4")


async def test_a_job_with_one_build_opens_it_and_one_with_several_lists_them(pilot: Pilot[None]) -> None:
    await press(pilot, "enter", "enter")
    assert isinstance(pilot.app.screen, BuildScreen)
    await press(pilot, "escape", "l", "enter")
    assert isinstance(pilot.app.screen, BuildsScreen)
    assert pilot.app.screen.wish.text == "pipeline:p-12 job:test"


async def test_stopping_names_what_is_stopped(pilot: Pilot[None], feed: FakeFeed) -> None:
    assert "Abort p-12 of shop?" in await press(pilot, "a")
    assert "orchestra abort p-12" in screen_text(pilot.app)
    await press(pilot, "enter")
    assert feed.asked == [("pipelines.abort", {"id": "p-12"})]
    assert "Cancel what waits of p-12" in await press(pilot, "c")
    await press(pilot, "enter")
    assert feed.asked[-1] == ("pipelines.cancel", {"id": "p-12"})
    await press(pilot, "j", "a")
    await shown(pilot, "There is nothing to stop")


async def test_marked_pipelines_are_run_again_together(pilot: Pilot[None], feed: FakeFeed) -> None:
    assert "Run what failed of p-12 of shop, p-11 of shop again?" in await press(pilot, "space", "space", "F")
    await press(pilot, "enter")
    assert feed.asked == [("pipelines.rerun", {"id": one, "failed": True}) for one in ("p-12", "p-11")]
    await press(pilot, "u", "r", "enter")
    assert feed.asked[-1] == ("pipelines.rerun", {"id": "p-11", "failed": False})


async def test_a_filter_and_what_it_copies(pilot: Pilot[None]) -> None:
    await pilot.press("slash", *"state:failed project:shop")
    await press(pilot, "enter")
    assert "p-12" not in screen_text(pilot.app)
    await press(pilot, "y")
    assert pilot.app.clipboard == "orchestra pipelines shop"


async def test_no_pipelines_yet_says_what_to_do(feed: FakeFeed) -> None:
    feed.pipelines = []
    async with opened(feed, "pipelines") as pilot:
        assert "orchestra submit PROJECT" in screen_text(pilot.app)


async def test_a_pipeline_that_cannot_be_had_says_why_and_keeps_what_it_showed(
    pilot: Pilot[None], feed: FakeFeed
) -> None:
    await press(pilot, "enter")
    feed.problem = NoAgent("box is gone")
    assert "not up to date: box is gone" in await press(pilot, "f5")
    assert "✓ lint" in screen_text(pilot.app)


async def test_a_project_has_a_graph_before_it_was_ever_run(feed: FakeFeed) -> None:
    async with opened(feed, "jobs") as pilot:
        await pilot.press("slash", *"docs")
        await press(pilot, "enter", "p")
        text = screen_text(pilot.app)
        assert "project shop  5 jobs" in text
        assert "· docs" in text  # never run
        assert "test \N{MULTIPLICATION SIGN}2" in text  # as many as its matrix has
        assert "needs lint" in await press(pilot, "g", "l")
        await press(pilot, "t")
        assert isinstance(pilot.app.screen, TriggerScreen)
        await press(pilot, "escape", "enter")
        assert isinstance(pilot.app.screen, BuildsScreen)
        assert pilot.app.screen.wish.text == "project:shop job:test"


async def test_a_build_leads_to_its_pipeline(feed: FakeFeed) -> None:
    async with opened(feed, "builds") as pilot:
        await press(pilot, "p")
        await shown(pilot, "It belongs to no pipeline.")


async def test_a_graph_larger_than_the_terminal_pans_with_the_cursor(feed: FakeFeed) -> None:
    async with opened(feed, "pipelines", size=(40, 12)) as pilot:
        assert "deploy" not in await press(pilot, "enter")
        assert "▸" in screen_text(pilot.app)
        text = await press(pilot, "G")
        assert "deploy" in text
        assert "◂" in text


async def test_nodes_are_clicked(pilot: Pilot[None]) -> None:
    await press(pilot, "enter")
    view = graph(pilot)
    place = next(y for y in range(view.size.height) if "docs" in view.render_line(y).text)
    await pilot.click(GraphView, offset=(3, place))
    assert view.current == "docs"
    await pilot.click(GraphView, offset=(3, place), times=2)
    await settled(pilot)
    assert isinstance(pilot.app.screen, BuildScreen)
    assert not isinstance(pilot.app.screen, PipelineScreen)
