"""The master's patience: whose lease is over, when, and what a new master grants. Time is what the test says it is."""

import time
from dataclasses import dataclass

import pytest

from job_orchestra.agent.leases import GRACE_S, LEASE_S, Leases
from job_orchestra.core.model import BuildState
from tests.kit.hands import Hand
from tests.kit.towns import Citizen, Town


@dataclass
class Watched:
    """A worker with a build, and a watch over its lease that looks when it is told to."""

    master: Citizen
    hand: Hand
    build: str
    silent: float = 0.0  # seconds since the worker was heard

    def __post_init__(self) -> None:
        agent = self.master.agent
        self.leases = Leases(self.master.id, agent.replica, agent.master, lambda _: self.silent)
        self.began = time.monotonic()

    async def look(self, after: float) -> str:
        """Look so many seconds after the election; return the worker's session, as it is then."""
        await self.leases._look(self.began + after)
        return self.master.agent.replica.ledger.agents[self.hand.record.id].session

    async def state(self) -> str:
        return (await self.master.ask("builds.get", id=self.build))["build"]["state"]


@pytest.fixture
async def watched(town: Town) -> Watched:
    master = await town.found()
    await town.admit("b", hand := Hand(), votes=False)
    build = await master.submit()
    await hand.given(build)
    await hand.joined()
    return Watched(master, hand, build)


async def test_silence_ends_a_lease_and_loses_what_the_worker_had(watched: Watched) -> None:
    watched.silent = LEASE_S - 0.1
    assert await watched.look(100) == "s1"
    assert await watched.state() == "assigned"
    watched.silent = LEASE_S + 0.1
    assert await watched.look(101) == ""
    assert await watched.state() == "lost"
    watched.hand.join_again()  # it was only cut off: it works again
    await watched.hand.joined()
    assert watched.hand.over == (watched.hand.has[watched.build].key,)
    watched.silent = 0.0
    assert await watched.look(102) == "s1"


async def test_a_new_master_counts_silence_from_its_election(watched: Watched) -> None:
    watched.silent = 1000.0
    assert await watched.look(LEASE_S - 0.5) == "s1"
    assert await watched.look(LEASE_S + 0.5) == ""


async def test_who_answers_and_does_not_join_has_some_grace(town: Town, watched: Watched) -> None:
    watched.master.agent.master.leave(watched.hand.record.id)  # as after an election
    assert await watched.look(100) == "s1"
    assert await watched.look(100 + GRACE_S - 1) == "s1"
    watched.hand.join_again()
    await watched.hand.joined()
    assert await watched.look(100 + GRACE_S + 1) == "s1"
    town.freeze(watched.master)  # whoever answers here is not the worker
    watched.master.agent.master.leave(watched.hand.record.id)
    assert await watched.look(200) == "s1"
    assert await watched.look(200 + GRACE_S + 1) == ""
    assert await watched.state() == "lost"


async def test_the_masters_own_worker_needs_no_lease(town: Town) -> None:
    master = await town.found(hand=(hand := Hand()))
    build = await master.submit()
    await hand.given(build)
    watched = Watched(master, hand, build, silent=float("inf"))
    assert await watched.look(1000) == "s1"
    await hand.report(build, BuildState.SUCCEEDED)
    assert await watched.state() == "succeeded"
