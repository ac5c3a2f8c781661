"""The first of many items by a key that changes, held against looking at all of them."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from job_orchestra.core.scheduling.ranking import Ranking


def test_nothing_comes_first_of_nothing() -> None:
    ranking: Ranking[str] = Ranking({}.__getitem__)
    assert ranking.first() is None
    ranking.discard("a")
    ranking.touch("a")
    assert ranking.first() is None


def test_a_key_that_rose_is_seen_and_one_that_fell_is_told() -> None:
    keys = {"a": 1, "b": 2}
    ranking: Ranking[str] = Ranking(keys.__getitem__)
    ranking.add("a")
    ranking.add("b")
    ranking.add("b")
    assert (ranking.first(), ranking.lowest, len(ranking)) == ("a", 1, 2)
    keys["a"] = 3
    assert ranking.first() == "b"
    keys["a"] = 0
    ranking.touch("a")
    assert ranking.first() == "a"
    ranking.discard("a")
    assert ("a" in ranking, "b" in ranking, list(ranking)) == (False, True, ["b"])
    assert ranking.first() == "b"


@settings(max_examples=200)
@given(st.integers(0, 2**32), st.integers(1, 300))
def test_it_is_the_lowest_of_all(seed: int, steps: int) -> None:
    random = Random(seed)
    keys = {item: (0, item) for item in range(8)}
    ranking: Ranking[int] = Ranking(keys.__getitem__)
    there: set[int] = set()
    for _ in range(steps):
        item = random.randrange(8)
        match random.randrange(5):
            case 0:
                ranking.add(item)
                there.add(item)
            case 1:
                ranking.discard(item)
                there.discard(item)
            case 2 | 3:
                fell = (key := (random.randrange(5), item)) < keys[item]
                keys[item] = key
                if fell or random.random() < 0.2:
                    ranking.touch(item)
            case _:
                assert ranking.first() == min(there, key=keys.__getitem__, default=None)
    assert ranking.first() == min(there, key=keys.__getitem__, default=None)
    assert set(ranking) == there


def test_what_is_over_does_not_pile_up() -> None:
    keys = {"a": 0, "b": 10**9}
    ranking: Ranking[str] = Ranking(keys.__getitem__)
    ranking.add("a")
    ranking.add("b")
    for number in range(10_000):
        keys["a"] = number % 2
        ranking.touch("a")
        ranking.first()
    for _ in range(10_000):
        ranking.discard("a")
        ranking.add("a")
    assert len(ranking._heap) < 100
