"""A regular expression that somebody typed: which lines match, and never for longer than one waits.

What one types may be quick with one line and take years for another (`(a|aa)+$`). So there is a bound, after which it
is said that the expression is too slow; and whoever looks through much does so in a thread, while keys are answered:
the library lets others run meanwhile. Refuses to know where lines come from (logsearch) and how they are shown.
"""

import re
from functools import cache
from time import monotonic
from typing import Any

from ...core.errors import InvalidInput

BOUND_S = 2.0
"""Seconds that looking through one range (logsearch.BLOCK) may take. It takes a hundredth of that as a rule."""

LIGHT_S = 0.02
"""Seconds that finding the matches in one line on the screen may take."""

LONGEST = 16 << 10
"""Bytes of a line that are looked at; a longer one is looked through in pieces."""

_SGR = re.compile(rb"\x1b\[[0-9;:]{0,64}m")
_RETURNS = re.compile(rb"\r+(?=\n|\Z)")
_ALONE = re.compile(r"\(\?(?!:|P<)|\\[AZzG]|[*+?}]\+")
"""What makes it matter where a text ends: with this a line may match, and many lines as one text not."""


class Pattern:
    """A regular expression. In small letters it finds capitals, too."""

    def __init__(self, text: str) -> None:
        """Take what was typed. Raises InvalidInput with what is wrong."""
        self.text = text
        import regex  # long, and only who looks for something needs it

        flags = regex.MULTILINE | (regex.IGNORECASE if text == text.lower() else 0)
        try:
            self._bytes: Any = regex.compile(text.encode(), flags)
            self._text: Any = regex.compile(text, flags)
        except regex.error as error:
            raise InvalidInput(
                f"{text!r} is no regular expression: {error}; put \\ before signs that mean themselves"
            ) from None
        self._together = _ALONE.search(text) is None
        self._slow = False  # whether a line on the screen took too long already

    def lines(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the lines of a range that match, each with its place, without colours and its end.

        Raises InvalidInput where that takes too long.
        """
        until = monotonic() + BOUND_S
        if self._together and not self._finds(_RETURNS.sub(b"", plain(data)), until):
            return []
        found: list[tuple[int, bytes]] = []
        position = 0
        for line in data.split(b"\n"):
            text = plain(line.rstrip(b"\r"))
            if position < len(data) and self._found(text, until):
                found.append((position, text))
            position += len(line) + 1
        return found

    def spans(self, text: str, most: int) -> list[tuple[int, int]]:
        """Return where a line that is shown matches, `most` times; nothing more once that has taken too long."""
        found: list[tuple[int, int]] = []
        if self._slow:
            return found
        try:
            for one in self._text.finditer(text, timeout=LIGHT_S):
                if one.end() > one.start():
                    found.append(one.span())
                if len(found) >= most:
                    break
        except TimeoutError:
            self._slow = True
        return found

    def _found(self, line: bytes, until: float) -> bool:
        return any(self._finds(line[place : place + LONGEST], until) for place in range(0, len(line) or 1, LONGEST))

    def _finds(self, text: bytes, until: float) -> bool:
        try:
            left = max(until - monotonic(), 0.001)
            return self._bytes.search(text, timeout=left, concurrent=True) is not None
        except TimeoutError:
            raise InvalidInput("too slow; avoid a repetition in another") from None


def plain(line: bytes) -> bytes:
    """Return text without colours."""
    return _SGR.sub(b"", line) if b"\x1b" in line else line


@cache
def errors() -> Pattern:
    """Return what a line looks like that says what went wrong."""
    return Pattern(
        r"\b(error|errors|failed|failure|fatal|traceback|exception|panic(ked)?|segmentation fault|assertion|undefined"
        r" reference)\b|(?<!\w)e {3}"
    )


_NONE_WRONG = re.compile(rb"\b(0|no) (errors?|failures?|failed)\b|\b(errors?|failures?|failed)[:=] *0\b", re.IGNORECASE)


def is_error(line: bytes) -> bool:
    """Whether a line seems to say what went wrong. Raises InvalidInput where that takes too long."""
    return bool(errors().lines(line)) and _NONE_WRONG.search(line) is None
