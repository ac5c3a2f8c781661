"""Pipelines in the ledger: who may start when, who is skipped, and how the whole ends."""

import pytest

from job_orchestra.core.definition import Need, When
from job_orchestra.core.errors import Conflict
from job_orchestra.core.model import Build, BuildState, Node, Pipeline, PipelineState, Stop
from tests.kit.builders import Network, assign, join, node, pipeline, stop, stop_pipeline

S = BuildState


class Line(Network):
    """A network in which one pipeline runs on a1."""

    def __init__(self, *nodes: Node) -> None:
        super().__init__()
        self.do(join(slots=100))
        self.outcome = self.do(pipeline(*nodes))
        self.id = self.outcome.pipeline

    def of(self, job: str) -> list[Build]:
        """Return the builds of a job, as they stand."""
        return [self.stored(one) for one in self.outcome.builds if self.stored(one).job == job]

    def states(self) -> dict[str, list[str]]:
        """Return the states of all builds, by job; `held` for those that wait for others."""
        found: dict[str, list[str]] = {}
        for one in map(self.stored, self.outcome.builds):
            found.setdefault(one.job, []).append("held" if one.held else str(one.state))
        return found

    def end(self, job: str, *states: BuildState, **fields: object) -> None:
        """Let the builds of a job begin and end so, in their order."""
        mine = self.of(job)
        self.do(assign(*(one.id for one in mine)))
        for one, state in zip(mine, states, strict=False):
            self.report(one.id, state, **fields)

    def stands(self) -> Pipeline:
        found = self.store.get("pipelines", self.id)
        assert isinstance(found, Pipeline)
        return found


def test_one_after_the_other_and_results_with_them() -> None:
    line = Line(node("lint"), node("build", "lint"), node("test", "build", "lint", count=2))
    assert line.id == "p-1"
    assert {one.pipeline for one in line.ledger.builds.values()} == {"p-1"}
    assert line.states() == {"lint": ["pending"], "build": ["held"], "test": ["held", "held"]}
    assert line.of("test")[0].reason == "waits for build, lint"
    line.end("lint", S.SUCCEEDED)
    assert line.states() == {"lint": ["succeeded"], "build": ["pending"], "test": ["held", "held"]}
    line.end("build", S.SUCCEEDED, results={"version": "1.2"})
    assert line.states()["test"] == ["pending", "pending"]
    assert [one.context.inherited for one in line.of("test") if one.context] == [{"build": {"version": "1.2"}}] * 2
    line.end("test", S.SUCCEEDED)
    assert line.stands().state is PipelineState.RUNNING
    line.report(line.of("test")[1].id, S.SUCCEEDED, finished=7)
    assert line.stands().state is PipelineState.SUCCEEDED
    assert line.stands().finished == line.ledger.counters.at
    assert [one.ends for one in line.stands().nodes] == [{"succeeded": 1}, {"succeeded": 1}, {"succeeded": 2}]
    assert not line.ledger.pipelines.live


def test_what_builds_left_goes_to_those_that_need_them_in_the_order_of_the_matrix() -> None:
    line = Line(node("a", count=2), node("b"), node("c", "b", "a"), node("d", Need("a", artifacts=False)))
    for one, root in zip(reversed(line.of("a")), ("a2", "a1"), strict=True):
        line.do(assign(one.id))
        line.report(one.id, S.SUCCEEDED, artifacts=root)
    line.end("b", S.SUCCEEDED)
    (c,), (d,) = line.of("c"), line.of("d")
    assert c.context is not None
    assert c.context.brought == {"a": ("a1", "a2")}
    assert d.context is None or d.context.brought == {}
    assert [one.kept for one in line.of("a")] == ["a1", "a2"]


def test_what_is_held_is_given_to_nobody() -> None:
    line = Line(node("a"), node("b", "a"))
    assert not line.do(assign(line.of("b")[0].id)).changed


@pytest.mark.parametrize(
    ("when", "end", "runs"),
    [
        (When.SUCCESS, S.SUCCEEDED, True),
        (When.SUCCESS, S.FAILED, False),
        (When.FAILURE, S.SUCCEEDED, False),
        (When.FAILURE, S.FAILED, True),
        (When.FAILURE, S.ERROR, True),
        (When.FAILURE, S.LOST, True),
        (When.FAILURE, S.ABORTED, False),
        (When.ALWAYS, S.SUCCEEDED, True),
        (When.ALWAYS, S.FAILED, True),
        (When.ALWAYS, S.ABORTED, True),
    ],
)
def test_needs_say_how_it_must_have_ended(when: When, end: BuildState, runs: bool) -> None:
    line = Line(node("a"), node("b", Need("a", when)))
    line.end("a", end)
    assert line.states()["b"] == ["pending" if runs else "skipped"]
    if not runs:
        assert line.of("b")[0].reason == f"skipped: a {end}"


def test_who_is_skipped_has_the_next_ones_skipped_too_but_for_those_that_run_in_any_case() -> None:
    line = Line(node("a"), node("b", "a"), node("c", "b"), node("tidy", Need("c", When.ALWAYS)))
    line.end("a", S.FAILED)
    assert line.states() == {"a": ["failed"], "b": ["skipped"], "c": ["skipped"], "tidy": ["pending"]}
    line.end("tidy", S.SUCCEEDED)
    assert line.stands().state is PipelineState.FAILED


def test_a_chain_of_a_thousand_falls_in_one_step() -> None:
    line = Line(node("n0"), *[node(f"n{place}", f"n{place - 1}") for place in range(1, 1000)])
    line.end("n0", S.FAILED)
    assert not line.ledger.builds
    assert line.stands().state is PipelineState.FAILED


def test_conditions_see_what_came_before() -> None:
    line = Line(
        node("build"),
        node("new", "build", condition="needs.build.results.version >= '1.10'"),
        node("old", "build", condition="needs.build.results.version < '1.10'"),
        node("mine", condition="requester == 'ben'"),
        node("after", "mine"),
    )
    assert line.states()["mine"] == ["skipped"]
    assert line.of("mine")[0].reason == "skipped: requester == 'ben' is false"
    assert line.states()["after"] == ["skipped"]
    line.end("build", S.SUCCEEDED, results={"version": "1.9"})
    assert line.states()["new"] == ["skipped"]
    assert line.states()["old"] == ["pending"]


def test_a_condition_that_another_version_wrote_is_an_error_of_that_build_only() -> None:
    line = Line(node("a"), node("b", condition="frobnicate(branch)"))
    assert line.states() == {"a": ["pending"], "b": ["error"]}


def test_the_first_failure_ends_what_has_not_started_where_that_is_wanted() -> None:
    line = Line(node("a", count=4, stop_early=True), node("b", count=2))
    first, second, third, fourth = line.of("a")
    line.do(assign(first.id, second.id, third.id))
    line.report(second.id, S.RUNNING)
    line.report(first.id, S.FAILED)
    assert line.states() == {"a": ["failed", "running", "assigned", "cancelled"], "b": ["pending", "pending"]}
    assert line.of("a")[2].stop is Stop.CANCEL
    assert line.stored(fourth.id).reason == f"{first.label} failed"


def test_of_a_matrix_the_last_one_that_wrote_a_key_counts_whoever_ends_last() -> None:
    line = Line(node("a", count=3), node("b", "a"))
    builds = line.of("a")
    line.do(assign(*(one.id for one in builds)))
    for place in (2, 0, 1):
        line.report(builds[place].id, S.SUCCEEDED, results={"who": str(place), f"only{place}": "x"})
    context = line.of("b")[0].context
    assert context is not None
    assert context.inherited == {"a": {"who": "2", "only0": "x", "only1": "x", "only2": "x"}}


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ([S.SUCCEEDED, S.SUCCEEDED], PipelineState.SUCCEEDED),
        ([S.SUCCEEDED, S.FAILED], PipelineState.FAILED),
        ([S.ERROR, S.FAILED], PipelineState.FAILED),
        ([S.SUCCEEDED, S.ERROR], PipelineState.ERROR),
        ([S.LOST, S.SUCCEEDED], PipelineState.ERROR),
        ([S.ABORTED, S.ERROR], PipelineState.ERROR),
        ([S.ABORTED, S.SUCCEEDED], PipelineState.ABORTED),
    ],
)
def test_how_it_ends(ends: list[BuildState], state: PipelineState) -> None:
    line = Line(node("a"), node("b"))
    line.end("a", ends[0])
    line.end("b", ends[1])
    assert line.stands().state is state


def test_nothing_to_do_at_all() -> None:
    line = Line(node("a", condition="false"), node("b", "a"))
    assert line.states() == {"a": ["skipped"], "b": ["skipped"]}
    assert line.stands().state is PipelineState.SKIPPED


def test_an_abort_stops_all_of_it() -> None:
    line = Line(node("a", count=2), node("b", "a"), node("tidy", Need("b", When.ALWAYS)))
    first, _ = line.of("a")
    line.do(assign(first.id))
    line.report(first.id, S.RUNNING)
    outcome = line.do(stop_pipeline(line.id))
    assert len(outcome.builds) == 4
    assert line.states() == {"a": ["running", "aborted"], "b": ["aborted"], "tidy": ["aborted"]}
    assert line.of("a")[0].stop is Stop.ABORT
    line.report(first.id, S.SUCCEEDED)  # it was faster
    assert line.stands().state is PipelineState.ABORTED
    assert line.stands().reason == "abort asked by ben"
    late = line.do(stop_pipeline(line.id))
    assert isinstance(late.error, Conflict)


def test_a_cancel_leaves_alone_what_runs() -> None:
    line = Line(node("a", count=2), node("b", "a"))
    first, _ = line.of("a")
    line.do(assign(first.id))
    line.report(first.id, S.RUNNING)
    line.do(stop_pipeline(line.id, Stop.CANCEL))
    assert line.states() == {"a": ["running", "cancelled"], "b": ["cancelled"]}
    assert line.of("a")[0].stop is None
    line.report(first.id, S.SUCCEEDED)
    assert line.stands().state is PipelineState.ABORTED


def test_aborting_one_build_skips_those_that_need_it() -> None:
    line = Line(node("a"), node("b", "a"), node("tidy", Need("b", When.ALWAYS)))
    line.do(stop(line.of("a")[0].id))
    assert line.states() == {"a": ["aborted"], "b": ["skipped"], "tidy": ["pending"]}
    line.do(stop(line.of("tidy")[0].id, Stop.CANCEL))
    assert line.stands().state is PipelineState.ABORTED


def test_what_was_taken_over_counts_as_done() -> None:
    line = Line(
        node("build", count=0, taken=("x",), results={"version": "3"}),
        node("test", "build", count=1, taken=("y",)),
        node("pack", "test"),
    )
    assert line.states() == {"test": ["pending"], "pack": ["held"]}
    context = line.of("test")[0].context
    assert context is not None
    assert context.inherited == {"build": {"version": "3"}}
    line.end("test", S.SUCCEEDED)
    line.end("pack", S.SUCCEEDED)
    assert line.stands().state is PipelineState.SUCCEEDED


def test_two_matrices_that_need_each_other_cost_one_edge() -> None:
    line = Line(node("a", count=256), node("b", "a", count=256))
    progress = line.ledger.pipelines.live[line.id]
    assert [one.dependents for one in progress.nodes] == [[1], []]
    line.end("a", *[S.SUCCEEDED] * 255)
    line.changes = type(line.changes)()
    line.report(line.of("a")[254].id, S.SUCCEEDED) if line.of("a")[254].id in line.ledger.attempts else None
    line.report(line.of("a")[255].id, S.SUCCEEDED)
    assert len(line.changes.builds) == 257
    assert line.states()["b"] == ["pending"] * 256
