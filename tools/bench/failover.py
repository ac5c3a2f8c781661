"""How long no build is accepted when the master is killed with -9: three agents, many times."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import zmq

from tests.kit.lab.asking import Refused, ask

from .figures import Figure, percentile
from .temporary import Member, network

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS = 50

_PATIENCE_S = 8.0  # of the client for one answer
_CALM_S = 1.5  # between all being in contact again and the next kill


def failover() -> Iterator[Figure]:
    """Yield how long it takes until the next submission, which begins right after the kill, is accepted."""
    taken: list[float] = []
    requests = itertools.count()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with network(3, "--no-worker") as members:
        for _ in range(KILLS):
            master = _settled(context, members)
            others = [one for one in members if one is not master]
            time.sleep(_CALM_S)
            master.process.kill()
            began = time.perf_counter()
            _submit(context, others[0], f"after {next(requests)}")
            taken.append(time.perf_counter() - began)
            master.process.wait()
            master.start()
    context.destroy(0)
    yield Figure(
        f"kill -9 of the master to the next accepted build, p50 of {KILLS}", percentile(taken, 50), "s", "<= 1.5"
    )
    yield Figure("p99", percentile(taken, 99), "s", "<= 3")
    yield Figure("longest", max(taken), "s")


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
