"""Looking through a log of any length for a regular expression, a range at a time, forward or backward.

Colour codes in the text do not hide what one looks for. Refuses to know of screens; whoever looks shows the way and may
stop at any time.
"""

import re
from collections.abc import AsyncGenerator

import msgspec

from ...core.errors import InvalidInput
from .logbytes import LogBytes

BLOCK = 1 << 20
"""Bytes of one range. Larger: fewer requests; smaller: sooner told how far it is."""

LONGEST = 16 << 10
"""Bytes of a line that are looked at; a longer one is looked through in pieces."""

_SGR = re.compile(rb"\x1b\[[0-9;:]{0,64}m")

ERRORS = re.compile(
    rb"\b(error|errors|failed|failure|fatal|traceback|exception|panic(ked)?|segmentation fault|assertion|undefined"
    rb" reference)\b|(?<!\w)E {3}",
    re.IGNORECASE,
)
"""What a line looks like that says what went wrong."""

_NONE_WRONG = re.compile(rb"\b(0|no) (errors?|failures?|failed)\b|\b(errors?|failures?|failed)[:=] *0\b", re.IGNORECASE)


class Found(msgspec.Struct, frozen=True):
    """A step on the way."""

    at: int  # how far it was looked, an offset
    start: int | None = None  # offset of a line that matches; None: none so far
    line: bytes = b""  # the line, without colours and its end


def compile_pattern(text: str) -> re.Pattern[bytes]:
    """Return a pattern; in small letters it finds capitals, too. Raises InvalidInput with what is wrong."""
    try:
        return re.compile(text.encode(), 0 if text != text.lower() else re.IGNORECASE)
    except re.error as error:
        raise InvalidInput(
            f"{text!r} is no regular expression: {error}; put \\ before signs that mean themselves"
        ) from None


def plain(line: bytes) -> bytes:
    """Return a line without colours."""
    return _SGR.sub(b"", line) if b"\x1b" in line else line


def is_error(line: bytes) -> bool:
    """Whether a line seems to say what went wrong."""
    return ERRORS.search(line) is not None and _NONE_WRONG.search(line) is None


async def forward(source: LogBytes, pattern: re.Pattern[bytes], begin: int, stop: int) -> AsyncGenerator[Found]:
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
        for start, line in matching(data[:cut], pattern):
            yield Found(begin, first + start, line)
        yield Found(begin)


async def backward(source: LogBytes, pattern: re.Pattern[bytes], begin: int) -> AsyncGenerator[Found]:
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
        for start, line in reversed(list(matching(data[cut:], pattern))):
            yield Found(begin, begin + cut + start, line)
        yield Found(begin)


def matching(data: bytes, pattern: re.Pattern[bytes]) -> list[tuple[int, bytes]]:
    """Return the lines of a range that match, each with its place."""
    if b"\x1b" not in data and pattern.search(data) is None:
        return []
    found: list[tuple[int, bytes]] = []
    position = 0
    for line in data.split(b"\n"):
        text = plain(line.rstrip(b"\r"))
        if position < len(data) and _found(pattern, text):
            found.append((position, text))
        position += len(line) + 1
    return found


def _found(pattern: re.Pattern[bytes], text: bytes) -> bool:
    return any(pattern.search(text[place : place + LONGEST]) for place in range(0, len(text) or 1, LONGEST))
