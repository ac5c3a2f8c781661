"""The store follows the ledger: one writer that puts in what changed, in batches, and lets the log be shortened.

While a batch is being written the next one gathers; of each record only the newest value is kept, so a slow database
falls behind in time but not in size. A database that fails is tried again, with what gathered meanwhile; builds go on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ..core.errors import Damaged, StorageError
from ..core.ledger import Changes, Remembered
from ..core.model import Millis
from ..store.contract import Store, batch_of

log = logging.getLogger(__name__)

RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to write to a failing store; the last one repeats."""

COMPACT_EVERY = 2_000
"""Log entries between flushes of the store. Larger: fewer flushes; smaller: shorter replay after a crash."""

_T = TypeVar("_T")


class History:
    """Keeps a store up to date."""

    def __init__(
        self, store: Store, compact: Callable[[int], Awaitable[None]], heavy: Callable[[], bool] = lambda: False
    ) -> None:
        """Follow into `store`; `compact(index)` is told up to where the log may be forgotten, early when `heavy`."""
        self.store = store
        self.problem = ""  # why the store lags at the moment; empty: it does not
        self.damaged = ""  # what was found to be wrong with its file; empty: nothing
        self.on_damaged: Callable[[str], None] = lambda _: None  # is told of that, once
        self.applied = store.applied()
        self._compact = compact
        self._heavy = heavy
        self._gathered: Changes | None = None
        self._under_way: Changes | None = None  # those that are being written
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
        return sum(len(one.builds) for one in (self._gathered, self._under_way) if one is not None)

    def on_changes(self, changes: Changes) -> None:
        """Take note of what an entry changed."""
        if self._gathered is None:
            self._gathered = Changes()
        self._gathered.merge(changes)
        self._seen = changes.index
        self._wake.set()

    async def reached(self, index: int, timeout_s: float = 2.0) -> bool:
        """Wait until the store reflects `index`: readers see what they just wrote. False when it takes too long."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self.applied < index and not self.problem:
            if self._moved is None or self._moved.done():
                self._moved = asyncio.get_running_loop().create_future()
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
            self._gathered = None
            found = await asyncio.get_running_loop().run_in_executor(self._writer, self._replace, copy, requests_since)
        finally:
            self._open.set()
        self._gathered, self.damaged = None, ""
        self._flushed = self._seen = found.index
        self._advance(found.index)
        return found

    def _replace(self, copy: Path, requests_since: Millis) -> Remembered:
        self.store.restore(copy)
        return self.store.live(requests_since)

    async def run(self) -> None:
        """Write until `close`, and then what is left."""
        failures = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._gathered is not None:
                changes, self._gathered = self._gathered, None
                self._under_way = changes
                try:
                    await asyncio.get_running_loop().run_in_executor(self._writer, self.store.write, batch_of(changes))
                except StorageError as error:
                    self._under_way = None
                    self._put_back(changes)
                    if not self.problem:
                        log.warning("store.failing: %s", error)
                    self.problem = str(error)
                    if isinstance(error, Damaged):
                        self._note_damage(error)
                    if self._closing:
                        return  # the log has it; the next start puts it in
                    await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                    failures += 1
                    continue
                failures, self._under_way = 0, None
                self._advance(changes.index)
                if self.applied - self._flushed >= COMPACT_EVERY or self._heavy():
                    await self._flush()
            if self._closing and self._gathered is None:
                await self._flush()
                return

    def close(self) -> None:
        """Let `run` end when all is written."""
        self._closing = True
        self._wake.set()

    def release(self) -> None:
        """Give the store back, after `run` has ended."""
        self._writer.shutdown()
        self._readers.shutdown()
        self.store.close()

    def _put_back(self, changes: Changes) -> None:
        if self._gathered is not None:
            changes.merge(self._gathered)
        self._gathered = changes
        self._wake.set()

    def _advance(self, index: int) -> None:
        if self.problem:
            log.warning("store.recovered: the store follows again")
            self.problem = ""
        self.applied = index
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
