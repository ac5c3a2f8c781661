"""What this machine has at hand, as the scheduler is to know it: caches, copies of git repositories, warm workspaces.

Looked up now and then beside everything else, because the master is told every few seconds and must not wait for a
disk. Refuses to know what becomes of it (core/affinity).
"""

import asyncio
import logging

from ..core.affinity import key
from ..core.errors import OrchestraError
from .caches import Caches
from .repositories.mirrors import Mirrors
from .warm import Warm

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""Seconds between two looks. Larger: the next build of a pipeline may not know yet what the one before left."""


class Warmth:
    """What is at hand."""

    def __init__(self, caches: Caches, mirrors: Mirrors, warm: Warm) -> None:
        """Look at these."""
        self._warm = warm
        self._caches = caches
        self._mirrors = mirrors
        self._keys: frozenset[str] = frozenset()

    def keys(self) -> frozenset[str]:
        """Return the keys of what is at hand, as of the last look."""
        return self._keys

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                self._keys = await asyncio.to_thread(self.look)
            except OrchestraError as problem:
                log.warning("warmth.unknown: %s", problem)
            await asyncio.sleep(LOOK_S)

    def look(self) -> frozenset[str]:
        """Return the keys of what is at hand now. Blocks. Raises StorageError."""
        git = (key("git", one) for one in self._mirrors.addresses())
        return frozenset((*self._caches.warm(), *git, *self._warm.keys()))
