"""A window over a listing of any length: a few pages in memory, the others a cursor away.

A cursor leads forward only, so those of pages that were passed are kept, and a page that was dropped is fetched again
by its own. To begin at the end, the listing is asked for in the reverse order. While the first page is in view it shows
what is new; further down nothing moves under the reader's eyes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import msgspec

PAGE = 100
"""Rows of a page. Larger: fewer requests while scrolling; smaller: sooner on the screen."""

HELD = 5
"""Pages in memory."""

SCAN = 1000
"""Rows asked for at a time where most of them may not be wanted."""

SCANS = 4
"""Times that rows are asked for in one go where most of them are not wanted; what was found is shown in between."""

Count: TypeAlias = Callable[[], Awaitable[tuple[int, bool]]]
"""-> how many rows there are, and whether that is exact or there are more."""

Fetch: TypeAlias = Callable[[bool, str | None, int], Awaitable[tuple[Sequence[Any], str | None]]]
"""(from the end?, cursor, limit) -> rows in that order, cursor of what follows."""


class _Page(msgspec.Struct):
    begin: str | None  # cursor; None: the first page
    rows: list[Any]
    next: str | None  # cursor of what follows; None: nothing does


class Pages:
    """The window. `rows` are what it holds, in the listing's order."""

    def __init__(
        self,
        fetch: Fetch,
        wanted: Callable[[Any], bool] | None = None,
        size: int = PAGE,
        count: Count | None = None,
    ) -> None:
        """Look through `fetch`; only at rows that are `wanted`. `count` says how many there are."""
        self.total: int | None = None  # rows of the whole listing; None: not known
        self.exact = False  # else there are more than `total`
        self._fetch = fetch
        self._count = count
        self._wanted = wanted
        self._size = size
        self._reversed = False
        self._passed: list[tuple[str | None, int]] = []  # cursors, and rows, of pages before those held
        self._held: list[_Page] = []
        self._busy = asyncio.Lock()
        self.looked = 0  # rows looked at since the beginning, where not all are wanted

    @property
    def rows(self) -> list[Any]:
        """What the window holds, in the listing's order."""
        pages = [page.rows for page in self._held]
        rows = [row for page in pages for row in page]
        return rows[::-1] if self._reversed else rows

    @property
    def at_top(self) -> bool:
        """Whether nothing comes before `rows`."""
        return self._complete if self._reversed else not self._passed

    @property
    def at_end(self) -> bool:
        """Whether nothing comes after `rows`."""
        return not self._passed if self._reversed else self._complete

    @property
    def anchored(self) -> bool:
        """Whether the window began at the top, so that places of rows can be counted from there."""
        return not self._reversed

    @property
    def before(self) -> int:
        """How many rows come before those held, where the window began at the top."""
        return 0 if self._reversed else sum(rows for _, rows in self._passed)

    @property
    def _complete(self) -> bool:
        return bool(self._held) and self._held[-1].next is None

    async def restart(self, *, from_end: bool = False) -> None:
        """Begin anew, at the top or at the end."""
        async with self._busy:
            self.looked = 0
            page = await self._read(None, reverse=from_end)
            self._reversed = from_end
            self._passed = []
            self._held = [page]

    async def measure(self) -> None:
        """Learn how many rows there are."""
        if self._wanted is not None:
            return
        if self._count is not None:
            self.total, self.exact = await self._count()

    async def down(self) -> bool:
        """Fetch what comes after `rows`; False where nothing does."""
        async with self._busy:
            return await (self._back() if self._reversed else self._on())

    async def up(self) -> bool:
        """Fetch what comes before `rows`; False where nothing does."""
        async with self._busy:
            return await (self._on() if self._reversed else self._back())

    async def refresh(self, first: int = 0, last: int = 0) -> None:
        """Fetch again the pages that rows `first` to `last` of `rows` are on."""
        async with self._busy:
            if not self._held:
                self._held = [await self._read(None, reverse=self._reversed)]
                return
            if self._reversed:
                count = sum(len(page.rows) for page in self._held)
                first, last = count - 1 - last, count - 1 - first
            low, high = self._page_of(first), self._page_of(last)
            begin = self._held[low].begin
            for place in range(low, high + 1):
                fresh = await self._read(begin, reverse=self._reversed)
                moved = fresh.next != self._held[place].next
                self._held[place] = fresh
                begin = fresh.next
                if begin is None or (moved and place == high):
                    del self._held[place + 1 :]  # what follows has moved; it is fetched again when it is wanted
                    break

    def _page_of(self, row: int) -> int:
        for place, page in enumerate(self._held):
            row -= len(page.rows)
            if row < 0:
                return place
        return len(self._held) - 1

    async def _on(self) -> bool:
        """Go on in the direction of the cursors."""
        if not self._held or self._held[-1].next is None:
            return False
        if self._wanted is not None and len(self._held[-1].rows) < self._size:
            await self._fill(self._held[-1], reverse=self._reversed)
            return True
        self._held.append(await self._read(self._held[-1].next, reverse=self._reversed))
        if len(self._held) > HELD:
            dropped = self._held.pop(0)
            self._passed.append((dropped.begin, len(dropped.rows)))
        return True

    async def _back(self) -> bool:
        if not self._passed:
            return False
        self._held.insert(0, await self._read(self._passed[-1][0], reverse=self._reversed))
        self._passed.pop()
        if len(self._held) > HELD:
            self._held.pop()
        return True

    async def _read(self, begin: str | None, *, reverse: bool) -> _Page:
        """Return the page behind a cursor."""
        if self._wanted is not None:
            page = _Page(begin, [], begin)
            await self._fill(page, reverse=reverse)
            return page
        rows, following = await self._fetch(reverse, begin, self._size)
        return _Page(begin, list(rows), following)

    async def _fill(self, page: _Page, *, reverse: bool) -> None:
        """Look for more wanted rows for a page, for a while."""
        for _ in range(SCANS):
            rows, page.next = await self._fetch(reverse, page.next, SCAN)
            page.rows += [row for row in rows if self._wanted is None or self._wanted(row)]
            self.looked += len(rows)
            if page.next is None or len(page.rows) >= self._size:
                return
