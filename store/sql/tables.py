"""The tables of a store in an SQL database, made from the collections: columns, indexes, and the tables of sums.

One table per collection: its fields as columns, the whole record as JSON in `doc`. A large collection with texts has a
table of its words, in which each word leads to its records in their order.
"""

from collections.abc import Mapping
from typing import Any

import peewee

from ..collections import COLLECTIONS, MAX_LENGTH, Collection, Index, Kind
from .statements import Syntax

META, SIZES, TALLIES, USAGE, VOCABULARY = "meta", "sizes", "tallies", "agent_days", "vocabulary"
"""Tables beside the collections: the store's own state, and the sums (sums.py)."""


class Instant(peewee.Field):
    """A column of a database that has a type for instants: `db_value` and `python_value` turn them from and into ms."""


class Types:
    """The columns' types and what goes with them. A dialect may say others."""

    keyed = False  # whether a table is told to keep its rows in the order of its key (others do so, or never)
    partial = True  # whether an index may leave out rows
    eras = False  # whether scattered values are indexed by eras (statements.ERA_BITS)
    late = True  # whether indexes are made, and taken out, within a transaction

    def text(self, **options: Any) -> peewee.Field:  # noqa: ANN401 - options of a field
        """Return a column for the compared part of texts: by code points."""
        return peewee.CharField(max_length=MAX_LENGTH, **options)

    def document(self) -> peewee.Field:
        """Return a column for texts of any length, which are never compared."""
        return peewee.TextField()

    def record(self) -> peewee.Field:
        """Return a column for a record as JSON."""
        return self.document()

    def integer(self, **options: Any) -> peewee.Field:  # noqa: ANN401 - options of a field
        """Return a column for whole numbers."""
        return peewee.BigIntegerField(**options)

    def row_id(self) -> peewee.Field:
        """Return a column for whole numbers that is the table's key by itself."""
        return self.integer(primary_key=True)

    def instant(self, **options: Any) -> peewee.Field:  # noqa: ANN401 - options of a field
        """Return a column for milliseconds since the epoch; in statements, its `db_value` says how they are written."""
        return self.integer(**options)


class Tables:
    """peewee's models of all tables, bound to a database."""

    def __init__(self, database: peewee.Database, types: Types) -> None:
        """Make the models."""
        self._database = database
        self._types = types
        self.collections = {name: self._collection(one) for name, one in COLLECTIONS.items()}
        self.words = {name: self._words(one) for name, one in COLLECTIONS.items() if one.large and one.texts}
        text, number = types.text, types.integer
        self.meta = self._table(META, {"name": text(primary_key=True), "value": types.document()})
        self.sizes = self._table(SIZES, {"collection": text(primary_key=True), "count": number()})
        self.tallies = self._table(
            TALLIES,
            {"project": text(), "job": text(), "state": text(), "builds": number(), "last": number()},
            ("project", "job", "state"),
        )
        self.usage = self._table(
            USAGE,
            {"agent": text(), "day": types.instant(), "attempts": number(), "busy_ms": number()},
            ("day", "agent"),
        )
        self.vocabulary = self._table(
            VOCABULARY, {"collection": text(), "word": text(), "count": number()}, ("collection", "word")
        )

    @property
    def partial(self) -> bool:
        """Whether an index may leave out rows."""
        return self._types.partial

    @property
    def eras(self) -> bool:
        """Whether scattered values are indexed by eras."""
        return self._types.eras

    @property
    def late(self) -> bool:
        """Whether indexes may be made after the rows."""
        return self._types.late

    @property
    def all(self) -> list[type[peewee.Model]]:
        """All models."""
        beside = (self.meta, self.sizes, self.tallies, self.usage, self.vocabulary)
        return [*self.collections.values(), *self.words.values(), *beside]

    def create(self, syntax: Syntax) -> None:
        """Create what is missing: tables, and indexes of tables that are there."""
        for model in self.all:
            model.create_table(safe=True)
        self.create_indexes(syntax)

    def create_indexes(self, syntax: Syntax) -> None:
        """Create the indexes that are missing."""
        for name, collection in COLLECTIONS.items():
            known = self._known_indexes(name)
            for index in collection.indexes:
                called = self._index_name(name, index)
                if called in known:
                    continue
                fields = {one: collection.fields[one].optional for one in index.fields}
                only = syntax.only(index) if self._types.partial else ""
                numbered = collection.key[0] if self._by_eras(index) else ""
                made = syntax.index(called, name, fields, unique=index.unique, only=only, numbered=numbered)
                self._database.execute_sql(made)
                if (whole := index_name(name, index)) != called and whole in known:
                    self._database.execute_sql(syntax.drop_index(whole))  # as versions before had it

    def drop_indexes(self, syntax: Syntax) -> None:
        """Take the indexes out, as many rows are about to be put in: made at once behind them they cost less."""
        for name, collection in COLLECTIONS.items():
            known = self._known_indexes(name)
            for called in (self._index_name(name, one) for one in collection.indexes):
                if called in known:
                    self._database.execute_sql(syntax.drop_index(called))

    def _known_indexes(self, table: str) -> set[str]:
        return {one.name for one in self._database.get_indexes(table)}

    @property
    def layout(self) -> str:
        """A text that differs when there are other tables or indexes to create."""
        tables = [f"{name}({','.join(one.fields)})" for name, one in COLLECTIONS.items()]
        indexes = [self._index_name(name, index) for name, one in COLLECTIONS.items() for index in one.indexes]
        return " ".join((*tables, *indexes))

    def _index_name(self, table: str, index: Index) -> str:
        partial = index.among is not None and self._types.partial
        end = "_few" if partial else "_eras" if self._by_eras(index) else ""
        return index_name(table, index) + end

    def _by_eras(self, index: Index) -> bool:
        return index.scattered and self._types.eras

    def _collection(self, collection: Collection) -> type[peewee.Model]:
        columns: dict[str, Any] = {}
        for name, field in collection.fields.items():
            if collection.key == (name,):
                columns[name] = (
                    self._types.row_id() if field.kind is Kind.INTEGER else self._types.text(primary_key=True)
                )
                continue
            make = {Kind.TEXT: self._types.text, Kind.INTEGER: self._types.integer, Kind.INSTANT: self._types.instant}
            columns[name] = make[field.kind](null=field.optional)
        if collection.texts and not collection.large:
            columns["words"] = self._types.document()
        columns["doc"] = self._types.record()
        return self._table(collection.name, columns, collection.key if len(collection.key) > 1 else ())

    def _words(self, collection: Collection) -> type[peewee.Model]:
        columns = {"word": self._types.text(), collection.key[0]: self._types.integer()}
        return self._table(f"{collection.name}_words", columns, ("word", collection.key[0]))

    def _table(self, name: str, columns: Mapping[str, Any], key: tuple[str, ...] = ()) -> type[peewee.Model]:
        meta: dict[str, Any] = {"database": self._database, "table_name": name, "legacy_table_names": False}
        if key:
            meta |= {"primary_key": peewee.CompositeKey(*key), "without_rowid": self._types.keyed}
        options = type("Meta", (), meta)
        return type(name.title().replace("_", ""), (peewee.Model,), {**columns, "Meta": options})


def index_name(table: str, index: Index) -> str:
    """Return what an index is called."""
    return "_".join((table, *index.fields))
