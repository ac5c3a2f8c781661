"""How a log looks: its visible rows, drawn in the colours they were written in; what is said below it.

Nothing moves by itself here: which rows are visible is decided in `logview`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from itertools import pairwise
from textwrap import wrap

from rich.segment import Segment
from rich.style import Style
from textual.selection import Selection
from textual.strip import Strip

from ..feed.logbytes import LogBytes
from ..feed.logfilter import Matching
from ..feed.loglines import Kind, Lines, Row
from ..feed.patterns import Pattern
from ..format import size
from .ansi import parts as coloured
from .cells import Part, Tone, cells, clean
from .loghead import clock, head_of
from .logpage import Line, Page
from .painted import Painted
from .scrolling import bar_at

KEPT = 512
"""Rows whose texts are kept ready to be drawn."""

MARKS = 100
"""Matches that are lit up in one line."""


class LogDrawing(Painted):
    """Draws a log."""

    ALLOW_SELECT = True
    DEFAULT_CSS = """
    LogDrawing { height: 1fr; width: 1fr; background: $background; }
    """

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        """Show nothing yet."""
        super().__init__(id=id)
        self.follow = True
        self.wrapped = False
        self.times = False
        self.numbers = False
        self.problem = ""  # why the log cannot be read at the moment
        self.empty = "Loading ..."  # what is said where there are no lines
        self.bytes: LogBytes | None = None
        self.lines: Lines | None = None
        self.matching: Matching | None = None
        self.highlight: Pattern | None = None
        self.cursor: Row | None = None
        self.selecting: Row | None = None  # where a selection began
        self._page: Page | None = None
        self._left = 0  # columns that are scrolled out at the left
        self._texts: OrderedDict[tuple[Row, int], list[tuple[str, Style]]] = OrderedDict()

    # -- what is shown

    @property
    def source(self) -> Lines | Matching | None:
        """The rows that are shown: all, or those that match."""
        return self.matching or self.lines

    @property
    def rows_shown(self) -> list[Row]:
        """The rows on the screen."""
        return list(dict.fromkeys(line.row for line in self._page.lines)) if self._page else []

    def plain_text(self, row: Row) -> str:
        """Return a row's text without colours."""
        return "".join(text for text, _ in self._texts_of(row))

    @property
    def _height(self) -> int:
        return max(1, self.size.height)

    @property
    def _gutter(self) -> int:
        return 9 * self.times + 8 * self.numbers

    @property
    def _width(self) -> int:
        """Columns for text."""
        return max(8, self.size.width - self._gutter - 2)

    def _height_of(self, row: Row) -> int:
        if not self.wrapped or row.kind is Kind.HEAD:
            return 1
        return max(1, -(-sum(cells(text) for text, _ in self._texts_of(row)) // self._width))

    # -- drawing

    def _texts_of(self, row: Row) -> list[tuple[str, Style]]:
        key = (row, row.stop)
        found = self._texts.get(key)
        if found is None and self.source is not None:
            text = self.source.text(row).decode(errors="replace")
            before = self.source.colours(row).decode(errors="replace")
            found = [(clean(part) if not part.isascii() else part, style) for part, style in coloured(text, before)]
            self._texts[key] = found
            while len(self._texts) > KEPT:
                self._texts.popitem(last=False)
        return found or []

    def render_line(self, y: int) -> Strip:
        """See Widget."""
        width = self.size.width
        page = self._page
        if page is None or not page.lines:
            return self._nothing(y, width)
        if y >= len(page.lines):
            return self.drawn([("~", Tone.DIM)], width) if page.at_end else self.drawn([], width)
        row, part = page.lines[y]
        bar = (self._bar(y), Tone.DIM)
        chosen = self._chosen(row)
        if row.kind is Kind.HEAD and self.lines is not None and row.step < len(self.lines.steps):
            step = self.lines.steps[row.step]
            began = clock(step) if self.times else ""
            room = width - 2 - len(began)
            line = head_of(step, folded=step.name in self.lines.folded, width=room, moment=self.moment)
            parts: list[Part] = [(began, Tone.DIM), *line, (" ", Tone.PLAIN), bar]
            strip = self.drawn(parts, width, under=Tone.CURSOR if chosen else None)
        else:
            strip = self._text_line(row, part, bar, chosen=chosen)
        return strip.apply_offsets(0, y)

    def _text_line(self, row: Row, part: int, bar: Part, *, chosen: bool) -> Strip:
        base, room = self.base, self._width
        over = self.tone(Tone.CURSOR) if chosen else Style.null()
        first = part * room if self.wrapped else self._left
        segments = [Segment(self._margin(row, part), base + self.tone(Tone.DIM) + over)] if self._gutter else []
        texts = self._texts_of(row)
        total = used = sum(cells(text) for text, _ in texts)
        if chosen or self.highlight is not None:
            lit = self.tone(Tone.HERE if chosen else Tone.MATCH)
            texts = _lit(texts, self._found_in("".join(text for text, _ in texts)), over, over + lit)
        line = [Segment(text, base + style) for text, style in texts]
        if first or total > room:
            strip = Strip(line).crop(first, first + room)
            line, used = list(strip), strip.cell_length
        segments += line
        cut = not self.wrapped and total > first + room
        segments.append(Segment(" " * (room - used), base + over))
        segments.append(Segment("›" if cut else " ", base + self.tone(Tone.ACCENT) + over))
        segments.append(Segment(bar[0], base + self.tone(Tone.DIM)))
        if not self.wrapped and self._left and total and segments:
            segments = list(Strip([Segment("‹", base + self.tone(Tone.ACCENT)), *Strip(segments).crop(1)]))
        return Strip(segments, self._gutter + room + 2)

    def _margin(self, row: Row, part: int) -> str:
        """Return the time a line came and its number, as far as known."""
        shown = ""
        if self.times:
            at = self.bytes.arrival(row.start) if self.bytes and not part else None
            shown += (time.strftime("%H:%M:%S", time.localtime(at)) if at else " " * 8) + " "
        if self.numbers:
            number = self.bytes.line_number(row.start) if self.bytes and not part else None
            shown += f"{number + 1:>7} " if number is not None else " " * 8
        return shown

    def _found_in(self, text: str) -> list[tuple[int, int]]:
        if self.highlight is None:
            return []
        return self.highlight.spans(text, MARKS)

    def _chosen(self, row: Row) -> bool:
        if self.cursor is None:
            return False
        if self.selecting is not None:
            low, high = sorted((self.selecting, self.cursor))
            return not row < low and not high < row
        return not self.follow and row == self.cursor and self.has_focus

    def _bar(self, y: int) -> str:
        page, log = self._page, self.bytes
        if page is None or log is None or (page.at_top and page.at_end):
            return " "
        first = page.lines[0].row.start
        shown = max(1, page.lines[-1].row.stop - first)
        scale = max(1, log.size // 10_000)
        length = max(log.size // scale, self._height + 1)
        top = 0 if page.at_top else min(first * length // max(1, log.size - shown), length)
        return bar_at(y, self._height, min(top, length - self._height), length)

    def _nothing(self, y: int, width: int) -> Strip:
        lines = wrap(self._why_nothing(), max(10, width - 4))
        place = y - self._height // 3
        if not 0 <= place < len(lines):
            return self.drawn([], width)
        return self.drawn([("  ", Tone.PLAIN), (lines[place], Tone.WARN if self.problem else Tone.DIM)], width)

    def _why_nothing(self) -> str:
        if self.problem:
            return self.problem
        if self.matching is not None:
            return "No line matches." if self.matching.done else "Looking ..."
        log = self.bytes
        return "Loading ..." if log is not None and log.size and not log.complete else self.empty

    # -- what is said below

    @property
    def place(self) -> str:
        """Where one is, for people."""
        log, page = self.bytes, self._page
        if log is None or page is None or not page.lines:
            return ""
        row = self.cursor or page.lines[-1].row
        number = log.line_number(row.start)
        line = f"line {number + 1:,}  " if number is not None else ""
        share = 100 if page.at_end else min(99, page.lines[-1].row.stop * 100 // max(1, log.size))
        return f"{line}{share}% of {size(log.size)}{'' if log.complete else ' so far'}"

    def status(self) -> list[Part]:
        """Return what is said below the log."""
        if self.problem:
            return [(f"cannot read on: {self.problem}", Tone.WARN)]
        if self.bytes is None or self.bytes.complete:
            return []
        if self.follow:
            return [("● following", Tone.GOOD)]
        return [("paused  ", Tone.WARN), ("G follows again", Tone.DIM)]

    # -- the mouse's selection

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """See Widget: of what is visible."""
        shown = [] if self._page is None else self._page.lines
        return selection.extract("\n".join(self._shown(line) for line in shown)), "\n"

    def _shown(self, line: Line) -> str:
        """Return the text of a line as it is on the screen."""
        if line.row.kind is Kind.HEAD:
            return self.render_line(0).text if self.lines is None else self.lines.steps[line.row.step].name
        first = line.part * self._width if self.wrapped else self._left
        margin = " " * self._gutter
        return margin + Strip([Segment(self.plain_text(line.row))]).crop(first, first + self._width).text.rstrip()

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002 - drawn anew in any case
        """See Widget."""
        self.refresh()


def _lit(
    texts: list[tuple[str, Style]], ranges: list[tuple[int, int]], over: Style, lit: Style
) -> list[tuple[str, Style]]:
    """Return texts with `over` over their own styles; with `lit` where something was found."""
    found: list[tuple[str, Style]] = []
    place = 0
    for text, style in texts:
        cuts = sorted({0, len(text), *(min(max(one - place, 0), len(text)) for pair in ranges for one in pair)})
        for begin, end in pairwise(cuts):
            inside = any(low <= place + begin < high for low, high in ranges)
            found.append((text[begin:end], style + (lit if inside else over)))
        place += len(text)
    return found
