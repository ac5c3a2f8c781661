"""How pipelines look, in lists and with their jobs."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from ..ids import build_id
from ..instants import stamp
from ..model import Build, BuildState, Node, Pipeline, PipelineState
from .jobs import NeedView


class NodeView(msgspec.Struct, frozen=True):
    """A job of a pipeline."""

    job: str  # its name
    state: BuildState  # how its builds stand as one: pending, running, or an end
    needs: list[NeedView]  # what it waits for
    condition: str  # `if`; empty: none
    states: dict[str, int]  # state -> builds of it in that state
    builds: list[str]  # ids, in the order of its matrix
    taken: list[str]  # ids of builds of earlier pipelines whose success counts here


class PipelineSummary(msgspec.Struct, frozen=True):
    """A pipeline as it is listed."""

    id: str  # p- and a number
    project: str  # of its jobs
    state: PipelineState  # running, or how it ended
    reason: str  # why it is in this state
    jobs: list[str]  # names of its jobs
    builds: int  # how many it has
    requester: str  # who asked for it
    cause: str  # what made it
    created: str | None  # RFC 3339
    finished: str | None  # RFC 3339


class PipelineView(PipelineSummary, frozen=True):
    """A pipeline with its jobs."""

    nodes: list[NodeView]  # in the order in which they were submitted


def pipeline_summary(found: Pipeline) -> PipelineSummary:
    """Return a pipeline as it is listed."""
    return PipelineSummary(*_pipeline(found))


def pipeline_view(found: Pipeline, live: Mapping[str, Build]) -> PipelineView:
    """Return a pipeline as it stands; `live` has those of its builds that have not ended, by id."""
    fields: tuple[Any, ...] = (*_pipeline(found), [_node(one, live) for one in found.nodes])
    return PipelineView(*fields)


def _pipeline(found: Pipeline) -> tuple[Any, ...]:
    return (
        found.id,
        found.project,
        found.state,
        found.reason,
        [one.job for one in found.nodes],
        sum(one.count for one in found.nodes),
        found.requester,
        found.cause,
        stamp(found.created),
        stamp(found.finished),
    )


def builds_of(found: Pipeline) -> tuple[str, ...]:
    """Return the ids of a pipeline's builds, in their order."""
    return tuple(one for node in found.nodes for one in _ids(node))


def _ids(node: Node) -> list[str]:
    return [build_id(serial) for serial in range(node.first, node.first + node.count)]


def _node(node: Node, live: Mapping[str, Build]) -> NodeView:
    ids = _ids(node)
    states = Counter(node.ends)
    states.update(str(live[one].state) for one in ids if one in live)
    if any(states[one] for one in (BuildState.RUNNING, BuildState.ASSIGNED)):
        state = BuildState.RUNNING
    elif states[BuildState.PENDING]:
        state = BuildState.PENDING
    else:
        from ..pipeline import together  # every command imports this module, and hardly any needs that one

        state = together([*map(BuildState, states), *([BuildState.SUCCEEDED] if node.taken else [])])
    needs = [NeedView(one.job, one.when) for one in node.needs]
    return NodeView(node.job, state, needs, node.condition, dict(states), ids, list(node.taken))
