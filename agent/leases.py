"""The master's patience with workers: who is silent past its lease loses what it has, and is told so when it is back.

After an election every worker has a period of grace to find the new master. Refuses to know how silence is measured.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from ..core.commands import Expire
from ..core.errors import OrchestraError
from .agreement import Replica
from .master import Master

log = logging.getLogger(__name__)

LEASE_S = 10.0
"""Silence after which a worker's attempts are lost. Larger: more patience with bad links; smaller: earlier retries."""

GRACE_S = 30.0
"""Seconds for a worker that answers to join a new master, or to join again; then its earlier session is over."""

LOOK_S = 1.0
"""Seconds between two looks."""


class Leases:
    """Watches the workers while this agent leads."""

    def __init__(self, own: str, replica: Replica, master: Master, silence: Callable[[str], float]) -> None:
        """Watch all but `own`; `silence(agent)` is how long ago something was heard, in seconds."""
        self._own = own
        self._replica = replica
        self._master = master
        self._silence = silence
        self._since: dict[str, float] = {}  # agent id -> since when it did not count as joined
        self._led_since = time.monotonic()
        replica.on_leading(self._on_leading)

    def _on_leading(self, _: bool) -> None:  # noqa: FBT001 - told by the replica
        self._led_since = time.monotonic()
        self._since.clear()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._replica.leading:
                await self._look(time.monotonic())

    async def _look(self, now: float) -> None:
        expired: list[Expire] = []
        for record in self._replica.ledger.agents.values():
            if not record.session:
                continue
            silent = 0.0 if record.id == self._own else min(self._silence(record.id), now - self._led_since)
            if self._master.joined(record.id, record.session):
                self._since.pop(record.id, None)
                missing = 0.0
            else:
                missing = now - self._since.setdefault(record.id, now)
            if silent > LEASE_S or missing > GRACE_S:
                log.warning("master.lease-over: %s was silent for %.0f s; what it had is lost", record.name, silent)
                expired.append(Expire(self._master.time(), record.id, record.session))
        for one in expired:
            self._master.leave(one.agent)
        if expired:
            try:
                await self._master.propose(*expired)
            except OrchestraError as error:
                log.warning("master.lease-kept: %s", error)
