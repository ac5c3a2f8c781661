"""From a pipeline that has ended to one that runs again: all of it, or what failed and what hangs on that. Pure.

A job is run again if one of its builds did not succeed, or if a job that it needs is run again. Of a job that needs
nothing of that kind only the builds that did not succeed are run; what the others left is taken over, with their
results. Every build keeps the definition, the parameters and the revision that it had.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from .commands import NewBuild
from .errors import Conflict
from .model import Build, BuildState, Node, Pipeline, PipelineState
from .pipeline import together


def again(
    pipeline: Pipeline, builds: Mapping[str, Sequence[Build]], *, failed: bool
) -> tuple[tuple[NewBuild, ...], tuple[Node, ...]]:
    """Return the builds and nodes of a pipeline like this one; `builds`: those that it had, by job.

    Raises Conflict where it has not ended, or nothing has to be run.
    """
    if pipeline.state is PipelineState.RUNNING:
        message = f"{pipeline.id} has not ended; wait for it, or stop it: orchestra abort {pipeline.id}"
        raise Conflict(message)
    new: list[NewBuild] = []
    nodes: list[Node] = []
    renewed: set[str] = set()  # jobs that are run again
    for node in pipeline.nodes:
        had = builds.get(node.job, ())
        good = [one for one in had if one.state is BuildState.SUCCEEDED]
        hangs = not failed or any(need.job in renewed for need in node.needs)
        if hangs and had:
            run, kept = list(had), []
        elif _came_to_nothing(node, had):
            run, kept = [one for one in had if one.state is not BuildState.SUCCEEDED], good
        else:
            run, kept = [], good
        if run:
            renewed.add(node.job)
        new += [_like(one) for one in run]
        nodes.append(_node(node, len(run), kept, whole=hangs))
    if not new:
        message = f"nothing failed in {pipeline.id}; to run all of it again: orchestra rerun {pipeline.id}"
        raise Conflict(message)
    return tuple(new), tuple(nodes)


def _came_to_nothing(node: Node, had: Sequence[Build]) -> bool:
    """Whether a job has to be run again for its own sake: it neither succeeded nor was left out on purpose."""
    end = together([*(one.state for one in had), *([BuildState.SUCCEEDED] if node.taken else [])])
    return end not in {BuildState.SUCCEEDED, BuildState.SKIPPED}


def _like(build: Build) -> NewBuild:
    context = None if build.context is None else replace(build.context, held=False, inherited={}, kept="", brought={})
    return NewBuild(build.project, build.job, build.spec, build.parameters, build.priority, context)


def _node(node: Node, count: int, kept: Sequence[Build], *, whole: bool) -> Node:
    """Return the node of the new pipeline; what was taken over before is again, unless all of it is run anew."""
    results = {} if whole and count else dict(node.results)
    for one in kept:
        results |= one.results
    taken = () if whole and count else (*node.taken, *(one.id for one in kept))
    roots = () if whole and count else (*node.kept, *(one.context.kept for one in kept if one.context is not None))
    left = tuple(dict.fromkeys(one for one in roots if one))
    return replace(node, count=count, first=0, ends={}, taken=taken, results=results, kept=left)
