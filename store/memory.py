"""A store in memory: for tests, and for agents whose history need not outlive them (`memory:`)."""

import threading
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import StorageError
from ..core.ledger import Remembered
from ..core.model import LIVE_STATES, Attempt, Millis
from .contract import Batch
from .query import KEYS, TYPES, Filter, Operator, Page, Query, Resolved, fields_of, page_of, resolve, value_of


class MemoryStore:
    """Dictionaries behind the contract."""

    url = "memory:"

    def __init__(self) -> None:
        """Begin empty."""
        self._rows: dict[str, dict[object, Any]] = {collection: {} for collection in KEYS}
        self._meta: dict[str, str] = {}
        self._applied = 0
        self._lock = threading.Lock()

    def write(self, batch: Batch) -> bool:
        """See Store."""
        with self._lock:
            if batch.index <= self._applied:
                return False
            rows = self._rows
            rows["builds"].update((one.id, one) for one in batch.builds)
            rows["attempts"].update(((one.build, one.number), one) for one in batch.attempts)
            rows["tasks"].update((one.id, one) for one in batch.tasks)
            rows["jobs"].update(((one.project, one.name), one) for one in batch.jobs)
            rows["agents"].update((one.id, one) for one in batch.agents)
            for digest, spec in batch.specs.items():
                rows["specs"].setdefault(digest, spec)
            for key in batch.removed_jobs:
                rows["jobs"].pop(key, None)
            for key in batch.removed_agents:
                rows["agents"].pop(key, None)
            self._meta.update(batch.meta)
            self._applied = batch.index
            return True

    def applied(self) -> int:
        """See Store."""
        return self._applied

    def flush(self) -> int:
        """See Store: nothing of a memory survives, so nothing of the log may be forgotten."""
        return 0

    def live(self, requests_since: Millis) -> Remembered:
        """See Store."""
        with self._lock:
            builds = [one for one in self._rows["builds"].values() if one.state in LIVE_STATES]
            builds.sort(key=lambda one: one.serial)
            ids = {one.id for one in builds}
            attempts: list[Attempt] = [one for one in self._rows["attempts"].values() if one.build in ids]
            requests: dict[str, tuple[Millis, tuple[str, ...]]] = {}
            for one in sorted(self._rows["builds"].values(), key=lambda one: one.serial):
                if one.request and one.created >= requests_since:
                    created, ids = requests.get(one.request, (0, ()))
                    same = created == one.created  # else the id was used again, after a day: its last use counts
                    requests[one.request] = (one.created, (*ids, one.id) if same else (one.id,))
            return Remembered(
                index=self._applied,
                builds=tuple(builds),
                attempts=tuple(attempts),
                jobs=tuple(self._rows["jobs"].values()),
                specs={one.spec: self._rows["specs"][one.spec] for one in builds},
                agents=tuple(self._rows["agents"].values()),
                requests=requests,
                meta=dict(self._meta),
            )

    def get(self, collection: str, key: object) -> Any | None:  # noqa: ANN401 - the collection decides the type
        """See Store."""
        fields_of(collection)
        return self._rows[collection].get(key)

    def find(self, query: Query) -> Page:
        """See Store."""
        resolved = resolve(query)
        with self._lock:
            rows = list(self._rows[query.collection].values())
        rows = [row for row in rows if all(_holds(query.collection, row, one) for one in resolved.where)]
        for one in reversed(resolved.order):  # sorting is stable: the least important field first
            rows.sort(key=lambda row, field=one.field: value_of(query.collection, row, field), reverse=one.descending)
        if resolved.after is not None:
            rows = [row for row in rows if _behind(resolved, row)]
        return page_of(resolved, rows[: resolved.limit + 1])

    def backup(self, target: Path) -> None:
        """See Store: a JSON file with all collections."""
        with self._lock:
            data = {name: list(rows.values()) for name, rows in self._rows.items()}
        try:
            with target.open("xb") as file:
                file.write(msgspec.json.encode({"applied": self._applied, "meta": self._meta, **data}))
        except OSError as error:
            message = f"cannot write the backup {target}: {error.strerror}; name a new file in a directory with room"
            raise StorageError(message) from None

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
            data = msgspec.json.decode(copy.read_bytes(), type=dict[str, msgspec.Raw])
            rows = {name: msgspec.json.decode(data[name], type=list[TYPES[name]]) for name in KEYS}
            self._applied = msgspec.json.decode(data["applied"], type=int)
            self._meta = msgspec.json.decode(data["meta"], type=dict[str, str])
        except (OSError, KeyError, msgspec.DecodeError) as error:
            message = f"{copy} is no backup of this kind of store: {error}; name a file that `backup` made"
            raise StorageError(message) from None
        for name, records in rows.items():
            self._rows[name] = {_key_of(name, one): one for one in records}

    def close(self) -> None:
        """See Store."""


def _behind(resolved: Resolved, row: object) -> bool:
    """Whether a row comes after the cursor."""
    for one, seen in zip(resolved.order, resolved.after or (), strict=True):
        value = value_of(resolved.collection, row, one.field)
        if value != seen:
            return (value < seen) if one.descending else (value > seen)
    return False


def _holds(collection: str, row: object, condition: Filter) -> bool:  # noqa: PLR0911 - one answer per operator
    value = row.digest() if collection == "specs" else getattr(row, condition.field)  # type: ignore[attr-defined]
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


def _key_of(collection: str, record: Any) -> object:  # noqa: ANN401 - the collection decides the type
    """Return what a record is kept under."""
    if collection == "specs":
        return record.digest()
    names = ("id",) if collection == "builds" else KEYS[collection]
    first, *others = [getattr(record, name) for name in names]
    return (first, *others) if others else first
