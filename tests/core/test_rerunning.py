"""What of a pipeline runs again, and what is taken over."""

import pytest

from job_orchestra.core.commands import NewBuild
from job_orchestra.core.definition import Need, When
from job_orchestra.core.errors import Conflict
from job_orchestra.core.model import Build, BuildState, Context, Node, PipelineState
from job_orchestra.core.rerunning import again
from tests.kit.builders import build, node, pipeline_record

S = BuildState
BUILDS: dict[str, list[Build]] = {
    "lint": [build(1, job="lint", state=S.SUCCEEDED, results={"a": "1"})],
    "test": [
        build(2, job="test", state=S.SUCCEEDED, results={"b": "2"}),
        build(3, job="test", state=S.FAILED, context=Context({"x": "y"}, held=True, inherited={"lint": {"a": "1"}})),
    ],
    "pack": [build(4, job="pack", state=S.SKIPPED)],
    "tidy": [build(5, job="tidy", state=S.SUCCEEDED)],
    "other": [build(6, job="other", state=S.SKIPPED)],
}
NODES = (
    node("lint", first=1, ends={"succeeded": 1}),
    node("test", "lint", count=2, first=2),
    node("pack", "test", first=4),
    node("tidy", Need("test", When.ALWAYS), first=5),
    node("other", condition="false", first=6),
)
ENDED = pipeline_record(nodes=NODES, state=PipelineState.FAILED)


def test_only_what_failed_and_what_hangs_on_it() -> None:
    builds, nodes = again(ENDED, BUILDS, failed=True)
    assert [one.job for one in builds] == ["test", "pack", "tidy"]
    assert builds[0] == NewBuild("shop", "test", BUILDS["test"][1].spec, {}, 0, Context({"x": "y"}))
    ids = {job: [one.id for one in had] for job, had in BUILDS.items()}
    assert nodes == (
        Node("lint", 0, taken=(ids["lint"][0],), results={"a": "1"}),
        Node("test", 1, needs=(Need("lint"),), taken=(ids["test"][0],), results={"b": "2"}),
        Node("pack", 1, needs=(Need("test"),)),
        Node("tidy", 1, needs=(Need("test", When.ALWAYS),)),
        Node("other", 0, condition="false"),
    )


def test_all_of_it() -> None:
    builds, nodes = again(ENDED, BUILDS, failed=False)
    assert [one.job for one in builds] == ["lint", "test", "test", "pack", "tidy", "other"]
    assert [one.count for one in nodes] == [1, 2, 1, 1, 1]
    assert all(not one.taken and not one.results and not one.ends and not one.first for one in nodes)


def test_what_was_taken_over_is_taken_over_again() -> None:
    nodes = (node("a", count=0, taken=("x",), results={"k": "v"}), node("b", "a", first=1))
    ended = pipeline_record(nodes=nodes, state=PipelineState.FAILED)
    _, found = again(ended, {"b": [build(1, job="b", state=S.FAILED)]}, failed=True)
    assert found[0] == nodes[0]
    assert found[1].count == 1


def test_there_must_be_something_to_run() -> None:
    with pytest.raises(Conflict, match="has not ended"):
        again(pipeline_record(nodes=NODES), BUILDS, failed=True)
    good = pipeline_record(nodes=NODES[:1], state=PipelineState.SUCCEEDED)
    with pytest.raises(Conflict, match="nothing failed in p-1"):
        again(good, BUILDS, failed=True)
