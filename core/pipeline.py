"""Builds that wait for each other: who may start, who is skipped, and how the whole ends. Part of the ledger.

A node is a job of the pipeline with all builds of its matrix; nodes wait for nodes. What happens is counted per node,
so the end of a build costs the same in a pipeline of ten and of ten thousand, and two matrices of 256 that need each
other are one edge, not 65,536. Deterministic like the ledger; all that is counted here can be counted again from the
builds (`restore`), so nothing but a pipeline's beginning and end is written down.

- A node is released when all nodes that it needs have ended. Where one did not end as `when` says, its builds are
  skipped; else each is skipped or released by the condition.
- A node failed if one of its builds did (then error, lost, aborted, cancelled, in this order); it succeeded if one did
  and no other did otherwise; it is skipped if all are. So ends a pipeline, from its nodes.

Refuses to know where builds run, and how a pipeline comes about (service).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from .changes import Outcome
from .definition import When
from .errors import Conflict, InvalidInput
from .expressions import Path, checked_expression, evaluate
from .ids import build_id
from .model import Build, BuildState, Context, Node, Pipeline, PipelineState, Stop

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .changes import Changes
    from .commands import StopPipeline, Submit
    from .expressions import Expression
    from .ledger import Ledger

FAILURES = (BuildState.FAILED, BuildState.ERROR, BuildState.LOST)
"""Ends that count as a failure for those that wait for one."""

_WORST_FIRST = (*FAILURES, BuildState.ABORTED, BuildState.CANCELLED, BuildState.SUCCEEDED)

_ENDS = {
    BuildState.FAILED: PipelineState.FAILED,
    BuildState.ERROR: PipelineState.ERROR,
    BuildState.LOST: PipelineState.ERROR,
    BuildState.ABORTED: PipelineState.ABORTED,
    BuildState.CANCELLED: PipelineState.ABORTED,
    BuildState.SUCCEEDED: PipelineState.SUCCEEDED,
    BuildState.SKIPPED: PipelineState.SKIPPED,
}


def together(states: Iterable[BuildState]) -> BuildState:
    """Return how several builds, or nodes, ended as one."""
    found = frozenset(states)
    return next((state for state in _WORST_FIRST if state in found), BuildState.SKIPPED)


def meets(when: When, end: BuildState) -> bool:
    """Whether a node that ended so lets those start that need it so."""
    return when is When.ALWAYS or (end is BuildState.SUCCEEDED if when is When.SUCCESS else end in FAILURES)


@dataclass
class Standing:
    """A node and how it stands."""

    node: Node
    left: int  # builds that have not ended
    waits: int = 0  # needed nodes that have not ended
    dependents: list[int] = field(default_factory=list[int])  # places of the nodes that need it
    ends: dict[BuildState, int] = field(default_factory=dict[BuildState, int])  # state -> builds that ended so
    results: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])  # key -> serial, value
    kept: dict[int, str] = field(default_factory=dict[int, str])  # serial -> what stands for the build's artifacts
    stopped: bool = False  # no more of its builds start: one failed

    @property
    def state(self) -> BuildState:
        """How its builds ended, those that were taken over included."""
        taken = [BuildState.SUCCEEDED] if self.node.taken else []
        return together([*self.ends, *taken])

    def values(self) -> dict[str, str]:
        """Return the results of its builds; where several wrote the same key, the last in the order of the matrix."""
        return {**self.node.results, **{key: value for key, (_, value) in sorted(self.results.items())}}

    def artifacts(self) -> tuple[str, ...]:
        """Return what stands for the artifacts of its builds, in the order of the matrix."""
        return tuple(dict.fromkeys((*self.node.kept, *(root for _, root in sorted(self.kept.items())))))

    def take(self, build: Build) -> None:
        """Count a build that has ended."""
        if build.context is not None and build.context.kept:
            self.kept[build.serial] = build.context.kept
        self.left -= 1
        self.ends[build.state] = self.ends.get(build.state, 0) + 1
        for key, value in build.results.items():
            if key not in self.results or self.results[key][0] < build.serial:
                self.results[key] = (build.serial, value)

    def written(self) -> Node:
        """Return the node with how its builds ended."""
        return replace(self.node, ends={state.value: count for state, count in sorted(self.ends.items())})

    def ids(self) -> Iterator[str]:
        """Yield the ids of its builds."""
        for serial in range(self.node.first, self.node.first + self.node.count):
            yield build_id(serial)


class Progress:
    """A pipeline that has not ended."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Begin with all its builds still to come."""
        self.pipeline = pipeline
        self.nodes = [Standing(node, node.count) for node in pipeline.nodes]
        self.places = {node.job: place for place, node in enumerate(pipeline.nodes)}
        self.left = sum(node.count > 0 for node in pipeline.nodes)  # nodes that have not ended
        for place, standing in enumerate(self.nodes):
            for need in standing.node.needs:
                needed = self.nodes[self.places[need.job]]
                if needed.left:
                    needed.dependents.append(place)
                    standing.waits += 1

    def of(self, build: Build) -> tuple[int, Standing]:
        """Return the node of a build, with its place."""
        place = self.places[build.job]
        return place, self.nodes[place]

    def written(self) -> Pipeline:
        """Return the pipeline as it stands."""
        return replace(self.pipeline, nodes=tuple(one.written() for one in self.nodes))

    def counted(self) -> object:
        """Return all that is counted, for the ledger's digest."""
        return [
            (one.left, one.waits, sorted(one.ends.items()), sorted(one.results.items()), sorted(one.kept.items()))
            for one in self.nodes
        ]


class Pipelines:
    """All pipelines that have not ended."""

    def __init__(self, ledger: Ledger) -> None:
        """Hold none; builds are changed through the ledger."""
        self.live: dict[str, Progress] = {}  # by id
        self._ledger = ledger
        self._ended: deque[tuple[Progress, int]] = deque()  # nodes whose end has not been told to others yet
        self._failed: deque[tuple[Progress, int, Build]] = deque()  # nodes that end at the first failure, and had one

    def begin(self, pipeline: Pipeline, changes: Changes) -> None:
        """Take in a pipeline whose builds were accepted."""
        progress = self.live[pipeline.id] = Progress(pipeline)
        changes.pipelines[pipeline.id] = pipeline
        for standing in progress.nodes:
            if standing.left and not standing.waits and (standing.node.needs or standing.node.condition):
                self._release(progress, standing, changes)

    def restore(self, pipelines: Iterable[Pipeline], ended: Iterable[Build]) -> None:
        """Take in pipelines as a store has them, with those of their builds that have ended."""
        for pipeline in pipelines:
            self.live[pipeline.id] = Progress(pipeline)
        for build in ended:
            progress = self.live[build.pipeline]
            _, standing = progress.of(build)
            standing.take(build)
            if standing.node.stop_early and build.state in FAILURES:
                standing.stopped = True
            if not standing.left:
                progress.left -= 1
                for other in standing.dependents:
                    progress.nodes[other].waits -= 1

    def on_end(self, build: Build) -> None:
        """Take note that a build has ended; `settle` draws the consequences."""
        progress = self.live[build.pipeline]
        place, standing = progress.of(build)
        standing.take(build)
        if standing.node.stop_early and build.state in FAILURES and not standing.stopped:
            standing.stopped = True
            if standing.left:
                self._failed.append((progress, place, build))
        if not standing.left:
            self._ended.append((progress, place))

    def settle(self, changes: Changes) -> None:
        """Let follow what follows from the ends of builds: in a loop, for a chain may be long."""
        while self._failed or self._ended:
            if self._failed:
                self._stop_early(*self._failed.popleft(), changes)
                continue
            progress, place = self._ended.popleft()
            progress.left -= 1
            for other in progress.nodes[place].dependents:
                following = progress.nodes[other]
                following.waits -= 1
                if not following.waits and following.left:
                    self._release(progress, following, changes)
            if not progress.left:
                self._end(progress, changes)

    def _end(self, progress: Progress, changes: Changes) -> None:
        state = _ENDS[together(one.state for one in progress.nodes)]
        if progress.pipeline.stop is Stop.ABORT:
            state = PipelineState.ABORTED
        done = replace(progress.written(), state=state, finished=self._ledger.counters.at)
        changes.pipelines[done.id] = done
        del self.live[done.id]

    # -- what may start, and what is skipped

    def _release(self, progress: Progress, standing: Standing, changes: Changes) -> None:
        """Let the builds of a node start, or skip them."""
        node = standing.node
        needed = {need.job: progress.nodes[progress.places[need.job]] for need in node.needs}
        unmet = [
            f"{need.job} {needed[need.job].state}"
            for need in node.needs
            if not meets(need.when, needed[need.job].state)
        ]
        if unmet:
            for build in self._alive(standing):
                self._ledger.withdraw(build, BuildState.SKIPPED, f"skipped: {', '.join(unmet)}", changes)
            return
        inherited = {job: values for job, one in needed.items() if (values := one.values())}
        brought = {one.job: kept for one in node.needs if one.artifacts and (kept := needed[one.job].artifacts())}
        facts = {("needs", job, "state"): one.state.value for job, one in needed.items()}
        facts |= {("needs", job, "results", key): text for job, one in inherited.items() for key, text in one.items()}
        try:
            condition = checked_expression(node.condition) if node.condition else None
        except InvalidInput as error:  # an agent of another version defined it
            for build in self._alive(standing):
                self._ledger.withdraw(build, BuildState.ERROR, f"its condition {error}", changes)
            return
        for build in self._alive(standing):
            if condition is not None and not holds(condition, build, facts):
                reason = f"skipped: {node.condition} is false"
                self._ledger.withdraw(build, BuildState.SKIPPED, reason, changes)
                continue
            context = replace(build.context or _NO_CONTEXT, held=False, inherited=inherited, brought=brought)
            if context != (build.context or _NO_CONTEXT):
                released = replace(build, reason="", context=context, ready=self._ledger.counters.at)
                self._ledger.builds[build.id] = changes.builds[build.id] = released

    def _stop_early(self, progress: Progress, place: int, build: Build, changes: Changes) -> None:
        """Withdraw what has not started of a node in which a build failed."""
        for other in self._alive(progress.nodes[place]):
            if not other.attempt:
                self._ledger.withdraw(other, BuildState.CANCELLED, f"{build.label} {build.state}", changes)
            elif other.state is BuildState.ASSIGNED and other.stop is None:
                self._ledger.ask(other, Stop.CANCEL, f"{build.label} {build.state}", changes)

    def _alive(self, standing: Standing) -> list[Build]:
        builds = self._ledger.builds
        return [builds[one] for one in standing.ids() if one in builds]

    # -- commands

    def accept(self, command: Submit, builds: Sequence[Build], changes: Changes) -> str:
        """Make a pipeline of builds that a submission brought, in the order of its nodes; return its id."""
        ledger = self._ledger
        ledger.counters.pipeline += 1
        first = builds[0].serial
        nodes: list[Node] = []
        for node in command.nodes:
            nodes.append(replace(node, first=first))
            first += node.count
        pipeline = Pipeline(
            id=pipeline_id(ledger.counters.pipeline),
            serial=ledger.counters.pipeline,
            project=builds[0].project,
            state=PipelineState.RUNNING,
            created=ledger.counters.at,
            nodes=tuple(nodes),
            requester=command.requester,
            cause=command.cause,
        )
        self.begin(pipeline, changes)
        return pipeline.id

    def stop(self, command: StopPipeline, changes: Changes) -> Outcome:
        """Stop a pipeline: an abort stops all its builds, a cancel withdraws those that have not started."""
        ledger = self._ledger
        ledger.advance(command.at)
        kind = f"pipelines.{command.how}"
        progress = self.live.get(command.pipeline)
        if progress is None:
            error = Conflict(f"pipeline {command.pipeline} has already ended")
            return ledger.refused(kind, command.requester, command.pipeline, error, changes)
        how = Stop.ABORT if Stop.ABORT in (progress.pipeline.stop, command.how) else Stop.CANCEL
        reason = f"{command.how} asked by {command.requester}"
        progress.pipeline = replace(progress.pipeline, stop=how, reason=reason)
        changes.pipelines[command.pipeline] = progress.pipeline
        touched: list[str] = []
        for standing in progress.nodes:
            for build in self._alive(standing):
                if build.state is BuildState.PENDING:
                    state = BuildState.ABORTED if command.how is Stop.ABORT else BuildState.CANCELLED
                    ledger.withdraw(build, state, f"{state} by {command.requester}", changes)
                elif build.state is BuildState.RUNNING and command.how is Stop.CANCEL:
                    continue
                else:
                    ledger.ask(build, command.how, reason, changes)
                touched.append(build.id)
        outcome = f"{len(touched)} build(s) of {command.pipeline}"
        ids = tuple(touched)
        return Outcome(ids, ledger.task(kind, command.requester, command.pipeline, outcome, ids, changes))


def holds(condition: Expression, build: Build, facts: Mapping[Path, str]) -> bool:
    """Whether a condition is true of a build; `facts` are those of the jobs that it needs."""

    def look(path: Path) -> str:
        return facts.get(path, "") if path[0] == "needs" else fact(path, build)

    return evaluate(condition, look) is True


def fact(path: Path, build: Build) -> str:
    """Return what a name in an expression stands for in a build; empty where it is not known."""
    context = build.context or _NO_CONTEXT
    match path:
        case ("parameters", name):
            return build.parameters.get(name, "")
        case ("matrix", name):
            return context.matrix.get(name, "")
        case ("branch",):
            return context.branch
        case ("revision",):
            return context.revision
        case ("project" | "job" | "cause" | "requester" as name,):
            return str(getattr(build, name))
        case _:
            return ""


_NO_CONTEXT = Context()


def pipeline_id(serial: int) -> str:
    """Return the id of a pipeline. It has a dash, which no build's id has."""
    return f"p-{serial}"
