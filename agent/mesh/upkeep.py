"""The links to all members: made, greeted, looked after, lost, and made again.

Who is a member is told by `know`, where one may be by its contact, by hints, and by itself. Refuses to know what is
said over a link, but for the greeting.
"""

import asyncio
import logging
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto

import zmq

from . import frames, places, sockets
from .contract import HINT_LIMIT, Contact, Watcher
from .frames import Hello
from .links import PING_S, Incoming, Link, Outgoing, Peer
from .seldom import Seldom

log = logging.getLogger(__name__)

TICK_S = 0.5
"""Seconds between two looks at all links."""

PAUSE_S = 1.0
"""A look that comes so much later than it should says that this process stood still, not that others were silent."""

HINTED_LIMIT = 256
"""Agents that hints are kept for before they are members. Larger: more memory for whatever strangers announce."""


class Put(Enum):
    """What became of a frame."""

    QUEUED = auto()  # libzmq has it
    FULL = auto()  # the link takes no more now
    GONE = auto()  # the link is lost


class Upkeep:
    """Members, and the links to them."""

    def __init__(  # noqa: PLR0913 - its seams
        self,
        identity: str,
        keys: sockets.Keys,
        context: sockets.Context,
        counters: Counter[str],
        *,
        hello: Callable[[], Hello],
        take: Callable[[Link, bytes], None],
        tell: Watcher,
    ) -> None:
        """Begin with no member; nothing is connected before `start`."""
        self.peers: dict[str, Peer] = {}  # by agent id
        self.by_key: dict[str, Peer] = {}  # by public key
        self._id = identity
        self._keys = keys
        self._context = context
        self._counters = counters
        self._hello = hello
        self._take = take
        self._tell = tell
        self._hints: dict[str, list[str]] = {}  # of agents that are no members yet, the oldest first
        self._chance = random.Random()  # noqa: S311 - it spreads waits
        self._seldom = Seldom()
        self._running = False

    # -- members

    def know(self, contacts: Iterable[Contact]) -> list[Incoming]:
        """Replace the members; return the links of those who are none any more, which the listener has to end."""
        wanted = {contact.id: contact for contact in contacts if contact.id != self._id}
        cut: list[Incoming] = []
        for peer in list(self.peers.values()):
            contact = wanted.get(peer.id)
            if contact is None or contact.public != peer.contact.public:
                cut += self._drop(peer)
        for contact in wanted.values():
            peer = self.peers.get(contact.id)
            if peer is None:
                peer = self.peers[contact.id] = self.by_key[contact.public] = Peer(contact, self._chance)
                peer.places.hint(self._hints.pop(contact.id, ()))
            elif peer.places.know(contact.addresses):
                peer.wake.set()
            peer.contact = contact
            self._keep_or_not(peer)
        return cut

    def hint(self, agent: str, addresses: Sequence[str]) -> None:
        """Remember further places of a member, or of an agent that may become one."""
        peer = self.peers.get(agent)
        if peer is not None:
            if peer.places.hint(addresses):
                peer.wake.set()
            return
        before = self._hints.pop(agent, [])
        self._hints[agent] = list(dict.fromkeys([*addresses[:HINT_LIMIT], *before]))[:HINT_LIMIT]
        if len(self._hints) > HINTED_LIMIT:
            del self._hints[next(iter(self._hints))]

    def _drop(self, peer: Peer) -> list[Incoming]:
        del self.peers[peer.id]
        del self.by_key[peer.contact.public]
        cut = [peer.incoming] if peer.incoming is not None else []
        if peer.keeper is not None:
            peer.keeper.cancel()
        for link in peer.links():
            self.lose(link, "it is no member any more")
        return cut

    # -- links

    def put(self, link: Link, frame: bytes) -> Put:
        """Queue a frame on a link, without waiting; what cannot be queued is counted."""
        try:
            link.put(frame)
        except zmq.Again:
            self._counters["dropped.full"] += 1
            return Put.FULL
        except zmq.ZMQError:
            self.lose(link, "its connection is gone")
            return Put.GONE
        link.said = time.monotonic()
        self._counters["sent"] += 1
        return Put.QUEUED

    def accepts(self, peer: Peer, hello: Hello) -> bool:
        """Whether what a member says of itself lets it be linked with us."""
        ours = self._hello()
        if (hello.network, hello.epoch) == (ours.network, ours.epoch):
            return True
        peer.rejects = hello.network == ours.network and hello.epoch > ours.epoch
        self._counters["dropped.network"] += 1
        if self._seldom(("network", peer.id), time.monotonic()):
            log.warning(
                "mesh.network: agent %s is in network %s, epoch %d, and this one in %s, epoch %d; let one of them "
                "join the other anew",
                peer.id,
                hello.network,
                hello.epoch,
                ours.network,
                ours.epoch,
            )
        return False

    def adopt(self, link: Link, hello: Hello, seen: Sequence[str] = ()) -> None:
        """A link is greeted: use it. `seen` are places that the member did not name but showed."""
        peer, now = link.peer, time.monotonic()
        if isinstance(link, Incoming) and peer.incoming is not link:
            if peer.incoming is not None:
                self.lose(peer.incoming, "it made a new one")
            peer.incoming = link
        if not link.greeted:
            log.info("mesh.linked: agent %s, version %s", peer.id, hello.version)
            link.greeted = True
            peer.rejects = False
            self.revive(link)
        link.heard = peer.heard = now
        news = peer.places.told([*seen, *hello.addresses])
        if peer.outgoing is None:
            peer.wake.set()
        elif news and not peer.outgoing.greeted and now - peer.outgoing.begun > places.FIRST_WAIT_S:
            peer.wake.set()
            peer.outgoing.ended.set()  # it is tried at a place where the member is no more

    def revive(self, link: Link) -> None:
        """A link is up, for the first time or after a silence."""
        link.up = True
        link.heard = time.monotonic()
        self._counters["links.made"] += 1
        self._choose(link.peer, time.monotonic())

    def lose(self, link: Link, why: str) -> None:
        """Give up a link; what waits on it fails."""
        peer = link.peer
        if link.up:
            self._counters["links.lost"] += 1
            log.info("mesh.lost: a link to agent %s: %s", peer.id, why)
        if peer.outgoing is link:
            peer.outgoing = None
        elif peer.incoming is link:
            peer.incoming = None
        link.close()
        peer.calls.lose(link)
        self._choose(peer, time.monotonic())

    def look(self, *, patient: bool) -> None:
        """Look after all links: speak where we were silent, and give up those where the other was, unless `patient`."""
        now = time.monotonic()
        for peer in list(self.peers.values()):
            for link in peer.links():
                if not patient and link.silent(now):
                    self._on_silence(link)
                elif link.greeted and now - link.said >= PING_S:
                    self.put(link, frames.PING_FRAME)
            self._choose(peer, now)

    def _on_silence(self, link: Link) -> None:
        if isinstance(link, Outgoing):
            self.lose(link, "it is silent")
        elif link.up:  # only the other can make it anew; it is heard again if it merely stood still
            self._counters["links.lost"] += 1
            log.info("mesh.lost: a link to agent %s: it is silent", link.peer.id)
            link.up = False
            link.peer.calls.lose(link)

    def _choose(self, peer: Peer, now: float) -> None:
        before = peer.route is not None
        peer.choose(now)
        if before != (peer.route is not None):
            self._tell(peer.id, not before)

    # -- the links that we make

    def start(self) -> None:
        """Connect from now on."""
        self._running = True
        for peer in self.peers.values():
            self._keep_or_not(peer)

    async def run(self) -> None:
        """Look after the links until cancelled."""
        due = time.monotonic() + TICK_S
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            self.look(patient=now - due > PAUSE_S)
            due = now + TICK_S

    async def close(self) -> None:
        """Give up all links."""
        self._running = False
        peers = list(self.peers.values())
        keepers = [peer.keeper for peer in peers if peer.keeper is not None]
        for keeper in keepers:
            keeper.cancel()
        for peer in peers:
            for link in peer.links():
                self.lose(link, "this agent stops")
        await asyncio.gather(*keepers, return_exceptions=True)

    def _keep_or_not(self, peer: Peer) -> None:
        keep = self._running and peer.contact.keep
        if keep and peer.keeper is None:
            peer.keeper = asyncio.get_running_loop().create_task(self._keep(peer))
        elif not keep and peer.keeper is not None:
            peer.keeper.cancel()
            peer.keeper = None
            if peer.outgoing is not None:
                self.lose(peer.outgoing, "it is not kept any more")

    async def _keep(self, peer: Peer) -> None:
        """Hold a link to a member, for ever: one place after another, with a wait in between."""
        while True:
            peer.wake.clear()
            place = peer.places.next()
            if place is not None:
                try:
                    await self._hold(peer, place)
                except Exception:
                    log.exception("mesh.defect: the link to agent %s could not be held", peer.id)
                    peer.places.failed()
            wait_s = peer.places.wait_s()
            await asyncio.sleep(min(wait_s, places.FIRST_WAIT_S))
            try:
                async with asyncio.timeout(None if place is None else wait_s):
                    await peer.wake.wait()
            except TimeoutError:
                continue

    async def _hold(self, peer: Peer, place: str) -> None:
        """Connect to a place, and return when that link has ended."""
        link = await self._connect(peer, place)
        if link is None:
            peer.places.failed()
            return
        peer.outgoing = link
        try:
            await link.ended.wait()
        finally:
            if link.greeted:
                peer.places.found(place)
            else:
                peer.places.failed()
                self._counters["links.failed"] += 1
            self.lose(link, "its connection ended")

    async def _connect(self, peer: Peer, place: str) -> Outgoing | None:
        """Begin to connect to a place; None when that cannot be."""
        host, port = places.split(place) or ("", 0)
        link: Outgoing | None = None
        try:
            if not places.is_literal(host):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
                host = str(found[0][4][0])
            now = time.monotonic()
            link = Outgoing(peer, now, self._context, self._keys, take=self._take, greet=self._greet)
            link.connect(host, port)
        except (OSError, UnicodeError) as problem:  # ZMQError is no OSError
            self._cannot(peer, place, problem)
        except zmq.ZMQError as problem:
            if link is not None:
                link.close()
            self._cannot(peer, place, problem)
        else:
            return link
        return None

    def _cannot(self, peer: Peer, place: str, problem: Exception) -> None:
        self._counters["links.failed"] += 1
        if self._seldom(("connect", peer.id), time.monotonic()):
            log.warning("mesh.connect: cannot connect to agent %s at %s: %s", peer.id, place, problem)

    def _greet(self, link: Outgoing) -> None:
        if self.put(link, frames.hello(self._hello())) is not Put.QUEUED:
            self.lose(link, "it takes no greeting")
