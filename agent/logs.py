"""Attempts' logs as files: ranges by byte, lines through a sparse index, and waiting for more.

A log is what the steps wrote, byte for byte, in one file; its address space is bytes. Lines are found through an index
that is made on demand, a read at a time, and kept in memory while it is used: one offset per LINES_PER_MARK lines.
Refuses to know which build a file belongs to.
"""

import asyncio
import os
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

LINES_PER_MARK = 256
"""Lines between two marks of the index. Larger: less memory (8 bytes a mark); smaller: less reading for one line."""

POLL_S = 0.025
"""Seconds between two looks at a file that somebody follows. There is no look at files that nobody follows."""

_CHUNK = 1 << 20
_INDEXES = 64  # indexes kept: of the logs read last


def size(path: Path) -> int:
    """Return a log's length in bytes; 0 when it was not begun."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def read(path: Path, offset: int, limit: int) -> bytes:
    """Return at most `limit` bytes from `offset` on; empty behind the end, or when the log was not begun."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(descriptor, limit, offset)
    finally:
        os.close(descriptor)


class LineIndex:
    """Where the lines of one growing file begin."""

    def __init__(self, path: Path) -> None:
        """Index `path`; nothing is read before it is needed."""
        self._path = path
        self._marks = array("q", [0])  # offset at which line k * LINES_PER_MARK begins
        self._lines = 0  # line ends seen so far
        self._read = 0  # bytes looked at so far

    def update(self) -> int:
        """Look at what came since; return the number of complete lines."""
        end = size(self._path)
        if end <= self._read:
            return self._lines
        with self._path.open("rb") as file:
            file.seek(self._read)
            while chunk := file.read(_CHUNK):
                self._look(chunk)
        return self._lines

    def _look(self, chunk: bytes) -> None:
        found = chunk.count(b"\n")
        position = 0
        while LINES_PER_MARK - self._lines % LINES_PER_MARK <= found:
            for _ in range(LINES_PER_MARK - self._lines % LINES_PER_MARK):
                position = chunk.index(b"\n", position) + 1
                self._lines += 1
                found -= 1
            self._marks.append(self._read + position)
        self._lines += found
        self._read += len(chunk)

    def offset_of(self, line: int) -> int:
        """Return the offset at which a line begins (0 is the first; negative counts back from the last complete one).

        Beyond the end it is the end.
        """
        lines = self.update()
        if line < 0:
            line = max(0, lines + line)
        if line >= lines:
            return self._read
        mark = line // LINES_PER_MARK
        offset = self._marks[mark]
        skip = line - mark * LINES_PER_MARK
        data = b""
        while skip:
            data = read(self._path, offset, _CHUNK)
            ends = data.count(b"\n")
            if ends < skip:
                skip -= ends
                offset += len(data)
                continue
            position = 0
            for _ in range(skip):
                position = data.index(b"\n", position) + 1
            return offset + position
        return offset

    def line_at(self, offset: int) -> int:
        """Return the number of the line that the byte at `offset` belongs to."""
        self.update()
        mark = bisect_right(self._marks, offset) - 1
        line = mark * LINES_PER_MARK
        position = self._marks[mark]
        while position < offset:
            data = read(self._path, position, min(_CHUNK, offset - position))
            if not data:
                break
            line += data.count(b"\n")
            position += len(data)
        return line


class Logs:
    """The logs that this machine has."""

    def __init__(self) -> None:
        """Begin with nothing followed."""
        self._indexes: OrderedDict[Path, LineIndex] = OrderedDict()
        self._waiting: dict[Path, list[tuple[int, asyncio.Future[None]]]] = {}
        self._ticker: asyncio.TimerHandle | None = None

    @property
    def followed(self) -> bool:
        """Whether anybody waits for more of a log."""
        return bool(self._waiting)

    def index(self, path: Path) -> LineIndex:
        """Return the line index of a log, made or kept."""
        found = self._indexes.pop(path, None) or LineIndex(path)
        self._indexes[path] = found
        if len(self._indexes) > _INDEXES:
            self._indexes.popitem(last=False)
        return found

    async def grown(self, path: Path, beyond: int, timeout_s: float, ended: Callable[[], bool]) -> None:
        """Return when the log has more than `beyond` bytes, when `ended()` holds, or when the time is over."""
        if size(path) > beyond or ended():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(path, []).append((beyond, future))
        self._tick_later()
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            return
        finally:
            left = [one for one in self._waiting.get(path, []) if one[1] is not future]
            if left:
                self._waiting[path] = left
            else:
                self._waiting.pop(path, None)

    def on_ended(self, path: Path) -> None:
        """Wake whoever waits for this log: nothing more will come."""
        for _, future in self._waiting.get(path, []):
            if not future.done():
                future.set_result(None)

    def _tick_later(self) -> None:
        if self._ticker is None and self._waiting:
            self._ticker = asyncio.get_running_loop().call_later(POLL_S, self._tick)

    def _tick(self) -> None:
        self._ticker = None
        for path, waiting in self._waiting.items():
            length = size(path)
            for beyond, future in waiting:
                if length > beyond and not future.done():
                    future.set_result(None)
        self._tick_later()
