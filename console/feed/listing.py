"""A listing that is short enough to be had whole: agents, jobs, schedules. Filtered and sorted here, in memory.

Offers what `pages` offers, so that whoever shows it need not know which it is.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias

Value: TypeAlias = Callable[[Any], Any]
"""What a row is sorted by."""


class Rows(Protocol):
    """A listing as it is shown: a window that can be moved. Kept by Pages and Listing."""

    looked: int  # rows that were looked at, where not all are wanted
    total: int | None  # rows of the whole listing; None: not known
    exact: bool  # else there are more than `total`

    @property
    def rows(self) -> list[Any]:
        """What the window holds, in order."""
        ...

    @property
    def at_top(self) -> bool:
        """Whether nothing comes before."""
        ...

    @property
    def at_end(self) -> bool:
        """Whether nothing comes after."""
        ...

    @property
    def anchored(self) -> bool:
        """Whether places can be counted from the top."""
        ...

    @property
    def before(self) -> int:
        """How many rows come before those held."""
        ...

    async def restart(self, *, from_end: bool = False) -> None:
        """Begin anew, at the top or at the end."""
        ...

    async def measure(self) -> None:
        """Learn how many rows there are."""
        ...

    async def down(self) -> bool:
        """Fetch what comes after; False where nothing does."""
        ...

    async def up(self) -> bool:
        """Fetch what comes before; False where nothing does."""
        ...

    async def refresh(self, first: int = 0, last: int = 0) -> None:
        """Fetch these rows again."""
        ...


class Listing:
    """All rows of something."""

    looked = 0
    at_top = True
    at_end = True
    anchored = True
    before = 0
    total: int | None = None
    exact = True

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Sequence[Any]]],
        wanted: Callable[[Any], bool] | None = None,
        order: Sequence[tuple[Value, bool]] = (),
    ) -> None:
        """List what `fetch` returns and is `wanted`; `order`: values to sort by; true: the largest first."""
        self._fetch = fetch
        self._wanted = wanted
        self._order = order
        self._rows: list[Any] = []

    @property
    def rows(self) -> list[Any]:
        """See Rows."""
        return self._rows

    async def restart(self, *, from_end: bool = False) -> None:  # noqa: ARG002 - the whole is the same from either end
        """See Rows."""
        found = [row for row in await self._fetch() if self._wanted is None or self._wanted(row)]
        for value, descending in reversed(self._order):  # sorting keeps the order of equals: the first counts most
            found.sort(key=lambda row: _key(value(row)), reverse=descending)
        self._rows = found

    async def measure(self) -> None:
        """See Rows."""
        self.total = len(self._rows)

    async def down(self) -> bool:
        """See Rows."""
        return False

    async def up(self) -> bool:
        """See Rows."""
        return False

    async def refresh(self, first: int = 0, last: int = 0) -> None:  # noqa: ARG002 - the whole is had again
        """See Rows."""
        await self.restart()


def _key(value: Any) -> tuple[int, Any]:  # noqa: ANN401 - whatever a row holds
    """Return what is compared: nothing comes first, numbers before texts."""
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, int | float) else (2, str(value).lower())
