"""Which part of a log is on the screen: rows, cut into lines where they are wrapped. Pure, over feed.loglines.

The page is held by its first row or, while one follows, by the last. Rows that are not in memory are told (`unread`);
whoever shows the page has them fetched and makes it again.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from ..feed.loglines import Missing, Row


class Source(Protocol):
    """Rows in order; kept by feed.loglines.Lines and feed.logfilter.Matching."""

    wanted: int | None  # offset of bytes that were missed last

    def first(self) -> Row | Missing:
        """Return the first row."""
        ...

    def last(self) -> Row | Missing:
        """Return the last row."""
        ...

    def at(self, offset: int) -> Row | Missing:
        """Return the row at an offset."""
        ...

    def after(self, row: Row) -> Row | Missing:
        """Return the row behind `row`."""
        ...

    def before(self, row: Row) -> Row | Missing:
        """Return the row before `row`."""
        ...


class Line(NamedTuple):
    """A line on the screen."""

    row: Row  # that it shows
    part: int  # which of the row's lines, from 0


class Page:
    """What is visible."""

    def __init__(self, source: Source, height_of: Callable[[Row], int]) -> None:
        """Show rows of `source`, each of which takes `height_of` lines."""
        self.source = source
        self.lines: list[Line] = []
        self.unread: int | None = None  # offset of bytes that are missing for the whole page; None: none
        self.at_top = False  # nothing comes before
        self.at_end = False  # nothing comes after
        self._height_of = height_of

    def from_top(self, row: Row, height: int, part: int = 0) -> None:
        """Show `row` (from its line `part` on) first; where the log ends sooner, its end last."""
        self._begin()
        current: Row | Missing = row
        while len(self.lines) < height and isinstance(current, Row):
            count = self._height_of(current)
            self.lines += [Line(current, one) for one in range(min(part, count - 1), count)]
            part = 0
            current = self._known(self.source.after(current))
        over = len(self.lines) > height
        self.lines = self.lines[:height]
        self.at_end = not over and current is Missing.END
        if len(self.lines) < height and self.at_end:
            self._fill_above(height)
        self.at_top = self._nothing_before()

    def from_bottom(self, row: Row, height: int) -> None:
        """Show `row` last; where the log begins later, its beginning first."""
        self._begin()
        self.lines = [Line(row, one) for one in range(self._height_of(row))]
        self.at_end = self._known(self.source.after(row)) is Missing.END
        self._fill_above(height)
        if len(self.lines) > height:
            self.lines = self.lines[-height:]
        elif len(self.lines) < height and not self.at_end:
            self.from_top(self.lines[0].row, height)
            return
        self.at_top = self._nothing_before()

    def _fill_above(self, height: int) -> None:
        """Put rows above the first one until there are enough."""
        while len(self.lines) < height:
            first = self.lines[0]
            if first.part:
                self.lines[:0] = [Line(first.row, one) for one in range(first.part)]
                continue
            above = self._known(self.source.before(first.row))
            if not isinstance(above, Row):
                return
            self.lines[:0] = [Line(above, one) for one in range(self._height_of(above))]
        self.lines = self.lines[-height:] if height else []

    def _begin(self) -> None:
        self.lines = []
        self.unread = None

    def _nothing_before(self) -> bool:
        if not self.lines or self.lines[0].part:
            return False
        return self._known(self.source.before(self.lines[0].row)) is Missing.END

    def _known(self, found: Row | Missing) -> Row | Missing:
        if found is Missing.UNREAD and self.unread is None:
            self.unread = self.source.wanted
        return found

    def has(self, row: Row) -> bool:
        """Whether a row, or a line of it, is visible."""
        return any(line.row == row for line in self.lines)
