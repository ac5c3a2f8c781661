"""A store alone answers what is about the history just as an agent does."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from job_orchestra.console.feed.archive import StoreFeed
from job_orchestra.console.feed.contract import Link
from job_orchestra.core.errors import InvalidInput, NotFound
from job_orchestra.core.model import BuildState, Node, Pipeline, PipelineState, ScheduleRecord
from tests.kit.builders import batch, build, pin
from tests.kit.consoles import NOW, story
from tests.kit.feeds import FakeFeed


@pytest.fixture
def agent() -> FakeFeed:
    return story()


@pytest.fixture
def feed(agent: FakeFeed) -> Iterator[StoreFeed]:
    found = StoreFeed(agent.store, agent.clock, lambda: NOW)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("builds.list", {"where": {"state": "failed"}, "order": "-created", "limit": 3}),
        ("builds.list", {"search": "shop"}),
        ("tasks.list", {"limit": 5}),
        ("jobs.durations", {"jobs": ["shop/test"]}),
        ("jobs.failing", {}),
        ("store.describe", {}),
        ("store.count", {"collection": "builds", "where": {"project": "shop"}}),
        ("store.query", {"collection": "attempts", "where": {}, "limit": 2}),
    ],
)
async def test_answers_are_those_of_an_agent(
    feed: StoreFeed, agent: FakeFeed, method: str, asked: dict[str, Any]
) -> None:
    assert await feed.call(method, **asked) == await agent.call(method, **asked)


async def test_a_build_has_its_attempts(feed: StoreFeed, agent: FakeFeed) -> None:
    listed = await agent.call("builds.list", limit=1, where={"state": "failed"})
    identity = listed.builds[0].id
    assert await feed.call("builds.get", id=identity) == await agent.call("builds.get", id=identity)


async def test_a_pinned_build_says_so(feed: StoreFeed, agent: FakeFeed) -> None:
    first, second = (await feed.call("builds.list", limit=2)).builds
    agent.store.write(batch(99, pins=[pin(first.id, note="released")]))
    listed = (await feed.call("builds.list", limit=2)).builds
    assert [one.pin and one.pin.note for one in listed] == ["released", None]
    assert (await feed.call("builds.get", id=first.id)).build.pin == listed[0].pin
    assert (await feed.call("builds.get", id=second.id)).build.pin is None


async def test_a_pipeline_counts_its_live_builds(feed: StoreFeed, agent: FakeFeed) -> None:
    one, two = (build(900 + number, pipeline="p-1", state=BuildState.RUNNING) for number in range(2))
    node = Node("test", first=900, count=2)
    agent.store.write(
        batch(99, builds=[one, two], pipelines=[Pipeline("p-1", 1, "shop", PipelineState.RUNNING, 1, (node,))])
    )
    listed = await feed.call("pipelines.list")
    assert [(found.id, found.builds) for found in listed.pipelines] == [("p-1", 2)]
    found = (await feed.call("pipelines.get", id="p-1")).pipeline
    assert found.state is PipelineState.RUNNING
    assert found.nodes[0].states == {"running": 2}


async def test_schedules_are_told_with_their_next_firings_and_last_builds(feed: StoreFeed, agent: FakeFeed) -> None:
    last = (await feed.call("builds.list", limit=1)).builds[0]
    nightly = ScheduleRecord(
        "shop", "nightly", "0 3 * * *", "Europe/Paris", ("test",), enabled=True, fired=1, builds=(last.id, "gone")
    )
    off = replace(nightly, project="site", builds=(), enabled=False)
    agent.store.write(batch(99, schedules=[off, nightly]))
    found = (await feed.call("schedules.list", next=2)).schedules
    assert [f"{one.project}/{one.name}" for one in found] == ["shop/nightly", "site/nightly"]
    assert found[0].next == ["2026-11-24T02:00:00.000Z", "2026-11-25T02:00:00.000Z"]
    assert [one.id for one in found[0].builds] == [last.id]
    assert found[1].next == []
    assert (await feed.call("schedules.list", schedule="site/nightly", next=0)).schedules == [found[1]]
    assert (await feed.call("schedules.list", project="nobody")).schedules == []


async def test_it_says_that_there_is_no_network(feed: StoreFeed) -> None:
    assert feed.standing.link is Link.STORE
    assert feed.standing.source == "memory:"


async def test_what_takes_an_agent_is_refused_with_the_reason(feed: StoreFeed) -> None:
    assert "builds.abort" not in feed.methods
    with pytest.raises(InvalidInput, match="takes an agent; this is the store memory: alone"):
        await feed.call("builds.abort", id="x")


@pytest.mark.parametrize(
    ("method", "asked"), [("builds.get", {"id": "zzz"}), ("jobs.get", {"job": "a/b"}), ("pipelines.get", {"id": "p-7"})]
)
async def test_what_is_not_there_is_told(feed: StoreFeed, method: str, asked: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match="in this store"):
        await feed.call(method, **asked)


async def test_wrong_parameters_are_told(feed: StoreFeed) -> None:
    with pytest.raises(InvalidInput, match="wrong parameters"):
        await feed.call("builds.list", limit="many")
