"""A feed from agents that come and go: it says so, keeps what it knew, and finds another one of the same network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from job_orchestra.console.feed import live
from job_orchestra.console.feed.contract import Link
from job_orchestra.console.feed.live import LiveFeed
from job_orchestra.core.api.network import Identity
from job_orchestra.core.errors import NoAgent, OrchestraError
from tests.kit import waiting
from tests.kit.standing import status


class FakeAgent:
    """An agent that can be spoken to, until it is killed."""

    def __init__(self, name: str, network: str = "a" * 16) -> None:
        self.label = f"at {name}"
        self.name = name
        self.network = network
        self.up = True
        self.silent = False
        self.connections: list[FakeConnection] = []

    async def connect(self) -> "FakeConnection":
        if not self.up:
            raise NoAgent("no agent runs on this machine; start it with: orchestra up")
        self.connections.append(FakeConnection(self))
        return self.connections[-1]

    def kill(self) -> None:
        self.up = False
        for one in self.connections:
            one.broken.set()


class FakeConnection:
    """A connection to one."""

    def __init__(self, agent: FakeAgent) -> None:
        self.agent = agent
        self.broken = asyncio.Event()
        self.closed = False

    async def call(self, method: str, *_: object, **params: object) -> Any:  # noqa: ANN401 - as live.Connection
        if self.agent.silent:
            await asyncio.Event().wait()
        if not self.agent.up:
            raise NoAgent("gone")
        if method == "network.status":
            me = Identity(self.agent.name * 3, self.agent.name)
            return status(agent=me, network=Identity(self.agent.network, "workshop"))
        return params

    async def next_event(self) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def gone(self) -> None:
        await self.broken.wait()

    async def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_S", 0.02)
    monkeypatch.setattr(live, "SILENT_S", 0.05)
    monkeypatch.setattr(live, "RETRY_S", (0.001,))


@asynccontextmanager
async def running(home: FakeAgent, *others: FakeAgent) -> AsyncIterator[LiveFeed]:
    feed = LiveFeed(home, lambda: others)
    task = asyncio.ensure_future(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(feed: LiveFeed, link: Link, source: str = "") -> None:
    await waiting.until(lambda: feed.standing.link is link and source in feed.standing.source, f"it is {link}")


async def test_it_finds_an_agent_that_comes_later() -> None:
    home = FakeAgent("anna")
    home.up = False
    async with running(home) as feed:
        await waiting.until(lambda: feed.standing.problem, "it says why")
        assert feed.standing.link is Link.SEEKING
        with pytest.raises(NoAgent, match="orchestra up"):
            await feed.call("tasks.list")
        home.up = True
        await until(feed, Link.LIVE)
        assert not feed.standing.problem


async def test_it_goes_on_with_another_agent_of_the_network() -> None:
    home, stranger, other = FakeAgent("anna"), FakeAgent("eve", "b" * 16), FakeAgent("bert")
    async with running(home, stranger, other) as feed:
        await until(feed, Link.LIVE)
        assert feed.standing.source == "anna (at anna)"
        home.kill()
        await until(feed, Link.LIVE, "bert")
        assert all(one.closed for one in [*home.connections, *stranger.connections])


async def test_what_was_known_stays_while_nobody_answers() -> None:
    home = FakeAgent("anna")
    async with running(home) as feed:
        await until(feed, Link.LIVE)
        await feed.call("tasks.list", limit=3)
        home.kill()
        await until(feed, Link.LOST)
        assert feed.standing.status is not None
        assert feed.standing.heard is not None
        assert not feed.standing.master
        assert feed.remembered("tasks.list", limit=3) is not None
        with pytest.raises(OrchestraError):
            await feed.call("tasks.list", limit=3)
        home.up = True
        await until(feed, Link.LIVE)


async def test_an_agent_that_hangs_counts_as_gone() -> None:
    home, other = FakeAgent("anna"), FakeAgent("bert")
    async with running(home, other) as feed:
        await until(feed, Link.LIVE)
        home.silent = True
        await until(feed, Link.LIVE, "bert")


async def test_another_network_at_the_same_place_makes_it_forget() -> None:
    home = FakeAgent("anna")
    async with running(home) as feed:
        await until(feed, Link.LIVE)
        await feed.call("tasks.list", limit=3)
        home.kill()
        await until(feed, Link.LOST)
        home.network, home.up = "c" * 16, True
        await until(feed, Link.LIVE)
        assert feed.remembered("tasks.list", limit=3) is None
