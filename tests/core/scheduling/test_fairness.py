"""Who used more lately, held against adding it all up."""

import math

from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.scheduling.fairness import HALF_LIFE_MS, REMEMBERED, Share, Shares
from tests.kit.builders import T0


def test_who_holds_less_goes_first_then_who_used_less() -> None:
    a, b = Share("a"), Share("b")
    assert a.key == b.key
    a.charge(1000, 1, T0)
    assert b.key < a.key
    b.held = 1
    assert a.key < b.key


def test_nothing_used_is_nothing() -> None:
    share = Share("a")
    share.charge(1000, 0, T0)
    share.charge(0, 1000, T0)
    share.charge(1000, -5, T0)
    assert share.used == -math.inf


def test_use_counts_half_after_a_while() -> None:
    early, late = Share("early"), Share("late")
    early.charge(1000, 2_000, T0)
    late.charge(1000, 1_000, T0 + HALF_LIFE_MS)
    assert math.isclose(early.used, late.used, abs_tol=1e-6)
    late.charge(1, 1, T0 + HALF_LIFE_MS)
    assert early.used < late.used


def test_a_year_is_no_problem() -> None:
    share = Share("a")
    share.charge(1000, 10**9, T0)
    share.charge(1000, 1, T0 + 365 * 86_400_000)
    assert math.isclose(share.used, math.log2(1000) + (T0 + 365 * 86_400_000) / HALF_LIFE_MS)


USES = st.lists(st.tuples(st.integers(1, 8000), st.integers(1, 10**6), st.integers(0, 10 * HALF_LIFE_MS)), max_size=20)


@given(USES, USES)
def test_the_order_is_that_of_the_sums(one: list[tuple[int, int, int]], two: list[tuple[int, int, int]]) -> None:
    shares = Share("one"), Share("two")
    sums: list[float] = []
    for share, uses in zip(shares, (one, two), strict=True):
        for units, length, at in uses:
            share.charge(units, length, T0 + at)
        sums.append(sum(units * length * 2 ** (at / HALF_LIFE_MS) for units, length, at in uses))
    if not math.isclose(*sums, rel_tol=1e-6):
        assert (shares[0].used < shares[1].used) == (sums[0] < sums[1])


def test_strangers_are_forgotten_and_those_who_matter_are_not() -> None:
    shares: Shares[str] = Shares()
    shares.of("holds").held = 1
    shares.of("waits").lines["line"] = None
    shares.of("gone").charge(1, 1, T0)
    for number in range(REMEMBERED):
        shares.of(str(number))
    assert shares.of("holds").held == 1
    assert shares.of("waits").lines
    assert shares.of("gone").used == -math.inf
