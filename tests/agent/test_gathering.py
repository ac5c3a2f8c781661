"""What a store lacks: nothing is forgotten before it is settled, and all of it goes at some time."""

from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.agent.gathering import Gathered
from job_orchestra.core.ledger import Changes
from tests.kit.builders import build


def changes(index: int, *serials: int) -> Changes:
    made = [build(serial, reason=f"as of {index}") for serial in serials]
    return Changes(index=index, builds={one.id: one for one in made})


def test_the_newest_value_of_each_record_is_given_away() -> None:
    gathered = Gathered()
    assert not gathered
    for index, serials in enumerate(((1, 2), (2, 3), (3,)), 1):
        gathered.add(changes(index, *serials))
    assert gathered.builds == 3
    taken = gathered.take()
    assert (taken.index, [one.reason for one in taken.builds.values()]) == (3, ["as of 1", "as of 2", "as of 3"])
    assert not gathered


def test_what_is_put_back_is_older_than_what_came_meanwhile() -> None:
    gathered = Gathered()
    gathered.add(changes(1, 1, 2))
    taken = gathered.take()
    gathered.add(changes(2, 2))
    gathered.put_back(taken)
    assert gathered.builds == 2
    again = gathered.take()
    assert (again.index, [one.reason for one in again.builds.values()]) == (2, ["as of 1", "as of 2"])


@given(st.lists(st.one_of(st.none(), st.integers(1, 3)), max_size=40))
def test_all_that_is_not_settled_is_kept_and_what_is_settled_goes(steps: list[int | None]) -> None:
    gathered, index, settled = Gathered(), 0, 0
    for step in steps:
        if step is None:
            index += 1
            gathered.add(changes(index, index))
        else:
            settled = min(index, settled + step)
            gathered.settle(settled)
        kept = Gathered()
        if gathered:
            taken = gathered.take()
            assert set(taken.builds) >= {build(serial).id for serial in range(settled + 1, index + 1)}
            kept.put_back(taken)
        assert bool(kept) == bool(gathered) or index > settled or not gathered
        gathered = kept
    gathered.settle(index)
    assert not gathered


def test_what_goes_on_being_settled_late_does_not_grow_for_ever() -> None:
    gathered = Gathered()
    for index in range(1, 1000):
        gathered.add(changes(index, index))
        gathered.settle(index - 10)
        assert gathered.builds <= 30
