"""The store follows the ledger: one writer that puts in what changed, in batches, and lets the log be shortened.

While a batch is being written, and a little longer, the next one gathers; of each record only the newest value is kept,
so a slow database falls behind in time but not in size. A database that fails is tried again, with what gathered
meanwhile; builds go on.

Into a database that all agents share the master writes; the others look how far it came, and keep what it has not
written. Whoever sees nobody write takes over: what is written was agreed on, so it is right whoever writes it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ..core.errors import Damaged, StorageError
from ..core.ledger import Changes, Remembered
from ..core.model import Millis
from ..store.contract import Store, batch_of
from .gathering import Gathered
from .sharing import NETWORK

log = logging.getLogger(__name__)

RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to write to a failing store; the last one repeats."""

COMPACT_EVERY = 2_000
"""Log entries between flushes of the store. Larger: fewer flushes; smaller: shorter replay after a crash."""

LULL_S = 0.2
"""Seconds between two writes while nobody waits to read: a build's states that follow within are written as one.

Larger: less to write; smaller: who reads the database itself sees what happened sooner."""

LOOK_S = 1.0
"""Seconds between looks at how far another agent has written. Larger: less to ask; more is kept until then."""

HURRY_S = 0.05
"""Seconds between those looks while somebody waits to read what was just accepted."""

TAKE_OVER_S = 20.0
"""Seconds for which nobody writes into a shared store until an agent does that is not the master."""

_T = TypeVar("_T")


class History:
    """Keeps a store up to date."""

    def __init__(
        self,
        store: Store,
        compact: Callable[[int], Awaitable[None]],
        heavy: Callable[[], bool] = lambda: False,
        *,
        leads: Callable[[], bool] = lambda: True,
        network: str = "",
    ) -> None:
        """Follow into `store`; `compact(index)` is told up to where the log may be forgotten, early when `heavy`.

        `leads` says whether this agent is the master; `network` is whose history it is.
        """
        self.store = store
        self.problem = ""  # why the store lags at the moment; empty: it does not
        self.damaged = ""  # what was found to be wrong with its file; empty: nothing
        self.on_damaged: Callable[[str], None] = lambda _: None  # is told of that, once
        self.applied = store.applied()
        self._compact = compact
        self._heavy = heavy
        self._leads = leads
        self._meta = {NETWORK: network} if network else {}
        self._gathered = Gathered()
        self._under_way: Changes | None = None  # what is being written
        self._since: float | None = None  # when the store last moved, or what it lacks began to gather
        self._hurry = asyncio.Event()
        self._seen = self.applied  # index of the newest change that was gathered
        self._open = asyncio.Event()  # cleared while the store is replaced
        self._open.set()
        self._reading: set[asyncio.Future[Any]] = set()
        self._wake = asyncio.Event()
        self._moved: asyncio.Future[None] | None = None
        self._flushed = self.applied
        self._closing = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="store-read")

    @property
    def backlog(self) -> int:
        """Count the builds that the store does not know yet."""
        return self._gathered.builds + (0 if self._under_way is None else len(self._under_way.builds))

    def on_changes(self, changes: Changes) -> None:
        """Take note of what an entry changed."""
        self._gathered.add(changes)
        self._seen = changes.index
        self._wake.set()

    def lacking(self, kind: str, key: object) -> Any | None:  # noqa: ANN401 - the kind decides the type
        """Return a record that the store may not have yet, as it is now: by its kind and key in Changes."""
        found = self._gathered.find(kind, key)
        if found is None and self._under_way is not None:
            found = getattr(self._under_way, kind).get(key)
        return found

    async def reached(self, index: int, timeout_s: float = 2.0) -> bool:
        """Wait until the store reflects `index`: readers see what they just wrote. False when it takes too long."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self.applied < index and not self.problem:
            if self._moved is None or self._moved.done():
                self._moved = asyncio.get_running_loop().create_future()
                self._hurry.set()
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0:
                return False
            await asyncio.wait([self._moved], timeout=remaining)
        return self.applied >= index

    async def read(self, call: Callable[..., _T], *arguments: object) -> _T:
        """Run a read of the store in a thread and return its result."""
        await self._open.wait()
        reading = asyncio.ensure_future(asyncio.get_running_loop().run_in_executor(self._readers, call, *arguments))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)
        try:
            return await reading
        except Damaged as problem:
            self._note_damage(problem)
            raise

    async def maintain(self, call: Callable[..., _T], *arguments: object) -> _T:
        """Run a change of the store that is no part of the ledger, between two writes; return its result."""
        await self._open.wait()
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)

    async def examine(self, check: Callable[[], object]) -> None:
        """Let a check look at the store's file, in a thread, and take note of what it raises."""
        try:
            await asyncio.to_thread(check)
        except Damaged as problem:
            self._note_damage(problem)

    def _note_damage(self, problem: Damaged) -> None:
        if not self.damaged:
            log.error("store.damaged: %s", problem)
            self.damaged = str(problem)
            self.on_damaged(self.damaged)

    async def backup(self, target: Path) -> int:
        """Make a copy of the store in the file `target`, which may exist; return the log index that it reflects."""
        await self.reached(self._seen)
        index = self.applied
        await asyncio.get_running_loop().run_in_executor(self._writer, self._backup, target)
        return index  # or a later one

    def _backup(self, target: Path) -> None:
        target.unlink(missing_ok=True)
        self.store.backup(target)

    def inspect(self, copy: Path) -> Remembered:
        """Return what a copy holds of the ledger. Blocks. Raises StorageError for what is none."""
        return self.store.inspect(copy)

    async def replace(self, copy: Path, requests_since: Millis) -> Remembered:
        """Let a copy take the place of the store; return what a ledger is rebuilt from. Nobody reads meanwhile."""
        self._open.clear()
        try:
            while self._reading:
                await asyncio.gather(*self._reading, return_exceptions=True)
            self._gathered.clear()
            found = await asyncio.get_running_loop().run_in_executor(self._writer, self._replace, copy, requests_since)
        finally:
            self._open.set()
        self.damaged = ""
        self.begin_behind(found.index)
        return found

    def begin_behind(self, index: int) -> None:
        """Learn that the store reflects `index`, and that nothing before it will be told of again."""
        self._gathered.clear()
        self._flushed = self._seen = index
        self._advance(index)

    def _replace(self, copy: Path, requests_since: Millis) -> Remembered:
        self.store.restore(copy)
        return self.store.live(requests_since)

    async def run(self) -> None:
        """Write until `close`, and then what is left."""
        failures = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._gathered:
                try:
                    wrote = await (self._write() if self._my_turn() else self._look())
                except StorageError as error:
                    if not self.problem:
                        log.warning("store.failing: %s", error)
                    self.problem = str(error)
                    self._wake.set()
                    if isinstance(error, Damaged):
                        self._note_damage(error)
                    if self._closing:
                        return  # the log has it; the next start puts it in
                    await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                    failures += 1
                    continue
                failures = 0
                if self.applied - self._flushed >= COMPACT_EVERY or self._heavy():
                    await self._flush()
                if not self._closing:
                    await (self._pause(LULL_S) if wrote else self._pause(LOOK_S, hurry_s=HURRY_S))
            if self._closing and not (self._gathered and self._my_turn()):
                await self._flush()
                return

    def _my_turn(self) -> bool:
        """Whether this agent is the one to write."""
        if not self.store.shared or self._leads():
            return True
        now = asyncio.get_running_loop().time()
        if self._since is None:
            self._since = now
        return now - self._since > TAKE_OVER_S

    async def _write(self) -> bool:
        """Write what was gathered."""
        changes = self._gathered.take()
        self._under_way = changes
        changes.meta.update(self._meta)
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self.store.write, batch_of(changes))
        except StorageError:
            if changes.index > self.applied:  # else the store was replaced by a newer one meanwhile
                self._gathered.put_back(changes)
            raise
        finally:
            self._under_way = None
        self._advance(changes.index)
        return True

    async def _look(self) -> bool:
        """See how far another agent has written."""
        index = await asyncio.get_running_loop().run_in_executor(self._writer, self.store.applied)
        if index > self.applied or self.problem:
            self._advance(index)
        self._gathered.settle(index)
        if not self._gathered:
            self._since = None
        self._wake.set()
        return False

    async def _pause(self, seconds: float, *, hurry_s: float = 0.0) -> None:
        """Let changes gather for so long; at most for `hurry_s` while somebody waits to read what was just accepted."""
        waited_for = self._moved is not None and not self._moved.done()
        if waited_for:
            await asyncio.sleep(hurry_s)
            return
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)

    def on_leading(self, leads: bool) -> None:  # noqa: FBT001 - as replicas tell it
        """Write at once what the master before has not written."""
        if leads:
            self._hurry.set()

    def close(self) -> None:
        """Let `run` end when all is written."""
        self._closing = True
        self._hurry.set()
        self._wake.set()

    def release(self) -> None:
        """Give the store back, after `run` has ended."""
        self._writer.shutdown()
        self._readers.shutdown()
        self.store.close()

    def _advance(self, index: int) -> None:
        if self.problem:
            log.warning("store.recovered: the store follows again")
            self.problem = ""
        self.applied = index
        self._since = None
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)

    async def _flush(self) -> None:
        """Make the store durable and forget the log up to there."""
        if self._flushed == self.applied:
            return
        try:
            durable = await asyncio.get_running_loop().run_in_executor(self._writer, self.store.flush)
            await self._compact(durable)
        except StorageError as error:
            log.warning("store.flush-failed: %s", error)
        else:
            self._flushed = durable
