"""A log as lines under the steps that wrote them, open or folded: where a line is, the next one, the one before.

Nothing is counted from the beginning: from any place in a log of any length the neighbours are found by looking at a
few kilobytes. A line longer than PIECE is cut, always at the same places, whichever way one comes. What is not in
memory is told as such, and asked for by whoever shows it. Pure, over `LogBytes`.
"""

import re
from collections.abc import Sequence
from enum import Enum, IntEnum

import msgspec

from ...core.views.builds import StepView
from ..escapes import Neutraliser
from .logbytes import CHUNK, LogBytes

PIECE = 16 << 10
"""Bytes beyond which a line is cut into pieces."""

_SGR = re.compile(rb"\x1b\[[0-9;:]{0,64}m")
_ALL_OFF = (b"\x1b[0m", b"\x1b[m")


class Kind(IntEnum):
    """What a row is."""

    HEAD = 0  # of a step
    TEXT = 1  # a line, or a piece of one


class Row(msgspec.Struct, frozen=True, eq=False):
    """One row. Rows are equal where they begin at the same place, also when one has grown since."""

    start: int  # offset of its first byte; of a head: where the step's output begins
    kind: Kind = Kind.TEXT  # see there
    stop: int = 0  # offset behind its last byte, the line end included
    step: int = -1  # which step it belongs to; -1: none

    @property
    def place(self) -> tuple[int, Kind, int]:
        """Where it is."""
        return self.start, self.kind, self.step if self.kind is Kind.HEAD else -1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and self.place == other.place

    def __hash__(self) -> int:
        return hash(self.place)

    def __lt__(self, other: "Row") -> bool:
        return self.place < other.place


class Missing(Enum):
    """Why there is no row."""

    END = "end"  # the log goes no further that way
    UNREAD = "unread"  # its bytes are not in memory: see Lines.wanted


class Lines:
    """The lines of a log."""

    def __init__(self, source: LogBytes, steps: Sequence[StepView] = ()) -> None:
        """Show `source`, under heads for `steps`."""
        self.source = source
        self.steps: Sequence[StepView] = ()
        self.folded: set[str] = set()  # names of steps that are
        self.wanted: int | None = None  # offset of bytes that were missed last
        self.know(steps)

    def know(self, steps: Sequence[StepView]) -> None:
        """Take note of the steps as they are now."""
        self.steps = [one for one in steps if one.started is not None or one.log_end is not None]
        self._begins = [one.log_start for one in self.steps]

    def fold(self, step: int) -> bool:
        """Fold a step, or open it again; return whether it is folded now."""
        name = self.steps[step].name
        self.folded ^= {name}
        return name in self.folded

    def open_at(self, offset: int) -> None:
        """Open the step that wrote the byte at `offset`, if it is folded."""
        step = self._step_at(offset)
        if step >= 0:
            self.folded.discard(self.steps[step].name)

    def text(self, row: Row) -> bytes:
        """Return a line's bytes without its end, harmless but for its colours; empty where it is not in memory."""
        data = self.source.view(row.start, row.stop) or b""
        ended = data.endswith(b"\n")
        data = data[:-1].rstrip(b"\r") if ended else data
        filtering = Neutraliser()
        shown = filtering.feed(data)
        shown += filtering.end() if ended or self.source.complete else b""
        return shown.rpartition(b"\r")[2] if b"\r" in shown else shown  # as a terminal shows what overwrites itself

    def colours(self, row: Row) -> bytes:
        """Return the colour codes that are in force where a row begins, set by rows before it."""
        begin = max(0, row.start - PIECE)
        before = self.source.view(begin, row.start) or b""
        ended = max(before.rfind(end) for end in _ALL_OFF)  # what was set before that is over
        return b"".join(_SGR.findall(before, max(0, ended)))

    # -- neighbours

    def last(self) -> Row | Missing:
        """Return the last row."""
        return self._before(self.source.size, Kind.HEAD, len(self.steps))

    def first(self) -> Row | Missing:
        """Return the first row."""
        return self._at(0)

    def at(self, offset: int) -> Row | Missing:
        """Return the row that the byte at `offset` belongs to; of a folded step, its head."""
        if not self.source.size and not self.steps:
            return Missing.END
        step = self._step_at(offset)
        if step >= 0 and self._hidden(step, offset):
            return self.head(step)
        start = self._line_start(min(offset, max(self.source.size - 1, 0)))
        if isinstance(start, Missing):
            return start
        return self._line(max(start, self._floor(offset)))

    def after(self, row: Row) -> Row | Missing:
        """Return the row behind `row`."""
        if row.kind is Kind.HEAD:
            if self.steps[row.step].name in self.folded:
                end = self.steps[row.step].log_end
                return Missing.END if end is None else self._at(end, beyond=row.step)
            return self._at(row.start, beyond=row.step)
        return self._at(row.stop, beyond=self._last_begun(row.start))

    def before(self, row: Row) -> Row | Missing:
        """Return the row before `row`."""
        return self._before(row.start, row.kind, row.step)

    def _at(self, offset: int, beyond: int = -1) -> Row | Missing:
        """Return the row that begins at `offset`: the head of the first step behind `beyond` that does, else a line."""
        for step in range(beyond + 1, len(self.steps)):
            if self._begins[step] > offset:
                break
            return self.head(step)
        if offset >= self.source.size:
            return Missing.END
        return self._line(offset)

    def _before(self, offset: int, kind: Kind, step: int = -1) -> Row | Missing:
        """Return the row before a head of `step`, or before the line, that begins at `offset`."""
        # the last step whose head comes before; a step without output is nothing but its head
        owner = step - 1 if kind is Kind.HEAD else self._last_begun(offset)
        if owner >= 0 and self._begins[owner] >= offset:
            return self.head(owner)
        if owner >= 0 and self.steps[owner].name in self.folded and self._hidden(owner, offset - 1):
            return self.head(owner)
        if offset <= 0:
            return Missing.END
        start = self._line_start(offset - 1)
        if isinstance(start, Missing):
            return start
        return self._line(max(start, self._floor(offset - 1)))

    # -- steps

    def _last_begun(self, offset: int) -> int:
        """Return the last step that begins at `offset` or before it; -1: none."""
        found = -1
        for step, begin in enumerate(self._begins):
            if begin <= offset:
                found = step
        return found

    def _step_at(self, offset: int) -> int:
        """Return the step that wrote the byte at `offset`; -1: none."""
        step = self._last_begun(offset)
        if step < 0:
            return -1
        end = self.steps[step].log_end
        return step if end is None or offset < end else -1

    def _hidden(self, step: int, offset: int) -> bool:
        end = self.steps[step].log_end
        return self.steps[step].name in self.folded and (end is None or offset < end)

    def head(self, step: int) -> Row:
        """Return the head of a step."""
        return Row(self._begins[step], Kind.HEAD, self._begins[step], step)

    def _floor(self, offset: int) -> int:
        """Return where the output that `offset` is in begins: a line does not reach back over that."""
        step = self._last_begun(offset)
        if step < 0:
            return 0
        end = self.steps[step].log_end
        return self._begins[step] if end is None or offset < end else end

    def _ceiling(self, offset: int) -> int:
        """Return where the output that `offset` is in ends."""
        step = self._last_begun(offset)
        ends = [self._begins[step + 1]] if step + 1 < len(self.steps) else []
        end = self.steps[step].log_end if step >= 0 else None
        if end is not None and offset < end:
            ends.append(end)
        return min(ends, default=self.source.size)

    # -- lines

    def _line(self, start: int) -> Row | Missing:
        """Return the line, or piece, that begins at `start`."""
        ceiling = min(self._ceiling(start), self.source.size)
        stop = min(start + 2 * PIECE, ceiling)
        data = self._view(start, stop)
        if data is None:
            return Missing.UNREAD
        end = data.find(b"\n")
        reach = start + end + 1 if end >= 0 else stop
        cut = self._cut_behind(start, reach)
        if isinstance(cut, Missing):
            return cut
        return Row(start, Kind.TEXT, min(reach, cut), self._step_at(start))

    def _line_start(self, offset: int) -> int | Missing:
        """Return where the line, or piece, begins that the byte at `offset` belongs to."""
        begin = max(0, offset - 2 * PIECE)
        data = self._view(begin, offset)
        if data is None:
            return Missing.UNREAD
        start = begin + data.rfind(b"\n") + 1
        place = offset // PIECE * PIECE
        if place <= start:
            return start
        cut = self._is_cut(place)
        return Missing.UNREAD if cut is None else place if cut else start

    def _cut_behind(self, start: int, reach: int) -> int | Missing:
        """Return the first place behind `start`, up to `reach`, at which a long line is cut."""
        place = (start // PIECE + 1) * PIECE
        while place < reach:
            cut = self._is_cut(place)
            if cut is None:
                return Missing.UNREAD
            if cut:
                return place
            place += PIECE
        return reach

    def _is_cut(self, place: int) -> bool | None:
        """Whether a line is cut at a multiple of PIECE: where none ended for so long. None: it is not in memory."""
        before = self._view(place - PIECE, place)
        return None if before is None else b"\n" not in before

    def _view(self, start: int, stop: int) -> bytes | None:
        data = self.source.view(start, stop)
        if data is None:
            self.wanted = self._first_unread(start, stop)
        return data

    def _first_unread(self, start: int, stop: int) -> int:
        place = start
        while place < stop and self.source.view(place, min(stop, (place // CHUNK + 1) * CHUNK)) is not None:
            place = (place // CHUNK + 1) * CHUNK
        return place
