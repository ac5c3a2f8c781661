"""The real mesh: ZeroMQ over TCP, encrypted and authenticated by CURVE, between the members only.

One listener takes the links that others make; to every member that is to be kept a link is made, and made again. Who
sent a frame is decided for each one anew, by the key that its connection proved and the member table of now; names that
a connection gives itself (routing ids) mean nothing. A frame that makes no sense is counted, told of at most once a
minute, and dropped. Refuses to know what is said over it.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from ipaddress import ip_address

import zmq
from zmq.utils.monitor import parse_monitor_message

from ...core.errors import OrchestraError
from . import crowd, frames, places, sockets
from .admission import Admission
from .calls import full, no_link, too_large
from .contract import HINT_LIMIT, PAYLOAD_LIMIT, Contact, Handler, Mesh, Receiver, Watcher
from .frames import Hello, Malformed
from .links import Incoming, Link, Peer
from .reading import Reader, readable
from .seldom import Seldom
from .switchboard import Switchboard
from .upkeep import Put, Upkeep

log = logging.getLogger(__name__)

_GIVEN_BYTES = 5  # of a routing id that libzmq makes up: a zero, which none that a stock client chooses begins with


class ZmqMesh(Mesh):
    """One agent's end of the mesh."""

    def __init__(  # noqa: PLR0913 - who it is, and where it listens
        self,
        identity: str,
        public: str,
        secret: str,
        *,
        network: str,
        epoch: int,
        version: str,
        host: str,
        port: int = 0,
    ) -> None:
        """Listen at once, at any port for 0; `run` serves. Raises Conflict when the port is taken, else InvalidInput.

        `host` may stand for all addresses of this machine (0.0.0.0, or :: for both families); then whoever knows which
        of them others can use puts them into `addresses`. Members that are met also learn the one they see.
        """
        self.id = identity
        self.network = network
        self.epoch = epoch
        self.version = version
        self.counters: Counter[str] = Counter()
        self._switchboard = Switchboard(self.counters)
        self._seldom = Seldom()
        self._closed = asyncio.Event()
        self._incoming: dict[int, Incoming] = {}  # by descriptor
        self._context = sockets.context()
        try:
            self._admission = Admission(self._context, self._admits)
            keys = sockets.Keys(public, secret)
            self._router = sockets.listener(self._context, keys)
            self._monitor = sockets.monitor(self._context, self._router, sockets.ARRIVALS)
            self.port = sockets.bind(self._router, host, port)
        except BaseException:
            self._context.destroy(0)
            raise
        self.addresses = () if _stands_for_all(host) else (places.join(host.strip("[]"), self.port),)
        self._crowd = crowd.Crowd(self.port)
        self._reader = Reader(self._router, self._take)
        self._watcher = Reader(self._monitor, self._watch)
        self._upkeep = Upkeep(
            identity,
            keys,
            self._context,
            self.counters,
            hello=self._hello,
            take=self._on_frame,
            tell=self._switchboard.tell,
        )

    # -- the contract

    def handle(self, method: str, handler: Handler) -> None:
        """See Mesh."""
        self._switchboard.handle(method, handler)

    def listen(self, topic: str, receiver: Receiver) -> None:
        """See Mesh."""
        self._switchboard.listen(topic, receiver)

    def on_link(self, watcher: Watcher) -> None:
        """See Mesh."""
        self._switchboard.on_link(watcher)

    def know(self, contacts: Iterable[Contact]) -> None:
        """See Mesh."""
        for link in self._upkeep.know(contacts):
            self._incoming.pop(link.descriptor, None)
            crowd.end(link.descriptor, self.port)

    def hint(self, agent: str, addresses: Sequence[str]) -> None:
        """See Mesh."""
        self._upkeep.hint(agent, addresses)

    def send(self, to: str, topic: str, payload: bytes) -> bool:
        """See Mesh."""
        if len(payload) > PAYLOAD_LIMIT:
            self.counters["dropped.large"] += 1
            return False
        peer = self._upkeep.peers.get(to)
        while peer is not None and peer.route is not None:
            put = self._upkeep.put(peer.route, frames.note(topic, payload))
            if put is not Put.GONE:
                return put is Put.QUEUED
        self.counters["dropped.unreachable"] += 1
        return False

    async def call(self, to: str, method: str, payload: bytes, timeout_s: float = 5.0) -> bytes:
        """See Mesh."""
        if len(payload) > PAYLOAD_LIMIT:
            raise too_large(payload)
        peer = self._upkeep.peers.get(to)
        while peer is not None and peer.route is not None:
            number, future = peer.calls.begin(peer.route)
            put = self._upkeep.put(peer.route, frames.call(number, method, payload))
            if put is Put.QUEUED:
                return await peer.calls.outcome(number, future, timeout_s)
            peer.calls.forget(number)
            if put is Put.FULL:
                raise full(to)
        self.counters["dropped.unreachable"] += 1
        raise no_link(to)

    def silence(self, agent: str) -> float:
        """See Mesh."""
        peer = self._upkeep.peers.get(agent)
        return math.inf if peer is None else time.monotonic() - peer.heard

    def rejecting(self) -> set[str]:
        """See Mesh."""
        return {peer.id for peer in self._upkeep.peers.values() if peer.rejects}

    async def run(self) -> None:
        """See Mesh. Ends with an exception when a part that the mesh cannot be without has failed."""
        if self._closed.is_set():
            return
        create = asyncio.get_running_loop().create_task
        tasks = [create(self._admission.run()), create(self._upkeep.run()), create(self._closed.wait())]
        self._reader.start()
        self._watcher.start()
        self._upkeep.start()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.close()

    async def close(self) -> None:
        """See Mesh."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._reader.stop()
        self._watcher.stop()
        await self._upkeep.close()
        await self._switchboard.close()
        sockets.close(self._router, self._monitor)
        self._admission.stop()
        self._context.destroy(0)

    # -- the listener

    def _admits(self, key: bytes) -> bool:
        if key.decode() in self._upkeep.by_key:
            return True
        self.counters["links.refused"] += 1
        if self._seldom("refused", time.monotonic()):
            log.warning("mesh.refused: somebody whose key is no member's tried to connect (told once a minute)")
        return False

    def _watch(self) -> None:
        """Take one piece of news about the listener's connections."""
        self._on_news(*self._news(), last_words=True)

    def _news(self) -> tuple[int, int]:
        told = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))
        return int(told["event"]), int(told["value"])

    def _on_news(self, event: int, descriptor: int, *, last_words: bool) -> None:
        if event == zmq.EVENT_ACCEPTED:
            if self._crowd.on_accepted(descriptor):
                self.counters["links.crowded"] += 1
            return
        self._crowd.on_closed(descriptor)
        link = self._incoming.pop(descriptor, None)
        if link is not None:
            if last_words:
                self._reader.drain()
            self._upkeep.lose(link, "its connection ended")

    def _take(self) -> None:
        """Take one message of whoever connected to the listener."""
        envelope = self._router.recv(zmq.NOBLOCK, copy=False)
        body = self._router.recv(zmq.NOBLOCK, copy=False)
        frame = body.bytes
        if body.more:
            frame = b""
            while self._router.recv(zmq.NOBLOCK, copy=False).more:
                continue
        peer = self._upkeep.by_key.get(str(body.get("User-Id")))
        if peer is None:
            self.counters["dropped.stranger"] += 1
            return
        link = peer.incoming
        if link is not None and link.routing == envelope.bytes:
            self._on_frame(link, frame)
        elif frame[:1] == frames.HELLO_BYTE and _is_given(envelope.bytes):
            self._on_connection(peer, envelope.bytes, body)
        else:
            self.counters["dropped.stale"] += 1

    def _on_connection(self, peer: Peer, routing: bytes, body: zmq.Frame) -> None:
        """A member greets on a new connection: if it is one of ours, this is its link from now on."""
        try:
            hello = frames.parse_hello(body.bytes)
        except Malformed as problem:
            self._malformed(peer, problem)
            return
        while readable(self._monitor):  # what else had this descriptor before is over
            self._on_news(*self._news(), last_words=False)
        descriptor = int(body.get(zmq.SRCFD))
        link = Incoming(peer, time.monotonic(), self._router, self._reader, routing=routing, descriptor=descriptor)
        put = self._upkeep.put(link, frames.hello(self._hello()))  # also to one that is not accepted: let it know why
        if not self._upkeep.accepts(peer, hello) or put is not Put.QUEUED:
            return
        self._crowd.on_proven(descriptor)
        self._incoming[descriptor] = link
        self._upkeep.adopt(link, hello, [places.join(str(body.get("Peer-Address")), hello.port)])

    # -- frames

    def _hello(self) -> Hello:
        return Hello(self.network, self.epoch, self.version, self.port, self.addresses[:HINT_LIMIT])

    def _on_frame(self, link: Link, frame: bytes) -> None:
        """Take one frame of a member; nothing in it can raise."""
        peer = link.peer
        link.heard = peer.heard = time.monotonic()
        self.counters["received"] += 1
        if not link.up and link.greeted:
            self._upkeep.revive(link)
        try:
            self._dispatch(link, frame[0] if frame else 0, frame)
        except Malformed as problem:
            self._malformed(peer, problem)

    def _dispatch(self, link: Link, kind: int, frame: bytes) -> None:
        peer = link.peer
        if not link.greeted and kind != frames.HELLO:
            raise Malformed("something before its greeting")
        if kind == frames.NOTE:
            topic, payload = frames.parse_note(frame)
            self._switchboard.deliver(peer.id, topic, payload)
        elif kind in frames.OUTCOMES:
            number, outcome = frames.parse_answer(frame)
            if not peer.calls.answer(link, number, outcome):
                self.counters["dropped.late"] += 1
        elif kind == frames.CALL:
            number, method, payload = frames.parse_call(frame)
            self._switchboard.begin(peer.id, method, payload, partial(self._answer, link, number))
        elif kind == frames.HELLO:
            self._on_hello(link, frames.parse_hello(frame))
        elif kind != frames.PING:
            raise Malformed("a frame of no kind we know")

    def _on_hello(self, link: Link, hello: Hello) -> None:
        if self._upkeep.accepts(link.peer, hello):
            self._upkeep.adopt(link, hello)
        else:
            self._upkeep.lose(link, "it is of another network")

    def _answer(self, link: Link, number: int, outcome: bytes | OrchestraError) -> None:
        if link.closed:
            self.counters["dropped.unreachable"] += 1
        else:
            self._upkeep.put(link, frames.answer(number, outcome))

    def _malformed(self, peer: Peer, problem: Malformed) -> None:
        self.counters["dropped.malformed"] += 1
        if self._seldom(("malformed", peer.id), time.monotonic()):
            log.warning("mesh.malformed: agent %s sent %s (dropped; told once a minute)", peer.id, problem)


def _is_given(routing: bytes) -> bool:
    """Whether our listener made this routing id up: no agent names its connections, so that none can take another's."""
    return len(routing) == _GIVEN_BYTES and routing[0] == 0


def _stands_for_all(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return host == ""
