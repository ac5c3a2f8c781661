"""What is asked of a store in MongoDB: contract.Reading and contract.Summing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from ...core.errors import Unfinished
from ...core.ledger import Remembered
from ...core.model import Millis
from .. import stretches
from ..answers import Answers, equal, requests_of
from ..collections import COLLECTIONS, Collection, Kind, Part
from ..contract import SCHEMA_VERSION
from ..query import Filter, Operator, Order, Query, resolve
from ..statistics import Description, Size, Tally, Usage
from ..stretches import MAX_EXPANDED, Stretch
from .changing import Document, parts
from .deployment import META, SIZES, TALLIES, USAGE, VOCABULARY, Deployment
from .documents import record_of, value_of
from .selecting import NOTHING, match_of, sort_of

STATE = "state"
"""`_id` of the store's own state in META."""


class MongoReading(Answers):
    """Answers from documents."""

    _merges = True  # as a plan of several scans of one index

    def __init__(self, to: Deployment) -> None:
        """Ask that deployment."""
        self._to = to
        self.url = to.url

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
                stage = stage.get("inputStage") or next(iter(stage.get("inputStages", ())), None)
            steps.append(" < ".join(said))
            return self._fetch(stretch, limit)

        with self._read():
            stretches.find(resolve(query), fetch, self._vocabulary, merges=self._merges)
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

    # -- what an agent starts from

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
        for part in parts(values):
            yield from self._fetch(Stretch(collection, (Filter(field, Operator.IN, tuple(part)),), order), 0)

    def _ledger_meta(self) -> dict[str, str]:
        rows = self._to.collection(META).find({"_id": {"$gt": "ledger/", "$lt": "ledger0"}}, session=self._to.session)
        return {one["_id"].removeprefix("ledger/"): one["value"] for one in rows}

    def meta(self) -> dict[str, str]:
        """See Store."""
        with self._read():
            return self._ledger_meta()

    # -- state

    def _state(self) -> Document:
        return self._to.collection(META).find_one({"_id": STATE}, session=self._to.session) or {}

    def _check_finished(self, state: Document | None) -> None:
        if state is not None and state.get("unfinished"):
            message = (
                f"the store {self.url} is unfinished: filling it from another one was interrupted, or still goes on; "
                "begin that again"
            )
            raise Unfinished(message)
