"""What an agent knows of the others and of who leads, also without a copy of the ledger, and after a restart."""

import asyncio

import pytest

from job_orchestra.core.errors import NoMaster
from job_orchestra.core.messages import ROSTER, Roster, pack
from tests.kit.meshes import until
from tests.kit.towns import Town


async def test_an_agent_without_a_copy_follows_a_new_master(town: Town) -> None:
    first, *others = await town.grow(3)
    far = await town.admit("far", votes=False)
    assert {one.name for one in far.agent.peers.records.values()} == {"a", "b", "c", "far"}
    town.freeze(first)
    asking = asyncio.ensure_future(far.submit(request="r"))
    new = await town.elected(others)
    build = await asking
    assert far.agent.peers.master == new.id
    assert build in new.agent.replica.ledger.builds


async def test_the_roster_finds_the_network_again_after_a_restart(town: Town) -> None:
    first, *others = await town.grow(3)
    far = await town.admit("far", votes=False)
    await until(lambda: len(far.agent.peers.replicas()) >= 3, "it knows who holds the ledger")
    await far.stop()
    stopping = asyncio.ensure_future(first.stop())
    await town.elected(others)
    await stopping
    await far.start()
    await until(lambda: far.agent.peers.master in {one.id for one in others}, "it found the network again")
    assert await far.submit()


async def test_rosters_that_are_old_or_nonsense_change_nothing(town: Town) -> None:
    first = await town.found()
    far = await town.admit("far", votes=False)
    peers = far.agent.peers
    before = (peers.master, peers.term, dict(peers.records))
    first.mesh.send(far.id, ROSTER, b"\xc1")
    first.mesh.send(far.id, ROSTER, pack(Roster(peers.term - 1, far.id, ())))
    first.mesh.send(far.id, ROSTER, pack(Roster(peers.term + 1, "", ())))
    assert await far.submit()  # its answer came behind them
    assert (peers.master, peers.term, dict(peers.records)) == before


async def test_waiting_for_a_master_ends_with_the_reason_and_for_another_at_once(town: Town) -> None:
    first, *others = await town.grow(3)
    peers = others[0].agent.peers
    assert await peers.wait_master() == first.id
    await peers.wait_other(first.id, 0.0)
    assert peers.master == first.id
    waiting = asyncio.ensure_future(peers.wait_other(first.id, 60))
    town.freeze(first)
    await waiting
    assert peers.master != first.id
    town.cut(others[0])
    await until(lambda: not peers.master, "it is alone")
    with pytest.raises(NoMaster, match="voters cannot be reached"):
        await peers.wait_master(0.0)


async def test_an_agent_that_moves_tells_where_it_is(town: Town) -> None:
    first = await town.found()
    far = await town.admit("far", votes=False)
    far.mesh.addresses = ("127.0.0.1:2",)
    far.wires.moved(far.mesh.addresses)
    records = first.agent.replica.ledger.agents
    await until(lambda: records[far.id].addresses == ("127.0.0.1:2",), "the network knows")
