"""The bytes of one attempt's log, of any length: ranges in memory, the others a request away.

Kept in chunks at fixed places, the least recently used of which are dropped; of dropped ones the number of lines is
remembered, so that lines can be numbered as far as the log was read from its beginning. What comes while the log is
written is noted with the time it came. Refuses to know of lines' contents (loglines) and of screens.
"""

from bisect import bisect_right
from collections import OrderedDict

from ...agent.client.protocol import log_bytes
from ...core.api.builds import LogPart
from .contract import Feed

CHUNK = 128 << 10
"""Bytes of a chunk. Larger: fewer requests; smaller: sooner on the screen."""

HELD = 32
"""Chunks in memory."""

TAIL = 2 << 20
"""Bytes that may have come unseen before a follower goes straight to the end instead of through them."""

ARRIVALS = 4096
"""Times of arrival that are remembered; of older bytes it is not known when they came."""


class LogBytes:
    """The log of one attempt of a build."""

    def __init__(self, feed: Feed, build: str, attempt: int | None = None) -> None:
        """Read through `feed`; of the last attempt where none is given. Nothing is read yet."""
        self.build = build
        self.attempt = attempt
        self.size = 0  # bytes that are there, as far as known
        self.complete = False  # nothing will follow
        self._feed = feed
        self._chunks: OrderedDict[int, bytearray] = OrderedDict()  # by number
        self._lines: dict[int, int] = {}  # line ends in whole chunks, by number
        self._arrived_from: list[int] = []  # offsets from which on bytes came ...
        self._arrived_at: list[float] = []  # ... at this instant, seconds since the epoch

    # -- what is in memory

    def view(self, offset: int, stop: int) -> bytes | None:
        """Return the bytes of a range, which ends at the latest at `size`; None where some are not in memory."""
        stop = min(stop, self.size)
        if offset >= stop:
            return b""
        first, last = offset // CHUNK, (stop - 1) // CHUNK
        parts: list[bytes] = []
        for number in range(first, last + 1):
            chunk = self._chunks.get(number)
            begin = number * CHUNK
            wanted = min(stop, begin + CHUNK) - begin
            if chunk is None or len(chunk) < wanted:
                return None
            self._chunks.move_to_end(number)
            parts.append(bytes(chunk[max(offset - begin, 0) : wanted]))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def line_number(self, offset: int) -> int | None:
        """Return how many lines end before `offset`; None where not all of the log before was ever read."""
        number, rest = divmod(offset, CHUNK)
        if any(one not in self._lines for one in range(number)):
            return None
        before = self.view(offset - rest, offset)
        return None if before is None else sum(self._lines[one] for one in range(number)) + before.count(b"\n")

    def arrival(self, offset: int) -> float | None:
        """Return when the byte at `offset` came, seconds since the epoch; None where nobody was looking."""
        place = bisect_right(self._arrived_from, offset) - 1
        return self._arrived_at[place] if place >= 0 else None

    # -- asking for more

    async def open_end(self) -> None:
        """Learn how long the log is, and read its end."""
        part = await self._ask(-CHUNK, CHUNK)
        self._take(part)
        if part.offset % CHUNK:
            await self.load(part.offset)

    async def load(self, offset: int) -> None:
        """Read the chunk that the byte at `offset` belongs to."""
        begin = offset // CHUNK * CHUNK
        chunk = self._chunks.setdefault(begin // CHUNK, bytearray())
        while len(chunk) < CHUNK and not (self.size and begin + len(chunk) >= self.size):
            part = await self._ask(begin + len(chunk), CHUNK - len(chunk))
            if not self._take(part):
                return

    async def measure(self) -> None:
        """Learn how long the log is, without reading it."""
        part = await self._ask(-1, 1)
        self.size = max(self.size, part.next)
        self.complete = part.complete

    async def follow(self, wait_s: float, now: float) -> bool:
        """Wait a while for bytes behind `size`; whether some came. `now`: seconds since the epoch."""
        before = self.size
        part = await self._ask(self.size, CHUNK, wait_s)
        came = self._take(part)
        if came == CHUNK:  # more may have gathered than one wants to go through
            await self.measure()
            if self.size - before > TAIL:
                await self.open_end()
            else:
                self.size, self.complete = before + came, False
        if came:
            self._arrived_from.append(before)
            self._arrived_at.append(now)
            if len(self._arrived_from) > ARRIVALS:
                del self._arrived_from[: ARRIVALS // 2], self._arrived_at[: ARRIVALS // 2]
        return bool(came)

    async def read(self, offset: int, limit: int) -> bytes:
        """Return a range, past the chunks in memory."""
        return log_bytes(await self._ask(offset, limit))

    async def _ask(self, offset: int, limit: int, wait_s: float = 0.0) -> LogPart:
        wish: dict[str, object] = {"id": self.build, "offset": offset, "limit": limit}
        if self.attempt is not None:
            wish["attempt"] = self.attempt
        if wait_s:
            wish["wait"] = wait_s
        return await self._feed.call("builds.log", **wish)

    def _take(self, part: LogPart) -> int:
        """Put bytes where they belong; return how many they were."""
        data = log_bytes(part)
        offset = part.offset
        self.size = max(self.size, offset + len(data))
        self.complete = part.complete and offset + len(data) >= self.size
        position = 0
        while position < len(data):
            number, inside = divmod(offset + position, CHUNK)
            room = CHUNK - inside
            chunk = self._chunks.setdefault(number, bytearray())
            piece = data[position : position + room]
            if inside <= len(chunk):  # else its beginning is missing; it is read when it is wanted
                chunk[inside : inside + len(piece)] = piece
                if len(chunk) == CHUNK and number not in self._lines:
                    self._lines[number] = chunk.count(b"\n")
            self._chunks.move_to_end(number)
            position += len(piece)
        while len(self._chunks) > HELD:
            self._chunks.popitem(last=False)
        return len(data)
