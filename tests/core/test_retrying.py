"""Whether a build is tried again, and when: the policy by itself, then what the ledger makes of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from job_orchestra.core.commands import Expire, NewBuild, Overdue
from job_orchestra.core.definition import Backoff, Retry
from job_orchestra.core.ledger import Ledger
from job_orchestra.core.model import CRASH_LIMIT, Build, BuildState, StepResult, StepState, Stop
from job_orchestra.core.retrying import MAX_WAIT_S, next_attempt, reasons
from tests.kit.builders import T0, Network, assign, attempt, build, join, record, spec, stop

S = BuildState


def step(state: StepState, exit_code: int | None = None, signal: int | None = None) -> StepResult:
    return StepResult("make", state, exit_code, signal)


FINE, BAD, LATE = step(StepState.SUCCEEDED, 0), step(StepState.FAILED, 75), step(StepState.TIMEOUT, None, 9)
KILLED, TIDY = step(StepState.FAILED, None, 11), step(StepState.FAILED, 2)


@pytest.mark.parametrize(
    ("state", "steps", "found"),
    [
        (S.LOST, (), {"agent-lost"}),
        (S.ERROR, (FINE,), {"error"}),
        (S.FAILED, (FINE, BAD, TIDY), {"failed", "exit-75"}),
        (S.FAILED, (KILLED,), {"failed"}),
        (S.FAILED, (FINE, LATE, TIDY), {"timeout"}),
        (S.FAILED, (BAD, LATE), {"failed", "exit-75"}),
        (S.FAILED, (FINE,), {"failed"}),
        (S.SUCCEEDED, (FINE,), set()),
        (S.ABORTED, (BAD,), set()),
        (S.CANCELLED, (), set()),
    ],
)
def test_why_an_attempt_ended_so(state: BuildState, steps: tuple[StepResult, ...], found: set[str]) -> None:
    assert reasons(attempt(state=state, steps=steps)) == found


@pytest.mark.parametrize(
    ("retry", "fields", "state", "wait"),
    [
        (Retry(), {}, S.LOST, None),
        (Retry(1), {}, S.LOST, 0),
        (Retry(1), {}, S.FAILED, None),
        (Retry(1, ("failed", "error")), {}, S.ERROR, 0),
        (Retry(1, ("failed",)), {"retries": 1}, S.FAILED, None),
        (Retry(2, ("failed",), 1.5), {"retries": 1}, S.FAILED, 1_500),
        (Retry(9, ("failed",), 1.5, Backoff.EXPONENTIAL), {}, S.FAILED, 1_500),
        (Retry(9, ("failed",), 1.5, Backoff.EXPONENTIAL), {"retries": 3}, S.FAILED, 12_000),
        (Retry(100, ("failed",), 1.0, Backoff.EXPONENTIAL), {"retries": 99}, S.FAILED, MAX_WAIT_S * 1000),
        (Retry(9), {"crashes": CRASH_LIMIT - 1}, S.LOST, 0),
        (Retry(9), {"crashes": CRASH_LIMIT}, S.LOST, None),
        (Retry(9, ("failed",)), {"crashes": CRASH_LIMIT}, S.FAILED, 0),
        (Retry(9), {"stop": Stop.ABORT}, S.LOST, None),
    ],
)
def test_when_the_next_attempt_may_begin(
    retry: Retry, fields: dict[str, Any], state: BuildState, wait: float | None
) -> None:
    expected = None if wait is None else T0 + wait
    assert next_attempt(build(**fields), retry, attempt(state=state), T0) == expected


@given(st.integers(0, 100), st.floats(0, 1e9), st.sampled_from(Backoff), st.integers(0, 99))
def test_the_wait_is_never_longer_than_a_day_and_never_runs_backwards(
    most: int, wait_s: float, backoff: Backoff, retries: int
) -> None:
    retry = Retry(most, ("failed",), wait_s, backoff)
    found = next_attempt(build(retries=retries), retry, attempt(state=S.FAILED), T0)
    assert (found is None) == (retries >= most)
    assert found is None or T0 <= found <= T0 + MAX_WAIT_S * 1000


# -- in the ledger


@pytest.fixture
def net() -> Network:
    return Network()


def running(net: Network, **fields: Any) -> Build:  # noqa: ANN401 - any field of Spec
    wanted = spec(**fields)
    return net.running(builds=(NewBuild("shop", "test", wanted.digest()),), specs={wanted.digest(): wanted})


def test_a_failed_build_is_tried_again_and_its_history_says_so(net: Network) -> None:
    one = running(net, retry=Retry(1, ("exit-75",), 10.0))
    net.report(one.id, S.FAILED, started=T0 + 5, finished=T0 + 9, reason="step make failed", steps=(BAD,), log_bytes=7)
    again = net.ledger.builds[one.id]
    assert (again.state, again.agent, again.attempt, again.retries, again.crashes) == (S.PENDING, "", 1, 1, 0)
    assert (again.reason, again.ready) == ("tried again: step make failed", net.ledger.counters.at + 10_000)
    assert net.changes.attempts[f"{one.id}.1"].state is S.FAILED
    assert net.ledger.attempts == {}
    net.do(assign(one.id, at=T0 + 20_000))
    net.report(one.id, S.FAILED, started=T0 + 5, finished=T0 + 9, reason="step make failed", steps=(BAD,))
    assert net.stored(one.id).state is S.FAILED
    assert (net.stored(one.id).retries, net.stored(one.id).attempt) == (1, 2)
    assert net.ledger.specs == {}


@pytest.mark.parametrize("state", [S.SUCCEEDED, S.ABORTED])
def test_what_ended_for_no_such_reason_has_ended(net: Network, state: BuildState) -> None:
    one = running(net, retry=Retry(5, ("failed", "error", "timeout", "agent-lost")))
    net.report(one.id, state, finished=T0 + 9)
    assert net.stored(one.id).state is state


def test_one_that_is_asked_to_stop_is_not_tried_again(net: Network) -> None:
    one = running(net, retry=Retry(5, ("failed",)))
    net.do(stop(one.id))
    net.report(one.id, S.FAILED, finished=T0 + 9)
    assert net.stored(one.id).state is S.FAILED


def test_a_loss_counts_as_an_attempt_and_as_a_crash(net: Network) -> None:
    one = running(net, retry=Retry(9, ("failed", "agent-lost"), 1.0, Backoff.EXPONENTIAL))
    for number in range(1, CRASH_LIMIT):
        net.entry(Expire(T0 + 50, "a1", "s1"), join())
        again = net.ledger.builds[one.id]
        assert (again.retries, again.crashes) == (number, number)
        assert again.ready == net.ledger.counters.at + 1000 * 2 ** (number - 1)
        net.do(assign(one.id))
    net.entry(Expire(T0 + 50, "a1", "s1"))
    gone = net.stored(one.id)
    assert (gone.state, gone.crashes) == (S.LOST, CRASH_LIMIT)
    assert gone.reason == "contact with ant was lost; it is not tried again, for 3 workers were lost with it"


def test_a_loss_is_no_reason_where_the_policy_does_not_name_it(net: Network) -> None:
    one = running(net, retry=Retry(9, ("failed",)))
    net.do(Expire(T0 + 50, "a1", "s1"))
    assert (net.stored(one.id).state, net.stored(one.id).reason) == (S.LOST, "contact with ant was lost")


def test_a_report_that_comes_twice_tries_again_once(net: Network) -> None:
    one = running(net, retry=Retry(5, ("failed",)))
    last = net.ledger.attempts[one.id]
    net.report(one.id, S.FAILED, finished=T0 + 9)
    again = net.ledger.builds[one.id]
    for _ in range(2):
        assert not net.do(record(replace(last, state=S.FAILED))).changed
    assert net.ledger.builds == {one.id: again}


def test_a_ledger_that_is_rebuilt_tries_again_at_the_same_time(net: Network) -> None:
    one = running(net, retry=Retry(5, ("failed",), 60.0))
    net.report(one.id, S.FAILED, finished=T0 + 9)
    again = Ledger(net.store.live(0))
    assert again.digest() == net.ledger.digest()
    assert again.builds[one.id].ready == net.ledger.counters.at + 60_000


# -- waiting for too long


def waiting(net: Network, **fields: Any) -> str:  # noqa: ANN401 - any field of Spec
    wanted = spec(**fields)
    new = NewBuild("shop", "test", wanted.digest())
    return net.submitted(builds=(new,), specs={wanted.digest(): wanted})[0]


def test_a_build_that_waited_for_too_long_ends_as_error(net: Network) -> None:
    one, plain = waiting(net, waiting_s=10.0), waiting(net)
    early = net.do(Overdue(T0 + 9_999, {one: "", plain: ""}))
    assert (early.builds, early.changed, net.kinds()) == ((), False, {})
    outcome = net.do(Overdue(T0 + 10_000, {one: "no worker is there", plain: "", "00000000": ""}))
    assert (outcome.builds, outcome.task) == ((one,), 0)
    ended = net.stored(one)
    assert (ended.state, ended.finished, ended.attempt) == (S.ERROR, T0 + 10_000, 0)
    assert ended.reason == "waited for a worker for longer than 10 s, as it may: no worker is there"
    assert list(net.ledger.builds) == [plain]


def test_one_that_has_a_worker_meanwhile_goes_on(net: Network) -> None:
    one = waiting(net, waiting_s=10.0)
    net.entry(join(), assign(one))
    assert not net.do(Overdue(T0 + 20_000, {one: ""})).changed


def test_after_an_attempt_the_waiting_begins_anew(net: Network) -> None:
    one = running(net, waiting_s=10.0, retry=Retry(1, wait_s=30.0))
    net.do(Expire(T0 + 50_000, "a1", "s1"))
    assert not net.do(Overdue(T0 + 89_999, {one.id: ""})).changed
    assert net.do(Overdue(T0 + 90_000, {one.id: ""})).changed
