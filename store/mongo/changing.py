"""What a batch changes in MongoDB, as documents: made once, put in as often as it takes.

Each document says as of which index it is, and never replaces a newer one; sums say up to which index they were added
up. So to put the same changes in again changes nothing, and whoever comes too late cannot undo what is newer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from ..collections import COLLECTIONS, Collection, Kind
from ..contract import Batch
from ..query import of_key
from ..sums import SUMMED, Known, Sums
from .deployment import META, Deployment
from .documents import document_of, id_of, known_of, path_of
from .summing import Sum, sums_of

AT_ONCE = 2_000
"""Documents of one question to the server. Larger: fewer round trips; more memory."""

PART = 250
"""Documents that are made while the ones before are put in. Larger: fewer round trips; less at the same time."""

Document: TypeAlias = dict[str, Any]
Stored: TypeAlias = dict[Any, Known | None]
"""What is stored of records, by `_id`; None of those that were removed."""


class Put(NamedTuple):
    """A whole document, in place of an older one."""

    identity: Any  # its `_id`
    document: Mapping[str, Any]  # all of it
    new: bool = False  # there was none when this was made


class Changes(msgspec.Struct):
    """What to put in, by collection of the database."""

    index: int  # that it is as of
    puts: dict[str, list[Put]] = {}  # whole documents
    sums: dict[str, list[Sum]] = {}  # differences to what is kept


def changes_of(deployment: Deployment, batch: Batch) -> Changes:
    """Return what a batch changes, as the database is now."""
    changes, sums = Changes(batch.index), Sums()
    for name, puts in parts_of(deployment, batch, sums):
        changes.puts.setdefault(name, []).extend(puts)
    changes.sums = sums_of(sums)
    return changes


def parts_of(deployment: Deployment, batch: Batch, sums: Sums) -> Iterator[tuple[str, list[Put]]]:
    """Yield what a batch changes, part by part; sums take it in.

    All that is asked of the database is asked before the first part.
    """
    stored = {name: _stored(deployment, COLLECTIONS[name], records) for name, records in batch.records.items()}
    removed = {name: _removed(deployment, COLLECTIONS[name], keys) for name, keys in batch.removed.items()}
    for name, records in batch.records.items():
        for part in parts(records, PART):
            yield name, _puts(COLLECTIONS[name], part, batch.index, stored[name], sums)
    for name, found in removed.items():
        for identity, before in found.items():
            note(COLLECTIONS[name], sums, identity, before, None)
        # a document stays of each, in the way of older ones that come late
        gone = [{"_id": _plain(one), "rev": batch.index, "gone": True} for one in found]
        yield name, [Put(one["_id"], one) for one in gone]
    if batch.meta:
        yield META, kept(batch.meta, batch.index)


def kept(meta: Mapping[str, str], rev: int) -> list[Put]:
    """Return the ledger's counters and settings as they are stored."""
    made = [{"_id": f"ledger/{name}", "value": value, "rev": rev} for name, value in meta.items()]
    return [Put(one["_id"], one) for one in made]


def _puts(collection: Collection, records: Sequence[Any], rev: int, stored: Stored, sums: Sums) -> list[Put]:
    puts: list[Put] = []
    for record in records:
        identity, document, after = document_of(collection, record, rev)
        there = (same := _hashable(identity)) in stored
        note(collection, sums, identity, stored.get(same), after)
        if not there or collection.name != "specs":  # those are never changed
            puts.append(Put(identity, document, not there))
    return puts


def _stored(deployment: Deployment, collection: Collection, records: Sequence[Any]) -> Stored:
    if not records:
        return {}
    ids = [id_of(collection, tuple([collection.value(one, field) for field in collection.key])) for one in records]
    top = _top(deployment, collection)
    # what is beyond the highest number is new: it need not be looked for
    return known(deployment, collection, [one for one in ids if top is None or _first(collection, one) <= top])


def _top(deployment: Deployment, collection: Collection) -> int | None:
    """Return the highest number that a record's key begins with; None where keys are no numbers."""
    if collection.fields[collection.key[0]].kind is not Kind.INTEGER:
        return None
    # by `_id`, which is all there is of what was removed
    stored = deployment.collection(collection.name)
    found = stored.find_one({}, {"_id": 1}, sort=[("_id", -1)], session=deployment.session)
    return 0 if found is None else _first(collection, found["_id"])


def _removed(deployment: Deployment, collection: Collection, keys: Sequence[Any]) -> Stored:
    """Return what is stored of records that are to be no more, also of those that never were."""
    values = [{one.field: one.value for one in of_key(collection, key)} for key in keys]
    ids = [id_of(collection, tuple(each[one] for one in collection.key)) for each in values]
    return dict.fromkeys(map(_hashable, ids)) | known(deployment, collection, ids)


def known(deployment: Deployment, collection: Collection, ids: Sequence[Any]) -> Stored:
    """Return what is stored of records."""
    fields = {path_of(collection, one): 1 for one in SUMMED[collection.name]} | {"_id": 1, "gone": 1}
    found: Stored = {}
    stored = deployment.collection(collection.name)
    for part in parts(ids):
        for document in stored.find({"_id": {"$in": part}}, fields, session=deployment.session, batch_size=AT_ONCE):
            found[_hashable(document["_id"])] = None if document.get("gone") else known_of(collection, document)
    return found


def note(collection: Collection, sums: Sums, identity: Any, before: Known | None, after: Known | None) -> None:  # noqa: ANN401 - an `_id`
    """Let sums take in a change of one record."""
    sums.note(collection, _first(collection, identity), before, after)


def _first(collection: Collection, identity: Any) -> Any:  # noqa: ANN401 - an `_id`, and a value in it
    return identity if len(collection.key) == 1 else dict(identity)[collection.key[0]]


def parts(items: Iterable[Any], size: int = AT_ONCE) -> Iterator[list[Any]]:
    """Yield items in parts."""
    found = list(items)
    return (found[start : start + size] for start in range(0, len(found), size))


def _hashable(identity: Any) -> Any:  # noqa: ANN401 - an `_id`
    return tuple(identity.items()) if isinstance(identity, dict) else identity


def _plain(identity: Any) -> Any:  # noqa: ANN401 - an `_id`
    return dict(identity) if isinstance(identity, tuple) else identity
