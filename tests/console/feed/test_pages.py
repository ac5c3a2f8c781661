"""Windows over listings: every row is reached from either end, few are in memory, what is new shows at the top."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from job_orchestra.console.feed.listing import Listing
from job_orchestra.console.feed.pages import HELD, SCAN, Pages


class Numbers:
    """A listing of numbers, the largest first, as a store pages them."""

    def __init__(self, count: int) -> None:
        self.rows = list(range(count, 0, -1))
        self.requests = 0

    async def fetch(self, reverse: bool, after: str | None, limit: int) -> tuple[Sequence[int], str | None]:
        self.requests += 1
        rows = self.rows[::-1] if reverse else self.rows
        if after is not None:
            last = int(after)
            rows = [one for one in rows if (one > last if reverse else one < last)]
        page = rows[:limit]
        return page, str(page[-1]) if len(rows) > limit else None


def paged(count: int, wanted: Callable[[Any], bool] | None = None) -> tuple[Numbers, Pages]:
    numbers = Numbers(count)
    return numbers, Pages(numbers.fetch, wanted, size=10)


async def test_it_begins_at_the_top_and_goes_on_to_the_end() -> None:
    _, pages = paged(95)
    await pages.restart()
    assert (pages.at_top, pages.at_end, pages.rows) == (True, False, list(range(95, 85, -1)))
    seen = list(pages.rows)
    while await pages.down():
        assert len(pages.rows) <= 10 * HELD
        seen += [one for one in pages.rows if one < seen[-1]]
    assert seen == list(range(95, 0, -1))
    assert pages.at_end
    assert pages.before == 50
    while await pages.up():
        assert len(pages.rows) <= 10 * HELD
    assert pages.rows[0] == 95
    assert pages.at_top


async def test_it_begins_at_the_end_and_goes_back_to_the_top() -> None:
    _, pages = paged(95)
    await pages.restart(from_end=True)
    assert pages.rows == list(range(10, 0, -1))
    assert (pages.at_top, pages.at_end, pages.anchored) == (False, True, False)
    while await pages.up():
        pass
    assert pages.rows[0] == 95
    assert pages.at_top
    while await pages.down():
        pass
    assert pages.rows[-1] == 1


async def test_what_is_new_shows_at_the_top() -> None:
    numbers, pages = paged(30)
    await pages.restart()
    await pages.down()
    numbers.rows[:0] = [32, 31]
    await pages.refresh(0, 5)
    assert pages.rows == list(range(32, 22, -1))
    while await pages.down():
        pass
    assert pages.rows == list(range(32, 0, -1))


async def test_nothing_moves_further_down() -> None:
    numbers, pages = paged(100)
    await pages.restart()
    for _ in range(6):
        await pages.down()
    before = pages.rows
    numbers.rows[:0] = [101]
    await pages.refresh(0, len(before) - 1)
    assert pages.rows == before


async def test_rows_that_go_are_gone() -> None:
    numbers, pages = paged(30)
    await pages.restart()
    await pages.down()
    numbers.rows.remove(30)
    numbers.rows.remove(15)
    await pages.refresh(0, 19)
    assert [one for one in pages.rows if one in {30, 15}] == []
    while await pages.down():
        pass
    assert pages.rows == [one for one in range(29, 0, -1) if one != 15]


async def test_wanted_rows_are_looked_for_a_while_at_a_time() -> None:
    numbers, pages = paged(20 * SCAN, lambda one: one % 5000 == 0)
    await pages.restart()
    assert pages.rows == [20_000]
    assert not pages.at_end
    assert pages.looked == numbers.requests * SCAN
    while await pages.down():
        pass
    assert pages.rows == [20_000, 15_000, 10_000, 5_000]
    assert pages.looked == 20 * SCAN


async def test_of_many_wanted_rows_few_are_held() -> None:
    _, pages = paged(20 * SCAN, lambda one: one % 2 == 0)
    await pages.restart()
    while await pages.down():
        assert len(pages.rows) <= HELD * SCAN
    assert pages.rows[-1] == 2
    while await pages.up():
        pass
    assert pages.rows[0] == 20_000


async def test_a_refresh_of_nothing_begins() -> None:
    _, pages = paged(3)
    await pages.refresh()
    assert pages.rows == [3, 2, 1]


async def test_requests_at_the_same_time_do_not_mix_up() -> None:
    _, pages = paged(200)
    await pages.restart()
    await asyncio.gather(*(pages.down() for _ in range(10)), *(pages.up() for _ in range(3)), pages.refresh(0, 9))
    rows = pages.rows
    assert rows == list(range(rows[0], rows[-1] - 1, -1))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([], ["b2", "a2", "a10", "c"]),
        ([("letter", False)], ["a2", "a10", "b2", "c"]),
        ([("number", True)], ["a10", "b2", "a2", "c"]),
        ([("number", True), ("letter", False)], ["a10", "a2", "b2", "c"]),
        ([("letter", True), ("number", False)], ["c", "b2", "a2", "a10"]),
    ],
)
async def test_short_listings_are_ordered_by_several_values(order: list[tuple[str, bool]], expected: list[str]) -> None:
    values = {"letter": lambda row: row[0], "number": lambda row: int(row[1:]) if row[1:] else None}

    async def fetch() -> list[str]:
        return ["b2", "a2", "a10", "c"]

    listing = Listing(fetch, order=[(values[name], down) for name, down in order])
    await listing.restart()
    assert listing.rows == expected


async def test_short_listings_hold_what_is_wanted() -> None:
    async def fetch() -> list[str]:
        return ["b2", "a2"]

    listing = Listing(fetch, wanted=lambda row: row.startswith("a"))
    await listing.refresh()
    assert listing.rows == ["a2"]
    assert listing.at_top
    assert listing.at_end
