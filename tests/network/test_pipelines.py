"""Large pipelines while the master is killed again and again: every build begins when what it needs has ended."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from job_orchestra.core.definition import Need
from job_orchestra.core.model import Build, BuildState, Node, Pipeline, PipelineState
from tests.kit.builders import build
from tests.kit.lab.pipelines import Shape, run, weighed

NODES = (
    Node("lint", 1, 1, ends={"succeeded": 1}),
    Node("test", 2, 2, needs=(Need("lint"),), ends={"succeeded": 2}),
)
PIPELINE = Pipeline("p-1", 1, "tower", PipelineState.SUCCEEDED, 0, NODES, finished=9)
LINT, ONE, TWO = (
    build(serial, job=job, state=BuildState.SUCCEEDED, attempt=1, pipeline="p-1")
    for serial, job in ((1, "lint"), (2, "test"), (3, "test"))
)
BUILDS = [LINT, ONE, TWO]


def lines(*builds: Build, attempt: int = 1) -> list[tuple[str, ...]]:
    """Return what builds write that run one after the other."""
    return [(what, f"{one.id}.{attempt}") for one in builds for what in ("begin", "end")]


def test_what_went_in_order_has_nothing_wrong() -> None:
    assert list(weighed(BUILDS, [PIPELINE], lines(LINT, ONE, TWO))) == []
    assert list(weighed(BUILDS, [PIPELINE], lines(LINT, TWO, ONE))) == []
    again = replace(ONE, attempt=2)
    assert list(weighed([LINT, again, TWO], [PIPELINE], lines(LINT, ONE, TWO) + lines(ONE, attempt=2))) == []


@pytest.mark.parametrize(
    ("builds", "pipeline", "told", "wrong"),
    [
        (BUILDS, PIPELINE, lines(ONE, LINT, TWO), "the order is wrong"),
        (BUILDS, PIPELINE, [*lines(LINT)[:1], *lines(ONE), *lines(LINT)[1:], *lines(TWO)], "the order is wrong"),
        (BUILDS, PIPELINE, lines(LINT, ONE, TWO, TWO), "was written 2 times"),
        (BUILDS, PIPELINE, lines(LINT, ONE), "test#3 succeeded, and did not come to its end"),
        (BUILDS[:2], PIPELINE, lines(LINT, ONE, TWO), "was executed, and is not known"),
        (BUILDS[:2], PIPELINE, lines(LINT, ONE), "the order is wrong"),
        ([LINT, ONE, replace(TWO, state=BuildState.LOST)], PIPELINE, lines(LINT, ONE), "test#3 lost"),
        (BUILDS, replace(PIPELINE, state=PipelineState.FAILED), lines(LINT, ONE, TWO), "p-1 failed"),
    ],
)
def test_what_went_wrong_is_found(
    builds: list[Build], pipeline: Pipeline, told: list[tuple[str, ...]], wrong: str
) -> None:
    assert any(wrong in one for one in weighed(builds, [pipeline], told))


def test_a_thousand_builds_in_layers_and_a_matrix_of_256_outlive_masters_that_are_killed(tmp_path: Path) -> None:
    shape = Shape()
    assert shape.builds > 1_256
    found = run(tmp_path, seed=11, kills=3, shape=shape)
    assert found.breaches == []
    assert (found.builds, found.kills) == (shape.builds, 3)
    assert found.executed >= shape.builds
