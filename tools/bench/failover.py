"""How long no build is accepted when the master is killed with -9, or stands still: three agents, many times."""

from __future__ import annotations

import itertools
import signal
import time
from typing import TYPE_CHECKING

import zmq

from tests.kit.lab.asking import Refused, ask

from .figures import Figure, percentile
from .temporary import Member, network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KILLS = 50
PAUSES = 20

_PATIENCE_S = 8.0  # of the client for one answer
_CALM_S = 1.5  # between all being in contact again and the next kill


def failover() -> Iterator[Figure]:
    """Yield how long it takes until the next submission, which begins right after the fault, is accepted."""
    with network(3, "--no-worker") as members:
        killed = _taken(members, KILLS, _kill, _start)
        paused = _taken(members, PAUSES, _pause, _go_on)
    yield Figure(
        f"kill -9 of the master to the next accepted build, p50 of {KILLS}", percentile(killed, 50), "s", "<= 1.5"
    )
    yield Figure("p99", percentile(killed, 99), "s", "<= 3")
    yield Figure("longest", max(killed), "s")
    yield Figure(f"SIGSTOP of the master to the next accepted build, p50 of {PAUSES}", percentile(paused, 50), "s")
    yield Figure("longest", max(paused), "s")


def _taken(
    members: list[Member], times: int, begin: Callable[[Member], None], end: Callable[[Member], None]
) -> list[float]:
    """Return how long it took, for each time that a fault began at the master; it ends when a build was accepted."""
    taken: list[float] = []
    requests = itertools.count()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    for _ in range(times):
        master = _settled(context, members)
        other = next(one for one in members if one is not master)
        time.sleep(_CALM_S)
        begin(master)
        began = time.perf_counter()
        _submit(context, other, f"after {begin.__name__} {next(requests)}")
        taken.append(time.perf_counter() - began)
        end(master)
    context.destroy(0)
    return taken


def _kill(member: Member) -> None:
    member.process.kill()


def _start(member: Member) -> None:
    member.process.wait()
    member.start()


def _pause(member: Member) -> None:
    member.process.send_signal(signal.SIGSTOP)


def _go_on(member: Member) -> None:
    member.process.send_signal(signal.SIGCONT)


def _submit(context: zmq.Context[zmq.Socket[bytes]], member: Member, request: str) -> None:
    while True:
        try:
            ask(context, member.socket, "builds.submit", _PATIENCE_S, command=["true"], request=request)
        except Refused:
            continue
        return


def _settled(context: zmq.Context[zmq.Socket[bytes]], members: list[Member]) -> Member:
    """Wait until all agree on a master and see each other; return the master."""
    while True:
        found = [ask(context, one.socket, "network.status", _PATIENCE_S) for one in members]
        masters = {one["master"]["name"] if one["master"] else "" for one in found}
        if len(masters) == 1 and "" not in masters and all(one["agents"]["ready"] == len(members) for one in found):
            name = masters.pop()
            return next(one for one in members if one.data.name == name)
        time.sleep(0.05)
