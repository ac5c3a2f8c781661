"""What a policy lets go of, and that nothing else goes."""

import pytest

from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.ids import build_id
from job_orchestra.core.model import BuildState
from job_orchestra.store.memory import MemoryStore
from job_orchestra.store.retention import Policy, Pruned, prune
from tests.kit.builders import T0, attempt, batch, build, spec

DAY_S = 24 * 3600.0
NOW = T0 + 100 * 24 * 3600 * 1000


def ended(serial: int, days_ago: float, state: BuildState = BuildState.SUCCEEDED, **fields: object) -> object:
    return build(serial, state=state, attempt=1, finished=NOW - int(days_ago * DAY_S * 1000), **fields)


@pytest.mark.parametrize(
    ("days_ago", "state", "goes"),
    [
        (29.0, BuildState.SUCCEEDED, False),
        (30.0, BuildState.SUCCEEDED, True),
        (89.0, BuildState.FAILED, False),
        (90.0, BuildState.FAILED, True),
        (89.0, BuildState.LOST, False),
        (31.0, BuildState.SKIPPED, True),
        (99.0, BuildState.RUNNING, False),
        (99.0, BuildState.PENDING, False),
    ],
)
def test_builds_go_by_age_and_state(days_ago: float, state: BuildState, goes: bool) -> None:
    policy = Policy(30 * DAY_S, 90 * DAY_S, keep=0)
    assert policy.lets_go(ended(1, days_ago, state), 1, NOW) is goes  # type: ignore[arg-type] - a build


def test_the_newest_builds_of_each_job_stay() -> None:
    policy = Policy(DAY_S, keep=2)
    assert [number for number in range(1, 6) if policy.lets_go(ended(number, 50), 5, NOW)] == [1, 2, 3]  # type: ignore[arg-type] - a build


def test_a_policy_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least as long"):
        Policy(DAY_S, DAY_S / 2).check()
    with pytest.raises(InvalidInput, match="0 or more"):
        Policy(DAY_S, keep=-1).check()


def test_pruning_takes_builds_with_all_that_is_theirs() -> None:
    store = MemoryStore()
    lone = spec("make once")
    builds = [ended(1, 50, spec=lone.digest()), *(ended(serial, 40 - serial) for serial in range(2, 30)), build(30)]
    tries = [attempt(one) for one in builds]  # type: ignore[arg-type] - builds
    numbers = {"number/shop/test": "30"}
    store.write(batch(3, builds=builds, attempts=tries, specs=[spec(), lone], meta=numbers))
    policy = Policy(20 * DAY_S, keep=3)
    assert prune(store, policy, NOW, simulate=True) == Pruned(20, 10)
    assert len(list(store.scan("builds"))) == 30
    done = prune(store, policy, NOW)
    assert (done.builds, done.kept, done.specs) == (20, 10, 1)
    assert [one.serial for one in store.scan("builds")] == list(range(21, 31))
    assert {one.build for one in store.scan("attempts")} == {build_id(serial) for serial in range(21, 31)}
    assert [one.digest() for one in store.scan("specs")] == [spec().digest()]
    assert prune(store, policy, NOW).builds == 0
