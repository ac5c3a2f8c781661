"""What a build of a pipeline costs, in small and in large ones: layers of jobs, and matrices that need each other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from job_orchestra.core.commands import Assign, Join, NewBuild, Record, Submit
from job_orchestra.core.definition import Need, Spec, Step
from job_orchestra.core.ledger import Ledger
from job_orchestra.core.model import AgentRecord, BuildState, Node
from job_orchestra.core.scheduling import Scheduler, Worker

from .figures import Figure
from .temporary import agent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from job_orchestra.agent.client.blocking import Client
    from job_orchestra.core.changes import Changes
    from job_orchestra.core.commands import Command

FEW = 100
MANY = 10_000
WIDTH = 10
"""Jobs of a layer; each needs all of the layer before."""

MATRIX = (16, 16)
"""Axes of a matrix: 256 builds of one job, which all need those of the job before."""

ABREAST, SIDE = 2, 25
"""Of the whole agent's pipeline: jobs of a layer, and builds of each."""

_SLOTS = 8
_SPEC = Spec((Step("run", ("true",)),))
_DIGEST = _SPEC.digest()


def pipeline() -> Iterator[Figure]:
    """Yield the cost per build of ledger and scheduler alone, and of the whole agent."""
    for what, shape in (("layers of 10 jobs", _layers), ("matrices of 256", _matrices)):
        few, many = (min(_deciding(shape(size), MANY // size) for _ in range(3)) for size in (FEW, MANY))
        yield Figure(f"deciding alone, {FEW} builds in {what}", few * 1e6, "us/build")
        yield Figure(f"deciding alone, {MANY} builds in {what}", many * 1e6, "us/build")
        yield Figure("ratio", many / few, "x", "<= 1.3", "best of 3 each")
    few, many = (_agent(size) for size in (FEW, MANY))
    shape = f"layers of {ABREAST} x {SIDE}"
    yield Figure(f"whole agent, {FEW} builds in {shape}", few * 1e6, "us/build", "", "its processor time")
    yield Figure(f"whole agent, {MANY} builds in {shape}", many * 1e6, "us/build")
    yield Figure("ratio", many / few, "x", "<= 1.3")


def _layers(size: int) -> list[Node]:
    return [
        Node(f"l{layer}-{place}", 1, needs=tuple(Need(f"l{layer - 1}-{one}") for one in range(WIDTH)) if layer else ())
        for layer in range(size // WIDTH)
        for place in range(WIDTH)
    ]


def _matrices(size: int) -> list[Node]:
    count = min(size, MATRIX[0] * MATRIX[1])
    return [Node(f"m{one}", count, needs=(Need(f"m{one - 1}"),) if one else ()) for one in range(size // count)]


class _Network:
    """A ledger and the master's queue, fed as agent/master does it, with a worker that is done at once."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.scheduler = Scheduler()
        self.at = 1
        self.ended = 0
        record = AgentRecord("w", "w", session="s", slots=_SLOTS)
        self.do(Join(self.at, record))
        self.scheduler.on_worker(Worker.of(record, reachable=True))

    def do(self, *commands: Command) -> Changes:
        _, changes = self.ledger.apply(self.ledger.index + 1, commands)
        for build in changes.builds.values():
            self.ended += build.state.ended
            self.scheduler.on_build(build, self.ledger.specs.get(build.spec), None)
        return changes

    def run(self) -> None:
        """Give out all that can go and let it end, until nothing is left."""
        while self.ledger.builds:
            self.at += 1
            given = self.scheduler.assignments(self.at)
            commands = [Assign(self.at, "w", "s", one.builds) for one in given]
            attempts = self.do(*commands).attempts.values()
            done = (replace(one, state=BuildState.SUCCEEDED, started=self.at, finished=self.at + 1) for one in attempts)
            self.do(Record(self.at, "w", tuple(done)))


def _deciding(nodes: list[Node], times: int) -> float:
    """Return seconds per build from its acceptance to its end, of deciding alone: of some pipelines, one by one."""
    network = _Network()
    builds = tuple(NewBuild("p", node.job, _DIGEST) for node in nodes for _ in range(node.count))
    began = time.perf_counter()
    for _ in range(times):
        network.do(Submit(1, "ann", builds, {_DIGEST: _SPEC}, nodes=tuple(nodes)))
        network.run()
    took = time.perf_counter() - began
    if network.ended != len(builds) * times or network.ledger.pipelines.live:
        message = f"{network.ended} of {len(builds) * times} builds ended"
        raise RuntimeError(message)
    return took / network.ended


def _agent(size: int) -> float:
    """Return seconds of processor time of agent and executor for each build of pipelines of so many real processes."""
    axis = {"n": [str(one) for one in range(SIDE)]}
    jobs = {
        f"l{layer}-{place}": {
            "run": "true",
            "matrix": axis,
            "needs": [f"l{layer - 1}-{one}" for one in range(ABREAST)] if layer else [],
        }
        for layer in range(size // (ABREAST * SIDE))
        for place in range(ABREAST)
    }
    with agent() as running:
        net = running.net
        net.jobs.apply(msgspec.json.encode({"project": "p", "jobs": jobs}).decode())
        before = running.cpu_seconds()
        for _ in range(MANY // size):
            _submit(net, size)
        return (running.cpu_seconds() - before) / MANY


def _submit(net: Client, size: int) -> None:
    """Run a pipeline to its end."""
    found = net.call("builds.submit", job="p")
    for one in found.builds[-ABREAST * SIDE :]:
        net.call("builds.wait", id=one.id)
    pipeline = net.call("pipelines.get", id=found.pipeline).pipeline
    if (pipeline.state, len(found.builds)) != ("succeeded", size):
        message = f"the pipeline of {len(found.builds)} builds {pipeline.state}"
        raise RuntimeError(message)
