"""What a batch changes in MongoDB, as documents: made once, put in as often as it takes.

Each document says as of which index it is, and never replaces a newer one; sums say up to which index they were added
up. So to put the same changes in again changes nothing, and whoever comes too late cannot undo what is newer.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from ..collections import COLLECTIONS, Collection, Kind
from ..contract import Batch
from ..query import of_key
from ..sums import SUMMED, Known, Sums
from .deployment import META, SIZES, TALLIES, USAGE, VOCABULARY, Deployment
from .documents import document_of, id_of, known_of, path_of, value_of

AT_ONCE = 2_000
"""Documents of one question or one order to the server. Larger: fewer round trips; more memory."""

DUPLICATE = 11000
"""The server's number for: there is one with this key."""

Document: TypeAlias = dict[str, Any]
Operation: TypeAlias = InsertOne[Document] | ReplaceOne[Document] | UpdateOne | DeleteOne


class Changes(msgspec.Struct):
    """Documents to put in, by collection of the database."""

    index: int  # that they are as of
    puts: dict[str, list[Document]] = {}  # whole documents, in place of older ones
    new: dict[str, list[bool]] = {}  # of each: there was none when this was made
    sums: dict[str, list[Document]] = {}  # {_id, add: {...}, highest: {...}, keep: {...}}


def changes_of(deployment: Deployment, batch: Batch) -> Changes:
    """Return what a batch changes, as the database is now."""
    changes = Changes(batch.index)
    sums = Sums()
    for name, records in batch.records.items():
        put(deployment, changes, COLLECTIONS[name], records, sums)
    for name, keys in batch.removed.items():
        _remove(deployment, changes, COLLECTIONS[name], keys, sums)
    meta = [{"_id": f"ledger/{name}", "value": value, "rev": batch.index} for name, value in batch.meta.items()]
    changes.puts[META] = meta
    changes.new[META] = [False] * len(meta)
    changes.sums = sums_of(sums)
    return changes


def put(deployment: Deployment, changes: Changes, collection: Collection, records: Sequence[Any], sums: Sums) -> None:
    """Take in records."""
    made = [document_of(collection, one, changes.index) for one in records]
    ids = [document["_id"] for document, _ in made]
    top = _top(deployment, collection) if ids else None
    # what is beyond the highest number is new: it need not be looked for
    before = known(deployment, collection, [one for one in ids if top is None or _first(collection, one) <= top])
    documents: list[Document] = []
    new: list[bool] = []
    for document, after in made:
        identity = _hashable(document["_id"])
        note(collection, sums, document["_id"], before.get(identity), after)
        there = identity in before
        if not there or collection.name != "specs":  # those are never changed
            documents.append(document)
            new.append(not there)
    changes.puts[collection.name] = documents
    changes.new[collection.name] = new


def _top(deployment: Deployment, collection: Collection) -> int | None:
    """Return the highest number that a record's key begins with; None where keys are no numbers."""
    if collection.fields[collection.key[0]].kind is not Kind.INTEGER:
        return None
    # by `_id`, which is all there is of what was removed
    stored = deployment.collection(collection.name)
    found = stored.find_one({}, {"_id": 1}, sort=[("_id", -1)], session=deployment.session)
    return 0 if found is None else _first(collection, found["_id"])


def _remove(deployment: Deployment, changes: Changes, collection: Collection, keys: Sequence[Any], sums: Sums) -> None:
    """Take in that records are no more: a document stays of each, in the way of older ones that come late."""
    values = [{one.field: one.value for one in of_key(collection, key)} for key in keys]
    ids = [id_of(collection, tuple(each[one] for one in collection.key)) for each in values]
    for identity, before in known(deployment, collection, ids).items():
        note(collection, sums, identity, before, None)
    gone = ({"_id": one, "rev": changes.index, "gone": True} for one in ids)
    changes.puts.setdefault(collection.name, []).extend(gone)
    changes.new.setdefault(collection.name, []).extend(False for _ in ids)


def known(deployment: Deployment, collection: Collection, ids: Sequence[Any]) -> dict[Any, Known | None]:
    """Return what is stored of records, by `_id`; None of those that were removed."""
    fields = {path_of(collection, one): 1 for one in SUMMED[collection.name]} | {"_id": 1, "gone": 1}
    found: dict[Any, Known | None] = {}
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


def sums_of(sums: Sums) -> dict[str, list[Document]]:
    """Return the differences as documents."""
    text = msgspec.json.encode
    return {
        SIZES: [{"_id": name, "add": {"count": count}} for name, count in sums.sizes.items() if count],
        TALLIES: [
            {
                "_id": text(key).decode(),
                "add": {"builds": count},
                "highest": {"last": sums.last.get(key, 0)},
                "keep": dict(zip(("project", "job", "state"), key, strict=True)),
            }
            for key, count in sums.tallies.items()
        ],
        USAGE: [
            {
                "_id": text((day, agent)).decode(),
                "add": {"attempts": sums.attempts[agent, day], "busy_ms": busy},
                "keep": {"agent": agent, "day": value_of(Kind.INSTANT, day)},
            }
            for (agent, day), busy in sums.busy.items()
        ],
        VOCABULARY: [
            {"_id": f"{name}/{word}", "add": {"count": one.more}}
            for name, changes in sums.words().items()
            for word, one in changes.items()
            if one.more
        ],
    }


def apply(deployment: Deployment, changes: Changes) -> None:
    """Put changes in: for the first time, or again."""
    for name, documents in changes.puts.items():
        operations: list[Operation] = [
            InsertOne(one) if new else _replacing(one) for one, new in zip(documents, changes.new[name], strict=True)
        ]
        late = run(deployment, name, operations)
        # somebody else put it in meanwhile: it may be older
        run(deployment, name, [_replacing(documents[place]) for place in late if changes.new[name][place]])
    add(deployment, changes.sums, changes.index)


def add(deployment: Deployment, sums: Mapping[str, Sequence[Document]], index: int | None) -> None:
    """Add differences to the sums that are kept; once, where they are as of an index."""
    for name, documents in sums.items():
        run(deployment, name, [_adding(one, index) for one in documents])


def _replacing(document: Document) -> ReplaceOne[Document]:
    return ReplaceOne({"_id": document["_id"], "rev": {"$lt": document["rev"]}}, document, upsert=True)


def _adding(document: Document, index: int | None) -> UpdateOne:
    change: Document = {"$inc": document["add"], "$max": {**document.get("highest", {}), "rev": index or 0}}
    if "keep" in document:
        change["$set"] = document["keep"]
    guard = {} if index is None else {"rev": {"$lt": index}}
    return UpdateOne({"_id": document["_id"], **guard}, change, upsert=True)


def run(deployment: Deployment, name: str, operations: Sequence[Operation]) -> list[int]:
    """Carry out operations in any order; return the places of those that found a newer, or the same, document."""
    late: list[int] = []
    collection = deployment.collection(name, lasting=False)
    for start in range(0, len(operations), AT_ONCE):
        part = operations[start : start + AT_ONCE]
        try:
            collection.bulk_write(part, ordered=False, session=deployment.session)
        except BulkWriteError as problem:
            failed: list[Document] = problem.details["writeErrors"] if problem.details else []
            if deployment.session is not None or any(one["code"] != DUPLICATE for one in failed):
                raise
            late += [start + one["index"] for one in failed]
    return late


def recount(deployment: Deployment) -> None:
    """Make the sums of what is there anew, by looking at all of it."""
    whole = {"$match": {"gone": {"$exists": False}}}
    builds = deployment.collection("builds")
    tallies = deployment.collection(TALLIES)
    tallies.update_many({}, {"$set": {"builds": 0}})
    fields = ("project", "job", "state")
    grouped = {"_id": {one: f"${one}" for one in fields}, "builds": {"$sum": 1}}
    for one in builds.aggregate([whole, {"$group": grouped}], allowDiskUse=True):
        key = tuple(one["_id"][field] for field in fields)
        made = {**one["_id"], "builds": one["builds"]}
        change = {"$set": made, "$max": {"last": 0, "rev": 0}}
        tallies.update_one({"_id": msgspec.json.encode(key).decode()}, change, upsert=True)
    sizes, vocabulary = deployment.collection(SIZES), deployment.collection(VOCABULARY)
    vocabulary.update_many({}, {"$set": {"count": 0}})
    for name, collection in COLLECTIONS.items():
        stored = deployment.collection(name)
        count = {"count": stored.count_documents(whole["$match"])}
        sizes.update_one({"_id": name}, {"$set": count, "$max": {"rev": 0}}, upsert=True)
        if not (collection.large and collection.texts):
            continue
        counted = {"$group": {"_id": "$words", "count": {"$sum": 1}}}
        words = stored.aggregate([whole, {"$unwind": "$words"}, counted], allowDiskUse=True)
        changes = [
            UpdateOne(
                {"_id": f"{name}/{one['_id']}"}, {"$set": {"count": one["count"]}, "$max": {"rev": 0}}, upsert=True
            )
            for one in words
        ]
        run(deployment, VOCABULARY, changes)


def parts(items: Iterable[Any]) -> Iterable[list[Any]]:
    """Yield items in parts of one question."""
    found = list(items)
    return (found[start : start + AT_ONCE] for start in range(0, len(found), AT_ONCE))


def _hashable(identity: Any) -> Any:  # noqa: ANN401 - an `_id`
    return tuple(identity.items()) if isinstance(identity, dict) else identity


def removing(ids: Iterable[Any]) -> list[Operation]:
    """Return what takes out documents for good."""
    return [DeleteOne({"_id": one}) for one in ids]
