"""The store follows the ledger: in batches, through failures, and past being replaced. The store does as it is told."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from job_orchestra.agent import history as module
from job_orchestra.agent.history import COMPACT_EVERY, History
from job_orchestra.core.errors import StorageError
from job_orchestra.core.ledger import Changes
from job_orchestra.core.model import BuildState
from job_orchestra.store.contract import Batch
from job_orchestra.store.memory import MemoryStore
from tests.kit.builders import build
from tests.kit.meshes import until


class Obedient(MemoryStore):
    """A store that fails when it is told to, waits when it is told to, and remembers the batches that it took."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.tries = 0
        self.batches: list[Batch] = []
        self.may_write = threading.Event()
        self.may_write.set()

    def write(self, batch: Batch) -> bool:
        self.tries += 1
        assert self.may_write.wait(60)
        if self.broken:
            raise StorageError("the disk is full")
        self.batches.append(batch)
        return super().write(batch)

    def flush(self) -> int:
        return self.applied()


def changes(index: int, *serials: int) -> Changes:
    made = [build(serial, state=BuildState.SUCCEEDED, reason=f"as of {index}") for serial in serials]
    return Changes(index=index, builds={one.id: one for one in made})


@asynccontextmanager
async def following(store: Obedient) -> AsyncIterator[tuple[History, list[int]]]:
    """Give a history that runs, and what the log was told that it may forget."""
    told: list[int] = []

    async def compact(index: int) -> None:
        told.append(index)

    history = History(store, compact)
    running = asyncio.ensure_future(history.run())
    yield history, told
    store.may_write.set()
    history.close()
    await running
    history.release()


async def test_what_comes_while_a_batch_is_written_goes_together_in_the_next() -> None:
    store = Obedient()
    async with following(store) as (history, told):
        store.may_write.clear()
        history.on_changes(changes(1, 1))
        await until(lambda: store.tries, "the first batch is being written")
        for index in range(2, 12):
            history.on_changes(changes(index, 2, index))
        assert not await history.reached(11, 0.0)
        known = [history.lacking("builds", build(serial).id) for serial in (1, 2, 11, 12)]
        assert [one and one.reason for one in known] == ["as of 1", "as of 11", "as of 11", None]
        store.may_write.set()
        assert await history.reached(11)
        assert [one.index for one in store.batches] == [1, 11]
        newest = {one.id: one.reason for one in store.batches[1].records["builds"]}
        assert newest[build(2).id] == "as of 11", "of each record the newest value only"
        assert told == []
    assert told == [11], "at its end all is flushed, and the log may begin behind it"


async def test_a_store_that_fails_loses_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", (0.001,))
    store = Obedient()
    async with following(store) as (history, _):
        store.broken = True
        history.on_changes(changes(1, 1))
        await until(lambda: store.tries > 1, "it is tried again")
        assert history.problem == "the disk is full"
        assert history.backlog == 1
        assert not await history.reached(1), "nobody waits for a store that fails"
        history.on_changes(changes(2, 2))
        store.broken = False
        await until(lambda: not history.problem, "the store follows again")
        assert await history.reached(2)
        known = {one.id for each in store.batches for one in each.records["builds"]}
        assert known == {build(1).id, build(2).id}, "in one batch, or in two where the first was just under way"


async def test_a_log_is_shortened_now_and_then_or_when_it_is_heavy() -> None:
    store = Obedient()
    async with following(store) as (history, told):
        history.on_changes(changes(COMPACT_EVERY - 1, 1))
        assert await history.reached(COMPACT_EVERY - 1)
        history.on_changes(changes(COMPACT_EVERY, 2))
        await until(lambda: told, "the log was shortened")
        assert told == [COMPACT_EVERY]
        history._heavy = lambda: True
        history.on_changes(changes(COMPACT_EVERY + 1, 3))
        await until(lambda: len(told) > 1, "and again")


async def test_nobody_reads_while_the_store_is_replaced(tmp_path: Path) -> None:
    other = Obedient()
    last = build(9, state=BuildState.SUCCEEDED)
    other.write(Batch(index=40, records={"builds": (last,)}))
    other.backup(tmp_path / "copy")
    store = Obedient()
    async with following(store) as (history, _):
        history.on_changes(changes(1, 1))
        assert await history.reached(1)
        begun, go_on = threading.Event(), threading.Event()

        def slow() -> int:
            begun.set()
            assert go_on.wait(60)
            return store.applied()

        reading = asyncio.ensure_future(history.read(slow))
        await until(begun.is_set, "somebody reads")
        replacing = asyncio.ensure_future(history.replace(tmp_path / "copy", 0))
        await asyncio.sleep(0)
        late = asyncio.ensure_future(history.read(store.applied))
        go_on.set()
        assert await reading == 1, "what was begun ends with what there was"
        assert (await replacing).index == 40
        assert await late == 40, "what comes later sees the new one"
        assert (history.applied, history.backlog) == (40, 0)
        assert store.get("builds", build(1).id) is None
        assert store.get("builds", last.id) == last


async def test_a_copy_reflects_what_was_known_when_it_was_asked_for(tmp_path: Path) -> None:
    store = Obedient()
    async with following(store) as (history, _):
        history.on_changes(changes(7, 1))
        assert await history.backup(tmp_path / "copy") == 7
        assert history.inspect(tmp_path / "copy").index == 7
