"""Meshes for tests, by the letter: in memory, and real ones over loopback. One list of verbs for both."""

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Self

import zmq
from zmq.utils.monitor import parse_monitor_message

from job_orchestra.agent.mesh import frames
from job_orchestra.agent.mesh.contract import Contact, Mesh
from job_orchestra.agent.mesh.memory import MemoryNetwork
from job_orchestra.agent.mesh.zeromq import ZmqMesh
from tests.kit.ports import free_port
from tests.kit.waiting import DEADLINE_S

_LOOK_S = 0.005


async def until(condition: Callable[[], object], what: str, *, deadline_s: float = DEADLINE_S) -> None:
    """Let the event loop go on until the condition holds. Fails after the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            message = f"waited {deadline_s:g} s in vain until {what}"
            raise AssertionError(message)
        await asyncio.sleep(_LOOK_S)


class Keys:
    """The key pair and the id of one agent."""

    def __init__(self) -> None:
        """Make them."""
        public, secret = zmq.curve_keypair()
        self.public = public.decode()
        self.secret = secret.decode()
        self.id = sha256(public).hexdigest()[:16]


class Club(ABC):
    """Agents by name, and their meshes; all are closed at the end."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.keys: dict[str, Keys] = {}
        self.known: dict[str, tuple[str, ...]] = {}  # addresses by name, also of those who are closed
        self.reach: set[tuple[str, str]] = set()  # (agent, member that it can reach), as it was told
        self._running: dict[Mesh, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for mesh in list(self._running):
            await self.kill(mesh)

    @abstractmethod
    def make(self, keys: Keys, network: str, epoch: int, port: int) -> Mesh:
        """Return a mesh; the port is the one that it had before, or 0."""

    def key(self, name: str) -> Keys:
        """Return the keys of an agent."""
        return self.keys.setdefault(name, Keys())

    def id(self, name: str) -> str:
        """Return an agent's id."""
        return self.key(name).id

    def contact(self, name: str) -> Contact:
        """Return an agent as others know it."""
        return Contact(self.id(name), self.key(name).public, self.known.get(name, ()))

    async def mesh(self, name: str, *, network: str = "net", epoch: int = 1, port: int | None = None) -> Mesh:
        """Return the running mesh of an agent, at the port that it had before, or at a new one (0)."""
        before = self.known.get(name, (":0",))[0].rpartition(":")[2]
        if port is None:
            port = int(before) if before.isdecimal() else 0
        mesh = self.make(self.key(name), network, epoch, port)
        mesh.on_link(partial(self._on_link, mesh.id))
        self.known[name] = mesh.addresses
        self._running[mesh] = asyncio.get_running_loop().create_task(mesh.run())
        await asyncio.sleep(0)
        return mesh

    async def friends(self, *names: str) -> list[Mesh]:
        """Return running meshes that know and have found each other."""
        meshes = [await self.mesh(name) for name in names]
        for mesh in meshes:
            mesh.know([self.contact(name) for name in names])
        for mesh in meshes:
            for other in meshes:
                if mesh is not other:
                    await self.linked(mesh, other)
        return meshes

    async def kill(self, mesh: Mesh) -> None:
        """Close a mesh, without a word to others."""
        task = self._running.pop(mesh)
        await mesh.close()
        await task
        self.reach = {pair for pair in self.reach if pair[0] != mesh.id}

    async def linked(self, one: Mesh, other: Mesh) -> None:
        """Wait until two can speak to each other."""
        wanted = {(one.id, other.id), (other.id, one.id)}
        await self.until(lambda: wanted <= self.reach, f"{one.id} and {other.id} reach each other")

    async def parted(self, one: Mesh, other: Mesh) -> None:
        """Wait until neither can speak to the other."""
        pairs = {(one.id, other.id), (other.id, one.id)}
        await self.until(lambda: not pairs & self.reach, f"{one.id} and {other.id} have lost each other")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """See `until`."""

        def seen() -> object:
            for mesh, task in self._running.items():
                if task.done():
                    task.result()
                    message = f"the mesh of {mesh.id} ended"
                    raise AssertionError(message)
            return condition()

        await until(seen, what)

    def _on_link(self, agent: str, member: str, reachable: bool) -> None:
        (self.reach.add if reachable else self.reach.discard)((agent, member))


class MemoryClub(Club):
    """Meshes in memory."""

    def __init__(self) -> None:
        """Begin with nobody, and nothing between them."""
        super().__init__()
        self.between = MemoryNetwork()

    def make(self, keys: Keys, network: str, epoch: int, port: int) -> Mesh:
        """See Club."""
        return self.between.mesh(keys.id, keys.public, network=network, epoch=epoch)


class RealClub(Club):
    """Meshes over loopback."""

    def rogue(self, name: str, target: Mesh, routing: bytes = b"") -> "Rogue":
        """Return a hand-made connection to an agent's listener, with the keys of `name`, whoever that is."""
        public = next(keys.public for keys in self.keys.values() if keys.id == target.id)
        return Rogue(self.key(name), public, target.addresses[0], routing=routing)

    def make(self, keys: Keys, network: str, epoch: int, port: int) -> Mesh:
        """See Club; a port stays free for who comes back to it."""
        port = port or free_port()
        return ZmqMesh(
            keys.id, keys.public, keys.secret, network=network, epoch=epoch, version="1", host="127.0.0.1", port=port
        )


class Rogue:
    """A connection to a mesh that says what the test wants, not what an agent would say."""

    def __init__(self, keys: Keys | None, server: str, place: str, *, routing: bytes = b"") -> None:
        """Connect; without keys, unencrypted. A `routing` id is the name that the connection gives itself."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.SNDHWM, 0)
        if routing:
            self._socket.set(zmq.ROUTING_ID, routing)
        if keys is not None:
            self._socket.set(zmq.CURVE_PUBLICKEY, keys.public.encode())
            self._socket.set(zmq.CURVE_SECRETKEY, keys.secret.encode())
            self._socket.set(zmq.CURVE_SERVERKEY, server.encode())
        self._events = self._socket.get_monitor_socket()
        self._socket.connect(f"tcp://{place}")
        self._seen: list[int] = []
        self.heard: list[bytes] = []  # without pings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.disable_monitor()
        self._context.destroy(0)

    def say(self, *parts: bytes) -> None:
        """Send a message; nothing, where the connection was refused for good meanwhile."""
        with contextlib.suppress(zmq.Again):
            self._socket.send_multipart(parts, zmq.NOBLOCK)

    def greet(self, network: str = "net", epoch: int = 1) -> None:
        """Say what an agent says first."""
        self.say(frames.hello(frames.Hello(network, epoch, "rogue", 1)))

    def hears(self, kind: int) -> list[bytes]:
        """Return what came of one kind of frame, since the beginning."""
        while self._socket.poll(0):
            self.heard += self._socket.recv_multipart()
        return [frame for frame in self.heard if frame[0] == kind]

    def saw(self, event: int) -> bool:
        """Whether this ever happened to the connection (zmq.EVENT_...)."""
        while self._events.poll(0):
            self._seen.append(parse_monitor_message(self._events.recv_multipart())["event"])
        return event in self._seen
