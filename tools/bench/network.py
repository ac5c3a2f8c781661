"""Three agents on this machine: builds per second, and how soon a follower elsewhere sees a line."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from job_orchestra import connect

from .figures import Figure, percentile
from .temporary import Member
from .temporary import network as three

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILDS = 6_000
_BATCH = 250
LINES = 100
_WRITER = f"i=0; while [ $i -lt {LINES} ]; do date +%s%N; sleep 0.05; i=$((i+1)); done"


def network() -> Iterator[Figure]:
    """Yield builds per second of three voters that all work, and the delay of lines."""
    with three(3, "--slots", "2") as members:
        rounds = [_round(members) for _ in range(2)]
        delays = _delays(members)
    yield Figure(
        "3 agents, durable on 2 of them: builds of true", max(rounds), "builds/s", ">= 400", "better of 2 rounds"
    )
    yield Figure("the slower round", min(rounds), "builds/s")
    yield Figure("a line, written to seen at another agent, p50", percentile(delays, 50), "ms", "<= 100")
    yield Figure("a line, written to seen at another agent, p99", percentile(delays, 99), "ms")


def _round(members: list[Member]) -> float:
    """Return builds per second: submitted at all three agents at once, until the last has ended."""
    began = time.perf_counter()
    with ThreadPoolExecutor(len(members)) as threads:
        list(threads.map(lambda one: _submit(one, BUILDS // len(members)), members))
    with connect(members[0].data) as net:
        while sum(net.network.status().queue.values()):
            time.sleep(0.02)
        took = time.perf_counter() - began
        failed = net.builds.list(where={"state": ["failed", "error", "lost"]}, limit=1).builds
    if failed:
        message = f"{failed[0].id} {failed[0].state}: {failed[0].reason}"
        raise RuntimeError(message)
    return BUILDS / took


def _submit(member: Member, count: int) -> None:
    with connect(member.data) as net:
        for _ in range(count // _BATCH):
            for answer in net.batch("builds.submit", [{"command": ["true"], "name": "true"}] * _BATCH):
                if isinstance(answer, Exception):
                    raise answer


def _delays(members: list[Member]) -> list[float]:
    """Return the milliseconds from the writing of each line to its arrival at a client of another agent."""
    with connect(members[0].data) as net:
        build = net.builds.submit(["sh", "-c", _WRITER])[0]
        agent = build.get().agent
        while not agent:
            agent = build.get().agent
    other = next(one for one in members if one.data.name != _name(members[0], agent))
    delays: list[float] = []
    with connect(other.data) as net:
        for part in net.log(build.id):
            seen = time.time_ns()
            delays += [(seen - int(line)) / 1e6 for line in part.split()]
    return delays


def _name(member: Member, agent: str) -> str:
    """Return the name of the agent that a build says it is on, by id or name."""
    with connect(member.data) as net:
        return next(one.name for one in net.agents.list().agents if agent in {one.id, one.name})
