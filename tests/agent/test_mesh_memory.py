"""Faults that the mesh in memory can have: what a partition looks like to those who are in it."""

from collections.abc import AsyncIterator

import pytest

from job_orchestra.core.errors import Conflict, Unreachable
from tests.kit.jitter import Jitter
from tests.kit.meshes import MemoryClub


@pytest.fixture
async def club() -> AsyncIterator[MemoryClub]:
    async with MemoryClub() as found:
        yield found


async def answer(sender: str, payload: bytes) -> bytes:
    return payload


async def test_a_cut_is_noticed_by_both_and_by_nobody_else(club: MemoryClub) -> None:
    a, b, c = await club.friends("a", "b", "c")
    for mesh in (a, b, c):
        mesh.handle("echo", answer)
    club.between.cut(a.id, b.id)
    for one, other in ((a, b), (b, a)):
        assert not one.send(other.id, "note", b"")
        with pytest.raises(Unreachable, match="no link"):
            await one.call(other.id, "echo", b"")
        assert await one.call(c.id, "echo", b"x") == b"x"
    club.between.heal()
    assert await a.call(b.id, "echo", b"x") == b"x"


async def test_what_is_on_its_way_when_the_cable_is_pulled_is_lost(club: MemoryClub) -> None:
    a, b = await club.friends("a", "b")
    seen: list[bytes] = []
    b.listen("note", lambda _, payload: seen.append(payload))
    assert a.send(b.id, "note", b"lost")
    club.between.cut(a.id, b.id)
    club.between.heal()
    assert a.send(b.id, "note", b"kept")
    await club.until(lambda: seen, "something came")
    assert seen == [b"kept"]


async def test_a_way_that_swallows_is_seen_by_the_silence_alone(club: MemoryClub) -> None:
    a, b = await club.friends("a", "b")
    b.handle("echo", answer)
    seen: list[bytes] = []
    a.listen("note", lambda _, payload: seen.append(payload))
    club.between.cut_one_way(a.id, b.id)
    with pytest.raises(Unreachable, match="did not answer"):
        await a.call(b.id, "echo", b"", timeout_s=0.01)
    assert b.silence(a.id) >= 0.01
    assert b.send(a.id, "note", b"heard")
    await club.until(lambda: seen, "the other way is open")
    assert seen == [b"heard"]
    assert a.silence(b.id) < b.silence(a.id)


async def test_where_everything_comes_late_messages_keep_their_order(club: MemoryClub) -> None:
    a, b = await club.friends("a", "b")
    seen: list[bytes] = []
    b.listen("note", lambda _, payload: seen.append(payload))
    jitter = Jitter("seed")
    jitter.start()
    try:
        sent = [b"%d" % number for number in range(50)]
        assert all(a.send(b.id, "note", one) for one in sent)
        await club.until(lambda: len(seen) == len(sent), "all have come")
        assert seen == sent
    finally:
        jitter.stop()


async def test_an_agent_has_one_mesh_at_a_time(club: MemoryClub) -> None:
    await club.mesh("a")
    with pytest.raises(Conflict, match="close it"):
        await club.mesh("a")
