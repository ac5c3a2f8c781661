"""Who votes in networks of whole agents: growing, leaving, being removed, and votes that go to somebody else."""

import asyncio
import time

import pytest
from msgspec.structs import replace

from job_orchestra.agent.electorate import Electorate
from job_orchestra.core.commands import Admit
from job_orchestra.core.errors import Conflict, InvalidInput, NotFound
from job_orchestra.core.model import BuildState
from tests.kit.hands import Hand
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town


def names(town: Town, which: str) -> set[str]:
    """Return the names of the voters or the learners, as the master says."""
    replica = town.master.agent.replica
    by_member = {one.member: one.name for one in replica.ledger.agents.values()}
    return {by_member[member] for member in getattr(replica.configuration, which)}


async def serves(*citizens: Citizen) -> bool:
    """Whether all take work."""
    return all([await one.submit() for one in citizens])


async def test_one_of_two_votes_and_the_other_holds_a_copy(town: Town) -> None:
    first = await town.found()
    second = await town.admit("b")
    await until(lambda: names(town, "learners") == {"b"}, "the second holds a copy")
    await until(lambda: second.agent.peers.holds_copy, "it knows")
    assert names(town, "voters") == {"a"}
    build = await second.submit()
    await until(lambda: build in second.agent.replica.ledger.builds, "the copy follows")
    mine, copy = first.agent.replica.ledger, second.agent.replica.ledger
    await until(lambda: copy.index == mine.index, "it has everything")
    assert copy.digest() == mine.digest()


async def test_who_may_not_vote_gets_neither_vote_nor_copy(town: Town) -> None:
    await town.found()
    await town.admit("b")
    await town.admit("c", voter="never")  # as it was set up
    await town.admit("d", votes=False)  # as it was invited
    await town.admit("e")
    await until(lambda: names(town, "voters") == {"a", "b", "e"}, "those vote who may")
    assert names(town, "learners") == set()


async def test_a_removed_voter_is_replaced_first_and_then_cut_off(town: Town) -> None:
    first, gone, other = await town.grow(3, b=(hand := Hand()))
    spare = await town.admit("d")
    await until(lambda: first.agent.replica.behind(spare.agent.identity.member) == 0, "there is a spare")
    build = await first.submit()
    await hand.given(build)
    await other.ask("agents.remove", agent="b")
    await until(lambda: gone.id not in first.agent.replica.ledger.agents, "it is no member any more")
    assert names(town, "voters") == {"a", "c", "d"}
    assert (await first.ask("builds.get", id=build))["build"]["reason"] == "b was removed from the network"
    staying = (first, other, spare)  # each learns of it in its own time
    await until(lambda: not any(gone.id in one.mesh.peers for one in staying), "all cut it off")
    town.long_silent(gone)
    await until(lambda: "it was removed" in gone.agent.peers.why_none(), "it says what happened to it")
    with pytest.raises(NotFound):
        await other.ask("agents.remove", agent="b")
    assert await serves(*staying)


async def test_an_agent_leaves_and_the_only_one_stays(town: Town) -> None:
    first = await town.found()
    with pytest.raises(Conflict, match="the only agent"):
        await first.ask("agent.leave")
    second = await town.admit("b")
    with pytest.raises(InvalidInput, match="cannot go on"):
        await second.ask("agent.leave", builds="keep")
    build = await first.submit()
    await until(lambda: names(town, "learners") == {"b"}, "the second holds a copy")
    await first.ask("agent.leave")  # the last voter hands its vote over first
    assert first.running is not None
    await first.running
    assert first.agent.departure.left
    await until(lambda: second.leads and list(second.agent.replica.ledger.agents) == [second.id], "it is alone")
    assert second.agent.replica.configuration.voters == (second.agent.identity.member,)
    assert (await second.ask("builds.get", id=build))["build"]["state"] == "pending"


async def test_who_leaves_ends_its_builds_first(town: Town) -> None:
    first = await town.found()
    leaver = await town.admit("b", hand := Hand(), votes=False)
    build = await first.submit()
    await hand.given(build)
    await first.ask("agents.set", agent="b", draining=True)
    waiting = await first.submit()
    await hand.report(build, BuildState.SUCCEEDED)
    await leaver.ask("agent.leave")
    assert leaver.running is not None
    await leaver.running
    await until(lambda: list(first.agent.replica.ledger.agents) == [first.id], "it is no member any more")
    assert (await first.ask("builds.get", id=waiting))["build"]["state"] == "pending"


async def test_a_master_that_is_stopped_hands_over(town: Town) -> None:
    first, *others = await town.grow(3)
    build = await others[0].submit(request="before")
    asking = asyncio.ensure_future(first.stop())
    new = await town.elected(others)
    await asking
    assert await new.submit(request="before") == build
    assert await serves(*others)
    await first.start()
    await town.elected([first, *others])


async def test_the_name_of_an_agent_that_is_gone_names_no_other(town: Town) -> None:
    first = await town.found("first")
    far = await town.admit("far", votes=False)
    assert (await first.ask("agents.set", agent=far.id[:4], draining=True))["task"]["target"] == far.id
    for text in ("", far.id[0], far.id[:3], "nobody"):
        with pytest.raises(NotFound, match="orchestra agents"):
            await first.ask("agents.remove", agent=text)


async def test_nobody_who_is_not_heard_gets_a_vote_and_who_has_a_copy_keeps_it_for_a_while(town: Town) -> None:
    first = await town.found("first")
    second = await town.admit("second")
    await until(lambda: names(town, "learners") == {"second"}, "the second holds a copy")
    away = await town.admit("away", voter="never")
    record = replace(first.agent.replica.ledger.agents[away.id], votes=True)
    await away.stop()
    town.long_silent(first)
    await first.agent.master.propose(Admit(0, "tests", record, member=record.member))
    await second.stop()
    await first.stop()
    await first.start()
    await until(lambda: first.leads, "the first leads again")
    looks = Electorate(first.agent.identity, first.agent.replica, first.agent.master, first.mesh, settle_s=0)
    for _ in range(5):
        await looks._look(time.monotonic())
    assert (names(town, "voters"), names(town, "learners")) == ({"first"}, {"second"})
