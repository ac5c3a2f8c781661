"""How many builds of `true` per second, from submission to stored end, beside HyperQueue and xargs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from . import comparison
from .figures import Figure, Missing
from .temporary import agent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from job_orchestra.agent.client.blocking import Client

BUILDS = 10_000
_BATCH = 1_000
_PATIENCE_S = 180.0
_ROUNDS = "the better of 2 rounds: ext4 gives out inodes slowly where many files were deleted minutes ago"


def throughput() -> Iterator[Figure | Missing]:
    """Yield builds per second of all, and our ratio to each."""
    xargs = _xargs()
    rounds = _ours()
    ours = max(rounds)
    yield Figure("job orchestra: durable builds, log kept, history in SQLite", ours, "builds/s", ">= 1000", _ROUNDS)
    yield Figure("the slower round", min(rounds), "builds/s")
    yield Figure("xargs -P2 -n1 true: nothing kept", xargs, "runs/s")
    yield Figure("job orchestra / xargs", ours / xargs, "x", ">= 0.6")
    if find_spec("hyperqueue") is None:
        yield Missing("HyperQueue LocalCluster", "pip install hyperqueue")
    elif (peer := _hyperqueue()) is None:
        yield Missing("HyperQueue LocalCluster", f"it did not end within {_PATIENCE_S:g} s")
    else:
        yield Figure("HyperQueue LocalCluster, 1 worker, 2 cores, no journal", peer, "tasks/s")
        yield Figure("job orchestra / HyperQueue", ours / peer, "x", ">= 2.5")


def _ours() -> list[float]:
    with agent() as running:
        return [_round(running.net) for _ in range(2)]


def _round(net: Client) -> float:
    """Return builds per second from the first submission until the store has followed the last end."""
    before = net.builds.list(where={"project": "run", "job": "true"}, limit=1).builds[0].number
    began = time.perf_counter()
    for _ in range(BUILDS // _BATCH):
        for answer in net.batch("builds.submit", [{"command": ["true"], "name": "true"}] * _BATCH):
            if isinstance(answer, Exception):
                raise answer
    while sum(net.network.status().queue.values()):
        time.sleep(0.02)
    ended = net.builds.list(where={"state": "succeeded"}, limit=1).builds
    took = time.perf_counter() - began
    if ended[0].number != before + BUILDS:
        message = f"only {ended[0].number - before} of {BUILDS} builds succeeded"
        raise RuntimeError(message)
    return BUILDS / took


def _xargs() -> float:
    lines = b"x\n" * BUILDS
    began = time.perf_counter()
    subprocess.run(["xargs", "-P2", "-n1", "true"], input=lines, check=True)  # noqa: S607 - the xargs of this machine
    return BUILDS / (time.perf_counter() - began)


def _hyperqueue() -> float | None:
    """Return tasks per second; None where it did not end, as it once did."""
    command = [sys.executable, "-m", comparison.__name__, str(BUILDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as peer:
        try:
            out, _ = peer.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(peer.pid, signal.SIGKILL)  # its worker, too
            return None
    return float(out)
