"""The course of an attempt, as a pure machine."""

import pytest

from job_orchestra.agent.executor.attempt import CLEANUP_S, Course, Halt
from job_orchestra.agent.executor.protocol import Plan, StepPlan
from job_orchestra.core.definition import When
from job_orchestra.core.model import BuildState, StepState

S, F, A = When.SUCCESS, When.FAILURE, When.ALWAYS


def course(*whens: When, prepare: tuple[str, ...] = ()) -> Course:
    steps = tuple(StepPlan(f"s{place}", ("x",), when=when) for place, when in enumerate(whens))
    return Course(Plan("b.1", "/log", {}, steps, prepare))


def play(one: Course, *codes: int) -> list[str]:
    """Run the steps with these exit codes; return the names of those that ran."""
    ran: list[str] = []
    given = iter(codes)
    while (step := one.following()) is not None:
        one.on_started(step, 1, 0)
        one.on_exit(next(given), None, 2, 10)
        ran.append(step.name)
    one.end(3, 10)
    return ran


@pytest.mark.parametrize(
    ("whens", "codes", "ran", "state"),
    [
        ([S, S], [0, 0], ["s0", "s1"], BuildState.SUCCEEDED),
        ([S, S, F, A], [0, 0, 0], ["s0", "s1", "s3"], BuildState.SUCCEEDED),
        ([S, S, F, A], [1, 0, 0], ["s0", "s2", "s3"], BuildState.FAILED),
        ([S, A], [0, 1], ["s0", "s1"], BuildState.FAILED),
        ([F], [], [], BuildState.SUCCEEDED),
        ([S, F, F], [1, 1, 0], ["s0", "s1", "s2"], BuildState.FAILED),
    ],
)
def test_which_steps_run_and_how_it_ends(
    whens: list[When], codes: list[int], ran: list[str], state: BuildState
) -> None:
    one = course(*whens)
    assert play(one, *codes) == ran
    assert one.status().state is state
    assert [step.state is StepState.SKIPPED for step in one.steps] == [step.name not in ran for step in one.steps]


def test_the_first_failure_gives_the_reason() -> None:
    one = course(S, F)
    play(one, 5, 6)
    assert one.reason == "step s0 failed with exit code 5"


def test_after_an_abort_only_what_always_runs_and_not_for_ever() -> None:
    one = course(S, S, F, A, A)
    first = one.following()
    assert first is not None
    one.on_started(first, 1, 0)
    one.on_halt(Halt.ABORT, "asked by ann")
    one.on_exit(None, 15, 2, 3)
    cleaning = one.following()
    assert cleaning is not None
    assert (cleaning.name, one.time_for(cleaning)) == ("s3", CLEANUP_S)
    one.on_started(cleaning, 3, 3)
    one.on_halt(Halt.ABORT, "asked once more")
    one.on_exit(None, 9, 4, 3)
    assert one.following() is None
    one.end(5, 3)
    assert (one.status().state, one.status().reason) == (BuildState.ABORTED, "asked by ann")
    assert [step.state.value for step in one.steps] == ["aborted", "skipped", "skipped", "aborted", "skipped"]


def test_a_workspace_that_cannot_be_prepared_is_an_error_and_nothing_runs() -> None:
    one = course(S, A, prepare=("unpack",))
    step = one.following()
    assert step is not None
    assert step.argv == ("unpack",)
    one.on_started(step, 1, 0)
    one.on_exit(1, None, 2, 20)
    following = one.following()
    assert following is not None
    assert following.name == "s1", "what always runs may clean up"
    one.on_started(following, 3, 20)
    one.on_exit(0, None, 4, 20)
    assert one.following() is None
    one.end(5, 20)
    assert one.state is BuildState.ERROR
    assert "could not be prepared" in one.reason


def test_a_program_that_does_not_exist_is_an_error() -> None:
    one = course(S, S)
    step = one.following()
    assert step is not None
    one.on_not_started(step, "cannot start 'x'", 1, 0)
    assert one.following() is None
    one.end(2, 0)
    assert (one.state, one.reason) == (BuildState.ERROR, "cannot start 'x'")
    assert [step.state for step in one.steps] == [StepState.ERROR, StepState.SKIPPED]


def test_a_timeout_of_one_step_is_that_steps_failure() -> None:
    one = course(S, F)
    step = one.following()
    assert step is not None
    one.on_started(step, 1, 0)
    one.on_step_timeout()
    one.on_exit(None, 15, 2, 0)
    assert play(one, 0) == ["s1"]
    assert (one.state, one.reason) == (BuildState.FAILED, "step s0 ran out of time")


def test_bad_results_fail_what_had_succeeded() -> None:
    one = course(S)
    step = one.following()
    assert step is not None
    one.on_started(step, 1, 0)
    one.on_exit(0, None, 2, 0)
    one.on_bad_results("line 1 is wrong")
    one.end(3, 0)
    assert (one.state, one.reason) == (BuildState.FAILED, "line 1 is wrong")
