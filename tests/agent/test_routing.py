"""Where a client's request is answered, in networks of whole agents: at the master, here, or at another holder."""

import asyncio

import pytest

from job_orchestra.core.errors import NoMaster, NotFound
from tests.kit.meshes import until
from tests.kit.towns import Town


async def test_any_agent_takes_requests_and_shows_what_came_of_them(town: Town) -> None:
    citizens = await town.grow(3)
    for asked in citizens:
        build = await asked.submit(name=f"by-{asked.name}")
        for other in citizens:  # also where the copy may be behind
            assert (await other.ask("builds.get", id=build))["build"]["job"] == f"by-{asked.name}"
    tasks = (await citizens[1].ask("tasks.list"))["tasks"]
    assert {one["requester"].partition("@")[2] for one in tasks if one["kind"] == "builds.submit"} == {"a", "b", "c"}


async def test_a_request_is_answered_by_the_successor_of_a_master_that_stands_still(town: Town) -> None:
    master, asked, other = await town.grow(3)
    before = await asked.submit(request="once")
    town.freeze(master)
    asking = asyncio.ensure_future(asked.submit(request="again"))
    repeated = asyncio.ensure_future(asked.submit(request="once"))
    new = await town.elected([asked, other])
    assert await repeated == before
    build = await asking
    assert build in new.agent.replica.ledger.builds
    assert await other.submit(request="again") == build


async def test_without_a_majority_work_is_refused_with_the_reason_and_history_stays_readable(town: Town) -> None:
    master, *others = await town.grow(3)
    build = await master.submit()
    await until(lambda: all(build in one.agent.replica.ledger.builds for one in others), "all know of it")
    town.cut(master)
    for one in others:
        town.cut(one)
    refused = await asyncio.gather(*(one.submit() for one in (master, *others)), return_exceptions=True)
    for citizen, error in zip((master, *others), refused, strict=True):
        assert isinstance(error, NoMaster)
        assert "2 of 3 voters cannot be reached" in str(error)
        assert "orchestra recover" in str(error)
        assert (await citizen.ask("builds.get", id=build))["build"]["state"] == "pending"
        status = await citizen.ask("network.status")
        assert (status["master"], status["quorum"]) == (None, False)
        assert status["age"] > 0
        assert "2 of 3 voters" in status["notices"][0]
    town.heal()
    assert await (await town.elected([master, *others])).submit()


async def test_an_agent_without_a_copy_asks_those_who_hold_one(town: Town) -> None:
    first = await town.found()
    far = await town.admit("far", votes=False)
    build = await far.submit()
    assert (await far.ask("builds.get", id=build))["build"]["id"] == build
    assert [one["id"] for one in (await far.ask("builds.list"))["builds"]] == [build]
    with pytest.raises(NotFound, match="no build"):
        await far.ask("builds.get", id="00000000")
    answer = asyncio.ensure_future(far.ask("builds.wait", id=build))
    await first.ask("builds.cancel", id=build)
    assert (await answer)["build"]["state"] == "cancelled"
    status = await far.ask("network.status")
    assert (status["copy"], status["master"]["name"]) == (False, "a")
