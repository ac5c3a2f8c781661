"""Attempts' logs as files: ranges by byte, lines through a sparse index, and waiting for more.

A log is what the steps wrote, byte for byte, in one file; its address space is bytes. Lines are found through an index
that is made on demand, a read at a time, and kept in memory while it is used: the line ends before each block of bytes.
Refuses to know which build a file belongs to.
"""

import asyncio
import os
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

BLOCK = 64 << 10
"""Bytes whose line ends are counted as one. Larger: less memory (8 bytes a block); smaller: less reading for a line."""

POLL_S = 0.025
"""Seconds between two looks at a file that somebody follows. There is no look at files that nobody follows."""

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
        self._ends = array("q", [0])  # line ends before byte k * BLOCK
        self._lines = 0  # line ends seen so far
        self._read = 0  # bytes looked at so far

    def update(self) -> int:
        """Look at what came since; return the number of complete lines."""
        end = size(self._path)
        if end <= self._read:
            return self._lines
        with self._path.open("rb") as file:
            file.seek(self._read)
            while part := file.read(BLOCK - self._read % BLOCK):
                self._lines += part.count(b"\n")
                self._read += len(part)
                if self._read % BLOCK == 0:
                    self._ends.append(self._lines)
        return self._lines

    def offset_of(self, line: int) -> int:
        """Return the offset at which a line begins (0 is the first; negative counts back from the last complete one).

        Beyond the end it is the end.
        """
        lines = self.update()
        if line < 0:
            line = max(0, lines + line)
        if line >= lines:
            return self._read
        if line == 0:
            return 0
        block = bisect_left(self._ends, line) - 1  # in which the line before ends
        data = read(self._path, block * BLOCK, BLOCK)
        position = 0
        for _ in range(line - self._ends[block]):
            position = data.index(b"\n", position) + 1
        return block * BLOCK + position

    def line_at(self, offset: int) -> int:
        """Return the number of the line that the byte at `offset` belongs to."""
        self.update()
        offset = min(offset, self._read)
        block = offset // BLOCK
        return self._ends[block] + read(self._path, block * BLOCK, offset - block * BLOCK).count(b"\n")


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
