"""Looking through a log of any length for a regular expression, a range at a time, forward or backward.

Colour codes in the text do not hide what one looks for. Each range is looked through in a thread. Refuses to know of
screens; whoever looks shows the way and may stop at any time.
"""

import asyncio
from collections.abc import AsyncGenerator

import msgspec

from .logbytes import LogBytes
from .patterns import LONGEST, Pattern

BLOCK = 1 << 20
"""Bytes of one range. Larger: fewer requests; smaller: sooner told how far it is."""


class Found(msgspec.Struct, frozen=True):
    """A step on the way."""

    at: int  # how far it was looked, an offset
    start: int | None = None  # offset of a line that matches; None: none so far
    line: bytes = b""  # the line, without colours and its end


async def forward(source: LogBytes, pattern: Pattern, begin: int, stop: int) -> AsyncGenerator[Found]:
    """Yield lines between two line starts that match, and after each range how far it was looked."""
    held = b""  # the beginning of a line whose end is not read yet
    while begin < stop:
        data = await source.read(begin, min(BLOCK, stop - begin))
        if not data:
            break
        begin += len(data)
        data = held + data
        first = begin - len(data)
        cut = data.rfind(b"\n") + 1 if begin < stop else len(data)
        if not cut and len(data) > LONGEST:
            cut = len(data)
        held = data[cut:]
        for start, line in await asyncio.to_thread(pattern.lines, data[:cut]):
            yield Found(begin, first + start, line)
        yield Found(begin)


async def backward(source: LogBytes, pattern: Pattern, begin: int) -> AsyncGenerator[Found]:
    """Yield lines before the line start `begin` that match, the last one first, and how far it was looked."""
    held = b""  # the end of a line whose beginning is not read yet
    while begin > 0:
        length = min(BLOCK, begin)
        data = b""
        while len(data) < length:
            part = await source.read(begin - length + len(data), length - len(data))
            if not part:
                return
            data += part
        begin -= length
        data += held
        cut = data.find(b"\n") + 1 if begin else 0
        if begin and not cut and len(data) <= BLOCK + LONGEST:
            held = data
            continue
        held = data[:cut]
        for start, line in reversed(await asyncio.to_thread(pattern.lines, data[cut:])):
            yield Found(begin, begin + cut + start, line)
        yield Found(begin)
