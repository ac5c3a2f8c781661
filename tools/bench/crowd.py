"""What a thousand idle agents cost the master: processor time of one that has them all as members and workers.

The agents are simulated at their sockets: each has a key, a link, a worker session, and gives signs of life as a real
one does; nothing behind that. Members are proposed to the master directly, since doors let only a few in per second.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from job_orchestra.agent import identity
from job_orchestra.agent.main import born
from job_orchestra.agent.mastery import LEASE_S
from job_orchestra.agent.mesh import frames, sockets
from job_orchestra.agent.mesh.links import PING_S
from job_orchestra.agent.paths import Paths
from job_orchestra.agent.settings import Settings
from job_orchestra.core.commands import Admit
from job_orchestra.core.ids import fingerprint
from job_orchestra.core.messages import Call, Lease, WorkerJoin, pack
from job_orchestra.core.model import AgentRecord
from job_orchestra.core.version import VERSION

from .figures import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

AGENTS = 1_000
SETTLE_S = 15.0
MEASURED_S = 30.0
_TICK_MS = 50


def crowd() -> Iterator[Figure]:
    """Yield the share of a core that the master takes, and how many of its workers it sees as ready."""
    keys = [tuple(key.decode() for key in zmq.curve_keypair()) for _ in range(AGENTS)]
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        master = context.Process(target=_master, args=(theirs, folder, [public for public, _ in keys]))
        master.start()
        place, public, network = ours.recv()
        members = context.Process(target=_members, args=(place, public, network, keys))
        members.start()
        share, ready = ours.recv()
        for one in (members, master):
            one.terminate()
            one.join()
    yield Figure(f"{AGENTS} idle agents: the master's processor time", share * 100, "% of a core", "<= 15")
    yield Figure("of them ready", ready, "agents", f">= {AGENTS}")


# -- the master, in a process of its own


def _master(pipe: Connection, folder: str, keys: list[str]) -> None:
    asyncio.run(_run_master(pipe, Paths(Path(folder) / "a"), keys))


async def _run_master(pipe: Connection, paths: Paths, keys: list[str]) -> None:
    paths.prepare()
    identity.create(paths, "crowd")
    agent = await born(paths, Settings(name="a", listen="127.0.0.1:0", mdns=False, worker=False))
    running = asyncio.ensure_future(agent.run())
    await agent.ready.wait()
    at = agent.master.time()
    records = [AgentRecord(fingerprint(key), f"w{number}", public=key, votes=False) for number, key in enumerate(keys)]
    await agent.master.propose(*(Admit(at, "bench", one) for one in records))
    me = agent.identity
    pipe.send((agent.wires.mesh.addresses[0], me.public, me.network))
    while sum(agent.peers.reachable(one.id) for one in records) < AGENTS:  # noqa: ASYNC110 - it is measured later
        await asyncio.sleep(0.5)
    await asyncio.sleep(SETTLE_S)
    before, began = _cpu_seconds(), time.monotonic()
    await asyncio.sleep(MEASURED_S)
    share = (_cpu_seconds() - before) / (time.monotonic() - began)
    pipe.send((share, sum(agent.master.reachable(one.id) for one in records)))
    await running


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


# -- the others, in another process


def _members(place: str, public: str, network: str, keys: list[tuple[str, str]]) -> None:
    """Be the thousand: connect, greet, begin a worker session, then give signs of life for ever."""
    chance = random.Random(1)  # noqa: S311 - no secret
    context = sockets.context()
    host, port = place.rsplit(":", 1)
    poller = zmq.Poller()
    members: dict[zmq.Socket[bytes], _Member] = {}
    for number, (own, secret) in enumerate(keys):
        socket = sockets.connector(context, sockets.Keys(own, secret), public)
        socket.set(zmq.IMMEDIATE, 0)
        sockets.connect(socket, host, int(port))
        record = AgentRecord(fingerprint(own), f"w{number}", session=f"s{number}", public=own, version=VERSION)
        members[socket] = _Member(socket, record, network, chance)
        poller.register(socket, zmq.POLLIN)
        time.sleep(0.005)  # not all at once: neither do machines
    while True:
        for socket, _ in poller.poll(_TICK_MS):
            socket.recv_multipart()
        now = time.monotonic()
        for member in members.values():
            member.act(now)


class _Member:
    """One simulated agent."""

    def __init__(self, socket: zmq.Socket[bytes], record: AgentRecord, network: str, chance: random.Random) -> None:
        self._socket = socket
        self._number = 2
        self._lease = pack(Lease(record.session))
        now = time.monotonic()
        self._ping_at = now + chance.uniform(0, PING_S)
        self._lease_at = now + SETTLE_S / 2 + chance.uniform(0, LEASE_S)
        socket.send(frames.hello(frames.Hello(network, 0, VERSION, 1)))
        socket.send(frames.call(1, Call.JOIN, pack(WorkerJoin(record, ()))))

    def act(self, now: float) -> None:
        """Say what is due."""
        if now >= self._lease_at:
            self._lease_at += LEASE_S
            self._ping_at = now + PING_S
            self._number += 1
            self._socket.send(frames.call(self._number, Call.LEASE, self._lease))
        elif now >= self._ping_at:
            self._ping_at = now + PING_S
            self._socket.send(frames.PING_FRAME)
