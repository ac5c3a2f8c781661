"""The columns of a table: what they show, how wide they may be, which go first where there is little room. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .cells import Part, cells

GAP = 2
"""Cells between two columns."""


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str  # by which it is chosen and remembered
    title: str  # above it
    show: Callable[[Any, datetime], Part]  # a row at a moment -> clean text and tone
    low: int = 4  # cells that it should have at least, if its texts need them
    high: int = 40  # most cells
    rank: int = 5  # those with higher ones give way first
    right: bool = False  # numbers stand at the right
    order: str = ""  # what the listing is ordered by for this column; empty: it is not
    value: Callable[[Any], Any] | None = None  # what a listing in memory is sorted by
    chosen: bool = True  # shown unless somebody chooses otherwise


@dataclass
class Layout:
    """How wide each column is at the moment."""

    columns: list[Column]  # those shown, in order
    widths: list[int]  # cells of each
    left_out: int = 0  # chosen columns for which there is no room


class Measure:
    """Remembers how wide the texts of each column were: columns grow, but do not jump about while one scrolls."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._widest: dict[str, int] = {}

    def see(self, columns: Sequence[Column], rows: Iterable[Any], now: datetime) -> None:
        """Take note of rows."""
        for row in rows:
            for column in columns:
                length = cells(column.show(row, now)[0])
                if length > self._widest.get(column.name, 0):
                    self._widest[column.name] = length

    def forget(self) -> None:
        """Begin anew: other rows are shown now."""
        self._widest.clear()

    def layout(self, columns: Sequence[Column], width: int, signs: int = 1) -> Layout:
        """Return how the columns share `width` cells; `signs`: cells for what is said of the order beside a title.

        A column takes what its texts need, if there is room. Where there is too little for what is least of all of
        them, the least important ones are left out.
        """
        kept = list(columns)
        least = {one.name: self._least(one, signs) for one in kept}
        while len(kept) > 1 and sum(least[one.name] for one in kept) + GAP * (len(kept) - 1) > width:
            kept.remove(max(reversed(kept), key=lambda one: one.rank))
        room = width - GAP * (len(kept) - 1)
        widths = [min(self._wanted(one, signs), max(one.high, least[one.name])) for one in kept]
        excess = sum(widths) - room
        for place in sorted(range(len(kept)), key=lambda one: -kept[one].rank):
            if excess <= 0:
                break
            given = min(excess, widths[place] - least[kept[place].name])
            widths[place] -= given
            excess -= given
        if excess > 0:
            widths[0] = max(1, widths[0] - excess)
        spare = room - sum(widths)
        for place in sorted(range(len(kept)), key=lambda one: kept[one].rank):  # what is longer than its limit may grow
            if spare <= 0:
                break
            more = min(spare, max(0, self._wanted(kept[place], signs) - widths[place]))
            widths[place] += more
            spare -= more
        return Layout(kept, widths, len(columns) - len(kept))

    def _wanted(self, column: Column, signs: int) -> int:
        return max(self._widest.get(column.name, 0), _title(column, signs))

    def _least(self, column: Column, signs: int) -> int:
        return min(self._wanted(column, signs), max(column.low, _title(column, signs)))


def _title(column: Column, signs: int) -> int:
    return cells(column.title) + (signs if column.order or column.value else 0)
