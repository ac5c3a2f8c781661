"""Links: the connections between this agent and one member, and which of them is used.

There are at most two: the one that we make (Outgoing) and the one that it makes to us (Incoming). Both carry both ways,
so that a member behind a firewall is reached over the link that it made. Each end greets first (HELLO); a link is up
from the other's greeting until it was silent for SILENCE_S.
"""

import asyncio
import math
import random
from collections.abc import Callable

import zmq
from zmq.utils.monitor import parse_monitor_message

from . import sockets
from .calls import Calls
from .contract import SILENCE_S, Contact
from .places import Places
from .reading import Reader

PING_S = 1.5
"""Seconds without a word of ours on a link after which we say that we are there."""

GREETING_S = 3.0
"""Seconds from the first try to connect until the other's greeting; then the next place is tried."""

_ENDED = zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
_FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH


class Link:
    """One connection; times are those of time.monotonic()."""

    def __init__(self, peer: "Peer", now: float) -> None:
        """Begin without the other's greeting."""
        self.peer = peer
        self.greeted = False  # the other said who it is
        self.up = False  # it did, and was heard lately
        self.closed = False
        self.begun = now
        self.heard = now
        self.said = now

    def put(self, frame: bytes) -> None:
        """Queue a frame. Raises zmq.Again when the queue is full, another ZMQError when the connection is gone."""
        raise NotImplementedError

    def silent(self, now: float) -> bool:
        """Whether this link, or the hope for it, must be given up."""
        return now - self.heard > SILENCE_S if self.up else not self.greeted and now - self.begun > GREETING_S

    def close(self) -> None:
        """Give the connection up."""
        self.closed = True
        self.up = False


class Incoming(Link):
    """A connection that a member made to our listener."""

    def __init__(  # noqa: PLR0913 - what a connection at the listener is
        self, peer: "Peer", now: float, router: sockets.Socket, reader: Reader, *, routing: bytes, descriptor: int
    ) -> None:
        """Speak to the connection that the listener knows as `routing`."""
        super().__init__(peer, now)
        self.routing = routing
        self.descriptor = descriptor  # of its TCP connection
        self._router = router
        self._reader = reader

    def put(self, frame: bytes) -> None:
        """See Link."""
        self._router.send(self.routing, zmq.NOBLOCK | zmq.SNDMORE)
        self._router.send(frame, zmq.NOBLOCK)
        self._reader.kick()


class Outgoing(Link):
    """A connection that we make to a member's listener, pinned to its key."""

    def __init__(  # noqa: PLR0913 - what it takes to connect
        self,
        peer: "Peer",
        now: float,
        context: sockets.Context,
        keys: sockets.Keys,
        *,
        take: Callable[["Outgoing", bytes], None],
        greet: Callable[["Outgoing"], None],
    ) -> None:
        """Give each frame to `take`; call `greet` as soon as frames can be put. Raises ZMQError."""
        super().__init__(peer, now)
        self.ended = asyncio.Event()
        """Set when this link is of no more use."""
        self._take = take
        self._greet = greet
        self._socket = sockets.connector(context, keys, peer.contact.public)
        self._monitor: sockets.Socket | None = None
        try:
            events = zmq.EVENT_HANDSHAKE_SUCCEEDED | _ENDED | _FAILED
            self._monitor = sockets.monitor(context, self._socket, events)
            self._reader = Reader(self._socket, self._receive)
            self._watcher = Reader(self._monitor, self._watch)
        except zmq.ZMQError:
            sockets.close(self._socket, self._monitor)
            raise

    def connect(self, host: str, port: int) -> None:
        """Begin to connect. Raises ZMQError."""
        sockets.connect(self._socket, host, port)
        self._reader.start()
        self._watcher.start()

    def put(self, frame: bytes) -> None:
        """See Link."""
        self._socket.send(frame, zmq.NOBLOCK)
        self._reader.kick()

    def close(self) -> None:
        """See Link."""
        if not self.closed:
            super().close()
            self._reader.stop()
            self._watcher.stop()
            sockets.close(self._socket, self._monitor)
            self.ended.set()

    def _receive(self) -> None:
        frames = self._socket.recv_multipart(zmq.NOBLOCK)
        self._take(self, frames[0] if len(frames) == 1 else b"")

    def _watch(self) -> None:
        if self._monitor is None:
            return
        event = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))["event"]
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._greet(self)
        else:
            self._reader.drain()  # what it said before the end
            self.peer.rejects = self.peer.rejects or event == zmq.EVENT_HANDSHAKE_FAILED_AUTH
            self.ended.set()


class Peer:
    """A member, its links, and what waits for it."""

    def __init__(self, contact: Contact, chance: random.Random) -> None:
        """Begin without a link."""
        self.contact = contact
        self.id = contact.id
        self.calls = Calls(contact.id)
        self.places = Places(contact.addresses, chance)
        self.outgoing: Outgoing | None = None
        self.incoming: Incoming | None = None
        self.route: Link | None = None  # the link to use
        self.heard = -math.inf
        self.rejects = False  # it does not take us for a member
        self.wake = asyncio.Event()
        """Set when there is a reason to try to connect at once."""
        self.keeper: asyncio.Task[None] | None = None

    def links(self) -> list[Link]:
        """Return the links there are."""
        return [link for link in (self.outgoing, self.incoming) if link is not None]

    def choose(self, now: float) -> None:
        """Decide on the link to use: the one we make, unless only the other was heard lately."""
        usable = [link for link in self.links() if link.up]
        lively = [link for link in usable if now - link.heard < 2 * PING_S]
        self.route = next(iter(lively or usable), None)
