"""How agents find each other again: announces this one on the LAN, and tells the mesh where members were seen.

Whatever is seen is a hint about an address and nothing more: the mesh believes only who proves a member's key. Refuses
to know who is let in (door, membership).
"""

import asyncio
import logging

from ..core import addresses
from ..core.errors import OrchestraError
from .announcement import Announcement, Sighting
from .beacon import Beacon, ask
from .discovery import Discovery
from .mesh.contract import Mesh
from .peers import Peers

log = logging.getLogger(__name__)

ASK_S = 5.0
"""Seconds between two questions at a place that was named by hand, while its agent is not in contact."""


class Presence:
    """This agent on the LAN."""

    def __init__(  # noqa: PLR0913 - what it stands between
        self,
        announcement: Announcement,
        peers: Peers,
        mesh: Mesh,
        *,
        host: str,
        interfaces: tuple[str, ...],
        places: tuple[str, ...],
        mdns: bool = True,
    ) -> None:
        """Announce `announcement` on these interfaces; ask at `places` (host:port) where multicast does not reach.

        Without `mdns` only who asks is told, and only `places` are asked.
        """
        self._announcement = announcement
        self._peers = peers
        self._mesh = mesh
        self._host = host
        self._places = places
        self.mdns = mdns
        self._found: dict[str, str] = {}  # place -> agent id that answered there
        self._beacon = Beacon(announcement)
        self._discovery = Discovery(self._on_sighting, interfaces=interfaces, own=announcement, host=host)

    @property
    def sightings(self) -> list[Sighting]:
        """The agents seen on the LAN, of whichever network."""
        return self._discovery.sightings

    @property
    def speaking(self) -> tuple[str, ...]:
        """The addresses from which this agent announces itself; none: it cannot, or is not to."""
        return self._discovery.speaking

    async def run(self) -> None:
        """Announce and look until cancelled."""
        try:
            await self._beacon.start(self._host, self._announcement.port)
        except (OSError, OrchestraError) as error:
            log.warning("presence.no-beacon: %s; others cannot ask this agent who it is (--peer)", error)
        if self.mdns:
            await self._discovery.start()
        try:
            while True:
                await asyncio.gather(*(self._ask(place) for place in self._places))
                await asyncio.sleep(ASK_S)
        finally:
            self._beacon.close()
            await self._discovery.close()

    async def _ask(self, place: str) -> None:
        if place in self._found and self._peers.reachable(self._found[place]):
            return
        host, port = addresses.split(place)
        found = await ask(host, port)
        if found is not None:
            self._found[place] = found.announcement.id
            self._on_sighting(found)

    def _on_sighting(self, seen: Sighting) -> None:
        told = seen.announcement
        if told.network == self._announcement.network and told.id in self._peers.records:
            self._mesh.hint(told.id, [seen.address])
