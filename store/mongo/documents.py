"""Records as documents: the fields as they are filtered by, the words, and the whole record in `doc`.

The key of a collection is `_id`; one of several fields is a document of them, and the fields are there as well. `rev`
is the index of the log entry that the document is as of.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import bson
import msgspec
from bson.datetime_ms import DatetimeMS
from bson.errors import InvalidDocument
from bson.raw_bson import RawBSONDocument

from ...core.errors import Damaged
from ..collections import COLLECTIONS, Collection, Kind
from ..sums import SUMMED, Known
from ..values import VALUES
from ..words import words

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
    names: tuple[str, ...]  # what all fields are called, in their order
    instants: tuple[str, ...]  # those of them that are dates
    texts: tuple[int, ...]  # places of what is searched
    known: tuple[int, ...]  # places of what sums are made of


def _shape(collection: Collection) -> Shape:
    places = {name: place for place, name in enumerate(collection.fields)}
    return Shape(
        tuple(places[one] for one in collection.key),
        tuple(path_of(collection, one) for one in collection.fields),
        tuple(one for one, field in collection.fields.items() if field.kind is Kind.INSTANT),
        tuple(places[one] for one in collection.texts),
        tuple(places[one] for one in SUMMED[collection.name]),
    )


_SHAPES = {name: _shape(one) for name, one in COLLECTIONS.items()}


class Made(NamedTuple):
    """A record as it is stored."""

    identity: Any  # its `_id`
    document: Mapping[str, Any]  # the whole of it
    known: Known  # what sums are made of


def document_of(collection: Collection, record: Any, rev: int) -> Made:  # noqa: ANN401 - a record of that type
    """Return a record as it is stored: as bytes, so that nobody has to make them a second time."""
    shape, values = _SHAPES[collection.name], VALUES[collection.name](record)
    identity = id_of(collection, tuple([values[one] for one in shape.key]))
    document: dict[str, Any] = {"_id": identity, **dict(zip(shape.names, values, strict=True)), "rev": rev}
    for name in shape.instants:
        if (instant := document[name]) is not None:
            document[name] = DatetimeMS(instant)
    if shape.texts:
        document["words"] = words(" ".join([values[one] for one in shape.texts]))
    document["doc"] = msgspec.to_builtins(record)
    try:
        stored = bson.encode(document)
    except (InvalidDocument, OverflowError):  # it has names, or numbers, that no document can have
        document["doc"] = msgspec.json.encode(record).decode()
        stored = bson.encode(document)
    return Made(identity, RawBSONDocument(stored), tuple([values[one] for one in shape.known]))


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
