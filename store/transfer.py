"""The whole of a store as lines of JSON, and back: how a history moves from one kind of database into any other.

The format (documented in docs/operations.md) is one JSON object per line:

    {"format": 1, "schema": 2, "applied": 4711, "meta": {...}}      the first line
    {"builds": {...}}                                               a record of a collection, as it is stored
    {"end": {"builds": 1000, ...}, "digest": "sha256 in hex"}       the last line; the digest is of all before it

Records come collection by collection, each in the order of its key, so that the same history gives the same lines,
whichever database it comes from. Both ways need as much memory as one batch. Refuses to know about files and
compression: it yields lines and takes lines.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from ..core.errors import InvalidInput, NewerSchema
from .collections import COLLECTIONS
from .contract import SCHEMA_VERSION, Reading, Upkeep

FORMAT = 1
"""Version of the format."""

BATCH = 1000
"""Records that are put in together. More: quicker, up to a point; fewer: less memory."""

Progress = Callable[[int], None]
"""Is told of so many further records."""


class Whole(Reading, Upkeep, Protocol):
    """The part of a store that is needed."""


class Head(msgspec.Struct, frozen=True):
    """The first line."""

    format: int  # see FORMAT
    schema: int  # of the stored shape, see contract.SCHEMA_VERSION
    applied: int  # index of the log entry that the history reflects
    meta: dict[str, str]  # the ledger's counters and settings


class End(msgspec.Struct, frozen=True):
    """The last line."""

    end: dict[str, int]  # collection -> how many records came before
    digest: str  # SHA-256 (hex) of all lines before this one, with their line breaks


_encode = msgspec.json.Encoder(order="deterministic").encode
_RECORDS = {
    name: msgspec.json.Decoder(msgspec.defstruct(name, [(name, one.type)], forbid_unknown_fields=True))
    for name, one in COLLECTIONS.items()
}
_head = msgspec.json.Decoder(Head).decode
_end = msgspec.json.Decoder(End).decode


def lines_of(store: Whole, progress: Progress = lambda _: None) -> Iterator[bytes]:
    """Yield a store's history as lines, each with its line break, as of one moment."""
    digest = sha256()
    counts: dict[str, int] = {}

    def line(value: object) -> bytes:
        text = _encode(value) + b"\n"
        digest.update(text)
        return text

    with store.steady():
        yield line(Head(FORMAT, SCHEMA_VERSION, store.applied(), store.meta()))
        for name in COLLECTIONS:
            counts[name] = 0
            for record in store.scan(name):
                counts[name] += 1
                yield line({name: record})
                progress(1)
    yield _encode(End(counts, digest.hexdigest())) + b"\n"


def fill(store: Whole, lines: Iterable[bytes], progress: Progress = lambda _: None) -> dict[str, int]:
    """Let a store hold the history that the lines tell, and nothing else; return how many records of each collection.

    Until the last line was found right the store stays unfinished, so that nothing half-done is ever visible; to begin
    again is always possible. Raises InvalidInput, with the line, where they are no such history or are not whole.
    """
    reading = iter(lines)
    digest = sha256()
    first = next(reading, b"")
    head = _read_head(first)
    digest.update(first)
    store.clear()
    counts = dict.fromkeys(COLLECTIONS, 0)
    batch: list[Any] = []
    current = ""
    for number, text in enumerate(reading, 2):
        name = text[2 : text.find(b'"', 2)].decode(errors="replace")
        if name == "end":
            _check_end(text, number, digest.hexdigest(), counts)
            store.load({current: batch} if batch else {})
            store.finish(head.applied, head.meta)
            progress(len(batch))
            return counts
        if name not in _RECORDS:
            message = f"line {number} is no record of {', '.join(COLLECTIONS)}; export the history again"
            raise InvalidInput(message)
        if batch and (name != current or len(batch) >= BATCH):
            store.load({current: batch})
            progress(len(batch))
            batch = []
        current = name
        batch.append(_record(name, text, number))
        counts[name] += 1
        digest.update(text)
    message = "the history has no last line: it was cut off, or is still being written; export it again"
    raise InvalidInput(message)


def _read_head(line: bytes) -> Head:
    try:
        head = _head(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = "this is no exported history: its first line is none of ours; make one with: orchestra store export"
        raise InvalidInput(message) from None
    if head.format > FORMAT or head.schema > SCHEMA_VERSION:
        message = (
            f"this history was exported by a newer version (format {head.format}, schema {head.schema}; this one knows "
            f"{FORMAT} and {SCHEMA_VERSION}); upgrade this machine"
        )
        raise NewerSchema(message)
    return head


def _record(name: str, line: bytes, number: int) -> Any:  # noqa: ANN401 - a record of the collection
    try:
        return getattr(_RECORDS[name].decode(line), name)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        message = f"line {number} is damaged ({problem}); export the history again"
        raise InvalidInput(message) from None


def _check_end(line: bytes, number: int, digest: str, counts: dict[str, int]) -> None:
    try:
        end = _end(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        message = f"line {number} is damaged ({problem}); export the history again"
        raise InvalidInput(message) from None
    if end.digest != digest or {name: count for name, count in counts.items() if count} != {
        name: count for name, count in end.end.items() if count
    }:
        message = "the history is not what was exported: it was changed on the way; copy or export it again"
        raise InvalidInput(message)
