"""What every mesh keeps: the contract suite, over the one in memory and over the real one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from job_orchestra.agent.mesh.contract import PAYLOAD_LIMIT, RUNNING_LIMIT, UNANSWERED_LIMIT, Contact, Mesh
from job_orchestra.core.errors import (
    Conflict,
    InvalidInput,
    InvariantError,
    LimitReached,
    NotAllowed,
    PeerError,
    Unavailable,
    Unreachable,
)
from tests.kit.meshes import Club, MemoryClub, RealClub

CLUBS: dict[str, Callable[[], Club]] = {"memory": MemoryClub, "zeromq": RealClub}


@pytest.fixture(params=CLUBS)
async def club(request: pytest.FixtureRequest) -> AsyncIterator[Club]:
    async with CLUBS[request.param]() as found:
        yield found


def echo(mesh: Mesh) -> None:
    async def answer(sender: str, payload: bytes) -> bytes:
        return sender.encode() + b":" + payload

    mesh.handle("echo", answer)


def gate(mesh: Mesh) -> tuple[asyncio.Event, asyncio.Event]:
    """Let calls of `gate` wait; return the event that tells of the first one, and the one that lets them go on."""
    entered, opened = asyncio.Event(), asyncio.Event()

    async def answer(sender: str, payload: bytes) -> bytes:
        entered.set()
        await opened.wait()
        return payload

    mesh.handle("gate", answer)
    return entered, opened


async def test_a_call_is_answered_by_the_other_who_knows_who_asks(club: Club) -> None:
    a, b = await club.friends("a", "b")
    for mesh in (a, b):
        echo(mesh)
    assert await a.call(b.id, "echo", b"hello") == a.id.encode() + b":hello"
    assert await b.call(a.id, "echo", b"") == b.id.encode() + b":"
    big = bytes(range(256)) * (PAYLOAD_LIMIT // 256 - 16)
    assert await a.call(b.id, "echo", big) == a.id.encode() + b":" + big


async def test_one_way_messages_come_in_their_order(club: Club) -> None:
    a, b = await club.friends("a", "b")
    seen: list[int] = []
    done = asyncio.Event()

    def take(sender: str, payload: bytes) -> None:
        assert sender == a.id
        seen.append(int(payload))
        if len(seen) == 500:
            done.set()

    b.listen("numbers", take)
    assert all(a.send(b.id, "numbers", b"%d" % number) for number in range(500))
    await done.wait()
    assert seen == list(range(500))
    assert a.counters["sent"] >= 500 <= b.counters["received"]


async def test_a_call_and_a_message_before_it_keep_their_order(club: Club) -> None:
    a, b = await club.friends("a", "b")
    seen: list[bytes] = []
    b.listen("note", lambda _, payload: seen.append(payload))
    echo(b)
    a.send(b.id, "note", b"first")
    await a.call(b.id, "echo", b"")
    assert seen == [b"first"]


@pytest.mark.parametrize("error", [NotAllowed("not you"), Conflict("not now"), Unavailable("later"), LimitReached("")])
async def test_what_the_handler_raises_is_raised_here(club: Club, error: Exception) -> None:
    a, b = await club.friends("a", "b")

    async def refuse(sender: str, payload: bytes) -> bytes:
        raise error

    b.handle("refuse", refuse)
    with pytest.raises(type(error)) as caught:
        await a.call(b.id, "refuse", b"")
    assert (type(caught.value), str(caught.value)) == (type(error), str(error))


async def test_an_error_that_only_one_side_knows_comes_as_the_nearest_known(club: Club) -> None:
    class Peculiar(NotAllowed):
        kind = "peculiar"

    a, b = await club.friends("a", "b")

    async def refuse(sender: str, payload: bytes) -> bytes:
        raise Peculiar("no")

    b.handle("refuse", refuse)
    with pytest.raises(NotAllowed, match="no") as caught:
        await a.call(b.id, "refuse", b"")
    assert type(caught.value) is NotAllowed


async def test_a_defect_in_a_handler_is_answered_and_the_mesh_goes_on(
    club: Club, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = await club.friends("a", "b")

    async def broken(sender: str, payload: bytes) -> bytes:
        raise ZeroDivisionError

    async def huge(sender: str, payload: bytes) -> bytes:
        return bytes(PAYLOAD_LIMIT + 1)

    def deaf(sender: str, payload: bytes) -> None:
        raise ZeroDivisionError

    b.handle("broken", broken)
    b.handle("huge", huge)
    b.listen("deaf", deaf)
    echo(b)
    with pytest.raises(InvariantError, match="defect"):
        await a.call(b.id, "broken", b"")
    with pytest.raises(InvariantError, match="larger"):
        await a.call(b.id, "huge", b"")
    assert a.send(b.id, "deaf", b"")
    assert await a.call(b.id, "echo", b"")
    assert b.counters["failed"] == 3
    assert "ZeroDivisionError" in caplog.text


async def test_what_nobody_answers_to_is_told_or_counted(club: Club) -> None:
    a, b = await club.friends("a", "b")
    with pytest.raises(PeerError, match="same version"):
        await a.call(b.id, "unheard-of", b"")
    a.send(b.id, "unheard-of", b"")
    with pytest.raises(PeerError):
        await a.call(b.id, "unheard-of", b"")
    assert b.counters["dropped.unknown"] == 1


async def test_a_payload_beyond_the_limit_is_refused_before_it_is_sent(club: Club) -> None:
    a, b = await club.friends("a", "b")
    echo(b)
    with pytest.raises(InvalidInput, match="bulk"):
        await a.call(b.id, "echo", bytes(PAYLOAD_LIMIT + 1))
    assert not a.send(b.id, "note", bytes(PAYLOAD_LIMIT + 1))
    assert a.counters["dropped.large"] == 1


async def test_nobody_there_is_unreachable(club: Club) -> None:
    a = await club.mesh("a")
    for stranger in (club.id("b"), "0" * 16, a.id):
        with pytest.raises(Unreachable):
            await a.call(stranger, "echo", b"")
        assert not a.send(stranger, "note", b"")
        assert a.silence(stranger) == float("inf")
    assert a.counters["dropped.unreachable"] == 6


async def test_a_call_that_is_not_answered_in_time_is_unreachable_and_leaves_nothing(club: Club) -> None:
    a, b = await club.friends("a", "b")
    echo(b)
    entered, opened = gate(b)
    with pytest.raises(Unreachable, match="did not answer"):
        await a.call(b.id, "gate", b"", timeout_s=0.05)
    await entered.wait()
    opened.set()
    await a.call(b.id, "echo", b"")  # behind the late answer
    assert a.counters["dropped.late"] == 1


async def test_a_caller_that_goes_away_disturbs_nobody(club: Club) -> None:
    a, b = await club.friends("a", "b")
    echo(b)
    entered, opened = gate(b)
    caller = asyncio.ensure_future(a.call(b.id, "gate", b""))
    await entered.wait()
    caller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await caller
    opened.set()
    assert await a.call(b.id, "echo", b"")


async def test_calls_beyond_what_one_member_may_ask_are_refused(club: Club) -> None:
    a, b = await club.friends("a", "b")
    _, opened = gate(b)
    calls = [asyncio.ensure_future(a.call(b.id, "gate", b"x", timeout_s=60)) for _ in range(RUNNING_LIMIT + 5)]
    refused, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    while len(refused) < 5:
        more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        refused |= more
    for one in refused:
        with pytest.raises(LimitReached):
            one.result()
    opened.set()
    assert await asyncio.gather(*waiting) == [b"x"] * RUNNING_LIMIT
    assert b.counters["refused.busy"] == 5


async def test_calls_beyond_what_may_wait_are_refused_at_home(club: Club) -> None:
    a, b = await club.friends("a", "b")
    calls = [asyncio.ensure_future(a.call(b.id, "unheard-of", b"", timeout_s=60)) for _ in range(UNANSWERED_LIMIT)]
    refused = asyncio.ensure_future(a.call(b.id, "unheard-of", b""))
    with pytest.raises(LimitReached, match=b.id):
        await refused
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(one) for one in outcomes} <= {PeerError, LimitReached}  # the second: more than b does at a time


async def test_a_flood_that_nobody_takes_is_refused_and_counted_and_passes(club: Club) -> None:
    a, b = await club.friends("a", "b")
    echo(b)
    got = 0

    def take(sender: str, payload: bytes) -> None:
        nonlocal got
        got += 1

    b.listen("flood", take)
    queued = sum(a.send(b.id, "flood", bytes(65_536)) for _ in range(5_000))
    assert 0 < queued < 5_000
    assert a.counters["dropped.full"] == 5_000 - queued
    await club.until(lambda: got == queued, "all that was queued is there")
    assert await a.call(b.id, "echo", b"")


async def test_a_member_that_is_no_longer_known_is_cut_off_at_once(club: Club) -> None:
    a, b = await club.friends("a", "b")
    echo(a)
    echo(b)
    entered, _ = gate(b)
    news: list[tuple[str, bool]] = []
    a.on_link(lambda agent, reachable: news.append((agent, reachable)))
    waiting = asyncio.ensure_future(a.call(b.id, "gate", b"", timeout_s=60))
    await entered.wait()
    a.know([])
    with pytest.raises(Unreachable):
        await waiting
    await club.until(lambda: news, "its watchers are told")
    assert news == [(b.id, False)]
    with pytest.raises(Unreachable):
        await a.call(b.id, "echo", b"")
    assert a.silence(b.id) == float("inf")
    with pytest.raises(Unreachable):
        await b.call(a.id, "echo", b"", timeout_s=2)
    await club.until(lambda: not b.send(a.id, "note", b""), "b has noticed")


async def test_a_member_that_is_known_again_is_linked_again(club: Club) -> None:
    a, b = await club.friends("a", "b")
    echo(b)
    a.know([])
    await club.parted(a, b)
    a.know([club.contact("b")])
    await club.linked(a, b)
    assert await a.call(b.id, "echo", b"")


async def test_knowing_the_same_members_again_changes_nothing(club: Club) -> None:
    a, b = await club.friends("a", "b")
    echo(b)
    entered, opened = gate(b)
    waiting = asyncio.ensure_future(a.call(b.id, "gate", b"x"))
    await entered.wait()
    a.know([club.contact("b"), club.contact("a")])
    opened.set()
    assert await waiting == b"x"
    assert a.counters["links.lost"] == b.counters["links.lost"] == 0, "each made is the first of its kind"


async def test_both_must_know_each_other(club: Club) -> None:
    a, b = await club.mesh("a"), await club.mesh("b")
    echo(b)
    a.know([club.contact("b")])
    with pytest.raises(Unreachable):
        await a.call(b.id, "echo", b"")
    b.know([club.contact("a")])
    await club.linked(a, b)
    assert await a.call(b.id, "echo", b"")


async def test_a_link_that_only_one_side_keeps_carries_both_ways(club: Club) -> None:
    a, b = await club.mesh("a"), await club.mesh("b")
    echo(a)
    echo(b)
    seen: list[bytes] = []
    a.listen("note", lambda _, payload: seen.append(payload))
    b.know([Contact(a.id, club.contact("a").public, keep=False)])
    a.know([club.contact("b")])
    await club.linked(a, b)
    assert await a.call(b.id, "echo", b"")
    assert b.send(a.id, "note", b"down")
    assert await b.call(a.id, "echo", b"up") == b.id.encode() + b":up"
    assert seen == [b"down"]


async def test_a_link_that_nobody_keeps_is_not_made(club: Club) -> None:
    a, b = await club.mesh("a"), await club.mesh("b")
    a.know([Contact(b.id, club.contact("b").public, club.contact("b").addresses, keep=False)])
    b.know([Contact(a.id, club.contact("a").public, club.contact("a").addresses, keep=False)])
    c = await club.mesh("c")
    for mesh in (a, b):
        c.know([*(club.contact(name) for name in "ab")])
        mesh.know([Contact(club.id(name), club.contact(name).public, keep=False) for name in "abc"])
    await club.linked(a, c)
    await club.linked(b, c)
    assert not a.send(b.id, "note", b"")
    assert not b.send(a.id, "note", b"")


async def test_watchers_hear_of_who_comes_and_goes(club: Club) -> None:
    a, b = await club.mesh("a"), await club.mesh("b")
    news: list[tuple[str, bool]] = []

    def broken(agent: str, reachable: bool) -> None:
        raise ZeroDivisionError

    a.on_link(broken)
    a.on_link(lambda agent, reachable: news.append((agent, reachable)))
    a.know([club.contact("b")])
    b.know([club.contact("a")])
    await club.until(lambda: news == [(b.id, True)], "b is there")
    assert a.silence(b.id) < 60
    await club.kill(b)
    await club.until(lambda: news == [(b.id, True), (b.id, False)], "b is gone")
    assert a.silence(b.id) < 60


async def test_calls_in_flight_to_one_who_dies_fail_at_once(club: Club) -> None:
    a, b = await club.friends("a", "b")
    entered, _ = gate(b)
    calls = [asyncio.ensure_future(a.call(b.id, "gate", b"", timeout_s=3600)) for _ in range(20)]
    await entered.wait()
    await club.kill(b)
    for one in calls:
        with pytest.raises(Unreachable, match="lost"):
            await one


async def test_one_who_returns_is_found_again(club: Club) -> None:
    a, b = await club.friends("a", "b")
    await club.kill(b)
    await club.until(lambda: not a.send(b.id, "note", b""), "a has noticed")
    again = await club.mesh("b")
    echo(again)
    again.know([club.contact("a")])
    await club.linked(a, again)
    assert await a.call(again.id, "echo", b"")
    assert again.counters["links.made"] > 0


async def test_a_handler_may_call_in_turn(club: Club) -> None:
    a, b, c = await club.friends("a", "b", "c")
    echo(c)

    async def forward(sender: str, payload: bytes) -> bytes:
        return await b.call(c.id, "echo", payload)

    b.handle("forward", forward)
    assert await a.call(b.id, "forward", b"on") == b.id.encode() + b":on"


async def test_a_closed_mesh_refuses_and_ends_who_waits(club: Club) -> None:
    a, b = await club.friends("a", "b")
    entered, _ = gate(b)
    waiting = asyncio.ensure_future(a.call(b.id, "gate", b"", timeout_s=3600))
    await entered.wait()
    await club.kill(a)
    with pytest.raises(Unreachable):
        await waiting
    with pytest.raises(Unreachable):
        await a.call(b.id, "gate", b"")
    assert not a.send(b.id, "note", b"")
    await a.close()


async def test_members_of_another_network_or_epoch_are_not_linked(club: Club) -> None:
    a = await club.mesh("a")
    others = [await club.mesh("b", network="other"), await club.mesh("c", epoch=2)]
    for other in others:
        other.know([club.contact("a")])
    a.know([club.contact("b"), club.contact("c")])
    await club.until(lambda: a.counters["dropped.network"] >= 2, "both were refused")
    for other in others:
        assert not a.send(other.id, "note", b"")
        assert not other.send(a.id, "note", b"")


def test_names_are_short_and_not_empty() -> None:
    from job_orchestra.agent.mesh.switchboard import encoded

    for name in ("", "x" * 65):
        with pytest.raises(InvariantError, match="name"):
            encoded(name)


async def test_a_member_that_was_removed_or_left_behind_learns_it(club: Club) -> None:
    a, b = await club.friends("a", "b")
    assert a.rejecting() == b.rejecting() == set()
    a.know([])
    await club.until(lambda: b.rejecting() == {a.id}, "b knows that a refuses its key")
    assert a.rejecting() == set()
    a.know([club.contact("b")])
    await club.until(lambda: b.rejecting() == set(), "b is a member again")


async def test_a_member_of_an_earlier_epoch_learns_it_and_the_other_is_not_confused(club: Club) -> None:
    old, new = await club.mesh("a", epoch=1), await club.mesh("b", epoch=2)
    old.know([club.contact("b")])
    new.know([club.contact("a")])
    await club.until(lambda: old.rejecting() == {new.id}, "the old one knows")
    assert new.rejecting() == set()
