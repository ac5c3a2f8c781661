"""How a table looks: titles, rows in their columns, where one is, what is said where there are no rows.

Nothing moves and nothing is fetched here: which rows there are and which of them are visible is decided in `table`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from textwrap import wrap
from typing import Any

from textual.geometry import Region
from textual.strip import Strip

from ..feed.listing import Rows
from .cells import Part, Tone, cells, fit
from .columns import GAP, Column, Layout, Measure
from .painted import Painted
from .scrolling import bar_at


class TableDrawing(Painted):
    """Draws rows."""

    def __init__(
        self,
        columns: Sequence[Column],
        key: Callable[[Any], str],
        *,
        empty: str = "Nothing here.",
        id: str | None = None,  # noqa: A002 - as Textual has it
    ) -> None:
        """Show `columns` of rows that `key` tells apart; `empty` is said where there are none."""
        super().__init__(id=id)
        self.all_columns = list(columns)
        self.columns = [one for one in columns if one.chosen]
        self.order: dict[str, bool] = {}  # column name -> descending; in the order in which they count
        self.empty = empty
        self.problem = ""  # why the rows could not be had
        self.marked: dict[str, Any] = {}  # key -> row
        self.loaded = False  # whether rows were ever had
        self._key = key
        self._source: Rows | None = None
        self._rows: list[Any] = []
        self._cursor = 0
        self._top = 0
        self._measure = Measure()
        self._layout = Layout([], [])
        self._texts: dict[int, list[Part]] = {}  # what each visible line showed last

    # -- what there is

    @property
    def rows(self) -> list[Any]:
        """The rows in memory."""
        return self._rows

    @property
    def current(self) -> Any | None:  # noqa: ANN401 - of any listing
        """The row under the cursor."""
        return self._rows[self._cursor] if self._cursor < len(self._rows) else None

    @property
    def selected(self) -> list[Any]:
        """The marked rows, or else the one under the cursor."""
        if self.marked:
            return list(self.marked.values())
        return [] if self.current is None else [self.current]

    @property
    def position(self) -> str:
        """Where one is, for people: `3/17`, `3/500+`, `from the end`."""
        source = self._source
        if source is None or not self._rows:
            return ""
        known = source.before + len(self._rows)
        of_all = "" if source.total is None else f"{source.total:,}"
        if of_all and not source.exact:  # of what was counted more may be seen by now
            of_all = f"{max(source.total or 0, known):,}+"
        if source.anchored:
            seen = f"{known:,}" if source.at_end else f"{known:,}+"
            told = of_all and (source.exact or not source.at_end)
            return f"{source.before + self._cursor + 1:,}/{of_all if told else seen}"
        if not source.at_end:
            return f"of {of_all}" if of_all else ""
        left = len(self._rows) - self._cursor
        if source.total is not None and source.exact:
            return f"{source.total - left + 1:,}/{of_all}"
        return f"{left} from the end"

    @property
    def total(self) -> int | None:
        """How many rows there are; None where that is not known exactly."""
        source = self._source
        return source.total if source is not None and source.exact else None

    @property
    def left_out(self) -> int:
        """How many columns there is no room for."""
        return self._layout.left_out

    @property
    def looked(self) -> str:
        """How far was searched, for people; empty where everything is shown."""
        source = self._source
        if source is None or not source.looked:
            return ""
        return f"looked at {source.looked:,}" + ("" if source.at_end else " so far")

    # -- columns

    def choose(self, names: Sequence[str]) -> None:
        """Show these columns, in this order; unknown names are passed over."""
        by_name = {one.name: one for one in self.all_columns}
        found = [by_name[name] for name in names if name in by_name]
        if found:
            self.columns = found
            self._measure.see(self.columns, self._rows, self.moment)
            self._lay_out()
            self.refresh()

    def _lay_out(self) -> None:
        self._layout = self._measure.layout(self.columns, max(1, self.size.width - 4), max(1, min(2, len(self.order))))

    # -- drawing

    @property
    def _lines(self) -> int:
        """Rows that are visible at a time."""
        return max(1, self.size.height - 1)

    def tick(self) -> None:
        """Draw anew what shows how long something takes."""
        moment = self.moment
        for y in range(min(self._lines, len(self._rows) - self._top)):
            if self._texts.get(self._top + y) != self._parts(self._rows[self._top + y], moment):
                self.refresh_line(y + 1)

    def refresh_line(self, y: int) -> None:
        """Draw one line anew."""
        self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """See Widget."""
        width = self.size.width
        if y == 0:
            return self.drawn(self._head(), width)
        if not self._rows:
            return self._nothing(y - 1, width)
        place = self._top + y - 1
        if y > self._lines or place >= len(self._rows):
            return self.drawn([], width)
        row = self._rows[place]
        parts = self._parts(row, self.moment)
        self._texts[place] = parts
        if len(self._texts) > 4 * self._lines:
            self._texts = {}
        marked = self._key(row) in self.marked
        line: list[Part] = [("▌" if marked else " ", Tone.MARK), (" ", Tone.PLAIN)]
        for (text, tone), column, wide in zip(parts, self._layout.columns, self._layout.widths, strict=True):
            line += [(fit(text, wide, right=column.right), tone), (" " * GAP, Tone.PLAIN)]
        line = line[:-1]
        used = sum(cells(text) for text, _ in line)
        line += [(" " * max(0, width - 1 - used), Tone.PLAIN), (self._bar(y - 1), Tone.DIM)]
        return self.drawn(line, width, under=Tone.CURSOR if place == self._cursor and self.has_focus_within else None)

    @property
    def has_focus_within(self) -> bool:
        """Whether keys come here, or would if no dialog were open."""
        return self.has_focus or self.screen.focused is self

    def _parts(self, row: Any, moment: datetime) -> list[Part]:  # noqa: ANN401 - of any listing
        return [column.show(row, moment) for column in self._layout.columns]

    def _head(self) -> list[Part]:
        line: list[Part] = [("  ", Tone.PLAIN)]
        for column, wide in zip(self._layout.columns, self._layout.widths, strict=True):
            sign = ""
            if column.name in self.order:
                sign = "↓" if self.order[column.name] else "↑"
                if len(self.order) > 1:
                    sign += "¹²³⁴⁵⁶⁷⁸⁹"[min(8, list(self.order).index(column.name))]
            title = f"{column.title}{sign}"
            line += [(fit(title, wide, right=column.right), Tone.TITLE), (" " * GAP, Tone.PLAIN)]
        return line

    def _bar(self, y: int) -> str:
        source = self._source
        if source is None:
            return " "
        return bar_at(
            y, self._lines, self._top, len(self._rows), more_before=not source.at_top, more_after=not source.at_end
        )

    def _nothing(self, y: int, width: int) -> Strip:
        """Draw what is said where there are no rows."""
        if self.problem:
            lines, tone = self._wrapped(self.problem, width), Tone.BAD
        elif not self.loaded:
            lines, tone = ["Loading ..."], Tone.DIM
        elif self._source is not None and not self._source.at_end:
            lines, tone = [f"Looking ... {self.looked}"], Tone.DIM
        else:
            lines, tone = [one for part in self.empty.split("\n") for one in self._wrapped(part, width)], Tone.DIM
        place = y - max(0, (self._lines - len(lines)) // 3)
        if 0 <= place < len(lines):
            return self.drawn([("  ", Tone.PLAIN), (lines[place], tone)], width)
        return self.drawn([], width)

    @staticmethod
    def _wrapped(text: str, width: int) -> list[str]:
        return wrap(text, max(10, width - 4)) or [""]
