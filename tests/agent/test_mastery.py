"""A worker and a master elsewhere: joining, orders, reports, and what becomes of them under another master."""

import asyncio
from math import inf, nan

import pytest
from msgspec.structs import replace

from job_orchestra.agent.mastery import RemoteWorker
from job_orchestra.agent.mesh.contract import Contact
from job_orchestra.agent.mesh.memory import MemoryNetwork
from job_orchestra.core.commands import Expire
from job_orchestra.core.errors import InvalidInput, NotAllowed
from job_orchestra.core.messages import Assigned, Call, unpack
from job_orchestra.core.model import BuildState, Stop
from tests.kit.builders import attempt, build, spec
from tests.kit.hands import Hand
from tests.kit.meshes import until
from tests.kit.towns import Town


async def test_a_way_that_is_closed_orders_nothing_more() -> None:
    net = MemoryNetwork()
    master, worker = net.mesh("m", "key of m"), net.mesh("w", "key of w")
    running = [asyncio.ensure_future(one.run()) for one in (master, worker)]
    master.know([Contact("w", "key of w")])
    worker.know([Contact("m", "key of m")])
    came: list[str] = []
    entered, opened = asyncio.Event(), asyncio.Event()

    async def on_assign(_: str, payload: bytes) -> bytes:
        came.extend(one.key for one, _ in unpack(payload, Assigned).attempts)
        entered.set()
        await opened.wait()
        return b""

    worker.handle(Call.ASSIGN, on_assign)
    await until(lambda: master.silence("w") < inf, "they are linked")
    way = RemoteWorker("w", master, 1, lambda *_: None)
    one, other = build(1), build(2)
    way.assign([(attempt(one), one, spec())])
    await entered.wait()
    way.assign([(attempt(other), other, spec())])
    way.close()
    way.assign([(attempt(other), other, spec())])
    opened.set()
    sending = way._sending
    assert sending is not None
    await sending
    assert came == [attempt(one).key]
    for mesh in (master, worker):
        await mesh.close()
    await asyncio.gather(*running)


async def test_a_worker_goes_on_under_the_next_master(town: Town) -> None:
    first, mine, other = await town.grow(3, b=(hand := Hand()))
    build, waiting = await first.submit(), await first.submit()
    await hand.given(build, waiting)
    await hand.report(build, BuildState.RUNNING)
    lost = hand.has.pop(waiting)  # the order was lost: it joins the next master without
    town.freeze(first)
    master = await town.elected([mine, other])
    await hand.given(waiting)
    assert hand.has[waiting] == lost
    with pytest.raises(NotAllowed, match="gives no orders here"):
        mine.agent.way._obey(first.id, first.agent.replica.term)
    for one in (build, waiting):
        await hand.report(one, BuildState.SUCCEEDED)
        view = (await master.ask("builds.wait", id=one))["build"]
        assert (view["state"], view["attempt"]) == ("succeeded", 1)
    town.heal()
    await town.elected([first, mine, other])
    assert first.agent.peers.term == master.agent.peers.term


async def test_what_does_not_count_any_more_is_told_to_a_worker_that_joins(town: Town) -> None:
    first = await town.found()
    await town.admit("b", hand := Hand(), votes=False)
    build = await first.submit()
    await hand.given(build)
    await hand.report(build, BuildState.RUNNING)
    await hand.joined()
    key = hand.has[build].key
    await first.agent.master.propose(Expire(first.agent.master.time(), hand.record.id, "s1"))
    hand.join_again()
    await hand.joined()
    assert hand.over == (key,)
    assert (await first.ask("builds.get", id=build))["build"]["state"] == "lost"


async def test_a_join_with_more_reports_than_fit_into_a_message(town: Town) -> None:
    first = await town.found()
    await town.admit("b", hand := Hand(slots=8), votes=False)
    builds = [await first.submit() for _ in range(6)]
    await hand.given(*builds)
    large = {"k": "x" * 300_000}
    ended = {one: replace(hand.has[one], state=BuildState.SUCCEEDED, finished=1, results=large) for one in builds}
    hand.has = dict(ended)
    hand.join_again()
    await hand.joined()
    states = [(await first.ask("builds.get", id=one))["build"]["state"] for one in builds]
    assert states == ["succeeded"] * 6
    assert hand.has == ended, "what was told in the parts before is not ordered again"
    assert sorted(hand.over or ()) == sorted(one.key for one in ended.values())


async def test_stops_reach_the_worker_and_states_of_agents_are_heeded(town: Town) -> None:
    first = await town.found()
    other = await town.admit("b", hand := Hand(), votes=False)
    build = await other.submit()
    await hand.given(build)
    await other.ask("builds.abort", id=build)
    await until(lambda: hand.stopped == {build: Stop.ABORT}, "the worker is told")
    await hand.report(build, BuildState.ABORTED)

    for state, back in (({"enabled": False}, {"enabled": True}), ({"draining": True}, {"draining": False})):
        had = await first.submit()
        await hand.given(had)
        await first.ask("agents.set", agent="b", **state)
        kept = await first.submit()
        why = (await first.ask("builds.explain", id=kept))["reasons"]
        assert any(word in " ".join(why) for word in ("disabled", "drain")), why
        await hand.report(had, BuildState.SUCCEEDED)  # what it has it ends
        assert kept not in hand.has
        await first.ask("agents.set", agent="b", **back)
        await hand.given(kept)
        await hand.report(kept, BuildState.SUCCEEDED)


async def test_what_makes_no_sense_is_no_end_of_the_network(town: Town) -> None:
    first = await town.found()
    await town.admit("b", hand := Hand(), votes=False)
    build, later = await first.submit(), await first.submit()
    await hand.given(build, later)
    await hand.report(build, BuildState.FAILED, log="../odd", artifacts="odd", log_bytes=1 << 63, reason="exit code 1")
    view = (await first.ask("builds.wait", id=build))["build"]
    assert view["state"] == "failed"
    assert view["reason"] == (
        "what its worker said of log_bytes, log, artifacts makes no sense and was left out; exit code 1"
    )
    assert (view["log_bytes"], view["artifacts"]) == (0, [])
    sane = hand.record
    hand.record = replace(sane, resources={"cpus": nan})
    with pytest.raises(InvalidInput, match="resource 'cpus'"):
        await first.agent.master.join(hand.record, (), (), hand)
    hand.record = sane
    hand.join_again()
    await hand.joined()
    await hand.report(later, BuildState.SUCCEEDED)
    assert (await first.ask("builds.wait", id=later))["build"]["state"] == "succeeded"
