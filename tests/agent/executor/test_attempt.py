"""The course of an attempt, as a pure machine."""

from typing import Any

import pytest

from job_orchestra.agent.executor.attempt import CLEANUP_S, OUTCOME, Course, Halt, Turn
from job_orchestra.agent.executor.protocol import Plan, ServicePlan, StepPlan
from job_orchestra.core.definition import When
from job_orchestra.core.model import BuildState, StepResult, StepState

S, F, A = When.SUCCESS, When.FAILURE, When.ALWAYS


def course(*whens: When, prepare: tuple[str, ...] = (), **parts: Any) -> Course:  # noqa: ANN401 - any field of Plan
    steps = tuple(StepPlan(f"s{place}", ("x",), when=when) for place, when in enumerate(whens))
    return Course(Plan("b.1", "/log", {}, steps, prepare, **parts))


def following(one: Course) -> StepPlan:
    """Return the process that comes now, and start it."""
    step = one.following()
    assert isinstance(step, StepPlan)
    one.on_started(step, 1, 0)
    return step


def play(one: Course, *codes: int) -> list[str]:
    """Run the steps with these exit codes; return the names of those that ran."""
    ran: list[str] = []
    given = iter(codes)
    while (step := one.following()) is not None:
        assert isinstance(step, StepPlan)
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
    following(one)
    one.on_halt(Halt.ABORT, "asked by ann")
    one.on_exit(None, 15, 2, 3)
    cleaning = following(one)
    assert (cleaning.name, one.time_for(cleaning)) == ("s3", CLEANUP_S)
    one.on_halt(Halt.ABORT, "told once more")
    assert one.time_for(cleaning) == CLEANUP_S
    one.on_hurry()
    one.on_exit(None, 9, 4, 3)
    assert one.following() is None
    one.end(5, 3)
    assert (one.status().state, one.status().reason) == (BuildState.ABORTED, "asked by ann")
    assert [step.state.value for step in one.steps] == ["aborted", "skipped", "skipped", "aborted", "skipped"]


def test_a_workspace_that_cannot_be_prepared_is_an_error_and_nothing_runs() -> None:
    one = course(S, A, prepare=("unpack",))
    assert following(one).argv == ("unpack",)
    one.on_exit(1, None, 2, 20)
    assert following(one).name == "s1", "what always runs may clean up"
    one.on_exit(0, None, 4, 20)
    assert one.following() is None
    one.end(5, 20)
    assert one.state is BuildState.ERROR
    assert "could not be prepared" in one.reason


def test_a_program_that_does_not_exist_is_an_error() -> None:
    one = course(S, S)
    step = one.following()
    assert isinstance(step, StepPlan)
    one.on_not_started(step, "cannot start 'x'", 1, 0)
    assert one.following() is None
    one.end(2, 0)
    assert (one.state, one.reason) == (BuildState.ERROR, "cannot start 'x'")
    assert [step.state for step in one.steps] == [StepState.ERROR, StepState.SKIPPED]


def test_a_timeout_of_one_step_is_that_steps_failure() -> None:
    one = course(S, F)
    following(one)
    one.on_step_timeout()
    one.on_exit(None, 15, 2, 0)
    assert play(one, 0) == ["s1"]
    assert (one.state, one.reason) == (BuildState.FAILED, "step s0 ran out of time")


def test_bad_results_fail_what_had_succeeded() -> None:
    one = course(S)
    following(one)
    one.on_exit(0, None, 2, 0)
    one.on_bad_results("line 1 is wrong")
    one.end(3, 0)
    assert (one.state, one.reason) == (BuildState.FAILED, "line 1 is wrong")


DATABASE = ServicePlan("db", ("db",))


def test_services_are_there_before_the_first_step_and_gone_before_anything_is_collected() -> None:
    one = course(S, prepare=("unpack",), services=(DATABASE,), collect=("keep",))
    assert following(one).name == "prepare"
    one.on_exit(0, None, 2, 5)
    assert one.following() is Turn.SERVICES
    one.on_service_started("db", 3)
    assert following(one).name == "s0"
    one.on_exit(0, None, 4, 7)
    assert one.following() is Turn.CLEAR
    one.on_service_ended(StepResult("service:db", StepState.SUCCEEDED, started=3, finished=5, log_start=7, log_end=9))
    collecting = following(one)
    assert (collecting.name, collecting.env) == ("collect", {OUTCOME: "succeeded"})
    one.on_exit(0, None, 6, 9)
    assert one.following() is None
    one.end(7, 9)
    assert one.state is BuildState.SUCCEEDED
    assert [(step.name, step.state.value, step.log_start, step.log_end) for step in one.steps] == [
        ("service:db", "succeeded", 7, 9),
        ("s0", "succeeded", 0, 7),
    ]


def test_a_service_that_is_not_ready_is_an_error_and_no_step_runs() -> None:
    one = course(S, A, services=(DATABASE,))
    assert one.following() is Turn.SERVICES
    one.on_service_started("db", 1)
    one.on_service_lost("db", "is not ready after 60 s")
    assert following(one).name == "s1", "what always runs may clean up"
    one.on_exit(0, None, 2, 0)
    assert one.following() is Turn.CLEAR
    assert one.following() is None
    one.end(3, 0)
    assert (one.state, one.reason) == (BuildState.ERROR, "service db is not ready after 60 s")


def test_a_service_that_ends_under_a_step_fails_the_build() -> None:
    one = course(S, S, services=(DATABASE,))
    assert one.following() is Turn.SERVICES
    following(one)
    one.on_service_lost("db", "failed with exit code 1")
    one.on_exit(None, 15, 2, 0)
    assert one.following() is Turn.CLEAR
    one.end(3, 0)
    assert (one.state, one.reason) == (BuildState.FAILED, "service db failed with exit code 1")
    assert [step.state.value for step in one.steps] == ["aborted", "skipped"]


@pytest.mark.parametrize(
    ("code", "collected", "told", "state"),
    [
        (0, 0, "succeeded", BuildState.SUCCEEDED),
        (0, 1, "succeeded", BuildState.ERROR),
        (4, 0, "failed", BuildState.FAILED),
        (4, 1, "failed", BuildState.FAILED),
    ],
)
def test_collecting_is_told_the_outcome_and_its_failure_spoils_only_a_success(
    code: int, collected: int, told: str, state: BuildState
) -> None:
    one = course(S, collect=("keep",))
    following(one)
    one.on_exit(code, None, 2, 0)
    assert one.following() is Turn.CLEAR
    assert following(one).env[OUTCOME] == told
    one.on_exit(collected, None, 3, 0)
    one.end(4, 0)
    assert one.state is state
    assert "collected" in one.reason or state is not BuildState.ERROR
    assert [step.name for step in one.steps] == ["s0"]


def test_what_was_aborted_is_collected_with_little_time_and_what_never_began_or_is_in_a_hurry_is_not() -> None:
    aborted = course(S, collect=("keep",))
    following(aborted)
    aborted.on_halt(Halt.ABORT, "asked")
    aborted.on_exit(None, 15, 2, 0)
    assert aborted.following() is Turn.CLEAR
    collecting = following(aborted)
    assert (collecting.env[OUTCOME], aborted.time_for(collecting)) == ("aborted", CLEANUP_S)
    hurried = course(S, collect=("keep",))
    following(hurried)
    hurried.on_halt(Halt.ABORT, "asked")
    hurried.on_hurry()
    hurried.on_exit(None, 15, 2, 0)
    assert [hurried.following(), hurried.following()] == [Turn.CLEAR, None]
    unprepared = course(S, prepare=("unpack",), collect=("keep",))
    following(unprepared)
    unprepared.on_exit(1, None, 2, 0)
    assert [unprepared.following(), unprepared.following()] == [Turn.CLEAR, None]
