"""The mesh within one event loop: what tests, and a network of one process, are made of.

It behaves as the real one does at its best: links are made and lost at once, and lose nothing by themselves. Faults are
asked for: `cut` is a cable that is pulled and noticed, `cut_one_way` one that swallows, `close` of a mesh its death.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ...core.errors import Conflict, OrchestraError, by_kind, kind_of
from .calls import Calls, no_link, too_large
from .contract import PAYLOAD_LIMIT, Contact, Handler, Mesh, Receiver, Watcher
from .switchboard import Switchboard, encoded

QUEUE_LIMIT = 1_000
"""Messages on their way from one mesh to another, as the high-water mark of the real one."""


class _Peer:
    """What a mesh knows of one member."""

    def __init__(self, contact: Contact) -> None:
        self.contact = contact
        self.calls = Calls(contact.id)
        self.link: object | None = None  # a new one each time the link is made
        self.heard = -math.inf  # loop time
        self.queued = 0  # messages on their way to it


class MemoryNetwork:
    """What lies between the meshes of one test."""

    def __init__(self) -> None:
        """Begin with no mesh and no fault."""
        self._meshes: dict[str, MemoryMesh] = {}
        self._swallowed: set[tuple[str, str]] = set()  # (from, to)
        self._cut: set[frozenset[str]] = set()

    def mesh(self, identity: str, public: str, *, network: str = "memory", epoch: int = 1) -> "MemoryMesh":
        """Return a mesh for an agent; one that was closed may be made again. Raises Conflict while it is open."""
        if identity in self._meshes:
            message = f"agent {identity} has an open mesh already; close it first"
            raise Conflict(message)
        self._meshes[identity] = MemoryMesh(self, identity, public, (network, epoch))
        return self._meshes[identity]

    def cut(self, one: str, other: str) -> None:
        """Separate two agents; both notice."""
        self._cut.add(frozenset((one, other)))
        self.settle()

    def cut_one_way(self, sender: str, to: str) -> None:
        """Lose what one agent sends to another; neither notices but by the silence."""
        self._swallowed.add((sender, to))

    def heal(self) -> None:
        """End all faults."""
        self._cut.clear()
        self._swallowed.clear()
        self.settle()

    def settle(self) -> None:
        """Make and lose the links that the tables, the faults and who is open call for."""
        meshes = list(self._meshes.values())
        news = [(mesh, peer.contact.id) for mesh in meshes for peer in mesh.peers.values() if self._settle(mesh, peer)]
        for mesh, agent in news:
            mesh.on_news(agent)

    def rejects(self, agent: str, mesh: "MemoryMesh") -> bool:
        """Whether an agent runs, is not cut off, and does not take the one with this mesh for a member."""
        other = self._meshes.get(agent)
        if other is None or not (mesh.running and other.running) or frozenset((mesh.id, agent)) in self._cut:
            return False
        later = other.network[0] == mesh.network[0] and other.network[1] > mesh.network[1]
        return later or mesh.id not in other.peers

    def forget(self, mesh: "MemoryMesh") -> None:
        """Drop a mesh that was closed."""
        self._meshes.pop(mesh.id, None)
        self.settle()

    def carry(self, mesh: "MemoryMesh", peer: _Peer, arrive: "Callable[[MemoryMesh, _Peer], None]") -> bool:
        """Let `arrive` happen at a peer's end of its link, behind all that went before. False when it takes no more."""
        if peer.link is None:
            mesh.counters["dropped.unreachable"] += 1
            return False
        if peer.queued >= QUEUE_LIMIT:
            mesh.counters["dropped.full"] += 1
            return False
        peer.queued += 1
        mesh.counters["sent"] += 1
        asyncio.get_running_loop().call_soon(self._arrive, mesh, peer, peer.link, arrive)
        return True

    def _arrive(
        self, mesh: "MemoryMesh", peer: _Peer, link: object, arrive: "Callable[[MemoryMesh, _Peer], None]"
    ) -> None:
        peer.queued -= 1
        if peer.link is not link or (mesh.id, peer.contact.id) in self._swallowed:
            return
        other = self._meshes[peer.contact.id]
        sender = other.peers[mesh.id]
        sender.heard = asyncio.get_running_loop().time()
        other.counters["received"] += 1
        arrive(other, sender)

    def _settle(self, mesh: "MemoryMesh", peer: _Peer) -> bool:
        """Bring one end of a link to where it belongs; return whether that is news."""
        wanted = self._linked(mesh, peer)
        if wanted == (peer.link is not None):
            return False
        if wanted:
            peer.link = object()
            peer.heard = asyncio.get_running_loop().time()
            mesh.counters["links.made"] += 1
        else:
            lost, peer.link = peer.link, None
            peer.calls.lose(lost)
            mesh.counters["links.lost"] += 1
        return True

    def _linked(self, mesh: "MemoryMesh", peer: _Peer) -> bool:
        other = self._meshes.get(peer.contact.id)
        if other is None or not (mesh.running and other.running) or frozenset((mesh.id, other.id)) in self._cut:
            return False
        sender = other.peers.get(mesh.id)
        if sender is None or (peer.contact.public, sender.contact.public) != (other.public, mesh.public):
            return False
        if mesh.network != other.network:
            mesh.counters["dropped.network"] += 1
            return False
        return peer.contact.keep or sender.contact.keep


class MemoryMesh(Mesh):
    """One agent's end, in memory."""

    def __init__(self, between: MemoryNetwork, identity: str, public: str, network: tuple[str, int]) -> None:
        """Stand beside the others of `between`; made by `MemoryNetwork.mesh`."""
        self.id = identity
        self.public = public
        self.network = network  # id and epoch
        self.addresses = (f"memory:{identity}",)
        self.counters: Counter[str] = Counter()
        self.peers: dict[str, _Peer] = {}
        self.running = False
        self._between = between
        self._switchboard = Switchboard(self.counters)
        self._closed = asyncio.Event()

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
        wanted = {contact.id: contact for contact in contacts if contact.id != self.id}
        gone: list[_Peer] = []
        for peer in list(self.peers.values()):
            contact = wanted.pop(peer.contact.id, None)
            if contact is not None and contact.public == peer.contact.public:
                peer.contact = contact
                continue
            gone.append(self.peers.pop(peer.contact.id))
            if contact is not None:
                wanted[contact.id] = contact
        self.peers.update({contact.id: _Peer(contact) for contact in wanted.values()})
        for peer in gone:
            if peer.link is not None:
                lost, peer.link = peer.link, None
                peer.calls.lose(lost)
                self.counters["links.lost"] += 1
                self._switchboard.tell(peer.contact.id, False)  # noqa: FBT003 - as every Watcher
        self._between.settle()

    def hint(self, agent: str, addresses: Sequence[str]) -> None:
        """See Mesh; in memory everybody is found."""

    def send(self, to: str, topic: str, payload: bytes) -> bool:
        """See Mesh."""
        name = encoded(topic)
        if len(payload) > PAYLOAD_LIMIT:
            self.counters["dropped.large"] += 1
            return False
        peer = self.peers.get(to)
        if peer is None:
            self.counters["dropped.unreachable"] += 1
            return False
        return self._between.carry(self, peer, lambda end, _: end._switchboard.deliver(self.id, name, payload))  # noqa: SLF001 - the other end is one of us

    async def call(self, to: str, method: str, payload: bytes, timeout_s: float = 5.0) -> bytes:
        """See Mesh."""
        name = encoded(method)
        if len(payload) > PAYLOAD_LIMIT:
            raise too_large(payload)
        peer = self.peers.get(to)
        if peer is None or peer.link is None:
            self.counters["dropped.unreachable"] += 1
            raise no_link(to)
        link = peer.link
        number, future = peer.calls.begin(link)

        def arrive(end: MemoryMesh, sender: _Peer) -> None:
            def answer(outcome: bytes | OrchestraError) -> None:
                end._between.carry(end, sender, lambda _, back: self._on_answer(back, link, number, outcome))

            end._switchboard.begin(self.id, name, payload, answer)

        if not self._between.carry(self, peer, arrive):
            peer.calls.forget(number)
            raise no_link(to)
        return await peer.calls.outcome(number, future, timeout_s)

    def silence(self, agent: str) -> float:
        """See Mesh."""
        peer = self.peers.get(agent)
        return math.inf if peer is None else asyncio.get_running_loop().time() - peer.heard

    def rejecting(self) -> set[str]:
        """See Mesh."""
        return {agent for agent in self.peers if self._between.rejects(agent, self)}

    async def run(self) -> None:
        """See Mesh."""
        if self._closed.is_set():
            return
        self.running = True
        self._between.settle()
        try:
            await self._closed.wait()
        finally:
            self.running = False
            self._between.settle()

    async def close(self) -> None:
        """See Mesh."""
        if self._closed.is_set():
            return
        self._closed.set()
        self.running = False
        self._between.forget(self)
        for peer in self.peers.values():
            if peer.link is not None:
                lost, peer.link = peer.link, None
                peer.calls.lose(lost)
        await self._switchboard.close()

    def on_news(self, agent: str) -> None:
        """Tell of a member that came or went; `MemoryNetwork.settle` calls it."""
        peer = self.peers.get(agent)
        if self.running and peer is not None:
            self._switchboard.tell(agent, peer.link is not None)

    def _on_answer(self, peer: _Peer, link: object, number: int, outcome: bytes | OrchestraError) -> None:
        if isinstance(outcome, OrchestraError):  # as it would come out of the real one
            outcome = (by_kind(kind_of(outcome)) or OrchestraError)(str(outcome))
        if not peer.calls.answer(link, number, outcome):
            self.counters["dropped.late"] += 1
