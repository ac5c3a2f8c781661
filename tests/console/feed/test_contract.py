"""What every feed promises, tried with one that makes everything up and with one that speaks to a real agent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from job_orchestra.console.feed import places
from job_orchestra.console.feed.contract import Feed, Heard, Link
from job_orchestra.console.feed.live import LiveFeed
from job_orchestra.core.api.builds import Builds, LogPart, OneBuild
from job_orchestra.core.errors import InvalidInput, NotFound
from job_orchestra.core.model import BuildState
from tests.kit.agents import AgentProcess
from tests.kit.builders import attempt, build
from tests.kit.feeds import FakeFeed
from tests.kit.standing import status
from tests.kit.waiting import until


@dataclass
class Case:
    """A feed with three builds of run/hello, the last of which wrote `hello`, and a way to have another one."""

    feed: Feed
    submit: Callable[[], object]


def made_up() -> Case:
    feed = FakeFeed(status())
    ended = {"project": "run", "job": "hello", "state": BuildState.SUCCEEDED, "attempt": 1, "started": 1, "finished": 2}
    builds = [build(number, **ended) for number in (1, 2, 3)]
    feed.put(*builds, attempts=[attempt(one, state=BuildState.SUCCEEDED) for one in builds])
    feed.logs = {f"{one.id}.1": b"hello\n" for one in builds}
    return Case(feed, lambda: feed.put(build(4, project="run", job="hello")))


@pytest.fixture
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    if request.param == "made up":
        yield made_up()
        return
    agent: AgentProcess = request.getfixturevalue("running_agent")
    with agent.client() as net:
        if len(net.builds.list(where={"job": "hello"}).builds) < 3:
            for _ in range(3):
                net.builds.submit(["echo", "hello"], name="hello")[0].wait()
        feed = LiveFeed(places.home(agent.data))
        running = asyncio.ensure_future(feed.run())
        await until(lambda: feed.standing.link is Link.LIVE, "the agent answers")
        yield Case(feed, lambda: net.builds.submit(["true"], name="hello"))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


every_feed = pytest.mark.parametrize("case", ["made up", "a real agent"], indirect=True)


@every_feed
async def test_it_says_how_it_stands(case: Case) -> None:
    standing = case.feed.standing
    assert standing.link is Link.LIVE
    assert standing.status is not None
    assert standing.master == standing.status.agent.name
    assert standing.heard is not None
    assert case.feed.clock() - standing.heard < 60
    assert not standing.problem


@every_feed
async def test_it_answers_in_pages(case: Case) -> None:
    wish: dict[str, Any] = {"where": {"job": "hello"}, "order": "number", "limit": 2}
    first: Builds = await case.feed.call("builds.list", **wish)
    assert [one.number for one in first.builds] == [1, 2]
    second: Builds = await case.feed.call("builds.list", **wish, after=first.next)
    assert second.builds[0].number == 3


@every_feed
async def test_it_gives_one_build_and_its_log(case: Case) -> None:
    listed: Builds = await case.feed.call("builds.list", where={"job": "hello", "number": 3})
    found: OneBuild = await case.feed.call("builds.get", id=listed.builds[0].id)
    assert found.build.attempts[0].state is BuildState.SUCCEEDED
    part: LogPart = await case.feed.call("builds.log", id=found.build.id, offset=-3, limit=10)
    assert (part.offset, part.data, part.next, part.complete) == (3, "lo\n", 6, True)


@every_feed
async def test_mistakes_are_told(case: Case) -> None:
    with pytest.raises(NotFound):
        await case.feed.call("builds.get", id="zzzzzzzz")
    with pytest.raises(InvalidInput):
        await case.feed.call("builds.list", order="nonsense")
    with pytest.raises(InvalidInput):
        await case.feed.call("builds.list", limit="many")


@every_feed
async def test_it_remembers_answers(case: Case) -> None:
    assert case.feed.remembered("tasks.list", limit=7) is None
    answer = await case.feed.call("tasks.list", limit=7)
    remembered = case.feed.remembered("tasks.list", limit=7)
    assert remembered is not None
    assert remembered.answer == answer
    assert remembered.at <= case.feed.clock()
    assert case.feed.remembered("tasks.list", limit=8) is None


@every_feed
async def test_it_tells_what_happens_until_one_stops_listening(case: Case) -> None:
    heard: list[Heard] = []
    came = asyncio.Event()

    def hear(one: Heard) -> None:
        heard.append(one)
        if one.kind == "build":
            came.set()

    stop = case.feed.listen(hear)
    await asyncio.to_thread(case.submit) if "agent" in case.feed.standing.source else case.submit()
    await asyncio.wait_for(came.wait(), 60)
    event = next(one for one in heard if one.kind == "build")
    assert event.payload["build"]["job"] == "hello"
    stop()
    heard.clear()
    case.submit()
    await asyncio.sleep(0)
    assert not heard
