"""The caches of the network: those of this machine for others, and those of others for builds on this machine.

An agent that lacks a cache asks all that can be reached which they have, takes the best that is said, and fetches it
from those who have it. There is no index: who has a cache knows it. Refuses to know what a build's key comes to
(workspace.caching), and when a cache is forgotten (tidying).
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import NamedTuple

from ..core import caching
from ..core.caching import Name, Stored, Wish
from ..core.errors import OrchestraError
from ..core.messages import CacheHeld, CachesOf, Call, pack, unpack
from ..core.messages import Caches as Told
from ..core.model import AgentRecord
from .blobs import Why
from .mesh.contract import Mesh
from .peers import Peers
from .trees import Trees, digest_of

log = logging.getLogger(__name__)

ASK_S = 3.0
"""Seconds for others to say what they have. Larger: slow ones are heard; smaller: builds begin sooner."""

MOST = 2000
"""Caches that one agent tells of at a time."""


class Place(NamedTuple):
    """A cache at one agent."""

    agent: AgentRecord  # who has it
    held: CacheHeld  # what it is
    name: Name  # what it is called


class Caches:
    """The caches, as one agent sees them."""

    def __init__(self, trees: Trees, peers: Peers, mesh: Mesh) -> None:
        """Keep what is fetched in `trees`; ask the members that `peers` knows."""
        self._trees = trees
        self._peers = peers
        self._mesh = mesh
        mesh.handle(Call.CACHES, self._on_list)
        mesh.handle(Call.FORGET, self._on_forget)

    async def bring(self, wish: Wish) -> Stored | None:
        """Have the best cache that others have on this machine; None where they have none. Raises as Trees.fetch."""
        places = await self._ask(CachesOf(wish.project, wish.restore, wish.key))
        found = caching.best(wish, (Stored(one.name, one.held.root, one.held.used) for one in places))
        if found is not None:
            holders = [one.agent for one in places if one.held.root == found.root]
            await self._trees.fetch(found.root, Why.CACHE, str(found.name), holders)
        return found

    async def everywhere(self, project: str = "") -> list[Place]:
        """Return what each agent that answers has."""
        mine = self._peers.records.get(self._mesh.id)
        own = await asyncio.to_thread(self._held, CachesOf(project))
        here = _places(mine, own) if mine is not None else []
        return here + await self._ask(CachesOf(project))

    async def forget(self, project: str, prefix: str) -> set[str]:
        """Let all agents that answer forget the caches of a project whose keys begin so; return those keys."""
        which = CachesOf(project, (prefix,))
        told = _places(None, await asyncio.to_thread(self._forget, which)) + await self._ask(which, Call.FORGET)
        return {one.name.key for one in told}

    def warm(self) -> set[str]:
        """Return by which keys this machine is warm (affinity). Blocks."""
        names = (caching.read_name(one.name) for one in self._trees.contents.held(Why.CACHE))
        return {one.warm for one in names if one is not None}

    # -- asking others, and answering them

    async def _ask(self, which: CachesOf, call: Call = Call.CACHES) -> list[Place]:
        others = [one for one in self._peers.records.values() if one.id != self._mesh.id]
        asked = [self._ask_one(one, which, call) for one in others if self._peers.reachable(one.id)]
        return [place for places in await asyncio.gather(*asked) for place in places]

    async def _ask_one(self, agent: AgentRecord, which: CachesOf, call: Call) -> "list[Place]":
        try:
            told = unpack(await self._mesh.call(agent.id, call, pack(which), ASK_S), Told)
        except OrchestraError as problem:
            log.info("caches.not-told: %s: %s", agent.name, problem)
            return []
        return _places(agent, told)

    async def _on_list(self, _: str, payload: bytes) -> bytes:
        return pack(await asyncio.to_thread(self._held, unpack(payload, CachesOf)))

    async def _on_forget(self, _: str, payload: bytes) -> bytes:
        return pack(await asyncio.to_thread(self._forget, unpack(payload, CachesOf)))

    def _held(self, which: CachesOf) -> Told:
        found: list[CacheHeld] = []
        for one in self._trees.contents.held(Why.CACHE):
            name = caching.read_name(one.name)
            if name is not None and _is_meant(name, which):
                found.append(CacheHeld(one.name, one.root.hex(), one.size, one.used))
        return Told(tuple(found[:MOST]))

    def _forget(self, which: CachesOf) -> Told:
        told = self._held(which)
        for one in told.caches:
            self._trees.contents.release(digest_of(one.root), Why.CACHE, one.name)
        return told


def _is_meant(name: Name, which: CachesOf) -> bool:
    if which.project and name.project != which.project:
        return False
    if which.key and name.key == which.key:
        return True
    return any(name.key.startswith(one) for one in which.keys) or not (which.keys or which.key)


def _places(agent: AgentRecord | None, told: Told) -> list[Place]:
    record = agent or AgentRecord("", "")
    named: Iterable[tuple[CacheHeld, Name | None]] = ((one, caching.read_name(one.name)) for one in told.caches)
    return [Place(record, held, name) for held, name in named if name is not None]
