"""Records as documents: the fields as they are filtered by, the words, and the whole record in `doc`.

The key of a collection is `_id`; one of several fields is a document of them, and the fields are there as well. `rev`
is the index of the log entry that the document is as of.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import bson
import msgspec
from bson.datetime_ms import DatetimeMS
from bson.errors import InvalidDocument

from ...core.errors import Damaged
from ..collections import COLLECTIONS, Collection, Kind
from ..sums import SUMMED, Known
from ..values import VALUES
from ..words import words_of

RESTORE = "restore it from a backup"
"""What is done about damage."""

_EPOCH = datetime.fromtimestamp(0, UTC)
_DECODE = {name: msgspec.json.Decoder(one.type).decode for name, one in COLLECTIONS.items()}


def path_of(collection: Collection, field: str) -> str:
    """Return what a field is called in documents."""
    return "_id" if collection.key == (field,) else field


def value_of(kind: Kind, value: Any) -> Any:  # noqa: ANN401 - what a field holds
    """Return a value as documents have it: instants are dates."""
    return DatetimeMS(value) if kind is Kind.INSTANT and value is not None else value


def id_of(collection: Collection, key: tuple[Any, ...]) -> Any:  # noqa: ANN401 - a value, or a document of several
    """Return the `_id` of the record with these values of the key's fields."""
    return key[0] if len(key) == 1 else dict(zip(collection.key, key, strict=True))


class Shape(NamedTuple):
    """Where the values of a collection's fields go in a document."""

    key: tuple[int, ...]  # places of the key's fields
    fields: tuple[tuple[str, int], ...]  # names and places of the others
    instants: tuple[tuple[str, int], ...]  # and of the instants among these
    known: tuple[int, ...]  # places of what sums are made of


def _shape(collection: Collection) -> Shape:
    places = {name: place for place, name in enumerate(collection.fields)}
    others = {name: place for name, place in places.items() if collection.key != (name,)}
    instants = {name: place for name, place in others.items() if collection.fields[name].kind is Kind.INSTANT}
    return Shape(
        tuple(places[one] for one in collection.key),
        tuple(others.items()),
        tuple(instants.items()),
        tuple(places[one] for one in SUMMED[collection.name]),
    )


_SHAPES = {name: _shape(one) for name, one in COLLECTIONS.items()}


def document_of(collection: Collection, record: Any, rev: int) -> tuple[dict[str, Any], Known]:  # noqa: ANN401 - a record of that type
    """Return a record as it is stored, and what sums are made of."""
    shape, values = _SHAPES[collection.name], VALUES[collection.name](record)
    document: dict[str, Any] = {"_id": id_of(collection, tuple([values[one] for one in shape.key])), "rev": rev}
    for name, place in shape.fields:
        document[name] = values[place]
    for name, place in shape.instants:
        document[name] = value_of(Kind.INSTANT, values[place])
    if collection.texts:
        document["words"] = words_of(collection, record)
    document["doc"] = _whole(record)
    return document, tuple([values[one] for one in shape.known])


def _whole(record: object) -> Any:  # noqa: ANN401 - a document, or its text
    """Return a record as a document; as JSON text where it has names that no document can have."""
    found = msgspec.to_builtins(record)
    try:
        bson.encode(found)
    except (InvalidDocument, OverflowError):
        return msgspec.json.encode(record).decode()
    return found


def record_of(collection: Collection, document: dict[str, Any], url: str) -> Any:  # noqa: ANN401 - a record of that type
    """Return the record of a document. Raises Damaged for what is none."""
    found = document.get("doc")
    try:
        if isinstance(found, str):
            return _DECODE[collection.name](found)
        return msgspec.convert(found, collection.type)
    except (msgspec.ValidationError, msgspec.DecodeError) as problem:
        message = f"the store {url} is damaged: a record of {collection.name} cannot be read ({problem}); {RESTORE}"
        raise Damaged(message) from None


def known_of(collection: Collection, document: dict[str, Any]) -> Known:
    """Return what sums are made of, from a document."""
    return tuple(_plain(document.get(path_of(collection, name))) for name in SUMMED[collection.name])


def _plain(value: Any) -> Any:  # noqa: ANN401 - what a document holds
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(milliseconds=1)
    return int(value) if isinstance(value, DatetimeMS) else value
