"""How fast voters agree: three as processes on loopback, and one alone; every commit with fsync on a majority."""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import zmq
import zmq.asyncio

from job_orchestra.agent.journal import Journal
from job_orchestra.agent.replica import RaftReplica
from job_orchestra.core.commands import Assign
from job_orchestra.core.consensus import Config, Configuration
from job_orchestra.core.consensus.messages import decode_message, encode_message
from job_orchestra.core.ledger import Ledger

from .figures import Figure, percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

    from job_orchestra.core.consensus import Message

_ALONE = 500  # proposals, one after the other
_TOGETHER = 6_000  # proposals, 16 at a time
_BATCHES = 240  # proposals of many commands, 8 at a time
_COMMANDS = 1_000  # in each of those
_COMMAND = Assign(0, "nobody", "no session", ("00000000",))  # decided by all, changes nothing: the way is measured


def consensus() -> Iterator[Figure]:
    """Yield commits per second and their latency."""
    three = _measure(3)
    yield Figure("3 voters, 16 in flight", three["together"], "commits/s", ">= 1500")
    yield Figure("3 voters, 1 in flight, p50", three["p50"], "ms", "<= 2")
    yield Figure("3 voters, 1 in flight, p99", three["p99"], "ms")
    yield Figure("3 voters, batches of 1,000 commands, 8 in flight", three["batched"], "commands/s", ">= 60000")
    one = _measure(1)
    yield Figure("1 voter, 1 in flight, p50", one["p50"], "ms", "<= 1")
    yield Figure("1 voter, 16 in flight", one["together"], "commits/s")


def _measure(voters: int) -> dict[str, float]:
    """Start voters as processes, let whoever is elected measure, and return what it measured."""
    context = multiprocessing.get_context("spawn")
    ports = _free_ports(voters)
    with tempfile.TemporaryDirectory(prefix="orchestra-bench-") as folder:
        ours, theirs = zip(*(context.Pipe() for _ in range(voters)), strict=True)
        processes = [
            context.Process(target=_member, args=(number, ports, str(folder), theirs[number - 1]))
            for number in range(1, voters + 1)
        ]
        for process in processes:
            process.start()
        ready = multiprocessing.connection.wait(ours, timeout=120)
        if not ready:
            message = "no voter was elected and measured within 120 s"
            raise RuntimeError(message)
        found: dict[str, float] = ready[0].recv()  # type: ignore[union-attr]
        for pipe in ours:
            pipe.send("stop")
        for process in processes:
            process.join()
        return found


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class _Wire:
    """Messages over ZeroMQ on loopback, a frame each."""

    def __init__(self, number: int, ports: Sequence[int]) -> None:
        self._context = zmq.asyncio.Context()
        self.incoming = self._context.socket(zmq.PULL)
        self.incoming.bind(f"tcp://127.0.0.1:{ports[number - 1]}")
        self._outgoing: dict[int, zmq.Socket[bytes]] = {}
        plain = zmq.Context(self._context)
        for other, port in enumerate(ports, 1):
            if other != number:
                out = self._outgoing[other] = plain.socket(zmq.PUSH)
                out.set(zmq.LINGER, 0)
                out.connect(f"tcp://127.0.0.1:{port}")

    def send(self, messages: Sequence[Message]) -> None:
        """See Transport."""
        for message in messages:
            self._outgoing[message.to].send(encode_message(message), zmq.NOBLOCK)


def _member(number: int, ports: Sequence[int], folder: str, pipe: Connection) -> None:
    asyncio.run(_take_part(number, ports, Path(folder), pipe))


async def _take_part(number: int, ports: Sequence[int], folder: Path, pipe: Connection) -> None:
    wire = _Wire(number, ports)
    replica = RaftReplica(
        Journal(folder / f"{number}.db"),
        Ledger(),
        config=Config(id=number),
        configuration=Configuration(voters=tuple(range(1, len(ports) + 1))),
        transport=wire,
        tick_s=0.05,
        seed=number,
    )
    running = asyncio.create_task(replica.run())

    async def listen() -> None:
        while True:
            replica.receive(decode_message(await wire.incoming.recv()))

    listening = asyncio.create_task(listen())
    loop = asyncio.get_running_loop()
    stopped = loop.run_in_executor(None, pipe.recv)
    while not stopped.done() and not replica.leading:
        await asyncio.wait([stopped, running], timeout=0.02)
    if replica.leading and not stopped.done():
        pipe.send(await _proposals(replica))
    await stopped
    replica.close()
    await running
    listening.cancel()
    replica.release()


async def _proposals(replica: RaftReplica) -> dict[str, float]:
    """Propose in three ways; return the figures."""
    took: list[float] = []
    for _ in range(_ALONE):
        began = time.perf_counter()
        await replica.propose([_COMMAND])
        took.append((time.perf_counter() - began) * 1000)

    async def client(count: int, commands: Sequence[Assign]) -> None:
        for _ in range(count):
            await replica.propose(commands)

    began = time.perf_counter()
    await asyncio.gather(*(client(_TOGETHER // 16, [_COMMAND]) for _ in range(16)))
    together = _TOGETHER // 16 * 16 / (time.perf_counter() - began)
    began = time.perf_counter()
    await asyncio.gather(*(client(_BATCHES // 8, [_COMMAND] * _COMMANDS) for _ in range(8)))
    batched = _BATCHES * _COMMANDS / (time.perf_counter() - began)
    return {
        "p50": percentile(took, 50),
        "p99": percentile(took, 99),
        "together": together,
        "batched": batched,
    }
