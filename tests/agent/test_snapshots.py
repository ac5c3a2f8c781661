"""How a new holder gets the network's state: whole, checked, and past a crash in between."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from job_orchestra.agent import snapshots
from job_orchestra.agent.agreement import TERM
from job_orchestra.agent.journal import Journal
from job_orchestra.agent.snapshots import finish_install
from job_orchestra.core.consensus import Configuration, Snapshot
from job_orchestra.core.errors import StorageError
from job_orchestra.core.messages import Call, Prepare, Prepared, pack, unpack
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town


async def holds_all(one: Citizen, of: Citizen) -> None:
    """Wait until an agent has what another one has, in ledger and store."""
    await until(lambda: one.agent.replica.ledger.index == of.agent.replica.ledger.index, f"{one.name} is up to date")
    assert one.agent.replica.ledger.digest() == of.agent.replica.ledger.digest()
    await until(lambda: one.agent.history.applied == of.agent.history.applied, "so is its store")
    mine, theirs = [await each.ask("builds.list") for each in (one, of)]
    assert mine == theirs


async def test_a_new_holder_gets_all_of_the_history(town: Town) -> None:
    first = await town.found()
    ended, waiting = await first.submit(), await first.submit(request="r")
    await first.ask("builds.cancel", id=ended)
    second = await town.admit("b")
    await until(lambda: second.agent.peers.holds_copy, "the second holds a copy")
    await holds_all(second, first)
    assert (await second.ask("builds.get", id=ended))["build"]["state"] == "cancelled"
    assert await second.submit(request="r") == waiting
    await second.stop()
    await first.submit()
    await second.start()
    await holds_all(second, first)


async def test_a_copy_that_is_not_what_was_promised_is_not_taken(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "RETRY_S", 0.01)
    first = await town.found()
    second = await town.admit("b", votes=False)
    mine = snapshots.StoreSnapshots(second.id, second.paths)
    mine.connect(second.mesh, second.agent.peers, second.agent.wires.bulk, second.agent.history)
    prepared = unpack(await second.mesh.call(first.id, Call.SNAPSHOT, pack(Prepare(0))), Prepared)
    offered = Snapshot(prepared.index, 1, Configuration(voters=(1,)), first.id.encode())
    before = second.agent.replica.ledger.index

    lies = {
        "is not what was promised": msgspec.structs.replace(prepared, digest="0" * 64),
        "could not be fetched": msgspec.structs.replace(prepared, name="snapshot/" + "0" * 64),
        "was promised": prepared,  # it is older than what it is offered for
    }
    for why, lie in lies.items():

        async def lying(_: str, __: bytes, lie: Prepared = lie) -> bytes:
            return pack(lie)

        first.mesh.handle(Call.SNAPSHOT, lying)
        with pytest.raises(StorageError, match=why):
            await mine.install(msgspec.structs.replace(offered, index=prepared.index + (lie is prepared)))
    with pytest.raises(StorageError, match="not known here"):
        await mine.install(msgspec.structs.replace(offered, data=b"nobody"))
    assert (second.agent.replica.ledger.index, second.agent.history.applied) == (before, before)
    assert not second.paths.installing.exists()


async def test_one_copy_is_made_for_all_who_ask_at_once(town: Town) -> None:
    first = await town.found()
    others = [await town.admit(name, votes=False) for name in ("b", "c")]
    asking = [one.mesh.call(first.id, Call.SNAPSHOT, pack(Prepare(0))) for one in others]
    found = [unpack(answer, Prepared) for answer in await asyncio.gather(*asking)]
    assert found[0] == found[1]
    await first.submit()
    index = first.agent.replica.ledger.index
    newer = unpack(await others[0].mesh.call(first.id, Call.SNAPSHOT, pack(Prepare(index))), Prepared)
    assert newer.index >= index
    assert first.agent.wires.bulk is not None


@pytest.mark.parametrize(("noted", "store", "done"), [(40, 40, True), (40, 39, False), (5, 5, False)])
def test_an_installation_that_was_cut_short_is_finished_or_forgotten(
    tmp_path: Path, noted: int, store: int, done: bool
) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.install(5, 1)
    note = tmp_path / "installing.json"
    note.write_bytes(msgspec.json.encode({"index": noted, TERM: 1 if noted == 5 else 7}))
    assert finish_install(note, journal, store) is done
    assert (journal.last, journal.base_term) == ((40, 7) if done else (5, 1))
    assert not note.exists()
    note.write_bytes(b"{")  # it had only begun
    assert not finish_install(note, journal, store)
    journal.close()
