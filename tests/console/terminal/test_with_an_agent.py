"""The console over a real agent: what is done there is done, and what is shown is so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from job_orchestra.console.feed import places
from job_orchestra.console.feed.contract import Link
from job_orchestra.console.feed.live import LiveFeed
from job_orchestra.console.terminal.app import Console
from job_orchestra.console.terminal.session import Session
from job_orchestra.core.model import BuildState
from tests.kit.agents import AgentProcess
from tests.kit.consoles import press, screen_text, settled, shown
from tests.kit.waiting import until

JOBS = """
project: demo
jobs:
  lint: echo lint
  test:
    needs: lint
    parameters:
      - { name: marker, default: "" }
    matrix: { python: ["3.11", "3.13"] }
    run: [echo "marker=$PARAM_MARKER", mkdir -p dist, echo kept > dist/report.txt]
    artifacts: [dist/*]
  tail: for i in $(seq 500); do echo line $i; done; while [ ! -e DONE ]; do sleep 0.1; done; echo the end
schedules:
  nightly: { cron: "0 3 * * *", jobs: [lint] }
"""


@pytest.fixture
async def pilot(running_agent: AgentProcess) -> AsyncIterator[Pilot[None]]:
    with running_agent.client() as net:
        net.call("jobs.apply", file=JOBS)
    feed = LiveFeed(places.home(running_agent.data))
    app = Console(feed, session=Session())
    async with app.run_test(size=(100, 30), notifications=True) as found:
        await until(lambda: feed.standing.link is Link.LIVE, "the agent answers")
        await settled(found)
        yield found


async def filtered(pilot: Pilot[None], text: str) -> None:
    await pilot.press("slash", *text)
    await press(pilot, "enter")


async def test_a_job_is_run_with_a_parameter_and_its_pipeline_shown_to_the_end(
    pilot: Pilot[None], running_agent: AgentProcess
) -> None:
    await press(pilot, "4")
    await shown(pilot, "demo/test")
    await filtered(pilot, "demo/test")
    await press(pilot, "p")
    await shown(pilot, "lint")  # the graph, before it ever ran
    await press(pilot, "l", "t")
    await pilot.press(*"slow")
    await press(pilot, "ctrl+s")
    await shown(pilot, "3 builds")
    await shown(pilot, "✓ test 2/2")
    await press(pilot, "l", "enter")
    await shown(pilot, "demo/test")
    with running_agent.client() as net:
        builds = net.builds.list(where={"job": "test"}).builds
        assert {one.parameters["marker"] for one in builds} == {"slow"}
    await press(pilot, "v")
    await shown(pilot, "dist/report.txt")
    await press(pilot, "enter")
    await shown(pilot, "kept")


async def test_a_log_is_followed_searched_and_saved(
    pilot: Pilot[None], running_agent: AgentProcess, tmp_path: Path
) -> None:
    with running_agent.client() as net:
        build = net.builds.submit("demo/tail")[0]
    await press(pilot, "2")
    await shown(pilot, "demo/tail")
    await filtered(pilot, f"id:{build.id}")
    await press(pilot, "W", "enter")
    await shown(pilot, "line 500")
    await shown(pilot, "● following")
    await pilot.press("slash", *"line 25$")
    await press(pilot, "enter")
    await shown(pilot, "line 25")
    await press(pilot, "a", "enter")
    await shown(pilot, "■ aborted")
    await shown(pilot, "demo/tail#1 aborted")  # the end that was waited for
    await press(pilot, "s")
    path = tmp_path / "tail.log"
    pilot.app.screen.query_one(Input).value = str(path)
    await press(pilot, "enter")
    await shown(pilot, "Saved")
    assert path.read_text().startswith("line 1\nline 2\n")
    with running_agent.client() as net:
        assert net.builds.get(build.id).build.state is BuildState.ABORTED


async def test_a_schedule_is_run_now_and_switched_off(pilot: Pilot[None], running_agent: AgentProcess) -> None:
    await press(pilot, "7")
    await shown(pilot, "demo/nightly")
    await press(pilot, "t", "enter")
    await shown(pilot, "✓ succeeded")
    await press(pilot, "e", "enter")
    await shown(pilot, "off")
    with running_agent.client() as net:
        (found,) = net.call("schedules.list").schedules
    assert not found.enabled
    assert found.builds[0].job == "lint"


async def test_the_store_is_browsed(pilot: Pilot[None], running_agent: AgentProcess) -> None:
    with running_agent.client() as net:
        net.builds.submit("demo/lint")[0].wait()
    await press(pilot, "8")
    await shown(pilot, "Executions of jobs")
    await press(pilot, "enter")
    await filtered(pilot, "job:lint state:succeeded")
    text = await shown(pilot, "lint")
    assert "tail" not in text
    await press(pilot, "enter")
    await shown(pilot, "project      demo")


async def test_an_agent_is_taken_out_of_work_and_back(pilot: Pilot[None], running_agent: AgentProcess) -> None:
    await press(pilot, "5")
    await shown(pilot, "● ready")
    await press(pilot, "d", "enter")
    await shown(pilot, "- disabled")
    await press(pilot, "e", "enter")
    await shown(pilot, "● ready")
    await press(pilot, "s", "backspace", "3", "enter")
    await shown(pilot, "0/3")
    with running_agent.client() as net:
        assert net.call("agents.list").agents[0].slots["total"] == 3


async def test_the_trail_says_who_did_what(pilot: Pilot[None], running_agent: AgentProcess) -> None:
    with running_agent.client() as net:
        net.call("agents.offer", agent=net.call("agents.list").agents[0].id, slots=3)
        net.call("schedules.set", schedule="demo/nightly", enabled=False)
    await press(pilot, "6")
    text = await shown(pilot, "schedules.set")
    assert "agents.offer" in text
    assert "refused" not in screen_text(pilot.app)
