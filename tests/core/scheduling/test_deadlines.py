"""The next of many instants, held against looking at all of them."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.scheduling.deadlines import Deadlines


def test_each_item_has_one_instant_at_most() -> None:
    deadlines: Deadlines[str] = Deadlines()
    assert (deadlines.next(), deadlines.due(10**9), deadlines.at("a")) == (None, [], None)
    deadlines.set("a", 5)
    deadlines.set("b", 3)
    deadlines.set("a", 9)
    assert (deadlines.at("a"), deadlines.next(), len(deadlines), "a" in deadlines) == (9, 3, 2, True)
    assert deadlines.due(2) == []
    assert deadlines.due(9) == ["b", "a"]
    assert (len(deadlines), list(deadlines)) == (0, [])


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_due_is_what_is_over(seed: int, steps: int) -> None:
    random = Random(seed)
    deadlines: Deadlines[int] = Deadlines()
    known: dict[int, int] = {}
    for now in range(steps):
        item, at = random.randrange(10), now + random.randrange(20)
        if random.random() < 0.3:
            deadlines.drop(item)
            known.pop(item, None)
        else:
            deadlines.set(item, at)
            known[item] = at
        assert deadlines.next() == min(known.values(), default=None)
        due = deadlines.due(now)
        assert [known[one] for one in due] == sorted(at for at in known.values() if at <= now)
        for one in due:
            del known[one]
        assert set(deadlines) == set(known)


def test_what_is_over_does_not_pile_up() -> None:
    deadlines: Deadlines[int] = Deadlines()
    for number in range(10_000):
        deadlines.set(number % 3, number)
        deadlines.set(3, 5)
        deadlines.drop(3)
    assert len(deadlines._heap) < 100
