"""A store in MongoDB: see contract.Store. One database for all agents, of whom the master writes.

A batch is put in by one transaction where the deployment has them and the batch is small enough. Else in steps: what
changes is written down first (PENDING), then put in, then the applied index is moved. A crash between these leaves what
is written down, and whoever writes next, or starts from here, completes it. Of several writers the one counts that
claimed last: the store's state, one document, says who that is, and what is written down and complete.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from ...core.errors import Damaged, NewerSchema, OlderSchema, StorageError
from ...core.ledger import Remembered
from ...core.model import Millis
from ..collections import COLLECTIONS, Collection, collection_of
from ..contract import SCHEMA_VERSION, Batch
from ..query import Filter, Operator, of_key
from ..servers import no_file
from ..stretches import Stretch
from ..sums import Sums
from . import changing, putting, steps
from .changing import Changes
from .deployment import META, Deployment
from .documents import RESTORE, known_of
from .reading import STATE, MongoReading
from .selecting import match_of
from .summing import recount, sums_of

TRANSACTION = 5_000
"""Documents that are put in by one transaction at most; the server gives it a minute."""

LARGE = 1_000
"""Records that are loaded at once by whoever has so many that indexes are better made behind them."""


class MongoStore(MongoReading):
    """Documents behind the contract."""

    shared = True

    def __init__(self, url: str) -> None:
        """Check the schema, and create what is missing. Raises NewerSchema, OlderSchema or StorageError."""
        super().__init__(Deployment(url))
        self._me = uuid4().hex  # who claims to write
        self._writing = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "store")  # puts in one part while the next one is made
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
            self._to.collection(META).update_one({"_id": STATE}, new, upsert=True)
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
        self._put_at_once(batch)
        moved = {"$set": {"applied": batch.index}}
        self._to.collection(META).update_one({"_id": STATE}, moved, session=self._to.session)
        return True

    def _put_at_once(self, batch: Batch) -> None:
        """Put in a batch that nobody sees a part of, so that no part of it needs a guard."""
        sums = Sums()
        with putting.sending(self._to, self._thread) as send:
            for name, puts in changing.parts_of(self._to, batch, sums):
                send(name, putting.placing(puts, None))
            for name, found in sums_of(sums).items():
                send(name, putting.adding(found, batch.index))

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
        ready = {"$set": {"ready": {"index": batch.index, "steps": steps.write_down(self._to, self._me, changes)}}}
        if not self._to.collection(META).update_one({"_id": STATE, "writer": self._me}, ready).matched_count:
            raise self._overtaken()
        self._put_in(changes)
        return True

    def _claim(self, index: int) -> bool:
        """Become the one who writes: whoever was before, and has not written all down, comes too late."""
        free = {"_id": STATE, "applied": {"$lt": index}, "ready": {"$exists": False}}
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

    def _put_in(self, changes: Changes) -> None:
        putting.apply(self._to, changes)
        mine = {"_id": STATE, "ready.index": changes.index}
        moved = {"$max": {"applied": changes.index}, "$unset": {"ready": True}}
        self._to.collection(META).update_one(mine, moved)

    def _complete(self) -> None:
        """Put in what was written down, by whoever did not come so far as to put it in."""
        state = self._state()
        if state.get("removing"):
            self._recount()
        while ready := state.get("ready"):
            changes = steps.read_down(self._to, state["writer"], ready["index"], ready["steps"])
            if changes is not None:
                self._put_in(changes)
                return
            before, state = state, self._state()
            if state == before:
                raise Damaged(
                    f"the store {self.url} is damaged: steps of entry {ready['index']} are missing; {RESTORE}"
                )

    def _overtaken(self) -> StorageError:
        return StorageError(f"the store {self.url} is being written by another agent; it is tried again")

    def _recount(self) -> None:
        """Make sums anew after records were not taken out to the end."""
        recount(self._to)
        self._to.collection(META).update_one({"_id": STATE}, {"$unset": {"removing": True}})

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
            meta.update_one({"_id": STATE}, {"$set": {"applied": 0, "unfinished": True}, "$unset": nobody})
            self._to.empty()
            meta.delete_many({"_id": {"$ne": STATE}})

    def load(self, records: Mapping[str, Sequence[Any]]) -> None:
        """See Store: a crash leaves the store unfinished, so that half of them is nothing anybody sees."""
        with self._to.translated("write to"), self._writing:
            self._check_unfinished()
            if sum(map(len, records.values())) >= LARGE:
                self._to.drop_indexes()
            self._put_at_once(Batch(0, records))

    def finish(self, index: int, meta: Mapping[str, str]) -> None:
        """See Store."""
        with self._to.translated("write to"), self._writing:
            self._check_unfinished()
            self._to.create_indexes()
            putting.apply(self._to, Changes(1, {META: changing.kept(meta, 0)}))
            done = {"$set": {"applied": index}, "$unset": {"unfinished": True}}
            self._to.collection(META).update_one({"_id": STATE}, done)

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
            state.update_one({"_id": STATE}, {"$set": {"removing": True}})
            removed = self._remove(found, keys)
            state.update_one({"_id": STATE}, {"$unset": {"removing": True}})
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
        putting.run(self._to, collection.name, putting.removing(ids))
        self._add(sums)
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
            putting.run(self._to, "specs", putting.removing(unused))
            sums = Sums()
            sums.sizes["specs"] -= len(unused)
            self._add(sums)
            return len(unused)

    def _add(self, sums: Sums) -> None:
        for name, found in sums_of(sums).items():
            putting.run(self._to, name, putting.adding(found, 0))

    def reclaim(self) -> int:
        """See Store."""
        with self._to.translated("reclaim space of"), self._writing:
            before = self._to.database.command("dbStats")["storageSize"]
            for name in COLLECTIONS:
                self._to.database.command("compact", name, force=True)
            return max(0, int(before - self._to.database.command("dbStats")["storageSize"]))

    def close(self) -> None:
        """See Store."""
        self._thread.shutdown()
        self._to.client.close()

    # -- state

    def _check_unfinished(self) -> None:
        if not self._state().get("unfinished"):
            message = f"the store {self.url} holds a history; it is filled only after it was cleared"
            raise StorageError(message)
