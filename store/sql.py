"""Stores in SQL databases, through peewee. Today: SQLite.

One table per collection: the fields that one filters by as columns (query.FIELDS), the whole record as JSON in `doc`.
Writing is a few statements of many rows each, because SQLite then works for long stretches without the interpreter's
lock, and the agent's event loop goes on meanwhile (docs/decisions/0004-store-writes.md).
"""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import peewee

from ..core.errors import Damaged, DiskFull, NewerSchema, StorageError
from ..core.ledger import Remembered
from ..core.model import LIVE_STATES, Millis
from .contract import SCHEMA_VERSION, Batch
from .query import FIELDS, KEYS, TYPES, Filter, Kind, Operator, Page, Query, Resolved, fields_of, page_of, resolve

ROWS = 200
"""Rows of one statement. Larger: fewer statements; SQLite takes at most 32,766 values in one."""

BUSY_MS = 5_000
"""Milliseconds to wait for a lock that a reader or a backup holds."""

_INDEXES: Mapping[str, tuple[tuple[tuple[str, ...], bool], ...]] = {
    "builds": (
        (("id",), True),
        (("project", "job", "number"), True),
        (("project", "serial"), False),
        (("state", "serial"), False),
        (("agent", "serial"), False),
    ),
}

_RESTORE = "restore it from a backup, or move it away: an agent fills a new one with what its log still has"

_REQUESTS_INDEX = "CREATE INDEX IF NOT EXISTS builds_request ON builds (created) WHERE request <> ''"

_T = TypeVar("_T")
_LIVE = sorted(LIVE_STATES)


class _Database(peewee.SqliteDatabase):
    """SQLite with a connection per thread, all of which can be closed at the end."""

    def __init__(self, path: Path) -> None:
        pragmas = {"journal_mode": "wal", "synchronous": "normal", "busy_timeout": BUSY_MS, "cache_size": -8_000}
        super().__init__(str(path), pragmas=pragmas, check_same_thread=False)
        self._opened: list[sqlite3.Connection] = []

    def _connect(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = super()._connect()  # type: ignore[misc] - peewee has no types
        self._opened.append(connection)
        return connection

    def close_all(self) -> None:
        """Close the connections of all threads."""
        while self._opened:
            self._opened.pop().close()


class SqlStore:
    """Tables behind the contract."""

    def __init__(self, database: _Database, url: str, path: Path) -> None:
        """Check the schema, and create it where there is none. Raises NewerSchema, Damaged or StorageError."""
        self.url = url
        self._path = path
        self._db = database
        self._models = _models(database)
        self._writing = threading.Lock()
        try:
            with self._guard("open"):
                self._prepare()
                self._applied = int(self._meta("applied") or 0)
        except BaseException:
            self.close()
            raise

    @classmethod
    def sqlite(cls, path: Path) -> Self:
        """Open, and create where it is missing, an SQLite file."""
        return cls(_Database(path), f"sqlite:///{path}", path)

    def _prepare(self) -> None:
        meta = self._models["meta"]
        found = int(self._meta("schema") or 0) if meta.table_exists() else 0
        if found > SCHEMA_VERSION:
            message = (
                f"the store {self.url} has schema {found}, this version of Job Orchestra knows {SCHEMA_VERSION}: "
                "a newer one wrote it; upgrade this agent"
            )
            raise NewerSchema(message)
        if found == SCHEMA_VERSION:
            return
        with self._db.atomic():
            self._db.create_tables(self._models.values())
            self._db.execute_sql(_REQUESTS_INDEX)
            self._put_meta({"schema": str(SCHEMA_VERSION), "applied": "0"})

    # -- writing

    def write(self, batch: Batch) -> bool:
        """See Store."""
        with self._guard("write to"), self._writing, self._db.atomic("IMMEDIATE"):
            if batch.index <= int(self._meta("applied") or 0):
                return False
            self._put("builds", batch.builds)
            self._put("attempts", batch.attempts)
            self._put("tasks", batch.tasks)
            self._put("jobs", batch.jobs)
            self._put("agents", batch.agents)
            self._put_specs(batch.specs)
            for project, name in batch.removed_jobs:
                job: Any = self._models["jobs"]
                job.delete().where(job.project == project, job.name == name).execute()
            if batch.removed_agents:
                agent: Any = self._models["agents"]
                agent.delete().where(agent.id.in_(batch.removed_agents)).execute()
            self._put_meta({f"ledger/{name}": value for name, value in batch.meta.items()})
            self._put_meta({"applied": str(batch.index)})
        self._applied = batch.index
        return True

    def _put(self, collection: str, records: Sequence[object]) -> None:
        values = _VALUES[collection]
        for part in _parts(records):
            sql = _upsert(collection, len(part))
            self._db.execute_sql(sql, list(chain.from_iterable(values(one) for one in part)))

    def _put_specs(self, specs: Mapping[str, object]) -> None:
        for part in _parts(specs.items()):
            rows = ", ".join(["(?, ?)"] * len(part))
            sql = f"INSERT INTO specs (digest, doc) VALUES {rows} ON CONFLICT (digest) DO NOTHING"  # noqa: S608 - only our own words
            self._db.execute_sql(sql, list(chain.from_iterable((digest, _json(spec)) for digest, spec in part)))

    def _put_meta(self, meta: Mapping[str, str]) -> None:
        for part in _parts(meta.items()):
            rows = ", ".join(["(?, ?)"] * len(part))
            sql = (
                f"INSERT INTO meta (name, value) VALUES {rows} ON CONFLICT (name) DO UPDATE SET value = excluded.value"  # noqa: S608 - only our own words
            )
            self._db.execute_sql(sql, list(chain.from_iterable(part)))

    def flush(self) -> int:
        """See Store: bring the write-ahead log into the database file, with its fsyncs."""
        with self._guard("flush"), self._writing:
            index = self._applied
            busy, _, _ = self._db.execute_sql("PRAGMA wal_checkpoint(FULL)").fetchone()
            if busy:
                message = f"{self.url} is being read for so long that it could not be flushed; it is tried again later"
                raise StorageError(message)
            return index

    # -- reading

    def applied(self) -> int:
        """See Store."""
        with self._guard("read"):
            return int(self._meta("applied") or 0)

    def live(self, requests_since: Millis) -> Remembered:
        """See Store."""
        build: Any = self._models["builds"]
        attempt: Any = self._models["attempts"]
        spec: Any = self._models["specs"]
        alive = build.state.in_(_LIVE)
        with self._guard("read"), self._db.atomic():
            builds = self._all("builds", build.select(build.doc).where(alive).order_by(build.serial))
            joined = attempt.select(attempt.doc).join(build, on=(attempt.build == build.id)).where(alive)
            wanted = build.select(build.spec).where(alive).distinct()
            specs = spec.select(spec.digest, spec.doc).where(spec.digest.in_(wanted)).tuples()
            requests: dict[str, tuple[Millis, tuple[str, ...]]] = {}
            recent = (build.request != "") & (build.created >= requests_since)
            asked = build.select(build.request, build.created, build.id).where(recent).order_by(build.serial)
            for request, created, one in asked.tuples():
                before, ids = requests.get(request, (0, ()))
                same = before == created  # else the id was used again, after a day: its last use counts
                requests[request] = (created, (*ids, one) if same else (one,))
            meta: Any = self._models["meta"]
            return Remembered(
                index=int(self._meta("applied") or 0),
                builds=tuple(builds),
                attempts=tuple(self._all("attempts", joined)),
                jobs=tuple(self._all("jobs", self._models["jobs"].select(self._doc("jobs")))),
                specs={digest: self._record("specs", doc) for digest, doc in specs},
                agents=tuple(self._all("agents", self._models["agents"].select(self._doc("agents")))),
                requests=requests,
                meta={
                    name.removeprefix("ledger/"): value
                    for name, value in meta.select(meta.name, meta.value).tuples()
                    if name.startswith("ledger/")
                },
            )

    def get(self, collection: str, key: object) -> Any | None:  # noqa: ANN401 - the collection decides the type
        """See Store."""
        fields_of(collection)
        model: Any = self._models[collection]
        names = ("id",) if collection == "builds" else KEYS[collection]
        values = key if isinstance(key, tuple) else (key,)
        query = model.select(model.doc)
        for name, value in zip(names, values, strict=True):
            query = query.where(getattr(model, name) == value)
        with self._guard("read"):
            return next(iter(self._all(collection, query.limit(1))), None)

    def find(self, query: Query) -> Page:
        """See Store."""
        resolved = resolve(query)
        with self._guard("read"):
            return page_of(resolved, self._all(resolved.collection, self._select(resolved)))

    def plan(self, query: Query) -> list[str]:
        """Return how the database answers a query, one line per step; for tests and for `bench store`."""
        sql, values = self._select(resolve(query)).sql()
        with self._guard("read"):
            return [str(row[3]) for row in self._db.execute_sql(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()]

    def _select(self, resolved: Resolved) -> Any:  # noqa: ANN401 - a query of peewee
        model: Any = self._models[resolved.collection]
        query = model.select(model.doc)
        for one in resolved.where:
            query = query.where(_condition(getattr(model, one.field), one))
        columns = [_sortable(model, resolved.collection, one.field) for one in resolved.order]
        if resolved.after is not None:
            query = query.where(_behind(resolved, columns))
        ordering = [
            column.desc() if one.descending else column.asc()
            for column, one in zip(columns, resolved.order, strict=True)
        ]
        return query.order_by(*ordering).limit(resolved.limit + 1)

    def _all(self, collection: str, query: Any) -> list[Any]:  # noqa: ANN401 - a query of peewee
        return [self._record(collection, doc) for (doc,) in query.tuples()]

    def _record(self, collection: str, doc: str) -> Any:  # noqa: ANN401 - the collection decides the type
        try:
            return _decoders[collection](doc)
        except msgspec.DecodeError as problem:
            message = (
                f"the store {self.url} is damaged: a record of {collection} cannot be read ({problem}); {_RESTORE}"
            )
            raise Damaged(message) from None

    def _doc(self, collection: str) -> Any:  # noqa: ANN401 - a column of peewee
        model: Any = self._models[collection]
        return model.doc

    def _meta(self, name: str) -> str | None:
        row = self._db.execute_sql("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    # -- care

    def backup(self, target: Path) -> None:
        """See Store: an SQLite file."""
        if target.exists():
            message = f"{target} exists; name a new file for the backup"
            raise StorageError(message)
        try:
            copy = sqlite3.connect(target)
            try:
                with self._guard("back up"):
                    source = self._db.connection()
                source.backup(copy, pages=1000)
            finally:
                copy.close()
        except sqlite3.Error as problem:
            target.unlink(missing_ok=True)  # half a backup is none
            message = f"cannot write the backup {target}: {problem}; name a new file in a directory with room"
            raise StorageError(message) from None

    def inspect(self, copy: Path) -> Remembered:
        """See Store."""
        other = type(self).sqlite(copy)
        try:
            return other.live(0)
        finally:
            other.close()

    def restore(self, copy: Path) -> None:
        """See Store. A crash before the copy is in place leaves the store as it was when it was last flushed."""
        with self._guard("restore"), self._writing:
            self._db.close_all()
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
                copy.with_name(copy.name + suffix).unlink(missing_ok=True)
            copy.replace(self._path)
            self._db = _Database(self._path)
            self._models = _models(self._db)
            self._prepare()
            self._applied = int(self._meta("applied") or 0)

    def close(self) -> None:
        """See Store."""
        self._db.close_all()

    @contextmanager
    def _guard(self, doing: str) -> Iterator[None]:
        """Turn the database's errors into ours."""
        try:
            yield
        except (peewee.PeeweeException, sqlite3.Error) as problem:
            raise self._translate(problem, doing) from problem

    def _translate(self, problem: Exception, doing: str) -> StorageError:
        """Return our error for one of the database's."""
        cause: BaseException = problem
        link: BaseException | None = problem
        while link is not None:  # peewee wraps them, while connecting even twice
            if isinstance(link, sqlite3.Error):
                cause = (
                    link  # the first that went wrong: a full disk ends the transaction, and then rollback fails, too
                )
            link = link.__context__
        code = getattr(cause, "sqlite_errorcode", None)
        primary = code & 0xFF if code is not None else None
        if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return Damaged(f"the store {self.url} is damaged ({cause}); {_RESTORE}")
        if primary == sqlite3.SQLITE_FULL:
            return DiskFull(f"the disk is full: the store {self.url} cannot grow; free some space")
        return StorageError(
            f"cannot {doing} the store {self.url}: {cause}; check the disk and the permissions of {self._path}"
        )


# -- records and rows

_encoder = msgspec.json.Encoder()
_decoders = {collection: msgspec.json.Decoder(kind).decode for collection, kind in TYPES.items()}


def _parts(items: Iterable[_T]) -> Iterator[tuple[_T, ...]]:
    """Yield the items in parts that fit into one statement."""
    rest = iter(items)
    while part := tuple(islice(rest, ROWS)):
        yield part


def _json(record: object) -> str:
    return _encoder.encode(record).decode()


def _values_of(collection: str) -> Callable[[Any], Iterable[Any]]:
    """Return the function from a record to the values of its row."""
    columns = attrgetter(*FIELDS[collection]) if len(FIELDS[collection]) > 1 else None
    return lambda record: (*(columns(record) if columns else ()), _json(record))


_VALUES = {collection: _values_of(collection) for collection in FIELDS if collection != "specs"}


def _upsert(collection: str, rows: int) -> str:
    """Return the statement that puts in `rows` records."""
    columns = [*FIELDS[collection], "doc"]
    key = KEYS[collection]
    names = ", ".join(f'"{one}"' for one in columns)
    one_row = f"({', '.join('?' * len(columns))})"
    changes = ", ".join(f'"{one}" = excluded."{one}"' for one in columns if one not in key)
    return (
        f'INSERT INTO "{collection}" ({names}) VALUES {", ".join([one_row] * rows)} '  # noqa: S608 - only our own words
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    )


def _models(database: peewee.Database) -> dict[str, type[peewee.Model]]:
    """Return a peewee model per table, bound to `database`."""
    made = {
        collection: _model(database, collection, KEYS[collection], fields, _INDEXES.get(collection, ()))
        for collection, fields in FIELDS.items()
    }
    meta: dict[str, Any] = {"name": peewee.TextField(primary_key=True), "value": peewee.TextField()}
    return {**made, "meta": _bound(database, "meta", meta, {})}


def _model(
    database: peewee.Database,
    collection: str,
    key: tuple[str, ...],
    fields: Mapping[str, Kind],
    indexes: tuple[tuple[tuple[str, ...], bool], ...],
) -> type[peewee.Model]:
    columns: dict[str, Any] = {}
    for name, kind in fields.items():
        alone = key == (name,)
        if kind is Kind.TEXT:
            columns[name] = peewee.TextField(primary_key=alone)
        else:
            columns[name] = peewee.BigIntegerField(null=kind is Kind.MAYBE) if not alone else _RowId(primary_key=True)
    meta: dict[str, Any] = {"indexes": indexes}
    if len(key) > 1:
        meta["primary_key"] = peewee.CompositeKey(*key)
    return _bound(database, collection, {**columns, "doc": peewee.TextField()}, meta)


class _RowId(peewee.IntegerField):
    """A key that is SQLite's own row number: no index beside the table."""

    field_type = "INTEGER"


def _bound(database: peewee.Database, name: str, columns: dict[str, Any], meta: dict[str, Any]) -> type[peewee.Model]:
    options = type("Meta", (), {"database": database, "table_name": name, "legacy_table_names": False, **meta})
    return type(name.capitalize(), (peewee.Model,), {**columns, "Meta": options})


# -- queries


def _condition(column: Any, condition: Filter) -> Any:  # noqa: ANN401, PLR0911 - of peewee; an answer per operator
    value = condition.value
    match condition.operator:
        case Operator.EQ:
            return column.is_null() if value is None else column == value
        case Operator.NE:
            return column.is_null(is_null=False) if value is None else (column != value) | column.is_null()
        case Operator.IN:
            known = column.in_([one for one in value if one is not None])
            return known | column.is_null() if None in value else known
        case Operator.LT:
            return column < value
        case Operator.LE:
            return column <= value
        case Operator.GT:
            return column > value
        case Operator.GE:
            return column >= value
        case Operator.PREFIX:
            return (column >= value) & (column < value + "\U0010ffff")


def _sortable(model: Any, collection: str, field: str) -> Any:  # noqa: ANN401 - of peewee
    """Return what rows are ordered by: the column, or 0 where it may be missing."""
    column = getattr(model, field)
    return peewee.fn.COALESCE(column, 0) if FIELDS[collection][field] is Kind.MAYBE else column


def _behind(resolved: Resolved, columns: Sequence[Any]) -> Any:  # noqa: ANN401 - of peewee
    """Return the condition that a row comes after the cursor."""
    after = list(resolved.after or ())
    condition: Any = None
    for column, one, value in reversed(list(zip(columns, resolved.order, after, strict=True))):
        beyond = column < value if one.descending else column > value
        condition = beyond if condition is None else beyond | ((column == value) & condition)
    first, value = columns[0], after[0]
    return condition & (first <= value if resolved.order[0].descending else first >= value)
