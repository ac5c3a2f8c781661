"""Small values for tests: a test says what matters to it, the rest has a default."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from job_orchestra.core.commands import Apply, Assign, Command, Join, NewBuild, Record, StopBuild, StopPipeline, Submit
from job_orchestra.core.definition import Job, Need, Spec
from job_orchestra.core.ledger import Changes, Ledger, Outcome
from job_orchestra.core.model import Attempt, Build, BuildState, Node, Stop
from job_orchestra.store.contract import batch_of
from job_orchestra.store.memory import MemoryStore
from job_orchestra.store.suite.records import T0, agent, attempt, batch, build, job, pin, pipeline_record, spec, task

__all__ = ["T0", "agent", "attempt", "batch", "build", "job", "pin", "pipeline_record", "spec", "task"]
"""Records: those of the published suite."""


# -- commands


def new(run: str = "make", job: str = "test", project: str = "shop", **fields: Any) -> NewBuild:  # noqa: ANN401 - any field of NewBuild
    return NewBuild(project, job, spec(run).digest(), **fields)


def submit(count: int = 1, run: str = "make", job: str = "test", at: int = T0, **fields: Any) -> Submit:  # noqa: ANN401 - any field of Submit
    one = spec(run)
    return Submit(
        **{
            "at": at,
            "requester": "ann",
            "builds": (new(run, job),) * count,
            "specs": {one.digest(): one},
            **fields,
        }
    )


def node(job: str, *needs: str | Need, count: int = 1, **fields: Any) -> Node:  # noqa: ANN401 - any field of Node
    """Return a node; a need that is a text needs success."""
    return Node(job, count, needs=tuple(Need(one) if isinstance(one, str) else one for one in needs), **fields)


def pipeline(*nodes: Node, run: str = "make", at: int = T0, wanted: Spec | None = None, **fields: Any) -> Submit:  # noqa: ANN401 - any field of Submit
    """Submit a pipeline of these nodes."""
    one = wanted or spec(run)
    builds = tuple(NewBuild("shop", node.job, one.digest()) for node in nodes for _ in range(node.count))
    return Submit(
        **{"at": at, "requester": "ann", "builds": builds, "specs": {one.digest(): one}, **fields}, nodes=nodes
    )


def stop_pipeline(which: str, how: Stop = Stop.ABORT, at: int = T0, requester: str = "ben") -> StopPipeline:
    return StopPipeline(at, requester, which, how)


def apply(*jobs: Job, at: int = T0, project: str = "shop", requester: str = "ann") -> Apply:
    return Apply(at, requester, project, jobs)


def join(name: str = "ant", at: int = T0, **fields: Any) -> Join:  # noqa: ANN401 - any field of AgentRecord
    return Join(at, agent(name, **fields))


def assign(*builds: str, at: int = T0, agent: str = "a1", session: str = "s1") -> Assign:
    return Assign(at, agent, session, builds)


def record(*attempts: Attempt, at: int = T0, agent: str = "a1") -> Record:
    return Record(at, agent, attempts)


def stop(build: str, how: Stop = Stop.ABORT, at: int = T0, requester: str = "ben") -> StopBuild:
    return StopBuild(at, requester, build, how)


# -- a network's life


class Network:
    """A ledger whose log entries follow each other, and the store that follows it."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.store = MemoryStore()
        self.changes = Changes()  # of the last entry

    def entry(self, *commands: Command) -> list[Outcome]:
        """Apply one log entry."""
        outcomes, self.changes = self.ledger.apply(self.ledger.index + 1, commands)
        assert self.store.write(batch_of(self.changes))
        return outcomes

    def do(self, command: Command) -> Outcome:
        """Apply a log entry of one command."""
        return self.entry(command)[0]

    def submitted(self, count: int = 1, **fields: Any) -> tuple[str, ...]:  # noqa: ANN401 - as submit()
        """Accept builds and return their ids."""
        return self.do(submit(count, **fields)).builds

    def running(self, **fields: Any) -> Build:  # noqa: ANN401 - as submit()
        """Return a build that runs on a1 in session s1."""
        (one,) = self.submitted(**fields)
        if "a1" not in self.ledger.agents:
            self.do(join())
        self.do(assign(one))
        self.report(one, BuildState.RUNNING, started=T0 + 5)
        return self.ledger.builds[one]

    def report(self, build: str, state: BuildState, **fields: Any) -> Outcome:  # noqa: ANN401 - any field of Attempt
        """Let the worker report of a build's current attempt."""
        return self.do(record(replace(self.ledger.attempts[build], state=state, **fields)))

    def stored(self, build: str) -> Build:
        """Return a build, live or ended."""
        found = self.store.get("builds", build)
        assert found is not None
        return found

    def kinds(self) -> dict[str, Iterable[Any]]:
        """Return what the last entry changed, by kind: to show that there was nothing else."""
        names = ("builds", "attempts", "tasks", "jobs", "removed_jobs", "specs", "agents")
        return {name: list(getattr(self.changes, name)) for name in names if getattr(self.changes, name)}
