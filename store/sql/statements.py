"""The statements that put rows in, many in each, where peewee would do it one by one.

Why so: docs/decisions/0004-store-writes.md.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import msgspec

from ..collections import COLLECTIONS, Collection, Index
from ..sums import SUMMED, Known
from ..values import VALUES
from ..words import words_of

ROWS = 256
"""Rows of one statement, a power of two. Larger: fewer statements; SQLite takes at most 32,766 values in one."""

ERA_BITS = 14
"""Bits of the numbers of one era: where neighbours have nothing in common, new rows change only the pages of the last
era. Larger: fewer eras to look through; smaller: fewer pages that change."""

BYTES = 4 << 20
"""Bytes of documents in one statement, but for one that is larger. Servers take some 16 MiB at a time."""

_T = TypeVar("_T")
_encoder = msgspec.json.Encoder()


def listed(values: Iterable[str]) -> str:
    """Return words of ours as a list of values."""
    quoted = [f"'{one}'" for one in values]
    return f"({', '.join(quoted)})"


def era(number: str) -> str:
    """Return the era that a record of a number is of."""
    return f"({number} >> {ERA_BITS})"


class Syntax:
    """How a database writes what differs: here, as SQLite and PostgreSQL do."""

    def __init__(self, quote: str = '"', parameter: str = "?") -> None:
        """Put names between `quote` and values where `parameter` is."""
        self._quote = quote
        self._parameter = parameter

    def name(self, name: str) -> str:
        """Return a name of a table or column, quoted."""
        return f"{self._quote}{name}{self._quote}"

    def index(  # noqa: PLR0913 - parts of a statement
        self, name: str, table: str, fields: Mapping[str, bool], *, unique: bool, only: str, numbered: str = ""
    ) -> str:
        """Return the statement that creates an index; with `only` of rows of which that condition holds.

        `fields` says of each column whether values may be missing. With `numbered`, a column, it is by eras of that.
        """
        columns = ", ".join(self.indexed(one) if optional else self.name(one) for one, optional in fields.items())
        if numbered:
            columns = f"{era(self.name(numbered))}, {columns}"
        kind = "UNIQUE INDEX" if unique else "INDEX"
        where = f" WHERE {only}" if only else ""
        return f"CREATE {kind} {self.name(name)} ON {self.name(table)} ({columns}){where}"

    def drop_index(self, name: str) -> str:
        """Return the statement that takes out an index."""
        return f"DROP INDEX {self.name(name)}"

    def only(self, index: Index) -> str:
        """Return which rows are in an index; empty: all are."""
        if index.given:
            return f"{self.name(index.given)} <> ''"
        if index.among is not None:
            field, values = index.among
            return f"{self.name(field)} IN {listed(values)}"
        return ""

    def indexed(self, column: str) -> str:
        """Return a column of which values may be missing as an index takes it: those come first."""
        return self.name(column)

    def insert(self, table: str, columns: Iterable[str], rows: int) -> str:
        """Return the beginning of a statement that puts in so many rows."""
        names = [self.name(one) for one in columns]
        one_row = f"({', '.join([self._parameter] * len(names))})"
        return f"INSERT INTO {self.name(table)} ({', '.join(names)}) VALUES {', '.join([one_row] * rows)}"  # noqa: S608 - only our own words

    def upsert(
        self, table: str, columns: tuple[str, ...], key: tuple[str, ...], rows: int, kept: Container[str] = ()
    ) -> str:
        """Return the statement that puts in rows, in place of those with the same key, of which some columns stay."""
        changes = {one: self.new(one) for one in columns if one not in key and one not in kept}
        return f"{self.insert(table, columns, rows)} {self.on_conflict(key, changes)}"

    def rows(self, table: str, columns: Iterable[str], key: str, rows: int) -> str:
        """Return the question for rows by values of one column, so many."""
        names = ", ".join(self.name(one) for one in columns)
        values = ", ".join([self._parameter] * rows)
        return f"SELECT {names} FROM {self.name(table)} WHERE {self.name(key)} IN ({values})"  # noqa: S608 - only our own words

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
    values = VALUES[collection.name]
    if not collection.texts or collection.large:
        return lambda record: (*values(record), document(record))
    return lambda record: (*values(record), f" {' '.join(words_of(collection, record))} ", document(record))


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


FIXED = {
    name: frozenset(field for field, kind in one.fields.items() if kind.fixed) for name, one in COLLECTIONS.items()
}
"""The columns of each collection that stay as they are while a record changes."""

KNOWN = {name: (*one.key, *SUMMED[name], *one.origin) for name, one in COLLECTIONS.items()}
"""The columns of each collection that are read of a record before it is written."""


class Place(NamedTuple):
    """Where something is in a row."""

    key: Callable[[tuple[Any, ...]], tuple[Any, ...]]  # values of the key's fields
    known: Callable[[tuple[Any, ...]], Known]  # values that sums are made of
    origin: Callable[[tuple[Any, ...]], tuple[Any, ...]]  # values that tell another record from this one


def _values(columns: Sequence[str], wanted: Sequence[str]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return the function from a row to some of its values, as a tuple."""
    places = [columns.index(one) for one in wanted]
    if len(places) > 1:
        return itemgetter(*places)
    return lambda row: tuple(row[place] for place in places)


PLACES = {
    name: Place(*(_values(COLUMNS[name], wanted) for wanted in (one.key, SUMMED[name], one.origin)))
    for name, one in COLLECTIONS.items()
}
"""Where in the rows of each collection that is."""


def parts(items: Iterable[_T], size: Callable[[_T], int] | None = None) -> Iterator[list[_T]]:
    """Yield the items in parts that fit into one statement: ROWS of them, or BYTES as `size` counts them.

    Each part is a power of two, so that few different statements are made, which a database need not read again.
    """
    rest = list(items)
    start, most = 0, ROWS
    while start < len(rest):
        while most > len(rest) - start:
            most //= 2
        part = rest[start : start + most]
        while size is not None and len(part) > 1 and sum(map(size, part)) > BYTES:
            part = part[: len(part) // 2]
        yield part
        start += len(part)
