"""What the fields of records hold, of one record all at once. Pure; made for writing many."""

from collections.abc import Callable
from enum import Enum
from operator import attrgetter, itemgetter
from typing import Any, get_type_hints

from .collections import COLLECTIONS, MAX_LENGTH, Collection, Kind, comparable


def values_of(collection: Collection) -> Callable[[Any], tuple[Any, ...]]:
    """Return the function from a record to the values of its fields, in their order."""
    fields = collection.fields
    plain = [name for name, one in fields.items() if one.derive is None]
    derived = [one.derive for one in fields.values() if one.derive is not None]
    if plain != list(fields)[len(derived) :]:
        raise TypeError(f"{collection.name}: derived fields come first")
    types = get_type_hints(collection.type)
    # the text of a state, which every driver knows as one
    paths = [f"{one}._value_" if _is_enum(types.get(one)) else one for one in plain]
    attributes: Callable[[Any], tuple[Any, ...]] = attrgetter(*paths) if len(paths) > 1 else lambda _: ()
    places = [place for place, one in enumerate(fields.values()) if one.kind is Kind.TEXT]
    texts_of = itemgetter(*places, places[0])  # at least two, which makes a tuple

    def values(record: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a record of the collection
        found = (*[make(record) for make in derived], *attributes(record))
        # most records are seen to fit without a look at each of their texts
        if len(texts := "".join(texts_of(found))) > MAX_LENGTH or "\0" in texts:
            return tuple(comparable(one) if isinstance(one, str) else one for one in found)
        return found

    return values


def _is_enum(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


VALUES = {name: values_of(one) for name, one in COLLECTIONS.items()}
"""The functions of all collections."""
