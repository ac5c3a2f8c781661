"""The sums that a store in MongoDB keeps (sums.py), as documents: what is added to them, and how they are made anew."""

from typing import Any, TypeAlias

import msgspec
from pymongo import UpdateOne

from ..collections import COLLECTIONS, Kind
from ..sums import Sums
from .deployment import SIZES, TALLIES, USAGE, VOCABULARY, Deployment
from .documents import value_of

Sum: TypeAlias = dict[str, Any]
"""A difference: {_id, add: {...}, highest: {...}, keep: {...}}."""


def sums_of(sums: Sums) -> dict[str, list[Sum]]:
    """Return the differences, by collection of the database."""
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
        if changes:
            vocabulary.bulk_write(changes, ordered=False)
