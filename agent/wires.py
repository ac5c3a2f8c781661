"""All that connects this agent to others, opened together: mesh, bulk path, door, and its presence on the LAN.

Opened at once, so that ports are known; served while the agent runs. Refuses to know what is said.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from ..core import addresses
from ..core.entering import Welcome
from ..core.errors import OrchestraError
from ..core.messages import Entrant
from ..core.version import VERSION
from . import ports
from .announcement import announcement_of
from .bulk import Bulk
from .door import Door
from .identity import Identity
from .interfaces import advertised
from .mesh.contract import Mesh
from .mesh.zeromq import ZmqMesh
from .paths import Paths
from .peers import Peers
from .presence import Presence
from .settings import Settings

log = logging.getLogger(__name__)

LOOK_S = 3.0
"""Seconds between two looks at this machine's addresses."""


@dataclass(frozen=True)
class OnLan:
    """How an agent is seen on the LAN, and whom it sees."""

    announced: bool = False  # it wants to be seen
    speaking: tuple[str, ...] = ()  # addresses from which it announces itself
    seen: tuple[str, ...] = ()  # ids of agents of its network


class Wires(Protocol):
    """What an agent needs of them."""

    mesh: Mesh  # control
    bulk: Bulk  # what is large
    door_port: int  # where joining is asked for; 0: nowhere

    async def run(
        self,
        peers: Peers,
        enter: Callable[[Entrant], Awaitable[Welcome]],
        moved: Callable[[tuple[str, ...]], None],
    ) -> None:
        """Carry what is said until cancelled; tell `moved` where this agent is whenever that changes."""
        ...

    def on_lan(self) -> OnLan:
        """Say how this agent is seen."""
        ...

    async def close(self) -> None:
        """Give everything back."""
        ...


class LanWires(Wires):
    """The real ones."""

    def __init__(self, identity: Identity, settings: Settings, paths: Paths) -> None:
        """Open the ports. Raises Conflict or InvalidInput with the remedy where a wanted one cannot be had."""
        self._identity = identity
        self._settings = settings
        self._host, wanted = settings.place()
        self._present: Presence | None = None
        had = ports.load(paths)
        self.mesh = self._mesh = ports.first(self._open_mesh, ports.control(had.control, wanted))
        control = self._mesh.port
        self.bulk = ports.first(self._open_bulk, ports.beside(had.bulk, control, 1, wanted))
        self._door = ports.first(self._open_door, ports.beside(had.door, control, 2, wanted))
        self.door_port = self._door.port
        self._mesh.addresses = self._addresses()
        ports.save(paths, ports.Ports(control, self.bulk.port, self.door_port))

    def _open_mesh(self, port: int) -> ZmqMesh:
        me = self._identity
        return ZmqMesh(
            me.id,
            me.public,
            me.secret,
            network=me.network,
            epoch=me.epoch,
            version=VERSION,
            host=self._host,
            port=port,
        )

    def _open_bulk(self, port: int) -> Bulk:
        return Bulk(self._identity.public, self._identity.secret, host=self._host, port=port)

    def _open_door(self, port: int) -> Door:
        return Door(self._identity, host=self._host, port=port)

    def _addresses(self) -> tuple[str, ...]:
        hosts = advertised(self._host, self._settings.interface)
        return tuple(addresses.join(one, self._mesh.port) for one in hosts)

    async def run(
        self,
        peers: Peers,
        enter: Callable[[Entrant], Awaitable[Welcome]],
        moved: Callable[[tuple[str, ...]], None],
    ) -> None:
        """See Wires."""
        self._door.connect(enter)
        create = asyncio.get_running_loop().create_task
        self._present = presence = self._presence(peers)
        tasks = [create(one) for one in (self._mesh.run(), self._door.run(), presence.run(), self._follow(moved))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def on_lan(self) -> OnLan:
        """See Wires."""
        if self._present is None:
            return OnLan()
        seen = [one.announcement for one in self._present.sightings]
        mine = tuple(one.id for one in seen if one.network == self._identity.network)
        return OnLan(self._present.mdns, self._present.speaking, mine)

    def _presence(self, peers: Peers) -> Presence:
        told = announcement_of(self._identity, port=self._mesh.port, bulk=self.bulk.port, door=self.door_port)
        return Presence(
            told,
            peers,
            self._mesh,
            host=self._host,
            interfaces=self._settings.interface,
            places=self._settings.peer,
            mdns=self._settings.mdns and not _is_loopback(self._host),
        )

    async def _follow(self, moved: Callable[[tuple[str, ...]], None]) -> None:
        """See when this machine's addresses change."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                found = await asyncio.to_thread(self._addresses)
            except (OSError, OrchestraError):
                continue  # an interface that was named is away; no news
            if found != self._mesh.addresses:
                log.info("wires.moved: now at %s", ", ".join(found))
                self._mesh.addresses = found
                moved(found)

    async def close(self) -> None:
        """See Wires."""
        self._door.close()
        await asyncio.to_thread(self.bulk.close)
        await self._mesh.close()


def open_wires(identity: Identity, settings: Settings, paths: Paths) -> Wires:
    """Open the real ones; see LanWires."""
    return LanWires(identity, settings, paths)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
