"""The statements that put rows in, many in each, where peewee would do it one by one.

Why so: docs/decisions/0004-store-writes.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from ..collections import COLLECTIONS, MAX_LENGTH, Collection, Kind, comparable
from ..words import words_of

ROWS = 200
"""Rows of one statement. Larger: fewer statements; SQLite takes at most 32,766 values in one."""

BYTES = 4 << 20
"""Bytes of documents in one statement, but for one that is larger. Servers take some 16 MiB at a time."""

_T = TypeVar("_T")
_encoder = msgspec.json.Encoder()


class Syntax:
    """How a database writes what differs: here, as SQLite and PostgreSQL do."""

    def __init__(self, quote: str = '"', parameter: str = "?") -> None:
        """Put names between `quote` and values where `parameter` is."""
        self._quote = quote
        self._parameter = parameter

    def name(self, name: str) -> str:
        """Return a name of a table or column, quoted."""
        return f"{self._quote}{name}{self._quote}"

    def index(self, name: str, table: str, fields: Mapping[str, bool], *, unique: bool, given: str) -> str:
        """Return the statement that creates an index; with `given` only of rows where that text is not empty.

        `fields` says of each column whether values may be missing.
        """
        columns = ", ".join(self.indexed(one) if optional else self.name(one) for one, optional in fields.items())
        kind = "UNIQUE INDEX" if unique else "INDEX"
        where = f" WHERE {self.name(given)} <> ''" if given else ""
        return f"CREATE {kind} {self.name(name)} ON {self.name(table)} ({columns}){where}"

    def indexed(self, column: str) -> str:
        """Return a column of which values may be missing as an index takes it: those come first."""
        return self.name(column)

    def insert(self, table: str, columns: Iterable[str], rows: int) -> str:
        """Return the beginning of a statement that puts in so many rows."""
        names = [self.name(one) for one in columns]
        one_row = f"({', '.join([self._parameter] * len(names))})"
        return f"INSERT INTO {self.name(table)} ({', '.join(names)}) VALUES {', '.join([one_row] * rows)}"  # noqa: S608 - only our own words

    def upsert(self, table: str, columns: tuple[str, ...], key: tuple[str, ...], rows: int) -> str:
        """Return the statement that puts in rows, in place of those with the same key."""
        changes = {one: self.new(one) for one in columns if one not in key}
        return f"{self.insert(table, columns, rows)} {self.on_conflict(key, changes)}"

    def put_new(self, table: str, columns: tuple[str, ...], key: tuple[str, ...], rows: int) -> str:
        """Return the statement that puts in rows whose key is new."""
        return f"{self.insert(table, columns, rows)} {self.on_conflict(key, {})}"

    def add(self, table: str, key: tuple[str, ...], sums: tuple[str, ...], highest: tuple[str, ...], rows: int) -> str:
        """Return the statement that adds to sums, and raises highest values, by key."""
        changes = {one: f"{self.name(table)}.{self.name(one)} + {self.new(one)}" for one in sums}
        changes |= {one: self.larger(f"{self.name(table)}.{self.name(one)}", self.new(one)) for one in highest}
        return f"{self.insert(table, (*key, *sums, *highest), rows)} {self.on_conflict(key, changes)}"

    def new(self, column: str) -> str:
        """Return what a column of the row would hold that is put in."""
        return f"excluded.{self.name(column)}"

    def larger(self, one: str, other: str) -> str:
        """Return the larger of two values."""
        return f"MAX({one}, {other})"

    def on_conflict(self, key: tuple[str, ...], changes: Mapping[str, str]) -> str:
        """Return what is done where the key is there: the changes, or nothing."""
        names = ", ".join(self.name(one) for one in key)
        if not changes:
            return f"ON CONFLICT ({names}) DO NOTHING"
        return f"ON CONFLICT ({names}) DO UPDATE SET {self.changes(changes)}"

    def seconds(self, earlier: str, later: str) -> str:
        """Return the seconds between two instants."""
        return f"({later} - {earlier}) / 1000.0"

    def shown(self, instant: str) -> str:
        """Return an instant as people read it."""
        return f"strftime('%Y-%m-%d %H:%M:%f', {instant} / 1000.0, 'unixepoch')"

    def day(self, instant: str) -> str:
        """Return the day (UTC) of an instant."""
        return f"date({instant} / 1000, 'unixepoch')"

    def view(self, name: str, content: str) -> tuple[str, ...]:
        """Return the statements that put a view in place of what has its name."""
        return f"DROP VIEW IF EXISTS {self.name(name)}", f"CREATE VIEW {self.name(name)} AS {content}"

    def changes(self, changes: Mapping[str, str]) -> str:
        """Return assignments."""
        return ", ".join(f"{self.name(one)} = {value}" for one, value in changes.items())


def row_of(collection: Collection) -> Callable[[Any], tuple[Any, ...]]:
    """Return the function from a record to the values of its row."""
    plain = [name for name, one in collection.fields.items() if one.derive is None]
    texts = [place for place, one in enumerate(collection.fields.values()) if one.kind is Kind.TEXT]
    derived = [one.derive for one in collection.fields.values() if one.derive is not None]
    if plain != list(collection.fields)[len(derived) :]:
        raise TypeError(f"{collection.name}: derived fields come first")
    values: Callable[[Any], tuple[Any, ...]] = attrgetter(*plain) if len(plain) > 1 else lambda _: ()
    searched = bool(collection.texts) and not collection.large

    def row(record: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a record of the collection
        found = [*[make(record) for make in derived], *values(record)]
        for place in texts:
            if len(found[place]) > MAX_LENGTH or "\0" in found[place]:
                found[place] = comparable(found[place])
        if searched:
            found.append(f" {' '.join(words_of(collection, record))} ")
        return (*found, document(record))

    return row


def document(record: object) -> str:
    """Return a record as JSON."""
    return _encoder.encode(record).decode()


COLUMNS = {
    name: (*one.fields, *(("words",) if one.texts and not one.large else ()), "doc")
    for name, one in COLLECTIONS.items()
}
"""The columns of each collection's table, in the order of its rows."""

ROW_OF = {name: row_of(one) for name, one in COLLECTIONS.items()}
"""The functions from a record of each collection to the values of its row."""


def parts(items: Iterable[_T], size: Callable[[_T], int] | None = None) -> Iterator[list[_T]]:
    """Yield the items in parts that fit into one statement: ROWS of them, or BYTES as `size` counts them."""
    if size is None:
        rest = iter(items)
        while part := list(islice(rest, ROWS)):
            yield part
        return
    part, room = list[_T](), BYTES
    for one in items:
        room -= size(one)
        if part and (room < 0 or len(part) == ROWS):
            yield part
            part, room = [], BYTES - size(one)
        part.append(one)
    if part:
        yield part
