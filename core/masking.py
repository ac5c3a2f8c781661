"""Takes secrets out of a stream of bytes before anybody keeps it: as they are, and as programs usually write them.

Masked are a secret itself, each of its lines, and both as base64 (wherever in a larger text it begins; both alphabets),
hexadecimal, in a URL, in a JSON text, in XML, and quoted for a shell; also across chunks, and, for the longer of these,
across line breaks, as base64 and fold put them in. What is held back between chunks is only what may be the beginning
of a secret. Refuses to know where the bytes come from.

This protects from accidents. A program that wants to show its secret finds a spelling that nobody thought of.
"""

import base64
import html
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

MASK = b"***"
"""What stands in the place of a secret."""

MIN_LENGTH = 8
"""Characters that a secret must have at least: shorter ones would be found in everything, or be guessed."""

WRAPPED_FROM = 40
"""Bytes from which a spelling is found across line breaks as well; programs wrap at 60 columns or later."""

_HELD_ACROSS_LINES = 16
"""Bytes at the end of a line that must fit before the line break, too, is held back. Fewer: calm output waits more."""

_BREAKS = b"\r\n"
_DIGIT_BITS = 6  # of base64


def why_unmaskable(secret: str) -> str:
    """Return why a secret could not be kept out of logs, as the end of a sentence; empty: it can."""
    if len(secret.encode()) < MIN_LENGTH:
        return (
            f"has fewer than {MIN_LENGTH} bytes, and would be found in everything that a build prints; use a longer one"
        )
    if all(len(line.strip().encode()) < MIN_LENGTH for line in secret.splitlines()):
        return f"has no line of {MIN_LENGTH} bytes or more, and could not be kept out of logs; write it in longer lines"
    return ""


def spellings(secret: str) -> frozenset[bytes]:
    """Return the byte sequences by which a secret is recognised."""
    lines = {line.strip() for line in secret.splitlines()}
    parts = {secret, secret.strip(), *(line for line in lines if len(line.encode()) >= MIN_LENGTH)}
    found = {spelling for part in parts for spelling in _spellings(part)}
    # a secret that was accepted long ago may be shorter than what is accepted today: it is masked all the same
    return frozenset(one for one in found if one)


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text without the secrets."""
    masker = Masker(secrets)
    return (masker.feed(text.encode()) + masker.end()).decode(errors="replace")


def masked_values(values: Mapping[str, str], secrets: Iterable[str]) -> dict[str, str]:
    """Return texts by name, names and values without the secrets."""
    kept = tuple(secrets)
    return {masked(name, kept): masked(value, kept) for name, value in values.items()}


class Masker:
    """Masks one stream: `feed` takes the next bytes and returns what may be kept of all so far, `end` the rest."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Mask these secrets."""
        found = {spelling for secret in secrets for spelling in spellings(secret)}
        self._needles = sorted(found, key=len, reverse=True)
        # without their own line breaks: they are looked for in what has none
        long = {one.translate(None, _BREAKS) for one in found if len(one) >= WRAPPED_FROM}
        self._wrapped = sorted((one for one in long if len(one) >= WRAPPED_FROM), key=len, reverse=True)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what may be kept of everything fed so far and not returned yet."""
        data = self._held + data
        spans = self._spans(data)
        cut = self._safe_length(data)
        for start, end in spans:
            if start < cut < end:
                cut = start  # what follows may belong to a second secret that begins inside the first
        self._held = data[cut:]
        return _without(data, spans, cut)

    def end(self) -> bytes:
        """Return what was held back: nothing follows that could make it a secret."""
        rest, self._held = self._held, b""
        return _without(rest, self._spans(rest), len(rest))

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return where secrets stand, in order, merged where they overlap."""
        found = [span for needle in self._needles for span in _places(data, needle)]
        if self._wrapped:
            found += self._wrapped_spans(data)
        found.sort()
        merged: list[tuple[int, int]] = []
        for start, end in found:
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged

    def _wrapped_spans(self, data: bytes) -> list[tuple[int, int]]:
        plain = data.translate(None, _BREAKS)
        if len(plain) == len(data):
            return []
        spans = [span for needle in self._wrapped for span in _places(plain, needle)]
        if not spans:
            return []
        lines = _Lines(data)
        return [(lines.place(start), lines.place(end - 1) + 1) for start, end in spans]

    def _safe_length(self, data: bytes) -> int:
        """Return up to where nothing can be the beginning of a secret that the next bytes complete."""
        safe = min((_begins(data, needle) for needle in self._needles), default=len(data))
        if self._wrapped:
            plain = data.translate(None, _BREAKS)
            begins = min(_begins(plain, needle) for needle in self._wrapped)
            if len(plain) - begins >= _HELD_ACROSS_LINES:
                safe = min(safe, _Lines(data).place(begins))
        return safe


class _Lines:
    """Where the bytes stand in some data that remain when its line breaks are taken out."""

    def __init__(self, data: bytes) -> None:
        self._starts: list[int] = []  # of each piece between line breaks: its place without them
        self._shifts: list[int] = []  # how many bytes of line breaks stand before it
        kept = position = 0
        while position < len(data):
            ends = [place for one in _BREAKS if (place := data.find(one, position)) >= 0]
            end = min(ends, default=len(data))
            if end > position:
                self._starts.append(kept)
                self._shifts.append(position - kept)
                kept += end - position
            position = end + 1

    def place(self, plain: int) -> int:
        """Return where the byte stands that is at `plain` without line breaks."""
        return plain + self._shifts[bisect_right(self._starts, plain) - 1]


def _spellings(part: str) -> Iterable[bytes]:
    raw = part.encode()
    yield raw
    yield from (raw.hex().encode(), raw.hex().upper().encode())
    for before in range(3):
        yield from _base64(raw, before)
    for text in (
        quote(part, safe=""),
        quote(part),
        quote_plus(part),
        html.escape(part),
        html.escape(part, quote=False),
    ):
        yield text.encode()
    yield from (json.dumps(part)[1:-1].encode(), json.dumps(part, ensure_ascii=False)[1:-1].encode())
    yield from (part.replace("'", "'\\''").encode(), part.replace("'", "'\"'\"'").encode())
    yield part.replace("\n", "\r\n").encode()


def _base64(raw: bytes, before: int) -> tuple[bytes, bytes]:
    """Return what of the base64 of a text depends on `raw` alone, where `raw` begins behind so many bytes of three."""
    first = -(-before * 8 // _DIGIT_BITS)
    last = (before + len(raw)) * 8 // _DIGIT_BITS
    padded = b"\0" * before + raw
    return base64.b64encode(padded)[first:last], base64.urlsafe_b64encode(padded)[first:last]


def _places(data: bytes, needle: bytes) -> Iterable[tuple[int, int]]:
    """Yield where a needle stands, also where it overlaps itself."""
    start = data.find(needle)
    while start >= 0:
        yield start, start + len(needle)
        start = data.find(needle, start + 1)


def _begins(data: bytes, needle: bytes) -> int:
    """Return where the longest end of the data stands with which the needle begins; its length where there is none."""
    start = data.find(needle[:1], max(0, len(data) - len(needle) + 1))
    while start >= 0 and not needle.startswith(data[start:]):
        start = data.find(needle[:1], start + 1)
    return start if start >= 0 else len(data)


def _without(data: bytes, spans: Iterable[tuple[int, int]], end: int) -> bytes:
    """Return the data up to `end` with the mask in place of the spans, none of which reaches beyond."""
    kept: list[bytes] = []
    position = 0
    for start, stop in spans:
        if start >= end:
            break
        kept += (data[position:start], MASK)
        position = stop
    kept.append(data[position:end])
    return b"".join(kept)
