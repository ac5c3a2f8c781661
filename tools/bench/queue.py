"""What a dispatched build costs while many others wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from job_orchestra.core.definition import Spec, Step
from job_orchestra.core.ids import build_id
from job_orchestra.core.model import Build, BuildState
from job_orchestra.core.scheduling import Scheduler, Worker

from .figures import Figure
from .temporary import agent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from job_orchestra.agent.client.blocking import Client

MANY = 100_000
FEW = 100
_DISPATCHED = 3_000
_BATCH = 5_000


def queue() -> Iterator[Figure]:
    """Yield the cost per build with few and with many waiting: of the scheduler alone, and of the whole agent."""
    few, many = (min(_scheduler(waiting) for _ in range(5)) for waiting in (FEW, MANY))
    yield Figure(f"scheduler alone, {FEW} pending", few * 1e6, "us/build")
    yield Figure(f"scheduler alone, {MANY} pending", many * 1e6, "us/build")
    yield Figure("ratio", many / few, "x", "<= 1.3", "best of 5 each")
    (few, _), (many, memory) = _agent(FEW), _agent(MANY)
    yield Figure(f"whole agent, {FEW} pending", few * 1e6, "us/build")
    yield Figure(f"whole agent, {MANY} pending", many * 1e6, "us/build")
    yield Figure("ratio", many / few, "x", "<= 1.3", "the better of 2 rounds each")
    yield Figure("memory of the agent per pending build", memory / 1024, "KiB", "<= 1.5")


def _scheduler(waiting: int) -> float:
    """Return seconds per build that is dispatched and ends, with `waiting` others in the same queue throughout."""
    spec = Spec((Step("run", ("true",)),))
    digest = spec.digest()

    def build(serial: int) -> Build:
        return Build(build_id(serial), serial, "p", "j", serial, BuildState.PENDING, digest, 0)

    scheduler = Scheduler()
    scheduler.on_worker(Worker("w", "w", {}, slots=2))
    builds = {one.id: one for one in map(build, range(1, waiting + 1))}
    for one in builds.values():
        scheduler.on_build(one, spec)
    new = [build(waiting + place) for place in range(1, _DISPATCHED + 1)]
    dispatched = 0
    began = time.perf_counter()
    for one in new:
        builds[one.id] = one
        scheduler.on_build(one, spec)
        for assignment in scheduler.assignments(0):
            for given in assignment.builds:
                dispatched += 1
                done = replace(builds.pop(given), state=BuildState.SUCCEEDED, agent="w", started=0, finished=100_000)
                scheduler.on_build(done, None)
    took = time.perf_counter() - began
    return took / dispatched


def _agent(waiting: int) -> tuple[float, float]:
    """Return seconds per build, and bytes of memory per waiting build, with `waiting` builds that nobody can take."""
    with agent() as running:
        net = running.net
        before = running.resident(running.pid)
        for begin in range(0, waiting, _BATCH):
            size = min(_BATCH, waiting - begin)
            net.batch("builds.submit", [{"command": ["true"], "name": "later", "runs_on": ["moon"]}] * size)
        net.builds.list(limit=1)  # answered when the store has followed: nothing else goes on
        memory = (running.resident(running.pid) - before) / waiting
        return min(_dispatch(net, name) for name in ("first", "second")), memory


def _dispatch(net: Client, name: str) -> float:
    """Return seconds per build of some that go ahead while all others wait."""
    began = time.perf_counter()
    net.batch("builds.submit", [{"command": ["true"], "name": name, "priority": -1}] * _DISPATCHED)
    mine = {"project": "run", "job": name}
    while net.builds.list(where={**mine, "state": ["pending", "assigned", "running"]}, limit=1).builds:
        time.sleep(0.02)
    return (time.perf_counter() - began) / _DISPATCHED
