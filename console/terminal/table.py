"""A table over a listing of any length: a window of rows in memory, a cursor, marks. Keyboard and mouse.

Rows stay where they are while one looks at them: the cursor and the first line are held by what they show, not by
their number. Refuses to know where rows come from (feed.pages, feed.listing), how they are drawn (tabledrawing) and
what is done with them (screens).
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from ...core.errors import OrchestraError
from ..feed.listing import Rows
from .cells import clean
from .columns import GAP, Column
from .tabledrawing import TableDrawing

AHEAD = 40
"""Rows beyond the visible ones that are fetched before anybody asks for them."""


MEASURE_S = 2.0
"""Seconds between two times that rows are counted."""


class Table(TableDrawing, can_focus=True):
    """Shows rows."""

    DEFAULT_CSS = """
    Table { height: 1fr; width: 1fr; background: $background; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="table.down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="table.up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="table.page_down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="table.page_up"),
        Binding("g,home", "top", "First row", show=False, id="table.top"),
        Binding("G,end", "end", "Last row", show=False, id="table.end"),
        Binding("enter,l,right", "open", "Open", id="table.open"),
        Binding("space", "mark", "Mark", show=False, id="table.mark"),
        Binding("u", "unmark", "Unmark all", show=False, id="table.unmark"),
    ]

    class Opened(Message):
        """Somebody wants to see a row."""

        def __init__(self, table: "Table", row: Any) -> None:  # noqa: ANN401 - of any listing
            """Tell of `row`."""
            super().__init__()
            self.table = table
            self.row = row

    class Moved(Message):
        """The cursor stands on another row, or the rows are others."""

        def __init__(self, table: "Table") -> None:
            """Tell of `table`."""
            super().__init__()
            self.table = table

    class OrderWanted(Message):
        """Somebody clicked on a column's title."""

        def __init__(self, table: "Table", column: Column, *, further: bool) -> None:
            """Tell of `column`; `further`: beside what the table is ordered by already."""
            super().__init__()
            self.table = table
            self.column = column
            self.further = further

    def __init__(
        self,
        columns: Sequence[Column],
        key: Callable[[Any], str],
        *,
        empty: str = "Nothing here.",
        id: str | None = None,  # noqa: A002 - as Textual has it
    ) -> None:
        """Show `columns` of rows that `key` tells apart; `empty` is said where there are none."""
        super().__init__(columns, key, empty=empty, id=id)
        self._touched = False  # whether the cursor was ever moved
        self._measured = float("-inf")  # when rows were counted last
        self._again = False  # whether what is visible should be fetched anew
        self._looking = False  # whether it is being fetched

    # -- rows

    def show(self, source: Rows) -> None:
        """Show another listing, from its top."""
        self._source = source
        self._touched = False
        self._measure.forget()
        self.reload()

    def reload(self, *, from_end: bool = False) -> None:
        """Begin anew, at the top or at the end."""
        self.run_worker(partial(self._restart, from_end=from_end), group="rows", exclusive=True)

    def look_again(self) -> None:
        """Fetch what is visible anew, without moving anything."""
        self._again = True
        if self.loaded and not self._looking:
            self.run_worker(self._refresh, group="look")

    async def _restart(self, *, from_end: bool) -> None:
        source = self._source
        if source is None or not await self._had(source, source.restart(from_end=from_end)):
            return
        self._take(stay=False)
        if from_end:
            self._cursor = max(0, len(self._rows) - 1)
            self._keep_visible()
        await self._fill()
        await self._measure_all(source)

    async def _measure_all(self, source: Rows) -> None:
        """Learn how many rows there are, but not all the time."""
        at = monotonic()
        if at - self._measured > MEASURE_S or source.total is None:
            self._measured = at
            if await self._had(source, source.measure()):
                self.post_message(self.Moved(self))

    async def _refresh(self) -> None:
        self._looking = True
        try:
            while self._again:
                self._again = False
                source = self._source
                if source is not None and await self._had(
                    source, source.refresh(self._top, self._top + self._lines - 1)
                ):
                    self._take(stay=self._touched or self._top > 0)
                    await self._fill()
                    await self._measure_all(source)
        finally:
            self._looking = False

    async def _fill(self) -> None:
        """Fetch rows as long as there are too few around what is visible."""
        source = self._source
        while source is not None and source is self._source:
            if self._top + self._lines + AHEAD > len(self._rows) and not source.at_end:
                more = source.down()
            elif self._top < AHEAD and not source.at_top:
                more = source.up()
            else:
                return
            if not await self._had(source, more):
                return
            self._take(stay=True)

    async def _had(self, source: Rows, work: Awaitable[Any]) -> bool:
        """Wait for rows; whether they came and are still wanted. A problem is told, and what was there stays."""
        try:
            await work
        except OrchestraError as error:
            self.problem = clean(str(error))
            self.refresh()
            self.post_message(self.Moved(self))
            return False
        self.problem = ""
        return source is self._source

    def _take(self, *, stay: bool) -> None:
        """Take over the source's rows; with `stay` the cursor and the first line keep to what they show."""
        if self._source is None:
            return
        before, cursor, top = self._rows, self._cursor, self._top
        self._rows = self._source.rows
        self.loaded = True
        if stay and before:
            self._cursor = self._where(before, cursor)
            self._top = max(0, self._where(before, top)) if top else 0
        elif not stay:
            self._cursor, self._top = 0, 0
        self._cursor = min(self._cursor, max(0, len(self._rows) - 1))
        for row in self._rows:
            if self.marked and (key := self._key(row)) in self.marked:
                self.marked[key] = row
        self._measure.see(self.columns, self._rows, self.moment)
        self._lay_out()
        self._keep_visible()
        self.refresh()
        self.post_message(self.Moved(self))

    def _where(self, before: list[Any], place: int) -> int:
        """Return where a row is now, or the nearest one behind it that is still there."""
        places = {self._key(row): number for number, row in enumerate(self._rows)}
        for row in before[place:]:
            found = places.get(self._key(row))
            if found is not None:
                return found
        return min(place, max(0, len(self._rows) - 1))

    def on_resize(self) -> None:
        """The widget has another size."""
        self._lay_out()
        self._keep_visible()
        self.refresh()  # what was drawn in this size already was laid out for the one before
        self.post_message(self.Moved(self))
        if self.loaded:
            self._want_more()

    # -- moving

    def _keep_visible(self) -> None:
        if self._cursor < self._top:
            self._top = self._cursor
        elif self._cursor >= self._top + self._lines:
            self._top = self._cursor - self._lines + 1
        self._top = max(0, min(self._top, len(self._rows) - self._lines))

    def _move_to(self, place: int) -> None:
        place = max(0, min(place, len(self._rows) - 1))
        self._touched = True
        if place != self._cursor:
            self._cursor = place
            self._keep_visible()
            self.refresh()
            self.post_message(self.Moved(self))
        self._want_more()

    def _want_more(self) -> None:
        source = self._source
        if source is None:
            return
        below = self._top + self._lines + AHEAD > len(self._rows) and not source.at_end
        if below or (self._top < AHEAD and not source.at_top):
            self.run_worker(self._fill, group="fill", exclusive=True)

    def action_move(self, by: int) -> None:
        """Move the cursor by some rows."""
        self._move_to(self._cursor + by)

    def action_page(self, by: int) -> None:
        """Move by a screenful."""
        step = max(1, self._lines - 1) * by
        self._top = max(0, min(self._top + step, len(self._rows) - self._lines))
        self._move_to(self._cursor + step)
        self.refresh()

    def action_top(self) -> None:
        """Go to the first row of all."""
        if self._source is not None and not (self._source.at_top and self._source.anchored):
            self.reload()
        else:
            self._top = 0
            self._move_to(0)
            self._touched = False
            self.refresh()

    def action_end(self) -> None:
        """Go to the last row of all."""
        if self._source is not None and not self._source.at_end:
            self.reload(from_end=True)
            self._touched = True
        else:
            self._move_to(len(self._rows) - 1)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.current is not None:
            self.post_message(self.Opened(self, self.current))

    def action_mark(self) -> None:
        """Mark the row under the cursor, or take the mark away, and go on to the next."""
        if self.current is None:
            return
        key = self._key(self.current)
        if self.marked.pop(key, None) is None:
            self.marked[key] = self.current
        self.post_message(self.Moved(self))
        self.refresh()
        self.action_move(1)

    def action_unmark(self) -> None:
        """Take away all marks."""
        self.marked.clear()
        self.post_message(self.Moved(self))
        self.refresh()

    # -- mouse

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel was turned."""
        event.stop()
        self._scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel was turned."""
        event.stop()
        self._scroll(-3)

    def _scroll(self, by: int) -> None:
        self._top = max(0, min(self._top + by, len(self._rows) - self._lines))
        self._touched = True
        self._cursor = max(self._top, min(self._cursor, self._top + self._lines - 1))
        self.refresh()
        self.post_message(self.Moved(self))
        self._want_more()

    def on_click(self, event: events.Click) -> None:
        """Somebody clicked: on a title to order, on a row to go there, twice to open it."""
        self.focus()
        if event.y == 0:
            place = 2
            for column, wide in zip(self._layout.columns, self._layout.widths, strict=True):
                if place <= event.x < place + wide:
                    self.post_message(self.OrderWanted(self, column, further=event.ctrl or event.shift))
                    return
                place += wide + GAP
            return
        if event.x == self.size.width - 1 and self._rows:  # on the bar
            self._top = max(0, (len(self._rows) - self._lines) * (event.y - 1) // max(1, self._lines - 1))
            self._move_to(self._top + self._lines // 2)
            self.refresh()
            return
        place = self._top + event.y - 1
        if place < len(self._rows):
            again = place == self._cursor
            self._move_to(place)
            if event.chain > 1 and again:
                self.action_open()
