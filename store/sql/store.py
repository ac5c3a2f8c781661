"""A store in an SQL database: see contract.Store. What differs between databases is the dialect's."""

import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any, Self

import msgspec
import peewee

from ...core.errors import Damaged, NewerSchema, OlderSchema, StorageError, Unfinished
from ...core.ledger import Remembered
from ...core.model import Millis
from .. import stretches
from ..answers import Answers, requests_of
from ..collections import COLLECTIONS, Collection, Kind, Part, collection_of, comparable
from ..contract import SCHEMA_VERSION, Batch
from ..query import Filter, Operator, Query, implied, of_key, resolve
from ..statistics import Description, Size, Tally, Usage
from ..stretches import Stretch
from ..sums import SUMMED, Known, Sums
from . import selecting
from .dialect import Dialect
from .sqlite import RESTORE, Sqlite
from .statements import COLUMNS, FIXED, KNOWN, PLACES, ROW_OF, document, parts
from .tables import META, SIZES, TALLIES, USAGE, VOCABULARY, Instant, Tables
from .views import views

_LEDGER = "ledger/"
_UNFINISHED = "unfinished"
_LAYOUT = "layout"
_DECODERS = {name: msgspec.json.Decoder(one.type).decode for name, one in COLLECTIONS.items()}


class SqlStore(Answers):
    """Tables behind the contract."""

    def __init__(self, dialect: Dialect) -> None:
        """Check the schema, and create it where there is none. Raises NewerSchema, Damaged or StorageError."""
        self.url = dialect.url
        self.shared = dialect.shared
        self._dialect = dialect
        self._writing = threading.Lock()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    @classmethod
    def sqlite(cls, path: Path) -> Self:
        """Open, and create where it is missing, an SQLite file."""
        return cls(Sqlite(path))

    def _open(self) -> None:
        self._tables = Tables(self._dialect.database, self._dialect.types)
        self._written_as = _instants(self._tables, COLUMNS, "db_value")
        self._read_as = _instants(self._tables, KNOWN, "python_value")
        with self._guard("open"):
            self._dialect.check()
            found = int(self._get_meta("schema") or 0) if self._tables.meta.table_exists() else 0
            if found > SCHEMA_VERSION:
                message = (
                    f"the store {self.url} has schema {found}, this version of Job Orchestra knows {SCHEMA_VERSION}: "
                    "a newer one wrote it; upgrade this agent"
                )
                raise NewerSchema(message)
            if 0 < found < SCHEMA_VERSION:
                message = (
                    f"the store {self.url} has schema {found}, and this version of Job Orchestra needs "
                    f"{SCHEMA_VERSION}; bring it up to date with: orchestra store migrate"
                )
                raise OlderSchema(message)
            if not found or self._get_meta(_LAYOUT) != self._layout:  # all, or what a later version added
                with self._dialect.creating():
                    self._tables.create(self._dialect.syntax)
                    for statement in self._views():
                        self._db.execute_sql(statement)
                    if not self._get_meta("schema"):
                        self._put_meta({"schema": str(SCHEMA_VERSION), "applied": "0"})
                    self._put_meta({_LAYOUT: self._layout})
            self._applied = int(self._get_meta("applied") or 0)

    def _views(self) -> list[str]:
        """Return the statements that make the views."""
        syntax = self._dialect.syntax
        return [statement for name, content in views(syntax) for statement in syntax.view(name, content)]

    @property
    def _layout(self) -> str:
        """A text that differs when there is something else to create."""
        return sha256(" ".join((self._tables.layout, *self._views())).encode()).hexdigest()[:16]

    @property
    def _db(self) -> Any:  # noqa: ANN401 - of peewee
        return self._dialect.database

    # -- writing

    def write(self, batch: Batch) -> bool:
        """See Store."""
        with self._guard("write to"), self._writing, self._dialect.writing():
            self._check_finished()
            if batch.index <= int(self._get_meta("applied") or 0):
                return False
            sums = Sums()
            tops = {name: self._put(COLLECTIONS[name], records, sums) for name, records in batch.records.items()}
            for name, keys in batch.removed.items():
                self._remove(COLLECTIONS[name], keys, sums)
            self._add(sums, tops)
            self._put_meta(_packed(batch.meta))
            self._put_meta({"applied": str(batch.index)})
        self._applied = batch.index
        return True

    def _put(self, collection: Collection, records: Sequence[Any], sums: Sums, *, new: bool = False) -> int | None:
        """Put in records; return the number beyond which all were new, where their keys begin with one."""
        name, place = collection.name, PLACES[collection.name]
        key_of, known_of, origin_of = place.key, place.known, place.origin
        top = self._top(collection) if records and not new else None
        rest = list(map(ROW_OF[name], records))
        if self._dialect.copied and (new or top is not None):
            fresh = rest if new else [row for row in rest if row[0] > (top or 0)]
            if len(fresh) >= self._dialect.copied:
                self._dialect.copy(name, COLUMNS[name], self._written(name, fresh))
                for row in fresh:
                    sums.note(collection, row[0], None, known_of(row))
                rest = [] if new else [row for row in rest if row[0] <= (top or 0)]
        for rows in parts(rest, _bytes):
            # what is beyond the highest number is new: it need not be looked for
            firsts = [] if new else [row[0] for row in rows if top is None or row[0] <= top]
            if not firsts:
                sums.enter(collection, [row[0] for row in rows], list(map(known_of, rows)))
                self._upsert(collection, rows)
                continue
            before = self._known(collection, firsts)
            others: list[tuple[Any, ...]] = []  # of which nothing is as it was, but the key
            for row in rows:
                key = key_of(row)
                known, origin = before.get(key, (None, None))
                sums.note(collection, key[0], known, known_of(row))
                if origin is not None and origin != origin_of(row):
                    others.append(row)
            self._upsert(collection, rows)
            for part in parts(others):
                self._upsert(collection, part, kept=())
        return -1 if new else top

    def _upsert(self, collection: Collection, rows: list[tuple[Any, ...]], kept: Container[str] | None = None) -> None:
        """Put in rows, in place of those with the same key; what is fixed need not be written, or indexed, again."""
        syntax, name = self._dialect.syntax, collection.name
        if name == "specs":
            sql = syntax.put_new(name, COLUMNS[name], collection.key, len(rows))
        else:
            fixed = FIXED[name] if kept is None else kept
            sql = syntax.upsert(name, COLUMNS[name], collection.key, len(rows), fixed)
        self._run(sql, self._written(name, rows))

    def _written(self, collection: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return rows as the driver takes them."""
        instants = self._written_as.get(collection)
        return [_converted(row, instants) for row in rows] if instants else rows

    def _top(self, collection: Collection) -> int | None:
        """Return the highest number that a record's key begins with; None where keys are no numbers."""
        if collection.fields[collection.key[0]].kind is not Kind.INTEGER:
            return None
        model: Any = self._tables.collections[collection.name]
        return model.select(peewee.fn.MAX(getattr(model, collection.key[0]))).scalar() or 0

    def _known(self, collection: Collection, firsts: list[Any]) -> dict[Any, tuple[Known, tuple[Any, ...]]]:
        """Return what is stored of records whose key begins so, by key: what sums are made of, and the origin."""
        name, key = collection.name, len(collection.key)
        sql = self._dialect.syntax.rows(name, KNOWN[name], collection.key[0], len(firsts))
        origin = key + len(SUMMED[name])
        found = self._dialect.run(sql, firsts).fetchall()
        if read := self._read_as.get(name):
            found = [_converted(row, read) for row in found]
        return {row[:key]: (row[key:origin], row[origin:]) for row in found}

    def _remove(self, collection: Collection, keys: Sequence[Any], sums: Sums) -> int:
        if len(collection.names) > 1:
            return sum(self._remove_where(collection, of_key(collection, key), sums) for key in keys)
        name = next(iter(collection.names))
        return sum(
            self._remove_where(collection, implied(collection, (Filter(name, Operator.IN, part),)), sums)
            for part in parts(keys)
        )

    def _remove_where(self, collection: Collection, where: tuple[Filter, ...], sums: Sums) -> int:
        """Take out the records that conditions hold of: one of them, or such whose key is one field."""
        model: Any = self._tables.collections[collection.name]
        same = [selecting.condition(getattr(model, one.field), one) for one in where]
        names = (*collection.key, *SUMMED[collection.name])
        rows = list(model.select(*(getattr(model, one) for one in names)).where(*same).tuples())
        if not rows:
            return 0
        for row in rows:
            sums.note(collection, row[0], row[len(collection.key) :], None)
        if len(collection.key) == 1:
            same = [getattr(model, collection.key[0]).in_([row[0] for row in rows])]
        return model.delete().where(*same).execute()

    def _add(self, sums: Sums, tops: Mapping[str, int | None] | None = None) -> None:
        """Add the differences to the sums that are kept; `tops` as `_put` returns them."""
        syntax = self._dialect.syntax
        vocabulary: list[tuple[str, str, int]] = []
        for name, changes in sums.words().items():
            words: Any = self._tables.words[name]
            number: Any = getattr(words, COLLECTIONS[name].key[0])
            rows: list[tuple[str, int]] = []
            for word, one in sorted(changes.items()):
                for part in parts(one.leaving):
                    words.delete().where(words.word == word, number.in_(part)).execute()
                rows += [(word, number) for number in one.entering]  # neighbours in the index
                if one.more:
                    vocabulary.append((name, word, one.more))
            self._put_words(name, rows, (tops or {}).get(name))
        tallies = [(*key, count, sums.last.get(key, 0)) for key, count in sums.tallies.items()]
        for part in parts(tallies):
            key = ("project", "job", "state")
            self._run(syntax.add(TALLIES, key, ("builds",), ("last",), len(part)), part)
        day_of: Any = self._tables.usage.day.db_value  # type: ignore[attr-defined] - peewee has no types
        usage = [(day_of(day), agent, sums.attempts[agent, day], busy) for (agent, day), busy in sums.busy.items()]
        for part in parts(usage):
            self._run(syntax.add(USAGE, ("day", "agent"), ("attempts", "busy_ms"), (), len(part)), part)
        for part in parts(vocabulary):
            self._run(syntax.add(VOCABULARY, ("collection", "word"), ("count",), (), len(part)), part)
        sizes = [(name, count) for name, count in sums.sizes.items() if count]
        for part in parts(sizes):
            self._run(syntax.add(SIZES, ("collection",), ("count",), (), len(part)), part)

    def _put_words(self, collection: str, rows: list[tuple[str, int]], top: int | None) -> None:
        """Let words lead to records, of which those beyond the number `top` have not been there."""
        table, columns = f"{collection}_words", ("word", COLLECTIONS[collection].key[0])
        if self._dialect.copied and top is not None:
            fresh = [row for row in rows if row[1] > top]
            if len(fresh) >= self._dialect.copied:
                self._dialect.copy(table, columns, fresh)
                rows = [row for row in rows if row[1] <= top]
        for part in parts(rows):
            self._run(self._dialect.syntax.put_new(table, columns, columns, len(part)), part)

    def _run(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._dialect.run(sql, list(chain.from_iterable(rows)))

    def _put_meta(self, meta: Mapping[str, str]) -> None:
        for part in parts(meta.items()):
            self._run(self._dialect.syntax.upsert(META, ("name", "value"), ("name",), len(part)), part)

    def flush(self) -> int:
        """See Store."""
        with self._guard("flush"), self._writing:
            index = self._applied
            self._dialect.flush()
            return index

    # -- what an agent starts from

    def live(self, requests_since: Millis) -> Remembered:
        """See Store."""
        build: Any = self._tables.collections["builds"]
        with self._guard("read"), self._dialect.reading():
            self._check_finished()
            found: dict[str, Any] = {}
            for name, one in COLLECTIONS.items():
                model: Any = self._tables.collections[name]
                wanted = model.select(model.doc).order_by(*(getattr(model, field) for field in one.key))
                if one.part is Part.LIVE:
                    wanted = wanted.where(model.state.in_(one.alive))
                if one.part in {Part.ALL, Part.LIVE}:
                    found[name] = tuple(self._all(name, wanted))
            alive = build.state.in_(COLLECTIONS["builds"].alive)
            attempt: Any = self._tables.collections["attempts"]
            joined = attempt.select(attempt.doc).join(build, on=(attempt.serial == build.serial)).where(alive)
            spec: Any = self._tables.collections["specs"]
            wanted = build.select(build.spec).where(alive).distinct()
            specs = self._all("specs", spec.select(spec.doc).where(spec.digest.in_(wanted)))
            ended: list[Any] = []
            for part in parts(one.id for one in found["pipelines"]):
                # only builds that have a pipeline are in the index, and the database has to be told that these do
                within = (build.pipeline != peewee.SQL("''"), build.pipeline.in_(part))
                ended += self._all("builds", build.select(build.doc).where(*within, ~alive))
            recent = (build.request != peewee.SQL("''")) & (build.created >= requests_since)
            asked = build.select(build.doc).where(recent).order_by(build.created, build.serial).tuples().iterator()
            requests = requests_of(self._record("builds", doc) for (doc,) in asked)
            return Remembered(
                index=int(self._get_meta("applied") or 0),
                attempts=tuple(self._all("attempts", joined)),
                specs={one.digest(): one for one in specs},
                requests=requests,
                ended=tuple(sorted(ended, key=lambda one: one.serial)),
                meta=self._ledger_meta(),
                **found,
            )

    def _ledger_meta(self) -> dict[str, str]:
        meta: Any = self._tables.meta
        rows = meta.select(meta.name, meta.value).tuples()
        return dict(msgspec.json.decode(value) for name, value in rows if name.startswith(_LEDGER))

    # -- reading

    def applied(self) -> int:
        """See Store."""
        with self._guard("read"):
            return int(self._get_meta("applied") or 0)

    @contextmanager
    def steady(self) -> Iterator[bool]:
        """See Store."""
        with self._guard("read"), self._dialect.reading():
            yield True

    def describe(self) -> Description:
        """See Store."""
        with self._read():
            sizes = self._sizes()
            return Description(
                url=self.url,
                kind=self._dialect.kind(),
                schema=SCHEMA_VERSION,
                applied=int(self._get_meta("applied") or 0),
                sizes=tuple(Size(name, sizes.get(name, 0)) for name in COLLECTIONS),
                bytes=self._dialect.bytes(),
            )

    def plan(self, query: Query) -> list[str]:
        """Return how the database answers a query, one line per step; for tests and for `bench store`."""
        steps: list[str] = []

        def fetch(stretch: Stretch, limit: int) -> list[Any]:
            sql, values = selecting.rows_of(self._tables, stretch, limit, nulls=not self._dialect.nulls_first).sql()
            steps.extend(self._dialect.explain(sql, values))
            return self._fetch(stretch, limit)

        with self._guard("read"):
            stretches.find(resolve(query), fetch, self._vocabulary)
        return steps

    def _fetch(self, stretch: Stretch, limit: int) -> list[Any]:
        query = selecting.rows_of(self._tables, stretch, limit, nulls=not self._dialect.nulls_first)
        return self._all(stretch.collection.name, query)

    def _number(self, found: Stretch, rest: Stretch | None, limit: int) -> tuple[int, int]:
        query = selecting.number_of(self._tables, found, rest, limit)
        looked, fitting = query.bind(self._db).tuples()[0]
        return looked, int(fitting or 0)

    def _vocabulary(self, collection: Collection, term: str) -> Sequence[tuple[str, int]]:
        return list(selecting.known_words(self._tables, collection, term).tuples())

    def _all(self, collection: str, query: Any) -> list[Any]:  # noqa: ANN401 - a query of peewee
        return [self._record(collection, doc) for (doc,) in query.tuples()]

    def _record(self, collection: str, doc: str) -> Any:  # noqa: ANN401 - the collection decides the type
        try:
            return _DECODERS[collection](doc)
        except msgspec.DecodeError as problem:
            message = f"the store {self.url} is damaged: a record of {collection} cannot be read ({problem}); {RESTORE}"
            raise Damaged(message) from None

    # -- sums

    def usage(self, since: Millis, until: Millis) -> list[Usage]:
        """See Store."""
        model: Any = self._tables.usage
        query = model.select(model.agent, model.day, model.attempts, model.busy_ms)
        with self._read():
            rows = query.where(model.day >= since, model.day < until).tuples()
            return sorted(Usage(agent, day, attempts, busy / 1000) for agent, day, attempts, busy in rows)

    def _tallies(self, project: str | None = None, job: str | None = None) -> list[Tally]:
        model: Any = self._tables.tallies
        query = model.select(model.project, model.job, model.state, model.builds, model.last)
        query = query.where((model.builds > 0) | (model.last > 0))
        if project is not None:
            query = query.where(model.project == project)
        if job is not None:
            query = query.where(model.job == job)
        return sorted(Tally(*row) for row in query.tuples())

    def _sizes(self) -> dict[str, int]:
        model: Any = self._tables.sizes
        return dict(model.select(model.collection, model.count).tuples())

    # -- copies

    def backup(self, target: Path) -> None:
        """See Store: a file of the database's own kind."""
        if target.exists():
            message = f"{target} exists; name a new file for the backup"
            raise StorageError(message)
        with self._guard("back up"):
            self._dialect.backup(target)

    def inspect(self, copy: Path) -> Remembered:
        """See Store."""
        other = type(self)(self._dialect.at(copy))
        try:
            return other.live(0)
        finally:
            other.close()

    def restore(self, copy: Path) -> None:
        """See Store."""
        with self._guard("restore"), self._writing:
            self._dialect.replace_by(copy)
            self._open()

    # -- upkeep

    def clear(self) -> None:
        """See Store."""
        with self._guard("clear"), self._writing, self._dialect.writing():
            if self._tables.late:
                self._tables.drop_indexes(self._dialect.syntax)
            for model in self._tables.all:
                model.delete().execute()
            kept = {"schema": str(SCHEMA_VERSION), _LAYOUT: self._layout}
            self._put_meta({**kept, "applied": "0", _UNFINISHED: "1"})
        self._applied = 0

    def load(self, records: Mapping[str, Sequence[Any]]) -> None:
        """See Store."""
        with self._guard("write to"), self._writing, self._dialect.writing():
            self._check_unfinished()
            sums = Sums()
            tops = {name: self._put(COLLECTIONS[name], found, sums, new=True) for name, found in records.items()}
            self._add(sums, tops)

    def finish(self, index: int, meta: Mapping[str, str]) -> None:
        """See Store."""
        with self._guard("write to"), self._writing:
            with self._dialect.writing():
                self._check_unfinished()
                self._tables.create_indexes(self._dialect.syntax)
                self._put_meta(_packed(meta))
                self._put_meta({"applied": str(index)})
                model: Any = self._tables.meta
                model.delete().where(model.name == _UNFINISHED).execute()
            self._dialect.settle()
        self._applied = index

    def meta(self) -> dict[str, str]:
        """See Store."""
        with self._read():
            return self._ledger_meta()

    def remove(self, collection: str, keys: Sequence[Any]) -> int:
        """See Store."""
        found = collection_of(collection)
        with self._guard("write to"), self._writing, self._dialect.writing():
            self._check_finished()
            sums = Sums()
            if found.name == "builds":
                keys = self._with_attempts(keys, sums)
            removed = self._remove(found, keys, sums)
            self._add(sums)
        return removed

    def _with_attempts(self, ids: Sequence[Any], sums: Sums) -> list[Any]:
        """Take out the attempts of builds that are not alive; return the ids of those builds."""
        build: Any = self._tables.collections["builds"]
        attempt: Any = self._tables.collections["attempts"]
        ended: list[Any] = []
        for part in parts(ids):
            alive = build.state.in_(COLLECTIONS["builds"].alive)
            (serials,) = implied(COLLECTIONS["builds"], (Filter("id", Operator.IN, part),))[1:]
            query = build.select(build.id, build.serial).where(build.serial.in_(serials.value), ~alive)
            known = list(query.tuples())
            if not known:
                continue  # not every database takes a list of nothing
            serials = [serial for _, serial in known]
            for key, before in self._known(COLLECTIONS["attempts"], serials).items():
                sums.note(COLLECTIONS["attempts"], key[0], before, None)
            attempt.delete().where(attempt.serial.in_(serials)).execute()
            ended += [one for one, _ in known]
        return ended

    def sweep(self) -> int:
        """See Store."""
        build: Any = self._tables.collections["builds"]
        spec: Any = self._tables.collections["specs"]
        with self._guard("write to"), self._writing, self._dialect.writing():
            self._check_finished()
            removed = spec.delete().where(spec.digest.not_in(build.select(build.spec))).execute()
            sums = Sums()
            sums.sizes["specs"] -= removed
            self._add(sums)
        return removed

    def reclaim(self) -> int:
        """See Store."""
        with self._guard("reclaim space of"), self._writing:
            before = self._dialect.bytes()
            self._dialect.reclaim()
            return max(0, before - self._dialect.bytes())

    def close(self) -> None:
        """See Store."""
        self._dialect.close()

    # -- state

    def _get_meta(self, name: str) -> str | None:
        model: Any = self._tables.meta
        return model.select(model.value).where(model.name == name).scalar()

    def _check_finished(self) -> None:
        if self._get_meta(_UNFINISHED) is not None:
            message = (
                f"the store {self.url} is unfinished: filling it from another one was interrupted, or still goes on; "
                "begin that again"
            )
            raise Unfinished(message)

    def _check_unfinished(self) -> None:
        if self._get_meta(_UNFINISHED) is None:
            message = f"the store {self.url} holds a history; it is filled only after it was cleared"
            raise StorageError(message)

    @contextmanager
    def _read(self) -> Iterator[None]:
        with self._guard("read"):
            self._check_finished()
            yield

    @contextmanager
    def _guard(self, doing: str) -> Iterator[None]:
        """Turn the database's errors into ours."""
        self._dialect.refresh()
        try:
            yield
        except (peewee.PeeweeException, *self._dialect.errors) as problem:
            self._dialect.forget()
            raise self._dialect.translate(problem, doing) from problem


def _packed(meta: Mapping[str, str]) -> dict[str, str]:
    """Return the ledger's counters and settings as rows: their names may be longer, or stranger, than a key can be."""
    rows: dict[str, str] = {}
    for name, value in meta.items():
        key = _LEDGER + name
        if key != comparable(key):
            key = _LEDGER + sha256(name.encode()).hexdigest()
        rows[key] = document((name, value))
    return rows


def _bytes(row: tuple[Any, ...]) -> int:
    """Return how much a row takes in a statement, about."""
    return len(row[-1])


def _instants(
    tables: Tables, columns: Mapping[str, tuple[str, ...]], way: str
) -> dict[str, list[tuple[int, Callable[[Any], Any]]]]:
    """Return by collection the places of instants in rows of its columns, and how they are turned from or into numbers.

    There are none where they are numbers in the database.
    """
    found: dict[str, list[tuple[int, Callable[[Any], Any]]]] = {}
    for name, names in columns.items():
        model: Any = tables.collections[name]
        kept = [(place, getattr(model, one)) for place, one in enumerate(names)]
        turned = [(place, getattr(column, way)) for place, column in kept if isinstance(column, Instant)]
        if turned:
            found[name] = turned
    return found


def _converted(row: tuple[Any, ...], instants: list[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    values = list(row)
    for place, convert in instants:
        values[place] = convert(values[place])
    return tuple(values)
