"""Keeps what this machine holds of directories, repositories and warm workspaces within their quotas, and the disk's.

Forgotten is what was used least recently, and never what is needed: for a build that is live as far as this agent
knows, for one that this machine is about to run, or what was used so lately that a submission may be on its way. What
builds left as artifacts is not forgotten here: it stays as long as its build. Refuses to know how forgetting is done
(blobs).
"""

import asyncio
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ..core.definition import Spec
from ..core.errors import Conflict, OrchestraError
from ..core.manifest import Digest
from .blobs import Contents, Held, Why, forgetting
from .repositories.mirrors import Mirrors
from .settings import Settings
from .trees import LATELY_S, Trees
from .warm import Warm

log = logging.getLogger(__name__)

LOOK_S = 20.0
"""Seconds between two looks. Larger: what comes quickly may exceed its bounds for longer."""

VAIN_S = 300.0
"""Seconds until all is looked at again where nothing of it could go, and nothing came since: that look is work."""

SLACK = 0.9
"""Part of the quota that is left when it was exceeded. Larger: it is exceeded again sooner; smaller: more is lost."""


class Tidier:
    """Tidies up one machine's contents."""

    def __init__(  # noqa: PLR0913 - what it looks after, and by what
        self,
        trees: Trees,
        mirrors: Mirrors,
        warm: Warm,
        needed: Callable[[], Iterable[str]],
        settings: Settings,
        *,
        oldest: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """Keep what is in `trees`, `mirrors` and `warm` within their quotas, and twice the reserve of the disk free.

        `needed` returns the directories (hex) that must stay, `oldest` when the oldest build began that works in a
        checkout here (seconds since the epoch): both are called in the event loop.
        """
        self._mirrors = mirrors
        self._warm = warm
        self._warm_quota = settings.warm_quota or math.inf
        self._mirror_quota = settings.mirror_quota or math.inf
        self._trees = trees
        self._folder = trees.contents.folder
        self._needed = needed
        self._oldest = oldest
        self._quota = settings.content_quota or math.inf
        self._reserve = settings.reserve
        self._turn = asyncio.Lock()
        self._vain = -math.inf, 0  # when there was too much and nothing could go, and how much there was then
        trees.make_room = self.make_room

    async def run(self) -> None:
        """Tidy up until cancelled."""
        while True:
            try:
                await self.tidy()
            except (OrchestraError, OSError) as error:  # a full disk above all: then this is needed most
                log.warning("tidier.later: %s", error)
            await asyncio.sleep(LOOK_S)

    async def tidy(self) -> list[Held]:
        """Forget what is too much now; return which directories went. Raises StorageError, Damaged."""
        async with self._turn:
            total = await asyncio.to_thread(_total, self._folder)
            most = self._most(total)
            gone: list[Held] = []
            if total > most and not self._in_vain(total):
                gone = await self._forget(most, total)
            await asyncio.to_thread(self._mirrors.tidy, self._mirror_quota, self._short(0), self._oldest())
            await self._warm.tidy(self._warm_quota, self._short(0))
            return gone

    async def make_room(self, size: int) -> bool:
        """Free so many bytes of the disk beyond what stays free anyway, as far as possible; whether anything went."""
        async with self._turn:
            total = await asyncio.to_thread(_total, self._folder)
            return bool(await self._forget(min(self._most(total), total - self._short(size)), total))

    def _in_vain(self, total: int) -> bool:
        """Whether nothing could go the last time, and that is likely so now."""
        at, before = self._vain
        return time.monotonic() - at < VAIN_S and total <= before

    def _most(self, total: int) -> float:
        """Return the bytes that may stay of what takes `total`."""
        most = total if total <= self._quota else self._quota * SLACK
        return min(most, total - self._short(0))

    def _short(self, size: int) -> int:
        """Return the bytes that lack on the disk for `size` more."""
        free = shutil.disk_usage(self._folder).free
        return max(0, 2 * self._reserve + size - free)

    async def _forget(self, most: float, total: int) -> list[Held]:
        needed = {bytes.fromhex(one) for one in self._needed()}
        try:
            gone = await asyncio.to_thread(_forget, self._folder, most, lambda one: self._stays(one, needed))
        except Conflict:  # somebody is putting a directory together: next time
            return []
        if not gone:
            self._vain = time.monotonic(), total
        else:
            log.info("tidier.forgotten: %d directories of %d bytes", len(gone), sum(one.size for one in gone))
        return gone

    def _stays(self, one: Held, needed: set[Digest]) -> bool:
        lately = time.time() - one.used < LATELY_S or self._trees.asked_for(one.root)
        return one.why is Why.ARTIFACTS or one.root in needed or lately


def _total(folder: Path) -> int:
    with Contents(folder) as contents:
        return contents.total


def _forget(folder: Path, most: float, keep: Callable[[Held], bool]) -> list[Held]:
    """See forgetting: with a connection of its own, so that nobody else waits while it looks at everything."""
    with Contents(folder) as contents:
        return forgetting.forget(contents, most, keep)


def archives(specs: Iterable[Spec]) -> set[str]:
    """Return the shipped directories (hex) that builds begin in."""
    return {one.source.archive for one in specs if one.source.archive}
