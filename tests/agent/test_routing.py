"""Where a client's request is answered, in networks of whole agents: at the master, here, or at another holder."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.towns import Town


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with Town(tmp_path) as found:
        yield found


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
