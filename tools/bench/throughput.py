"""How many builds of `true` per second, from submission to stored end, beside HyperQueue and xargs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from .figures import Figure, Missing
from .temporary import agent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from job_orchestra.agent.client import Client

BUILDS = 10_000
_BATCH = 1_000
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
    try:
        peer = _hyperqueue()
    except ImportError:
        yield Missing("HyperQueue LocalCluster", "pip install hyperqueue")
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


def _hyperqueue() -> float:
    from hyperqueue import Job, LocalCluster  # pyright: ignore[reportMissingImports] - only `bench` installs it
    from hyperqueue.cluster import WorkerConfig  # pyright: ignore[reportMissingImports] - likewise

    # it wants the folder as a text, whatever it says of types
    with tempfile.TemporaryDirectory() as folder, _silence(), LocalCluster(cast("Any", folder)) as cluster:
        cluster.start_worker(WorkerConfig(cores=2))
        client = cluster.client()
        job = Job()
        for _ in range(BUILDS):
            job.program(["true"], stdout=None, stderr=None)
        began = time.perf_counter()
        client.wait_for_jobs([client.submit(job)])
        return BUILDS / (time.perf_counter() - began)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep back the tables and progress bars of a library, which writes past Python, too."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        for number, descriptor in enumerate(kept, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(nowhere)
