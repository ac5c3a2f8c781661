"""An agent's manners: looks at what goes on at its machine, and lets its worker behave as its offer has it.

What the policy is says core/offer; what goes on, usage. A change by people reaches this from the ledger, where this
agent has a copy, and else with what the master answers a worker: when it starts, and to each sign of life.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from ..core.ledger import Changes
from ..core.offer import Offer, OfferChange, Usage, pause
from . import usage
from .agreement import Replica
from .mastery import asked_of
from .worker import Worker

log = logging.getLogger(__name__)

NOT_LOOKED = "it has yet to look at what goes on here"
"""Why a worker that was just started takes no builds for a moment, where its offer depends on that."""

LOOK_S = 10.0
"""Seconds between two looks, where anything is to be looked at. Smaller: sooner out of the way; larger: fewer looks."""


def now() -> datetime:
    """Return the time of day here: what a clock on this machine's wall shows."""
    return datetime.now()  # noqa: DTZ005 - hours are meant as whoever sits here reads them


class Manners:
    """Has one worker behave."""

    def __init__(
        self,
        worker: Worker,
        replica: Replica,
        *,
        look: Callable[[], Usage] = usage.look,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Look by `look` and `clock` at this machine; what people change is in the replica's ledger."""
        self._worker = worker
        self._look = look
        self._clock = clock
        self._asked = asked_of(replica, worker.record.id)
        self._news = asyncio.Event()
        self._seen: Usage | None = None  # at the last look; None: it was not looked, or had not to be
        self._behave()
        replica.watch(self._on_changes)

    def _on_changes(self, changes: Changes) -> None:
        record = changes.agents.get(self._worker.record.id)
        if record is not None:
            self.on_asked(record.asked)

    def on_asked(self, asked: OfferChange) -> None:
        """Take note of what people changed."""
        if asked != self._asked:
            self._asked = asked
            self._behave()  # at once: a worker that starts hears of it just before it offers itself
            self._news.set()

    async def run(self) -> None:
        """Look until cancelled: all the time where the offer depends on what goes on, else when it changes."""
        while True:
            self._news.clear()
            offer = self._offer
            self._seen = await asyncio.to_thread(self._look) if offer.looks else None
            self._behave()
            try:
                async with asyncio.timeout(LOOK_S if offer.looks or offer.hours else None):
                    await self._news.wait()
            except TimeoutError:
                continue

    @property
    def _offer(self) -> Offer:
        return self._asked.over(self._worker.record.offer)

    def _behave(self) -> None:
        """Let the worker behave as the offer has it, by what was seen last."""
        record, offer = self._worker.record, self._offer
        why = NOT_LOOKED if offer.looks and self._seen is None else pause(offer, self._seen or Usage(), self._clock())
        if why != record.paused:
            log.info("agent.%s", f"paused: {why}" if why else "resumed: it takes builds")
        slots = record.slots if self._asked.slots is None else self._asked.slots
        self._worker.behave(slots, paused=why, nice=offer.nice)
