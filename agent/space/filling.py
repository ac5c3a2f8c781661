"""Puts what builds left into the blob space: behind the history, build after build, on the master.

How far it came is a number in a file, so that nothing gathers in memory however long the space is away: when it is back
the history is followed from there. What is put twice, as when another agent becomes the master, costs a question. What
this machine has not yet got from the others is waited for, but not for ever. Refuses to know where contents go (shelf).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import msgspec

from ...core.errors import Damaged, InvalidInput, NotFound, PeerError, StorageError
from ...core.ids import is_digest
from ...core.ledger import Ledger
from ...core.model import Attempt, Build
from ...store.query import MAX_LIMIT, Filter, Operator, Order, Query
from ..history import History
from .shelf import Shelf, log_name, tree_name

log = logging.getLogger(__name__)

LOOK_S = 15.0
"""Seconds between two looks at what ended. Larger: the space lags more; smaller: it is asked more often."""

PATIENCE_S = 3600.0
"""Seconds after a build's end for which what it left is waited for, where this machine has not got it yet."""

_PAGE = 200


class Mark(msgspec.Struct, frozen=True):
    """How far the space was filled, as the file has it."""

    url: str  # of the space, without a password
    serial: int  # all builds up to this one are in it


class Filler:
    """Fills the space."""

    def __init__(  # noqa: PLR0913, PLR0917 - whom it asks
        self,
        shelf: Shelf,
        url: str,
        file: Path,
        history: History,
        ledger: Callable[[], Ledger | None],
        leads: Callable[[], bool],
    ) -> None:
        """Put into `shelf`, which is at `url` (without a password), what `history` knows; `file` holds the mark.

        `ledger` returns the ledger whose builds `history` has, None on an agent that keeps no history; `leads` says
        whether this agent is the master.
        """
        self.problem = ""  # why the space cannot be used at the moment; empty: it can, as far as is known
        self._shelf = shelf
        self._url = url
        self._file = file
        self._history = history
        self._ledger = ledger
        self._leads = leads

    @property
    def mark(self) -> Mark | None:
        """How far the space was filled; None: this agent never had it."""
        try:
            mark = msgspec.json.decode(self._file.read_bytes(), type=Mark)
        except (OSError, msgspec.DecodeError):
            return None
        return mark if mark.url == self._url else None

    async def run(self) -> None:
        """Fill it until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Put there what ended since the last time; where this agent is not to, only see whether the space is there."""
        try:
            await self._shelf.lacking(())
            if await asyncio.to_thread(lambda: self.mark) is None:
                await asyncio.to_thread(self._write, 0)
            if self._leads() and self._ledger() is not None:
                await self._fill()
        except (StorageError, InvalidInput) as problem:
            if not self.problem:
                log.warning("space.failing: %s", problem)
            self.problem = str(problem)
            return
        if self.problem:
            log.warning("space.recovered: what builds left is put there again")
            self.problem = ""

    async def _fill(self) -> None:
        mark, ledger = await asyncio.to_thread(lambda: self.mark), self._ledger()
        serial = mark.serial if mark is not None else 0
        if ledger is not None and serial > ledger.counters.serial:
            serial = 0  # the history is another one than it was, or was brought back from a backup
        while True:
            after = Filter("serial", Operator.GT, serial)
            query = Query("builds", (after,), (Order("serial"),), _PAGE)
            builds = cast("Sequence[Build]", (await self._history.read(self._history.store.find, query)).rows)
            if not builds or not await self._put([one for one in builds if one.state.ended]):
                return
            # what comes behind a build that lives is looked at again when that has ended
            alive = next((one.serial for one in builds if not one.state.ended), None)
            serial = builds[-1].serial if alive is None else alive - 1
            await asyncio.to_thread(self._write, serial)
            if alive is not None or not self._leads():
                return

    async def _put(self, builds: Sequence[Build]) -> bool:
        """Put what builds left; whether nothing of it has to be waited for."""
        # what a build tells is of its last attempt: earlier ones may have left more
        left = {one.id: one.finished or one.created for one in builds if one.log_bytes or one.kept or one.attempt > 1}
        if not left:
            return True
        attempts = await self._attempts(tuple(left))
        logs = {log_name(one.log): one for one in attempts if is_digest(one.log)}
        trees = {tree_name(one.artifacts): one for one in attempts if is_digest(one.artifacts)}
        lacking = await self._shelf.lacking([*logs, *trees])
        young = time.time() - PATIENCE_S
        done = await asyncio.gather(
            *(self._put_one(logs.get(name), trees.get(name)) for name in lacking), return_exceptions=True
        )
        for problem in done:
            if isinstance(problem, BaseException):
                raise problem
        waits = [name for name, there in zip(lacking, done, strict=True) if not there]
        for name in waits:
            attempt = logs.get(name) or trees[name]
            if left[attempt.build] / 1000 > young:
                return False
            log.warning("space.missing: %s of %s: this machine does not have it", name[:20], attempt.key)
        return True

    async def _attempts(self, builds: tuple[str, ...]) -> list[Attempt]:
        found: list[Attempt] = []
        query = Query("attempts", (Filter("build", Operator.IN, builds),), limit=MAX_LIMIT)
        while True:
            page = await self._history.read(self._history.store.find, query)
            found += cast("Sequence[Attempt]", page.rows)
            if page.next is None:
                return found
            query = msgspec.structs.replace(query, after=page.next)

    async def _put_one(self, of_log: Attempt | None, of_tree: Attempt | None) -> bool:
        """Put a log, or artifacts; whether this machine has them."""
        try:
            if of_log is not None:
                await self._shelf.put_log(of_log)
            elif of_tree is not None:
                await self._shelf.put_tree(of_tree.artifacts)
        except (NotFound, Damaged, PeerError):
            return False
        return True

    def _write(self, serial: int) -> None:
        """Remember how far it came; lost in a crash it costs questions, not contents."""
        new = self._file.with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(Mark(self._url, serial)))
            new.replace(self._file)
        except OSError as problem:
            message = f"cannot write {self._file}: {problem.strerror}; check the disk and its permissions"
            raise StorageError(message) from None
