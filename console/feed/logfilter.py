"""Only those lines of a log that match: looked for from the end backward, and in what comes while one follows.

Offers the same as `loglines.Lines`, so that whoever shows a log need not know which it is.
"""

from bisect import bisect_left
from collections.abc import AsyncGenerator

from ..escapes import Neutraliser
from .logbytes import LogBytes
from .loglines import Missing, Row
from .logsearch import backward, forward
from .patterns import LONGEST, Pattern

MOST = 5_000
"""Lines that are kept; older ones are not looked for."""


class Matching:
    """The lines that match."""

    def __init__(self, source: LogBytes, pattern: Pattern) -> None:
        """Look for `pattern` in `source`; nothing is looked at yet."""
        self.source = source
        self.pattern = pattern
        self.wanted: int | None = None
        self.done = False  # it was looked through back to its beginning, or as far as MOST lines
        self.full = False  # there are more than MOST lines
        self.share = 0.0  # how much of it was looked through, 0 to 1
        self._rows: list[Row] = []
        self._lines: dict[int, bytes] = {}
        self._upto = 0  # offset up to which it was looked forward

    @property
    def count(self) -> int:
        """How many lines were found."""
        return len(self._rows)

    def text(self, row: Row) -> bytes:
        """Return a line, harmless, without colours."""
        filtering = Neutraliser()
        return filtering.feed(self._lines.get(row.start, b"")) + filtering.end()

    def colours(self, _: Row) -> bytes:
        """Return no colours: those of lines in between are not known."""
        return b""

    # -- looking

    async def look_back(self) -> AsyncGenerator[int]:
        """Look from the end backward; yields how many lines were found, now and then."""
        end = self._upto = await self._last_line_end()
        async for found in backward(self.source, self.pattern, end):
            if found.start is not None:
                self._keep(Row(found.start, stop=found.start + len(found.line) + 1), found.line, first=True)
            self.share = 1 - found.at / max(end, 1)
            if len(self._rows) >= MOST:
                self.full = True
                break
            if found.start is None:
                yield len(self._rows)
        self.done = True
        yield len(self._rows)

    async def look_on(self) -> bool:
        """Look through what came since; whether anything was found."""
        end, before = await self._last_line_end(), len(self._rows)
        async for found in forward(self.source, self.pattern, self._upto, end):
            if found.start is not None:
                self._keep(Row(found.start, stop=found.start + len(found.line) + 1), found.line, first=False)
        self._upto = max(self._upto, end)
        return len(self._rows) > before

    async def _last_line_end(self) -> int:
        """Return where the last whole line ends: half a line may match differently when it is whole."""
        size = self.source.size
        if self.source.complete:
            return size
        tail = await self.source.read(max(0, size - LONGEST), min(size, LONGEST)) if size else b""
        return size - len(tail) + tail.rfind(b"\n") + 1 if b"\n" in tail else self._upto

    def _keep(self, row: Row, line: bytes, *, first: bool) -> None:
        if first:
            self._rows.insert(0, row)
        else:
            self._rows.append(row)
            if len(self._rows) > MOST:
                self._lines.pop(self._rows.pop(0).start)
                self.full = True
        self._lines[row.start] = line

    def first(self) -> Row | Missing:
        """Return the first row."""
        return self._rows[0] if self._rows else Missing.END

    def last(self) -> Row | Missing:
        """Return the last row."""
        return self._rows[-1] if self._rows else Missing.END

    def at(self, offset: int) -> Row | Missing:
        """Return the row at `offset`, or else the next one, or else the last."""
        if not self._rows:
            return Missing.END
        return self._rows[min(self._place(offset), len(self._rows) - 1)]

    def after(self, row: Row) -> Row | Missing:
        """Return the row behind `row`."""
        place = self._place(row.start + 1)
        return self._rows[place] if place < len(self._rows) else Missing.END

    def before(self, row: Row) -> Row | Missing:
        """Return the row before `row`."""
        place = self._place(row.start) - 1
        return self._rows[place] if place >= 0 else Missing.END

    def _place(self, offset: int) -> int:
        return bisect_left(self._rows, offset, key=lambda row: row.start)
