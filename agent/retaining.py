"""Forgets builds as this agent's settings say, while it works: from its store, and then their logs where it has them.

Each agent looks after a store of its own; of a shared one the master does. It is done in small batches between the
writes, so that the store goes on following. What builds left beside logs follows by itself (attic). Refuses to know
which builds may go (store/retention).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from typing import cast

from ..core.errors import OrchestraError
from ..store import retention
from ..store.retention import Policy
from .history import History

log = logging.getLogger(__name__)

FIRST_S = 60.0
"""Seconds after the start until the first look: an agent that begins has other things to do."""

LOOK_S = 3600.0
"""Seconds between two looks. Larger: what may go stays for longer; smaller: the store is looked through more often."""

WORTH = 0.2
"""Part of the builds that must have gone for their space to be given back at once; less is used by the next builds.

Smaller: less disk is taken; larger: the store stands still less often, for giving back writes it anew.
"""


class Retainer:
    """Forgets what may go."""

    def __init__(
        self,
        history: History,
        policy: Policy | None,
        leads: Callable[[], bool],
        forget_left: Iterable[Callable[[], Awaitable[int]]],
        pinned: Callable[[], Container[str]] = tuple,
    ) -> None:
        """Look after the store of `history`; each of `forget_left` lets go of what builds left that it does not know.

        `pinned` returns which builds are pinned, of which the store may not know yet.
        """
        self._history = history
        self._policy = policy
        self._leads = leads
        self._forget_left = tuple(forget_left)
        self._pinned = pinned

    async def run(self) -> None:
        """Look after it until cancelled."""
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await self.tidy()
            except OrchestraError as error:
                log.warning("retention.later: %s", error)
            await asyncio.sleep(LOOK_S)

    async def tidy(self) -> int:
        """Forget what may go now; return how many builds went. Raises StorageError; then it can be tried again."""
        gone = 0
        if self._policy is not None and (not self._history.store.shared or self._leads()):
            gone = await self._forget(self._policy)
        # also where nothing went: another agent may have taken builds out, or a client, or a run before this one
        left = sum([await forget() for forget in self._forget_left])
        if gone or left:
            log.info("retention.forgotten: %d builds, %d of what they left", gone, left)
        return gone

    async def _forget(self, policy: Policy) -> int:
        history, store = self._history, self._history.store
        now = time.time_ns() // 1_000_000
        numbers = await history.read(store.meta)
        before = next(one.rows for one in (await history.read(store.describe)).sizes if one.collection == "builds")
        victims, gone = retention.batches(store, numbers, policy, now), 0
        while batch := await history.read(next, victims, None):
            pinned = self._pinned()
            going = [one for one in cast("Sequence[str]", batch) if one not in pinned]
            gone += await history.maintain(store.remove, "builds", going)
        if gone:
            await history.maintain(store.sweep)
        if gone > before * WORTH:
            freed = await history.maintain(store.reclaim)
            log.info("retention.reclaimed: %d bytes", freed)
        return gone
