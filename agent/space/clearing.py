"""Removes from the blob space what the history no longer knows: what builds left goes with them there, too.

The whole of the space is looked through, so that is done only after builds went, and after a start. On the master, as
of a shared database. What was put lately stays: the history may not know of it yet.
"""

import logging
import time
from collections.abc import Callable

from ...core.ledger import Ledger
from ...store.space.contract import Kept
from ..history import History
from ..marks import marks_of
from .shelf import Shelf

log = logging.getLogger(__name__)

SETTLED_S = 3600.0
"""Seconds for which what was put is left alone. Larger: what belongs to forgotten builds stays longer."""


class Clearer:
    """Clears the space."""

    def __init__(
        self, shelf: Shelf, history: History, ledger: Callable[[], Ledger | None], leads: Callable[[], bool]
    ) -> None:
        """Remove from `shelf` what `history` does not know; `ledger` and `leads` as for Filler."""
        self._shelf = shelf
        self._history = history
        self._ledger = ledger
        self._leads = leads
        self._gone = -1  # builds that the history had forgotten when the space was cleared last

    async def forget(self) -> int:
        """Remove what belongs to no known build; return how much. Raises StorageError."""
        ledger = self._ledger()
        if ledger is None or not self._leads() or not await self._history.reached(ledger.index):
            return 0
        sizes = (await self._history.read(self._history.store.describe)).sizes
        gone = ledger.counters.serial - next(one.rows for one in sizes if one.collection == "builds")
        if gone == self._gone:
            return 0
        marks = await marks_of(self._history, lambda one: (one.log, one.artifacts))
        before, young = (time.time() - SETTLED_S) * 1000, 0

        def stays(one: Kept) -> bool:
            nonlocal young
            if marks.has(one.name.partition("/")[2]):
                return True
            young += one.at > before
            return one.at > before

        removed = await self._shelf.remove_unless(stays)
        self._gone = -1 if young else gone  # what was left alone is looked at again
        if removed:
            log.info("space.removed: %d logs and directories whose builds are gone", removed)
        return removed
