"""A worker that fails everything is found, and no other one is blamed."""

from job_orchestra.core.model import Attempt, BuildState
from job_orchestra.core.quarantine import ERRORS, FAILURES, KINDS, Quarantine


def end(agent: str, state: BuildState, number: int = 1) -> Attempt:
    return Attempt("b", number, agent, "s", state, reason="no such program")


def told(quarantine: Quarantine, agent: str, state: BuildState, times: int, kinds: int = KINDS) -> list[str]:
    return [quarantine.on_end(end(agent, state), f"spec {n % kinds}") for n in range(times)]


def test_a_worker_that_can_run_nothing_is_found_while_another_one_succeeds() -> None:
    quarantine = Quarantine()
    assert quarantine.on_end(end("good", BuildState.SUCCEEDED), "x") == ""
    *before, last = told(quarantine, "bad", BuildState.ERROR, ERRORS)
    assert before == [""] * (ERRORS - 1)
    assert "could not be run" in last
    assert "no such program" in last


def test_the_only_worker_is_not_blamed_for_what_it_is_asked() -> None:
    assert set(told(Quarantine(), "only", BuildState.ERROR, 10 * ERRORS)) == {""}


def test_one_broken_job_is_no_broken_machine() -> None:
    quarantine = Quarantine()
    quarantine.on_end(end("good", BuildState.SUCCEEDED), "x")
    assert set(told(quarantine, "bad", BuildState.ERROR, 10 * ERRORS, kinds=KINDS - 1)) == {""}


def test_failing_takes_longer_to_be_suspicious_than_errors() -> None:
    quarantine = Quarantine()
    quarantine.on_end(end("good", BuildState.SUCCEEDED), "x")
    *before, last = told(quarantine, "bad", BuildState.FAILED, FAILURES)
    assert set(before) == {""}
    assert "failed" in last


def test_a_success_clears_the_record() -> None:
    quarantine = Quarantine()
    quarantine.on_end(end("good", BuildState.SUCCEEDED), "x")
    told(quarantine, "bad", BuildState.ERROR, ERRORS - 1)
    quarantine.on_end(end("bad", BuildState.SUCCEEDED), "x")
    quarantine.on_end(end("good", BuildState.SUCCEEDED), "x")
    assert set(told(quarantine, "bad", BuildState.ERROR, ERRORS - 1)) == {""}


def test_what_is_aborted_or_lost_says_nothing_of_a_worker() -> None:
    quarantine = Quarantine()
    quarantine.on_end(end("good", BuildState.SUCCEEDED), "x")
    assert set(told(quarantine, "bad", BuildState.ABORTED, 100) + told(quarantine, "bad", BuildState.LOST, 100)) == {""}


def test_who_was_looked_at_begins_anew() -> None:
    quarantine = Quarantine()
    quarantine.on_end(end("good", BuildState.SUCCEEDED), "x")
    told(quarantine, "bad", BuildState.ERROR, ERRORS - 1)
    quarantine.forget("bad")
    assert set(told(quarantine, "bad", BuildState.ERROR, ERRORS - 1)) == {""}
