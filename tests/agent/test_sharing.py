"""Agents that share one database: the master writes, through failures of either, and nobody older overwrites."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from job_orchestra.agent import history, recovery
from job_orchestra.agent.agreement import TERM
from job_orchestra.agent.identity import Identity
from job_orchestra.agent.journal import Journal
from job_orchestra.agent.sharing import NETWORK, check_owner, follow_store
from job_orchestra.core.consensus import Entry, HardState
from job_orchestra.core.errors import Conflict, StorageError
from job_orchestra.core.ledger import Remembered
from job_orchestra.core.model import BuildState
from job_orchestra.store.contract import Batch, Store
from job_orchestra.store.mongo import deployment
from job_orchestra.store.opening import open_store
from job_orchestra.store.query import Query
from tests.kit.databases import Server
from tests.kit.hands import Hand
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town

ME = Identity("a" * 16, "box", "", "", "1" * 16, "home", member=2)


# -- one's own log beside a store that others write


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


def remembered(index: int, term: int) -> Remembered:
    return Remembered(index, meta={TERM: str(term)})


def test_a_log_that_does_not_reach_the_store_begins_behind_it(journal: Journal) -> None:
    journal.append([Entry(3, 1, b""), Entry(3, 2, b"")], HardState(3, 2, 1))
    assert follow_store(journal, remembered(9, 5))
    assert (journal.first, journal.last, journal.base_term) == (10, 9, 5)
    assert journal.state() == HardState(5, 0, 9), "a vote counts in its own term only"
    assert not follow_store(journal, remembered(9, 5))
    journal.close()


def test_a_log_of_a_new_member_begins_behind_the_store_after_a_crash_too(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise StorageError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "install", crash)
        with pytest.raises(StorageError):
            follow_store(journal, remembered(9, 5))
    assert follow_store(journal, remembered(9, 5))
    assert (journal.last, journal.state()) == (9, HardState(5, 0, 9))
    journal.close()


def test_what_was_never_agreed_on_gives_way_to_the_store(journal: Journal) -> None:
    journal.append([Entry(3, index, b"never") for index in range(1, 20)], HardState(7, 2, 0))
    assert follow_store(journal, remembered(9, 5))
    assert (journal.first, journal.last) == (10, 9)
    assert journal.state() == HardState(7, 2, 9)
    journal.close()


def test_a_log_that_reaches_the_store_stays(journal: Journal) -> None:
    assert not follow_store(journal, remembered(0, 0))
    journal.append([Entry(3, index, b"") for index in range(1, 20)], HardState(7, 2, 0))
    assert not follow_store(journal, remembered(9, 3))
    journal.compact(12)
    assert not follow_store(journal, remembered(12, 3))
    assert not follow_store(journal, remembered(9, 3)), "the store is too old: that is told elsewhere"
    assert (journal.first, journal.last) == (13, 19)
    journal.close()


def test_the_history_of_another_network_is_refused() -> None:
    check_owner(ME, Remembered(0), "x:")
    check_owner(ME, Remembered(7, meta={NETWORK: ME.network}), "x:")
    with pytest.raises(Conflict) as refused:
        check_owner(ME, Remembered(7, meta={NETWORK: "2" * 16}), "x:")
    assert str(refused.value) == (
        "the store x: holds the history of another network than 'home'; name an empty database with --store, or join "
        "the network that it belongs to"
    )


# -- whole agents


BOTH = pytest.mark.parametrize("url", ["postgresql", "mongodb-alone"], indirect=True)


@pytest.fixture(params=["postgresql"])
def url(request: pytest.FixtureRequest, database: Callable[[str], Server]) -> str:
    return database(request.param).new()


@pytest.fixture
async def sharing_town(tmp_path: Path, url: str) -> AsyncIterator[Town]:
    async with Town(tmp_path, store=url) as found:
        yield found


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "LOOK_S", 0.05)
    monkeypatch.setattr(history, "RETRY_S", (0.05,))
    monkeypatch.setattr(deployment, "CONNECT_S", 0.3)


async def ended(one: Citizen, build: str) -> None:
    await one.ask("builds.cancel", id=build)
    view = (await one.ask("builds.wait", id=build))["build"]
    assert view["state"] == "cancelled"


async def follows(*citizens: Citizen) -> None:
    """Wait until the store has everything, and all of these know."""
    index = max(one.agent.replica.ledger.index for one in citizens)
    await until(lambda: all(one.agent.history.applied >= index for one in citizens), "the store has everything")


def held_back(one: Citizen) -> threading.Event:
    """Let what an agent writes wait for the event that is returned; batches are kept in `written` of it."""
    store: Any = one.agent.history.store
    go_on, real = threading.Event(), store.write

    def write(batch: Batch) -> bool:
        assert go_on.wait(60)
        return real(batch)

    store.write = write
    return go_on


async def test_the_master_writes_and_everyone_reads(sharing_town: Town) -> None:
    town = sharing_town
    first, second, third = await town.grow(3)
    wrote: list[str] = []
    for one in (second, third):
        store: Any = one.agent.history.store
        store.write = lambda _, name=one.name: wrote.append(name)
    builds = [await first.submit() for _ in range(3)]
    for one in builds:
        await ended(first, one)
    await follows(first, second, third)
    views = [await one.ask("builds.list") for one in (first, second, third)]
    assert views[0] == views[1] == views[2]
    assert len(views[0]["builds"]) == 3
    assert wrote == []
    assert [one.agent.history.backlog for one in (second, third)] == [0, 0]


@BOTH
async def test_the_next_master_writes_what_the_last_one_did_not_and_is_not_overwritten(sharing_town: Town) -> None:
    town = sharing_town
    first, second, third = await town.grow(3)
    before = await first.submit()
    await follows(first, second, third)
    go_on = held_back(first)
    late = await first.submit()
    index = first.agent.replica.ledger.index
    await until(lambda: min(one.agent.replica.ledger.index for one in (second, third)) >= index, "all know of it")
    town.freeze(first)
    master = await town.elected([second, third])
    await ended(master, before)
    await ended(master, late)
    await follows(second, third)
    go_on.set()
    await until(lambda: not first.agent.history.backlog, "the deposed master has written, or was refused")
    town.heal()
    await follows(first, second, third)
    store = master.agent.history.store
    found = {one.id: one.state for one in store.find(Query("builds")).rows}
    assert found == {before: BuildState.CANCELLED, late: BuildState.CANCELLED}


async def test_who_was_away_goes_on_from_the_store(sharing_town: Town) -> None:
    town = sharing_town
    first, second, third = await town.grow(3)
    await second.stop()
    builds = [await first.submit() for _ in range(5)]
    await follows(first, third)
    await second.start()
    await until(lambda: second.agent.replica.ledger.index == first.agent.replica.ledger.index, "it is up to date")
    assert second.agent.replica.ledger.digest() == first.agent.replica.ledger.digest()
    await first.stop()
    master = await town.elected([second, third])
    for one in builds:
        await ended(master, one)


@BOTH
async def test_a_new_member_finds_the_history_there(sharing_town: Town) -> None:
    town = sharing_town
    first = await town.found()
    build = await first.submit()
    await ended(first, build)
    await follows(first)
    await first.agent.replica.compact(first.agent.history.applied)
    second = await town.admit("b")
    await until(lambda: second.agent.peers.holds_copy, "the second holds a copy")
    assert (await second.ask("builds.get", id=build))["build"]["state"] == "cancelled"
    assert not second.paths.incoming("snapshot").exists()


async def test_a_survivor_goes_on_with_all_that_the_database_has(sharing_town: Town) -> None:
    first, second, third = await sharing_town.grow(3)
    await second.stop()
    build = await first.submit()
    await follows(first, third)
    await asyncio.gather(first.stop(), third.stop())
    plan = recovery.look(second.paths, second.settings)
    recovery.carry_out(second.paths, plan)
    await second.start()
    await until(lambda: second.leads, "it goes on alone")
    await ended(second, build)


async def test_another_network_is_kept_out(sharing_town: Town, tmp_path: Path) -> None:
    first = await sharing_town.found()
    await first.submit()
    await follows(first)
    (tmp_path / "other").mkdir()
    async with Town(tmp_path / "other", store=sharing_town.citizens["a"].settings.store) as other:
        with pytest.raises(Conflict, match="holds the history of another network than 'town'"):
            await other.found()


@BOTH
async def test_builds_go_on_while_the_database_is_down(
    sharing_town: Town, url: str, database: Callable[[str], Server], request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["url"]
    server = database(name)
    first, second, third = await sharing_town.grow(3, b=(hand := Hand(slots=100)))
    build = await first.submit()
    await hand.given(build)
    await hand.report(build, BuildState.SUCCEEDED)
    await follows(first, second, third)
    await asyncio.to_thread(server.kill)
    try:
        builds = [await first.submit(request=f"r{number}") for number in range(30)]
        await hand.given(*builds)
        for one in builds[:20]:
            await hand.report(one, BuildState.SUCCEEDED)
        await until(lambda: first.agent.history.problem, "it is known that the database is down")
        assert "check that the server runs" in first.agent.history.problem
        notices = (await first.ask("network.status"))["notices"]
        assert any("the store does not follow" in one for one in notices)
        assert await first.submit(request="r27") == builds[27]
        for one in (first, second):  # what is not in the database yet is known all the same
            view = (await one.ask("builds.wait", id=builds[3]))["build"]
            assert (view["state"], [each["number"] for each in view["attempts"]]) == ("succeeded", [1])
            await until(lambda one=one: one.agent.history.problem, "it is known that the database is down")
            with pytest.raises(StorageError, match="cannot read the store"):
                await one.ask("builds.list")
    finally:
        await asyncio.to_thread(server.start)
    await until(lambda: not first.agent.history.problem, "the store follows again")
    await follows(first, second, third)
    for one in builds[20:]:
        await hand.report(one, BuildState.FAILED)
    await follows(first, second, third)
    with_all = await asyncio.to_thread(_states, url)
    assert with_all == {
        build: "succeeded",
        **dict.fromkeys(builds[:20], "succeeded"),
        **dict.fromkeys(builds[20:], "failed"),
    }
    ledger = first.agent.replica.ledger
    assert first.agent.history.store.live(0).index == ledger.index


def _states(url: str) -> dict[str, str]:
    store: Store = open_store(url)
    try:
        return {one.id: str(one.state) for one in store.find(Query("builds", limit=1000)).rows}
    finally:
        store.close()


async def test_somebody_else_writes_where_the_master_does_not(
    sharing_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "TAKE_OVER_S", 0.2)
    first, *others = await sharing_town.grow(3)
    await follows(first, *others)
    go_on = held_back(first)
    build = await first.submit()
    index = first.agent.replica.ledger.index
    try:
        await until(lambda: others[0].agent.history.store.applied() >= index, "the store has everything")
        assert others[0].agent.history.store.get("builds", build) is not None
    finally:
        go_on.set()
    await follows(first, *others)
