"""The log of a build on the screen: any length, following or not, searched, filtered, wrapped, steps folded, copied.

Only what is visible is drawn, and only what is near it is in memory. Following ends as soon as one scrolls up, and
begins again at the end. Refuses to know where bytes come from (feed.logbytes) and how rows follow (feed.loglines);
looking for something is in `logfinding`, taking something away in `logtaking`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from ...core.errors import OrchestraError
from ...core.views.builds import StepView
from ..feed.contract import Feed
from ..feed.logbytes import LogBytes
from ..feed.logfilter import Matching
from ..feed.loglines import Kind, Lines, Missing, Row
from .cells import clean
from .logdrawing import LogDrawing
from .logpage import Page

FRAME_S = 0.05
"""Seconds between two looks at a log that grows: 20 times a second. Over ssh the app draws less often by itself."""

WAIT_S = 10.0
"""Seconds that one request waits for a log to grow."""

MEASURE_S = 1.0
"""Seconds between two looks at how long a log is that one does not follow."""


class LogView(LogDrawing, can_focus=True):
    """Shows a log."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="log.down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="log.up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="log.page_down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="log.page_up"),
        Binding("ctrl+d", "half(1)", "Half a page down", show=False, id="log.half_down"),
        Binding("ctrl+u", "half(-1)", "Half a page up", show=False, id="log.half_up"),
        Binding("g,home", "top", "Beginning", show=False, id="log.top"),
        Binding("G,end", "end", "End, and follow", key_display="G", id="log.end"),
        Binding("left,h", "shift(-8)", "Left", show=False, id="log.left"),
        Binding("right,l", "shift(8)", "Right", show=False, id="log.right"),
        Binding("w", "wrap", "Wrap", id="log.wrap"),
        Binding("t", "times", "Times", show=False, id="log.times"),
        Binding("number_sign", "numbers", "Line numbers", show=False, key_display="#", id="log.numbers"),
        Binding("enter,space,z", "fold", "Fold step", show=False, key_display="z", id="log.fold"),
        Binding("Z", "fold_all", "Fold all steps", show=False, id="log.fold_all"),
    ]

    class Changed(Message):
        """Something that is said below the log may be different."""

    def __init__(self, feed: Feed, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        """Show nothing yet."""
        super().__init__(id)
        self._feed = feed
        self._loading: set[int] = set()
        self._poke = asyncio.Event()

    # -- what is shown

    def show(self, build: str, attempt: int | None, steps: Sequence[StepView]) -> None:
        """Show the log of an attempt of a build, from its end."""
        self.bytes = LogBytes(self._feed, build, attempt)
        self.lines = Lines(self.bytes, steps)
        self.matching = None
        self.cursor = self.selecting = None
        self.follow = True
        self._texts.clear()
        self._page = None
        self.refresh()
        self.run_worker(partial(self._run, self.bytes), group="log", exclusive=True)

    def know(self, steps: Sequence[StepView]) -> None:
        """Take note of the steps as they are now."""
        if self.lines is not None:
            self.lines.know(steps)
            self._again()

    async def _run(self, log: LogBytes) -> None:
        """Keep in step with a log until it is complete."""
        opened = False
        while log is self.bytes:
            try:
                if not opened:
                    await log.open_end()
                    opened = True
                    self._to_end()
                if log.complete:
                    break
                self._poke.clear()
                if self.follow:
                    came = await log.follow(WAIT_S, time.time())
                    if came and self.matching is not None and self.matching.done:
                        await self.matching.look_on()
                    if self.follow and (came or log.complete):
                        self._to_end()
                    await asyncio.sleep(FRAME_S)
                else:
                    await log.measure()
                    self._tell()
                    await self._pause(MEASURE_S)
                self.problem = ""
            except OrchestraError as error:
                self.problem = clean(str(error))
                self._tell()
                await self._pause(MEASURE_S)
        self.problem = ""
        self._tell()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not when somebody wants to follow again."""
        try:
            async with asyncio.timeout(seconds):
                await self._poke.wait()
        except TimeoutError:
            return

    def _tell(self) -> None:
        self.refresh()
        self.post_message(self.Changed())

    # -- the page

    def _to_end(self) -> None:
        """Show the end."""
        source = self.source
        if source is None:
            return
        last = source.last()
        if isinstance(last, Row):
            self.cursor = last
            self._make(last, bottom=True)
        elif last is Missing.UNREAD:
            self._load(source.wanted)
        else:
            self._page = None
        self._tell()

    def to(self, row: Row, *, middle: bool = False) -> None:
        """Stand on a row, and show it; following ends, unless it is the last one."""
        self.cursor = row
        if self._page is None or not self._page.has(row):
            above = row < self._page.lines[0].row if self._page and self._page.lines else True
            if middle:
                self._make(row, bottom=False, above=self._height // 3)
            else:
                self._make(row, bottom=not above)
        self.follow = self._at_end(row)
        self._poke.set()
        self._tell()

    def _at_end(self, row: Row) -> bool:
        return self.source is not None and self.source.after(row) is Missing.END

    def _make(self, row: Row, *, bottom: bool, above: int = 0) -> None:
        if self.source is None:
            return
        page = Page(self.source, self._height_of)
        for _ in range(above):
            before = self.source.before(row)
            if not isinstance(before, Row):
                break
            row = before
        if bottom:
            page.from_bottom(row, self._height)
        else:
            page.from_top(row, self._height)
        self._page = page
        if page.unread is not None:
            self._load(page.unread)

    def _again(self) -> None:
        """Make the same page again: there is more of it, or rows take other heights now."""
        if self.follow:
            self._to_end()
        elif self._page is not None and self._page.lines and self.source is not None:
            top = self._page.lines[0]
            page = Page(self.source, self._height_of)
            page.from_top(top.row, self._height, top.part)
            self._page = page
            if page.unread is not None:
                self._load(page.unread)
        self._tell()

    def _load(self, offset: int | None) -> None:
        if offset is not None and offset not in self._loading and self.bytes is not None:
            self._loading.add(offset)
            self.run_worker(partial(self._loaded, self.bytes, offset), group="load")

    async def _loaded(self, log: LogBytes, offset: int) -> None:
        try:
            await log.load(offset)
        except OrchestraError as error:
            self.problem = clean(str(error))
            self._tell()
            await asyncio.sleep(MEASURE_S)
        finally:
            self._loading.discard(offset)
        if log is self.bytes:
            self._again()

    def on_resize(self) -> None:
        """The widget has another size."""
        self._again()

    # -- moving

    def _moved(self, rows: int, *, page: bool = False) -> None:
        """Move the cursor by rows; with `page` the page moves along."""
        source, row = self.source, self.cursor
        if source is None or row is None:
            return
        for _ in range(abs(rows)):
            found = source.after(row) if rows > 0 else source.before(row)
            if found is Missing.UNREAD:
                self._load(source.wanted)
            if not isinstance(found, Row):
                break
            row = found
        self.to(row)
        if page:
            self._make(row, bottom=rows > 0)
            self._tell()

    def action_move(self, by: int) -> None:
        """Move by some rows."""
        self._moved(by)

    def action_page(self, by: int) -> None:
        """Move by a page."""
        self._moved(by * max(1, len(self.rows_shown) - 1), page=True)

    def action_half(self, by: int) -> None:
        """Move by half a page."""
        self._moved(by * max(1, len(self.rows_shown) // 2), page=True)

    def action_top(self) -> None:
        """Go to the beginning."""
        source = self.source
        if source is None:
            return
        first = source.first()
        if isinstance(first, Row):
            self.cursor = first
            self.follow = False
            self._make(first, bottom=False)
            self._tell()
        elif first is Missing.UNREAD:
            self.follow = False
            self.run_worker(self._first, group="go", exclusive=True)

    async def _first(self) -> None:
        """Have the beginning read, and go there."""
        if self.bytes is not None:
            try:
                await self.bytes.load(0)
            except OrchestraError as error:
                self.problem = clean(str(error))
                self._tell()
                return
            self.action_top()

    async def go(self, offset: int) -> None:
        """Stand on the row at an offset, wherever that is; of a folded step, open it. Raises OrchestraError."""
        if self.lines is not None and self.matching is None:
            self.lines.open_at(offset)
        log, source = self.bytes, self.source
        while log is not None and source is not None and source is self.source:
            found = source.at(offset)
            if found is Missing.UNREAD and source.wanted is not None:
                await log.load(source.wanted)
                continue
            if isinstance(found, Row):
                self.to(found, middle=True)
            return

    def show_only(self, matching: Matching | None) -> None:
        """Show only lines that match; all for None."""
        self.matching = matching
        self.cursor = self.selecting = None
        self._page = None
        self._texts.clear()
        self.action_end()

    def action_end(self) -> None:
        """Go to the end, and follow."""
        self.follow = True
        self.selecting = None
        self._poke.set()
        self._to_end()

    def action_shift(self, by: int) -> None:
        """Move sideways."""
        if not self.wrapped:
            self._left = max(0, self._left + by)
            self._tell()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel was turned."""
        event.stop()
        self._moved_page(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel was turned."""
        event.stop()
        self._moved_page(-3)

    def _moved_page(self, by: int) -> None:
        """Move the page, and the cursor with it as far as it must."""
        if self._page is None or not self._page.lines or self.source is None:
            return
        if by > 0 and self._page.at_end:
            self.action_end()
            return
        shown = self.rows_shown
        self.cursor = shown[-1] if by > 0 else shown[0]
        self._moved(by)

    def on_click(self, event: events.Click) -> None:
        """Somebody clicked on a line: stand there; on a step's head: fold it."""
        self.focus()
        if self._page is None or event.y >= len(self._page.lines) or self.text_selection is not None:
            return
        row = self._page.lines[event.y].row
        self.to(row)
        if row.kind is Kind.HEAD:
            self.action_fold()

    # -- how it is shown

    def action_wrap(self) -> None:
        """Wrap long lines, or not."""
        self.wrapped = not self.wrapped
        self._left = 0
        self._again()

    def action_times(self) -> None:
        """Show when lines came that came while one looked, and when steps began; or not."""
        self.times = not self.times
        self._again()

    def action_numbers(self) -> None:
        """Show the numbers of lines, or not."""
        self.numbers = not self.numbers
        self._again()

    def action_fold(self) -> None:
        """Fold the step one stands in, or open it again."""
        row, lines = self.cursor, self.lines
        if lines is None or row is None or row.step < 0 or self.matching is not None:
            return
        lines.fold(row.step)
        head = lines.head(row.step)
        self.follow = False
        self.cursor = head
        if self._page is None or not self._page.has(head):
            self._make(head, bottom=False)
        self._again()

    def action_fold_all(self) -> None:
        """Fold all steps, or open all again."""
        lines = self.lines
        if lines is None or self.matching is not None:
            return
        every = {step.name for step in lines.steps}
        lines.folded = set() if lines.folded >= every else every
        first = lines.first()
        self.follow = False
        if isinstance(first, Row):
            self.cursor = first
            self._make(first, bottom=False)
        self._again()
