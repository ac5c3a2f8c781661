"""Answers `caches.*`: what builds left for later ones, on all agents that can be asked; and brings one of it here."""

import asyncio
from collections.abc import Iterable

from ...core.api import caches as api
from ...core.caching import Wish
from ...core.errors import InvalidInput, NotFound, TimedOut
from ...core.instants import stamp
from ...core.views.caches import CacheView
from ..caches import Caches as Network
from ..caches import Place

MOST_S = 600.0
"""Seconds that a client may wait for a cache to be fetched."""

ALL = "*"
"""In place of a project: all of them."""


class Caches:
    """The caches."""

    def __init__(self, network: Network) -> None:
        """Find them by `network`."""
        self._network = network

    async def caches_list(self, params: api.CachesList) -> api.Caches:
        """List caches, the last used first."""
        return api.Caches(_together(await self._network.everywhere(params.project or "")))

    async def caches_remove(self, params: api.CachesRemove) -> api.CachesRemoved:
        """Forget caches."""
        if not params.project:
            raise InvalidInput(f"name the project whose caches are to go, or {ALL} for those of all projects")
        found = await self._network.forget("" if params.project == ALL else params.project, params.key)
        if not found:
            message = f"{params.project} has no cache whose key begins with {params.key[:60]!r}: orchestra caches list"
            raise NotFound(message)
        return api.CachesRemoved(sorted(found))

    async def caches_bring(self, params: api.CachesBring) -> api.CacheBrought:
        """Have the best cache that others have on this agent."""
        try:
            async with asyncio.timeout(min(params.wait, MOST_S)):
                found = await self._network.bring(Wish(params.project, params.key, tuple(params.restore)))
        except TimeoutError:
            message = f"the cache {params.key} did not arrive within {params.wait:.0f} s; it is done without"
            raise TimedOut(message) from None
        return api.CacheBrought(None if found is None else found.name.key)


def _together(places: Iterable[Place]) -> list[CacheView]:
    """Return caches as clients see them, the same of several agents once, the last used first."""
    found: dict[tuple[str, str], list[Place]] = {}
    for one in places:
        found.setdefault((str(one.name), one.held.root), []).append(one)
    lines = sorted(found.values(), key=lambda one: -max(place.held.used for place in one))
    return [
        CacheView(
            project=several[0].name.project,
            key=several[0].name.key,
            size=several[0].held.size,
            used=stamp(1000 * max(one.held.used for one in several)) or "",
            agents=sorted(one.agent.name for one in several),
        )
        for several in lines
    ]
