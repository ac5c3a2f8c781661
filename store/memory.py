"""A store in memory: for tests, and for agents whose history need not outlive them (`memory:`)."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import StorageError, Unfinished
from ..core.ledger import Remembered
from ..core.model import Attempt, Build, BuildState, Millis
from .answers import requests_of
from .collections import COLLECTIONS, Collection, Part, collection_of, comparable
from .contract import SCHEMA_VERSION, Batch
from .query import Count, Filter, Operator, Page, Query, Resolved, page_of, resolve
from .statistics import (
    FAILURES,
    LAST_BUILDS,
    Description,
    Durations,
    Failing,
    Size,
    Tally,
    Usage,
    durations,
    shares,
    suspects,
)
from .stretches import merged, rank
from .words import matches, words_of


class MemoryStore:
    """Dictionaries behind the contract. Every answer is found in the simplest way: by looking at all rows."""

    url = "memory:"
    shared = False

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self._rows: dict[str, dict[Any, Any]] = {name: {} for name in COLLECTIONS}
        self._last: dict[tuple[str, str, str], int] = {}  # project, job, state -> highest number ever
        self._days: Counter[tuple[str, Millis]] = Counter()  # agent, day -> attempts that are forgotten
        self._busy: Counter[tuple[str, Millis]] = Counter()  # agent, day -> milliseconds of those
        self._meta: dict[str, str] = {}
        self._applied = 0
        self._unfinished = False

    # -- writing

    def write(self, batch: Batch) -> bool:
        """See Store."""
        with self._finished():
            if batch.index <= self._applied:
                return False
            self._put(batch.records)
            for name, keys in batch.removed.items():
                for key in keys:
                    self._rows[name].pop(_comparable(key), None)
            self._meta.update(batch.meta)
            self._applied = batch.index
            return True

    def _put(self, records: Mapping[str, Sequence[Any]]) -> None:
        for name, found in records.items():
            rows, collection = self._rows[name], COLLECTIONS[name]
            for one in found:
                key = collection.key_of(one)
                if name == "builds" and one.state.ended:
                    state = (one.project, one.job, one.state)
                    self._last[state] = max(self._last.get(state, 0), one.number)
                if name != "specs" or key not in rows:
                    rows[key] = one

    def flush(self) -> int:
        """See Store: nothing of a memory survives, so nothing of the log may be forgotten."""
        return 0

    def live(self, requests_since: Millis) -> Remembered:
        """See Store."""
        with self._finished():
            found: dict[str, Any] = {}
            for name, one in COLLECTIONS.items():
                if one.part is Part.ALL:
                    found[name] = tuple(self._sorted(one))
                elif one.part is Part.LIVE:
                    found[name] = tuple(row for row in self._sorted(one) if row.state in one.alive)
            builds: tuple[Build, ...] = found["builds"]
            ids = {one.id for one in builds}
            running = {one.id for one in found["pipelines"]}
            ended = [one for one in self._rows["builds"].values() if one.pipeline in running and one.state.ended]
            attempts: list[Attempt] = [one for one in self._rows["attempts"].values() if one.build in ids]
            recent = [
                one for one in self._sorted(COLLECTIONS["builds"]) if one.request and one.created >= requests_since
            ]
            return Remembered(
                index=self._applied,
                attempts=tuple(attempts),
                specs={one.spec: self._rows["specs"][one.spec] for one in builds},
                requests=requests_of(recent),
                ended=tuple(sorted(ended, key=lambda one: one.serial)),
                meta=dict(self._meta),
                **found,
            )

    def _sorted(self, collection: Collection) -> list[Any]:
        rows = self._rows[collection.name].values()
        return sorted(rows, key=lambda row: tuple(collection.value(row, one) for one in collection.key))

    def close(self) -> None:
        """See Store."""

    # -- reading

    def applied(self) -> int:
        """See Store."""
        return self._applied

    def get(self, collection: str, key: object) -> Any | None:  # noqa: ANN401 - the collection decides the type
        """See Store."""
        with self._finished():
            return self._rows[collection_of(collection).name].get(_comparable(key))

    def find(self, query: Query) -> Page:
        """See Store."""
        resolved = resolve(query)
        rows = merged(resolved.collection, self._matching(resolved), resolved.order)
        if resolved.after is not None:
            rows = [row for row in rows if _behind(resolved, row)]
        return page_of(resolved, rows[: resolved.limit + 1])

    def count(self, query: Query) -> Count:
        """See Store."""
        return Count(len(self._matching(resolve(query))))

    def _matching(self, resolved: Resolved) -> list[Any]:
        collection = resolved.collection
        with self._finished():
            rows = list(self._rows[collection.name].values())
        return [
            row
            for row in rows
            if all(_holds(collection.value(row, one.field), one) for one in resolved.where)
            and (not resolved.terms or matches(resolved.terms, words_of(collection, row)))
        ]

    def scan(self, collection: str, after: tuple[Any, ...] | None = None) -> Iterator[Any]:
        """See Store."""
        found = collection_of(collection)
        with self._finished():
            rows = self._sorted(found)
        for row in rows:
            if after is None or tuple(found.value(row, one) for one in found.key) > after:
                yield row

    @contextmanager
    def steady(self) -> Iterator[bool]:
        """See Store: nobody writes meanwhile."""
        with self._lock:
            yield True

    def describe(self) -> Description:
        """See Store."""
        with self._finished():
            return Description(
                url=self.url,
                kind="memory",
                schema=SCHEMA_VERSION,
                applied=self._applied,
                sizes=tuple(Size(name, len(rows)) for name, rows in self._rows.items()),
                bytes=sum(len(msgspec.msgpack.encode(list(rows.values()))) for rows in self._rows.values()),
            )

    # -- sums

    def tallies(self, project: str | None = None, job: str | None = None) -> list[Tally]:
        """See Store."""
        with self._finished():
            found = Counter((one.project, one.job, one.state) for one in self._rows["builds"].values())
            keys = dict.fromkeys((*found, *self._last))
            tallies = [Tally(*key, found[key], self._last.get(key, 0)) for key in keys]
        return sorted(one for one in tallies if project in (None, one.project) and job in (None, one.job))

    def durations(self, project: str, job: str) -> Durations:
        """See Store."""
        builds = self._of_job(project, job)
        ended = [one for one in builds if one.state is BuildState.SUCCEEDED]
        return durations(project, job, ended[-LAST_BUILDS:])

    def failing(self) -> list[Failing]:
        """See Store."""
        found: list[Failing] = []
        for project, job, succeeded, last in suspects(self.tallies()):
            later = [one for one in self._of_job(project, job) if one.number > succeeded and one.state in FAILURES]
            found += [Failing(project, job, one, succeeded, last) for one in later[:1]]
        return found

    def _of_job(self, project: str, job: str) -> list[Build]:
        with self._finished():
            builds = [one for one in self._rows["builds"].values() if (one.project, one.job) == (project, job)]
        return sorted(builds, key=lambda one: one.number)

    def usage(self, since: Millis, until: Millis) -> list[Usage]:
        """See Store."""
        with self._finished():
            days, busy = self._days.copy(), self._busy.copy()
            for one in self._rows["attempts"].values():
                _count_days(one, days, busy)
        return sorted(
            Usage(agent, day, days[agent, day], took / 1000)
            for (agent, day), took in busy.items()
            if since <= day < until
        )

    # -- copies

    def backup(self, target: Path) -> None:
        """See Store: a JSON file with all collections."""
        text = self.dump()
        try:
            with target.open("xb") as file:
                file.write(text)
        except OSError as error:
            message = f"cannot write the backup {target}: {error.strerror}; name a new file in a directory with room"
            raise StorageError(message) from None

    def dump(self) -> bytes:
        """Return everything as one line of JSON: what `undump` takes."""
        with self._finished():
            data: dict[str, Any] = {name: list(rows.values()) for name, rows in self._rows.items()}
            kept = [(*key, value) for key, value in self._last.items()]
            days = [(*key, self._days[key], value) for key, value in self._busy.items()]
            return msgspec.json.encode(
                data | {"applied": self._applied, "meta": self._meta, "last": kept, "days": days}
            )

    def inspect(self, copy: Path) -> Remembered:
        """See Store."""
        other = MemoryStore()
        other._load(copy)
        return other.live(0)

    def restore(self, copy: Path) -> None:
        """See Store."""
        with self._lock:
            self._load(copy)
        copy.unlink()

    def _load(self, copy: Path) -> None:
        try:
            self.undump(copy.read_bytes())
        except (OSError, KeyError, msgspec.DecodeError) as error:
            message = f"{copy} is no backup of this kind of store: {error}; name a file that `backup` made"
            raise StorageError(message) from None

    def undump(self, text: bytes) -> None:
        """Hold what was dumped, and nothing else. Raises KeyError or msgspec.DecodeError for what is no such text."""
        data = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        rows = {name: msgspec.json.decode(data[name], type=list[one.type]) for name, one in COLLECTIONS.items()}
        applied = msgspec.json.decode(data["applied"], type=int)
        meta = msgspec.json.decode(data["meta"], type=dict[str, str])
        last = msgspec.json.decode(data["last"], type=list[tuple[str, str, str, int]])
        days = msgspec.json.decode(data["days"], type=list[tuple[str, int, int, int]])
        self._forget()
        self._put(rows)
        self._applied, self._meta = applied, meta
        self._last = {(project, job, state): number for project, job, state, number in last}
        self._days.update({(agent, day): attempts for agent, day, attempts, _ in days})
        self._busy.update({(agent, day): busy for agent, day, _, busy in days})

    # -- upkeep

    def clear(self) -> None:
        """See Store."""
        with self._lock:
            self._forget()
            self._unfinished = True

    def load(self, records: Mapping[str, Sequence[Any]]) -> None:
        """See Store."""
        with self._lock:
            self._check_unfinished()
            self._put(records)

    def finish(self, index: int, meta: Mapping[str, str]) -> None:
        """See Store."""
        with self._lock:
            self._check_unfinished()
            self._applied, self._meta = index, dict(meta)
            self._unfinished = False

    def meta(self) -> dict[str, str]:
        """See Store."""
        with self._finished():
            return dict(self._meta)

    def remove(self, collection: str, keys: Sequence[Any]) -> int:
        """See Store."""
        rows = self._rows[collection_of(collection).name]
        with self._finished():
            gone = [key for key in dict.fromkeys(_comparable(key) for key in keys) if key in rows]
            if collection == "builds":
                gone = [key for key in gone if rows[key].state not in COLLECTIONS["builds"].alive]
                builds = set(gone)
                attempts = self._rows["attempts"]
                for key in [key for key in attempts if key[0] in builds]:
                    _count_days(attempts.pop(key), self._days, self._busy)
            for key in gone:
                del rows[key]
        return len(gone)

    def sweep(self) -> int:
        """See Store."""
        with self._finished():
            used = {one.spec for one in self._rows["builds"].values()}
            unused = [digest for digest in self._rows["specs"] if digest not in used]
            for digest in unused:
                del self._rows["specs"][digest]
        return len(unused)

    def reclaim(self) -> int:
        """See Store: the memory is Python's."""
        return 0

    @contextmanager
    def _finished(self) -> Iterator[None]:
        with self._lock:
            if self._unfinished:
                message = (
                    f"the store {self.url} is unfinished: filling it from another one was interrupted, or still goes "
                    "on; begin that again"
                )
                raise Unfinished(message)
            yield

    def _check_unfinished(self) -> None:
        if not self._unfinished:
            message = f"the store {self.url} holds a history; it is filled only after it was cleared"
            raise StorageError(message)


def _count_days(attempt: Attempt, days: Counter[tuple[str, Millis]], busy: Counter[tuple[str, Millis]]) -> None:
    for day, ended, took in shares(attempt.started, attempt.finished):
        days[attempt.agent, day] += ended
        busy[attempt.agent, day] += took


def _comparable(key: Any) -> Any:  # noqa: ANN401 - a key of any collection
    if isinstance(key, tuple):
        return tuple(_comparable(one) for one in key)
    return comparable(key) if isinstance(key, str) else key


def _behind(resolved: Resolved, row: object) -> bool:
    """Whether a row comes after the cursor."""
    for one, seen in zip(resolved.order, resolved.after or (), strict=True):
        value = rank(resolved.collection.value(row, one.field))
        if value != rank(seen):
            return (value < rank(seen)) if one.descending else (value > rank(seen))
    return False


def _holds(value: Any, condition: Filter) -> bool:  # noqa: ANN401, PLR0911 - any value; one answer per operator
    wanted = condition.value
    match condition.operator:
        case Operator.EQ:
            return value == wanted
        case Operator.NE:
            return value != wanted
        case Operator.IN:
            return value in wanted
        case _ if value is None or wanted is None:
            return False
        case Operator.LT:
            return value < wanted
        case Operator.LE:
            return value <= wanted
        case Operator.GT:
            return value > wanted
        case Operator.GE:
            return value >= wanted
        case Operator.PREFIX:
            return value.startswith(wanted)
