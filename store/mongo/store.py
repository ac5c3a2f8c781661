"""A store in MongoDB: see contract.Store. One database for all agents, of whom the master writes.

A batch is put in by one transaction where the deployment has them and the batch is small enough. Else in steps: what
changes is written down first (PENDING), then put in, then the applied index is moved. A crash between these leaves what
is written down, and whoever writes next, or starts from here, completes it. Of several writers the one counts that
claimed last: the store's state, one document, says who that is, and what is written down and complete.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import bson
from msgspec.structs import replace
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from ...core.errors import Damaged, NewerSchema, OlderSchema, StorageError, Unfinished
from ...core.ledger import Remembered
from ...core.model import Millis
from .. import stretches
from ..answers import Answers, equal, requests_of
from ..collections import COLLECTIONS, Collection, Kind, Part, collection_of
from ..contract import SCHEMA_VERSION, Batch
from ..query import Filter, Operator, Order, Query, of_key, resolve
from ..servers import no_file
from ..statistics import Description, Size, Tally, Usage
from ..stretches import MAX_EXPANDED, Stretch
from ..sums import Sums
from . import changing
from .changing import Changes, Document
from .deployment import META, PENDING, SIZES, TALLIES, USAGE, VOCABULARY, Deployment
from .documents import RESTORE, known_of, record_of, value_of
from .selecting import NOTHING, match_of, sort_of

TRANSACTION = 5_000
"""Documents that are put in by one transaction at most; the server gives it a minute."""

STEP_BYTES = 4 << 20
"""Bytes of what is written down in one document, but for one that is larger; the server takes 16 MiB."""

_STATE = "state"  # `_id` of the store's own state in META


class MongoStore(Answers):
    """Documents behind the contract."""

    shared = True

    def __init__(self, url: str) -> None:
        """Check the schema, and create what is missing. Raises NewerSchema, OlderSchema or StorageError."""
        self._to = Deployment(url)
        self.url = self._to.url
        self._me = uuid4().hex  # who claims to write
        self._writing = threading.Lock()
        try:
            with self._to.translated("open"):
                self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        state = self._state()
        schema = state.get("schema", 0)
        if schema > SCHEMA_VERSION:
            message = (
                f"the store {self.url} has schema {schema}, this version of Job Orchestra knows {SCHEMA_VERSION}: "
                "a newer one wrote it; upgrade this agent"
            )
            raise NewerSchema(message)
        if 0 < schema < SCHEMA_VERSION:
            message = (
                f"the store {self.url} has schema {schema}, and this version of Job Orchestra needs {SCHEMA_VERSION}; "
                "bring it up to date with: orchestra store migrate"
            )
            raise OlderSchema(message)
        self._to.create()
        if not schema:
            new = {"$set": {"schema": SCHEMA_VERSION}, "$max": {"applied": 0}}
            self._to.collection(META).update_one({"_id": _STATE}, new, upsert=True)
        self._complete()

    # -- writing

    def write(self, batch: Batch) -> bool:
        """See Store."""
        size = sum(len(one) for one in (*batch.records.values(), *batch.removed.values())) + len(batch.meta)
        with self._to.translated("write to"), self._writing:
            self._complete()
            if self._to.replicated and size <= TRANSACTION:
                return self._in_transaction(lambda: self._write(batch))
            return self._write_in_steps(batch)

    def _write(self, batch: Batch) -> bool:
        if not self._claim(batch.index):
            return False
        changing.apply(self._to, changing.changes_of(self._to, batch))
        moved = {"$set": {"applied": batch.index}}
        self._to.collection(META).update_one({"_id": _STATE}, moved, session=self._to.session)
        return True

    def _in_transaction(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Do work all or nothing; it is done again where others came between."""
        with self._to.client.start_session() as session:

            def inside(_: object) -> Any:  # noqa: ANN401 - what the work returns
                with self._to.within(session):
                    return work()

            majority = WriteConcern(w="majority", j=True)
            return session.with_transaction(inside, read_concern=ReadConcern("snapshot"), write_concern=majority)

    def _write_in_steps(self, batch: Batch) -> bool:
        if not self._claim(batch.index):
            return False
        changes = changing.changes_of(self._to, batch)
        self._write_down(changes)
        self._put_in(changes)
        return True

    def _claim(self, index: int) -> bool:
        """Become the one who writes: whoever was before, and has not written all down, comes too late."""
        free = {"_id": _STATE, "applied": {"$lt": index}, "ready": {"$exists": False}}
        mine = {"$set": {"writer": self._me}}
        state = self._to.collection(META).find_one_and_update(free, mine, session=self._to.session)
        if state is None:
            state = self._state()
            self._check_finished(state)
            if state["applied"] < index:
                raise self._overtaken()
            return False
        self._check_finished(state)
        return True

    def _write_down(self, changes: Changes) -> None:
        pending = self._to.collection(PENDING, lasting=False)
        pending.delete_many({})  # of those who claimed before
        steps = 0
        for steps, step in enumerate(_steps(changes), 1):
            pending.insert_one({"_id": {"writer": self._me, "step": steps}, **step})
        ready = {"$set": {"ready": {"index": changes.index, "steps": steps}}}
        if not self._to.collection(META).update_one({"_id": _STATE, "writer": self._me}, ready).matched_count:
            raise self._overtaken()

    def _put_in(self, changes: Changes) -> None:
        changing.apply(self._to, changes)
        mine = {"_id": _STATE, "ready.index": changes.index}
        moved = {"$max": {"applied": changes.index}, "$unset": {"ready": True}}
        self._to.collection(META).update_one(mine, moved)

    def _complete(self) -> None:
        """Put in what was written down, by whoever did not come so far as to put it in."""
        state = self._state()
        if state.get("removing"):
            self._recount()
        while ready := state.get("ready"):
            changes = self._read_down(state["writer"], ready)
            if changes is not None:
                self._put_in(changes)
                return
            before, state = state, self._state()
            if state == before:
                raise Damaged(
                    f"the store {self.url} is damaged: steps of entry {ready['index']} are missing; {RESTORE}"
                )

    def _read_down(self, writer: str, ready: Document) -> Changes | None:
        """Return what is written down; None where it is no more, because it was put in."""
        changes = Changes(ready["index"])
        for one in range(1, ready["steps"] + 1):
            step = self._to.collection(PENDING).find_one({"_id": {"writer": writer, "step": one}})
            if step is None:
                return None
            kept = changes.sums if step["sums"] else changes.puts
            kept.setdefault(step["name"], []).extend(step["documents"])
        changes.new = {name: [False] * len(documents) for name, documents in changes.puts.items()}
        return changes

    def _overtaken(self) -> StorageError:
        return StorageError(f"the store {self.url} is being written by another agent; it is tried again")

    def _recount(self) -> None:
        """Make sums anew after records were not taken out to the end."""
        changing.recount(self._to)
        self._to.collection(META).update_one({"_id": _STATE}, {"$unset": {"removing": True}})

    def flush(self) -> int:
        """See Store: what is written is on the disks of a majority."""
        return self.applied()

    # -- what an agent starts from

    def live(self, requests_since: Millis) -> Remembered:
        """See Store."""
        with self._to.translated("read"):
            self._complete()
            with self._to.steady() as steady:
                while True:
                    state = self._state()
                    self._check_finished(state)
                    found = self._live(state["applied"], requests_since)
                    if steady or self._state() == state:
                        return found

    def _live(self, index: int, requests_since: Millis) -> Remembered:
        found: dict[str, Any] = {}
        for name, one in COLLECTIONS.items():
            states = (Filter("state", Operator.IN, one.alive),) if one.part is Part.LIVE else ()
            if one.part in {Part.ALL, Part.LIVE}:
                order = tuple(Order(field) for field in one.key)
                found[name] = tuple(self._fetch(Stretch(one, states, order), 0))
        builds = found["builds"]
        recent = (Filter("request", Operator.GT, ""), Filter("created", Operator.GE, requests_since))
        return Remembered(
            index=index,
            attempts=tuple(self._those("attempts", "serial", [one.serial for one in builds])),
            specs={one.digest(): one for one in self._those("specs", "digest", list({one.spec for one in builds}))},
            requests=requests_of(self._fetch(Stretch(COLLECTIONS["builds"], recent, (Order("serial"),)), 0)),
            ended=tuple(
                one
                for one in self._those("builds", "pipeline", [one.id for one in found["pipelines"]])
                if one.state.ended
            ),
            meta=self._ledger_meta(),
            **found,
        )

    def _those(self, name: str, field: str, values: list[Any]) -> Iterator[Any]:
        """Yield the records with one of these values, in the order of their key."""
        collection = COLLECTIONS[name]
        order = tuple(Order(one) for one in collection.key)
        for part in changing.parts(values):
            yield from self._fetch(Stretch(collection, (Filter(field, Operator.IN, tuple(part)),), order), 0)

    def _ledger_meta(self) -> dict[str, str]:
        rows = self._to.collection(META).find({"_id": {"$gt": "ledger/", "$lt": "ledger0"}}, session=self._to.session)
        return {one["_id"].removeprefix("ledger/"): one["value"] for one in rows}

    # -- reading

    def applied(self) -> int:
        """See Store."""
        with self._to.translated("read"):
            return self._state().get("applied", 0)

    @contextmanager
    def steady(self) -> Iterator[bool]:
        """See Store: on a replica set, for some minutes (its minSnapshotHistoryWindowInSeconds)."""
        with self._to.translated("read"), self._to.steady() as steady:
            yield steady

    def describe(self) -> Description:
        """See Store."""
        with self._read():
            sizes = self._sizes()
            taken = self._to.database.command("dbStats")
            return Description(
                url=self.url,
                kind=self._to.kind,
                schema=SCHEMA_VERSION,
                applied=self._state()["applied"],
                sizes=tuple(Size(name, sizes.get(name, 0)) for name in COLLECTIONS),
                bytes=int(taken["storageSize"] + taken["indexSize"]),
            )

    def usage(self, since: Millis, until: Millis) -> list[Usage]:
        """See Store."""
        days = {"day": {"$gte": value_of(Kind.INSTANT, since), "$lt": value_of(Kind.INSTANT, until)}}
        with self._read():
            rows = self._to.collection(USAGE).find(days, session=self._to.session)
            found = [
                Usage(one["agent"], round(one["day"].timestamp() * 1000), one["attempts"], one["busy_ms"] / 1000)
                for one in rows
            ]
        return sorted(found)

    def plan(self, query: Query) -> list[str]:
        """Return how the database answers a query, one line per question; for tests and for `bench store`."""
        steps: list[str] = []

        def fetch(stretch: Stretch, limit: int) -> list[Any]:
            stage: Document | None = self._cursor(stretch, limit).explain()["queryPlanner"]["winningPlan"]
            said: list[str] = []
            while stage is not None:
                said.append(" ".join(filter(None, (stage["stage"], stage.get("indexName")))))
                stage = stage.get("inputStage")
            steps.append(" < ".join(said))
            return self._fetch(stretch, limit)

        with self._read():
            stretches.find(resolve(query), fetch, self._vocabulary)
        return steps

    @contextmanager
    def _read(self) -> Iterator[None]:
        with self._to.translated("read"):
            self._check_finished(self._state())
            yield

    def _cursor(self, stretch: Stretch, limit: int, fields: Mapping[str, int] | None = None) -> Any:  # noqa: ANN401 - a cursor
        stored = self._to.collection(stretch.collection.name)
        cursor = stored.find(self._match(stretch), fields or {"_id": 0, "doc": 1}, session=self._to.session)
        return cursor.sort(sort_of(stretch)).limit(limit) if stretch.order else cursor.limit(limit)

    def _match(self, stretch: Stretch) -> Document:
        """Return the conditions of a stretch; where values are tried (Stretch.each), for each of those there are."""
        if not stretch.each:
            return match_of(stretch)
        within = {one.field: one.value for one in stretch.conditions if one.operator is Operator.EQ}
        known = {name: within[name] for name in stretch.each if name in within}
        tallies = self._to.collection(TALLIES).find(known, dict.fromkeys(stretch.each, 1), session=self._to.session)
        places = dict.fromkeys(tuple(one[name] for name in stretch.each) for one in tallies)
        tried = [
            match_of(
                replace(
                    stretch, conditions=(*stretch.conditions, *equal(**dict(zip(stretch.each, values, strict=True))))
                )
            )
            for values in places
        ]
        return {"$or": tried} if tried else NOTHING

    def _fetch(self, stretch: Stretch, limit: int) -> list[Any]:
        return [record_of(stretch.collection, one, self.url) for one in self._cursor(stretch, limit)]

    def _number(self, found: Stretch, rest: Stretch | None, limit: int) -> tuple[int, int]:
        stored = self._to.collection(found.collection.name)
        matched = self._match(found)
        looked = stored.count_documents(matched, limit=limit, session=self._to.session)
        if rest is None:
            return looked, looked
        stages = [{"$match": matched}, {"$limit": limit}, {"$match": match_of(rest)}, {"$count": "rows"}]
        fitting = list(stored.aggregate(stages, session=self._to.session))
        return looked, fitting[0]["rows"] if fitting else 0

    def _vocabulary(self, collection: Collection, term: str) -> Sequence[tuple[str, int]]:
        before = f"{collection.name}/"
        alike = {"_id": {"$gte": before + term, "$lt": f"{before}{term}\U0010ffff"}, "count": {"$gt": 0}}
        rows = self._to.collection(VOCABULARY).find(alike, session=self._to.session).sort("_id").limit(MAX_EXPANDED + 1)
        return [(one["_id"].removeprefix(before), one["count"]) for one in rows]

    def _tallies(self, project: str | None = None, job: str | None = None) -> list[Tally]:
        asked: Document = {"$or": [{"builds": {"$gt": 0}}, {"last": {"$gt": 0}}]}
        asked |= {name: value for name, value in (("project", project), ("job", job)) if value is not None}
        rows = self._to.collection(TALLIES).find(asked, session=self._to.session)
        return sorted(Tally(one["project"], one["job"], one["state"], one["builds"], one["last"]) for one in rows)

    def _sizes(self) -> dict[str, int]:
        return {one["_id"]: one["count"] for one in self._to.collection(SIZES).find(session=self._to.session)}

    # -- copies

    def backup(self, target: Path) -> NoReturn:
        """See Store."""
        raise no_file(self.url, target, "mongodump")

    def inspect(self, copy: Path) -> NoReturn:
        """See Store."""
        raise no_file(self.url, copy, "mongodump")

    def restore(self, copy: Path) -> NoReturn:
        """See Store."""
        raise no_file(self.url, copy, "mongodump")

    # -- upkeep

    def clear(self) -> None:
        """See Store."""
        with self._to.translated("clear"), self._writing:
            meta = self._to.collection(META)
            nobody = {"ready": True, "writer": True, "removing": True}
            meta.update_one({"_id": _STATE}, {"$set": {"applied": 0, "unfinished": True}, "$unset": nobody})
            for name in (*COLLECTIONS, PENDING, SIZES, TALLIES, USAGE, VOCABULARY):
                self._to.collection(name).delete_many({})
            meta.delete_many({"_id": {"$ne": _STATE}})

    def load(self, records: Mapping[str, Sequence[Any]]) -> None:
        """See Store: a crash leaves the store unfinished, so that half of them is nothing anybody sees."""
        with self._to.translated("write to"), self._writing:
            self._check_unfinished()
            changes, sums = Changes(0), Sums()
            for name, found in records.items():
                changing.put(self._to, changes, COLLECTIONS[name], found, sums)
            changing.apply(self._to, changes)
            changing.add(self._to, changing.sums_of(sums), None)

    def finish(self, index: int, meta: Mapping[str, str]) -> None:
        """See Store."""
        with self._to.translated("write to"), self._writing:
            self._check_unfinished()
            kept = [{"_id": f"ledger/{name}", "value": value, "rev": 0} for name, value in meta.items()]
            changing.apply(self._to, Changes(1, {META: kept}, {META: [False] * len(kept)}))
            done = {"$set": {"applied": index}, "$unset": {"unfinished": True}}
            self._to.collection(META).update_one({"_id": _STATE}, done)

    def meta(self) -> dict[str, str]:
        """See Store."""
        with self._read():
            return self._ledger_meta()

    def remove(self, collection: str, keys: Sequence[Any]) -> int:
        """See Store."""
        found = collection_of(collection)
        with self._to.translated("write to"), self._writing:
            self._complete()
            self._check_finished(self._state())
            if self._to.replicated:
                return self._in_transaction(lambda: self._remove(found, keys))
            # no transactions here: the sums are made anew if this does not come to its end
            state = self._to.collection(META)
            state.update_one({"_id": _STATE}, {"$set": {"removing": True}})
            removed = self._remove(found, keys)
            state.update_one({"_id": _STATE}, {"$unset": {"removing": True}})
            return removed

    def _remove(self, collection: Collection, keys: Sequence[Any]) -> int:
        sums = Sums()
        ids = self._ids(collection, keys)
        if collection.name == "builds":
            attempts = COLLECTIONS["attempts"]
            query = {"serial": {"$in": ids}}
            stored = self._to.collection(attempts.name, lasting=False)
            for one in stored.find(query, session=self._to.session):
                changing.note(attempts, sums, one["_id"], known_of(attempts, one), None)
            stored.delete_many(query, session=self._to.session)
        for document in changing.known(self._to, collection, ids).items():
            changing.note(collection, sums, *document, None)
        changing.run(self._to, collection.name, changing.removing(ids))
        changing.add(self._to, changing.sums_of(sums), None)
        return len(ids)

    def _ids(self, collection: Collection, keys: Sequence[Any]) -> list[Any]:
        """Return the `_id`s of those that are there, and not alive."""
        found: list[Any] = []
        alive = (Filter("state", Operator.IN, collection.alive),) if collection.alive else ()
        for key in dict.fromkeys(keys):
            where = match_of(Stretch(collection, of_key(collection, key), ()))
            living = [match_of(Stretch(collection, alive, ()))] if alive else []
            asked = {"$and": [where], **({"$nor": living} if living else {})}
            one = self._to.collection(collection.name).find_one(asked, {"_id": 1}, session=self._to.session)
            found += [one["_id"]] if one is not None else []
        return found

    def sweep(self) -> int:
        """See Store."""
        with self._to.translated("write to"), self._writing:
            self._check_finished(self._state())
            used = {one["_id"] for one in self._to.collection("builds").aggregate([{"$group": {"_id": "$spec"}}])}
            specs = self._to.collection("specs")
            unused = [one["_id"] for one in specs.find({}, {"_id": 1}) if one["_id"] not in used]
            changing.run(self._to, "specs", changing.removing(unused))
            sums = Sums()
            sums.sizes["specs"] -= len(unused)
            changing.add(self._to, changing.sums_of(sums), None)
            return len(unused)

    def reclaim(self) -> int:
        """See Store."""
        with self._to.translated("reclaim space of"), self._writing:
            before = self._to.database.command("dbStats")["storageSize"]
            for name in COLLECTIONS:
                self._to.database.command("compact", name, force=True)
            return max(0, int(before - self._to.database.command("dbStats")["storageSize"]))

    def close(self) -> None:
        """See Store."""
        self._to.client.close()

    # -- state

    def _state(self) -> Document:
        return self._to.collection(META).find_one({"_id": _STATE}, session=self._to.session) or {}

    def _check_finished(self, state: Document | None) -> None:
        if state is not None and state.get("unfinished"):
            message = (
                f"the store {self.url} is unfinished: filling it from another one was interrupted, or still goes on; "
                "begin that again"
            )
            raise Unfinished(message)

    def _check_unfinished(self) -> None:
        if not self._state().get("unfinished"):
            message = f"the store {self.url} holds a history; it is filled only after it was cleared"
            raise StorageError(message)


def _steps(changes: Changes) -> Iterator[Document]:
    """Yield what is written down of changes, in parts that fit into one document."""
    for sums, kept in ((False, changes.puts), (True, changes.sums)):
        for name, documents in kept.items():
            part: list[Document] = []
            room = STEP_BYTES
            for one in documents:
                size = len(bson.encode(one))
                if part and size > room:
                    yield {"sums": sums, "name": name, "documents": part}
                    part, room = [], STEP_BYTES
                part.append(one)
                room -= size
            if part:
                yield {"sums": sums, "name": name, "documents": part}
