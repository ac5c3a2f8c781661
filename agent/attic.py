"""What builds left stays as long as they do: an agent that keeps the history lets it go when that forgot the build.

An agent that keeps no history holds it only until those have it that do; then it is a directory as others are, which is
forgotten when room is wanted (tidying). Refuses to know which builds are pruned, and when.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from ..core.errors import Conflict, OrchestraError
from .blobs import Contents, Held, Why, forgetting

log = logging.getLogger(__name__)

LOOK_S = 300.0
"""Seconds between two looks. Larger: what belonged to pruned builds takes room for longer."""

SETTLED_S = 3600.0
"""Seconds without use before the history is asked for a build: by then it was told of it, however late that was."""


class Attic:
    """The artifacts on one machine."""

    def __init__(
        self,
        contents: Contents,
        known: Callable[[Collection[str]], Awaitable[set[str]]],
        remembers: Callable[[], bool],
        busy: Callable[[str], bool],
    ) -> None:
        """Look after what is held in `contents`.

        `known` returns those of some builds that the network knows, `remembers` says whether this agent keeps the
        history, and `busy` whether an attempt on this machine is not settled.
        """
        self._contents = contents
        self._known = known
        self._remembers = remembers
        self._busy = busy

    async def run(self) -> None:
        """Look after it until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.tidy()
            except OrchestraError as error:
                log.info("attic.later: %s", error)

    async def tidy(self) -> Sequence[Held]:
        """Let go of what need not stay; return that. Raises StorageError, Unavailable."""
        held = await asyncio.to_thread(self._contents.held, Why.ARTIFACTS)
        old = [one for one in held if one.used < time.time() - SETTLED_S and not self._busy(one.name)]
        if not self._remembers():
            await asyncio.to_thread(self._demote, old)
            return old
        if not old:
            return []
        known = await self._known({_build(one) for one in old})
        gone = [one for one in old if _build(one) not in known]
        if gone:
            gone = await asyncio.to_thread(self._release, gone)
            log.info("attic.released: artifacts of %d attempts whose builds are gone", len(gone))
        return gone

    def _demote(self, old: Iterable[Held]) -> None:
        for one in old:
            if not self._contents.torn(one.root):
                self._contents.hold(one.root, Why.SOURCE)
            self._contents.release(one.root, one.why, one.name, unused_since=one.used)

    def _release(self, gone: Iterable[Held]) -> list[Held]:
        """Let directories go, unless they were used meanwhile; return which went."""
        let_go = self._contents.release
        went = [one for one in gone if let_go(one.root, one.why, one.name, unused_since=one.used)]
        try:
            forgetting.sweep(self._contents)
        except Conflict as problem:  # the next sweep takes it
            log.info("attic.sweep-later: %s", problem)
        return went


def _build(one: Held) -> str:
    """Return the id of the build that left a directory."""
    return one.name.rpartition(".")[0]
