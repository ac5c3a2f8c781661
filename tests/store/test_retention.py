"""What a policy lets go of, and that nothing else goes."""

import pytest

from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.ids import build_id
from job_orchestra.core.model import BuildState
from job_orchestra.store.memory import MemoryStore
from job_orchestra.store.retention import Policy, Pruned, prune
from tests.kit.builders import T0, attempt, batch, build, pin, spec

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


def test_of_each_job_so_many_stay_at_most_and_those_that_failed_longer() -> None:
    policy = Policy(None, 90 * DAY_S, keep=1, most=3)
    old, failed = [ended(number, 5) for number in range(1, 8)], ended(1, 89, BuildState.FAILED)
    assert [one.number for one in old if policy.lets_go(one, 7, NOW)] == [1, 2, 3, 4]  # type: ignore[attr-defined, arg-type] - builds
    assert not policy.lets_go(failed, 7, NOW)  # type: ignore[arg-type] - a build
    assert policy.lets_go(ended(1, 91, BuildState.FAILED), 7, NOW)  # type: ignore[arg-type] - a build


def test_a_policy_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(InvalidInput, match="say what may go"):
        Policy().check()
    with pytest.raises(InvalidInput, match="at most 2 cannot be; raise it"):
        Policy(keep=3, most=2).check()
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


def test_young_builds_are_not_even_looked_at() -> None:
    store = MemoryStore()
    day = int(DAY_S * 1000)
    made = [
        build(one, state=BuildState.SUCCEEDED, created=NOW - 100 * day + one * day, finished=NOW - 99 * day + one * day)
        for one in range(1, 100)
    ]
    store.write(batch(1, builds=made, meta={"number/shop/test": "99"}))
    seen: list[int] = []
    assert prune(store, Policy(90 * DAY_S), NOW, progress=seen.append).builds == 9
    assert sum(seen) == 10


def test_what_is_pinned_stays_whatever_the_policy_says_until_it_is_unpinned() -> None:
    store = MemoryStore()
    builds = [ended(serial, 50) for serial in range(1, 1301)]
    pinned = [*builds[:600], builds[700]]  # a whole batch of them, and one
    pins = [pin(one) for one in pinned]  # type: ignore[arg-type] - builds
    store.write(batch(1, builds=builds, specs=[spec()], pins=pins, meta={"number/shop/test": "1300"}))
    policy = Policy(DAY_S, keep=1)
    assert prune(store, policy, NOW, simulate=True) == Pruned(698, 602)
    assert prune(store, policy, NOW).builds == 698
    assert [one.id for one in store.scan("builds")] == [one.id for one in (*pinned, builds[-1])]  # type: ignore[attr-defined] - builds
    store.write(batch(2, removed_pins=[one.build for one in pins[1:]]))
    assert prune(store, policy, NOW).builds == 600
    assert [one.serial for one in store.scan("builds")] == [1, 1300]
