"""Events at agents that hold no copy of the ledger."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from job_orchestra.agent import relay
from job_orchestra.agent.peers import Peers
from job_orchestra.agent.relay import Event, Relay
from job_orchestra.core.messages import EVENT, PART_BYTES, Call
from tests.kit.meshes import MemoryClub, until
from tests.kit.towns import Citizen, Town


class Listener:
    """Clients at one agent, as the relay sees them."""

    def __init__(self, at: Citizen) -> None:
        self.heard: list[Event] = []
        self.wanted = False
        self.relay = Relay(at.agent.peers, at.mesh)
        self.relay.connect(lambda: self.wanted, self.heard.extend)


async def test_who_holds_no_copy_hears_events_from_the_master(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = await town.grow(3)
    far = await town.admit("far", votes=False)
    here = Listener(far)
    build = await first.submit()
    await here.relay.subscribed()
    later = await first.submit()
    await until(lambda: later in {one[1] for one in here.heard}, "it hears of what follows")
    assert build not in {one[1] for one in here.heard}
    await others[0].ask("builds.cancel", id=later)
    await until(lambda: "cancelled" in str(here.heard), "it hears the end")

    monkeypatch.setattr(relay, "ASK_S", 0.02)
    here.wanted = True
    asking = asyncio.ensure_future(here.relay.run())  # it asks again, of whoever leads
    town.freeze(first)
    new = await town.elected(others)
    await until(lambda: far.agent.peers.master == new.id, "the new master is known")
    await until(lambda: new.agent.peers.master and far.id in _followers(new), "it asked the new one")
    last = await new.submit()
    await until(lambda: last in {one[1] for one in here.heard}, "it hears from the new one")
    asking.cancel()


def _followers(one: Citizen) -> set[str]:
    handler = one.mesh._switchboard._handlers[Call.FOLLOW.encode()]
    return set(handler.__self__._followers)  # type: ignore[attr-defined]  # the relay that the agent made


async def test_who_holds_a_copy_asks_nobody(town: Town) -> None:
    first = await town.found()
    here = Listener(first)
    await here.relay.subscribed()
    assert not here.relay.followed


async def test_events_are_told_for_a_while_in_parts_and_nonsense_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = cast("Peers", None)  # nobody asks who leads
    async with MemoryClub() as club:
        teller, follower = await club.friends("a", "b")
        told, there = Relay(peers, teller), Relay(peers, follower)
        heard: list[Sequence[Event]] = []
        there.connect(lambda: True, heard.append)
        told.tell([("build", "x", {})])
        await follower.call(teller.id, Call.FOLLOW, b"")
        large = [("build", str(number), {"text": "x" * (PART_BYTES // 2)}) for number in range(3)]
        told.tell(large)
        teller.send(follower.id, EVENT, b"no JSON")
        await club.until(lambda: follower.counters["dropped.malformed"], "all came")
        assert [event for part in heard for event in part] == [tuple(one) for one in large]
        assert len(heard) == 3
        monkeypatch.setattr(relay.time, "monotonic", lambda: float("inf"))
        told.tell(large)
        assert not told.followed
