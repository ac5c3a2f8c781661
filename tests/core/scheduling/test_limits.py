"""What only so many builds may hold at a time."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.definition import Lock, Matrix
from job_orchestra.core.model import Context
from job_orchestra.core.scheduling.limits import Hold, Limits, holds_of
from tests.kit.builders import build, job, spec

ONE = (Hold("lock a", 1),)


def test_what_a_build_holds() -> None:
    plain = spec()
    assert holds_of(build(), plain, None) == ()
    assert holds_of(build(), plain, job()) == ()
    locked = spec(locks=(Lock("b", of=2, take=2), Lock("a")))
    assert holds_of(build(), locked, None) == (Hold("lock a", 1), Hold("lock b", 2, 2))
    assert holds_of(build(), plain, job(most=3)) == (Hold("concurrency of shop/test", 3),)
    many = job(matrix=Matrix({"os": ("a", "b")}, most=2), most=3)
    assert holds_of(build(), plain, many) == (Hold("concurrency of shop/test", 3),)
    assert holds_of(build(pipeline="p1"), plain, many) == (
        Hold("concurrency of shop/test", 3),
        Hold("concurrency of shop/test's matrix in p1", 2),
    )


def test_how_many_there_may_be_is_what_the_job_says_now_and_without_it_what_it_said() -> None:
    said = build(pipeline="p1", context=Context(most=3, most_of_node=2))
    told = (Hold("concurrency of shop/test", 3), Hold("concurrency of shop/test's matrix in p1", 2))
    assert holds_of(said, spec(), None) == told
    assert holds_of(said, spec(), job()) == ()
    assert holds_of(said, spec(), job(most=4)) == (Hold("concurrency of shop/test", 4),)


def test_one_holds_and_another_is_told_when_it_ends() -> None:
    limits: Limits[str] = Limits()
    limits.expect(ONE)
    limits.expect(ONE)
    assert limits.lacking(ONE) is None
    limits.take("b1", ONE)
    assert limits.forget(ONE) == []
    limit = limits.of("lock a")
    assert limits.lacking(ONE) is limit
    assert (limit.taken, limit.size, limit.holders) == (1, 1, {"b1": 1})
    limit.waiting["line"] = None
    assert limits.give("b1", ONE) == ["line"]
    assert limits.lacking(ONE) is None
    assert limits.forget(ONE) == []
    assert not limits._limits, "nobody knows of it any more"


def test_builds_that_disagree_are_held_to_the_smallest() -> None:
    limits: Limits[str] = Limits()
    many, few = (Hold("lock a", 5),), (Hold("lock a", 1),)
    limits.expect(many)
    limits.take("b1", many)
    assert limits.lacking(many) is None
    limits.expect(few)
    limit = limits.lacking(many)
    assert limit is not None
    limit.waiting["line"] = None
    assert limits.forget(few) == ["line"], "there are more now"
    assert limits.lacking(many) is None


def test_a_name_twice_counts_twice() -> None:
    limits: Limits[str] = Limits()
    twice = (Hold("lock a", 3), Hold("lock a", 3))
    limits.take("b1", twice)
    assert limits.of("lock a").taken == 2
    limits.give("b1", twice)
    assert not limits._limits


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_never_more_than_there_are_and_all_come_back(seed: int, steps: int) -> None:
    random = Random(seed)
    limits: Limits[str] = Limits()
    waiting: dict[str, tuple[Hold, ...]] = {}
    holding: dict[str, tuple[Hold, ...]] = {}
    for number in range(steps):
        match random.randrange(3):
            case 0:
                names = random.sample(("a", "b", "c"), random.randrange(1, 4))
                waiting[str(number)] = tuple(Hold(name, random.randint(2, 4), random.randint(1, 2)) for name in names)
                limits.expect(waiting[str(number)])
            case 1 if waiting:
                one = random.choice(list(waiting))
                if limits.lacking(waiting[one]) is None:
                    limits.take(one, waiting[one])
                    holding[one] = waiting.pop(one)
                    limits.forget(holding[one])
            case _ if holding:
                one = random.choice(list(holding))
                limits.give(one, holding.pop(one))
            case _:
                pass
        for name in ("a", "b", "c"):
            known = [hold for holds in (*waiting.values(), *holding.values()) for hold in holds if hold.name == name]
            taken = sum(hold.take for holds in holding.values() for hold in holds if hold.name == name)
            if known:
                assert (limits.of(name).size, limits.of(name).taken) == (min(one.of for one in known), taken)
    for one, holds in holding.items():
        limits.give(one, holds)
    for holds in waiting.values():
        limits.forget(holds)
    assert not limits._limits
