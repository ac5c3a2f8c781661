"""SQLite: the default. One file beside the agent's log, with a write-ahead log of its own."""

import os
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import peewee

from ...core.errors import Damaged, DiskFull, StorageError
from .dialect import Dialect
from .statements import Syntax
from .tables import Types

BUSY_MS = 5_000
"""Milliseconds to wait for a lock that a reader or a backup holds."""

CACHE_KB = 16_000
"""Memory of each of three connections (a writer, two readers) for pages of the file. Larger: fewer reads from disk."""

RESTORE = "start its agent anew, which rebuilds it from its log or from another agent; or restore it from a backup"


LOG_PAGES = 16_000
"""Pages of the write-ahead log that are gathered before they are put into the file, where a page that changed often is
written once. Larger: less to write; more disk, 4 KiB for each."""

STATEMENTS = 256
"""Statements that a connection keeps ready."""


class _Database(peewee.SqliteDatabase):
    """SQLite with a connection per thread, all of which can be closed at the end."""

    def __init__(self, path: Path) -> None:
        pragmas = {
            "journal_mode": "wal",
            "synchronous": "normal",
            "busy_timeout": BUSY_MS,
            "cache_size": -CACHE_KB,
            "wal_autocheckpoint": LOG_PAGES,
        }
        super().__init__(str(path), pragmas=pragmas, check_same_thread=False, cached_statements=STATEMENTS)
        self._opened: list[sqlite3.Connection] = []

    def _connect(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = super()._connect()  # type: ignore[misc] - peewee has no types
        self._opened.append(connection)
        return connection

    def close_all(self) -> None:
        """Close the connections of all threads."""
        while self._opened:
            self._opened.pop().close()


class _RowId(peewee.IntegerField):
    """A key that is SQLite's own row number: no index beside the table."""

    field_type = "INTEGER"


class _Types(Types):
    keyed = True
    eras = True

    def text(self, **options: Any) -> peewee.Field:  # noqa: ANN401 - options of a field
        return peewee.TextField(**options)

    def row_id(self) -> peewee.Field:
        return _RowId(primary_key=True)


class Sqlite(Dialect):
    """See Dialect."""

    shared = False
    errors = (sqlite3.Error,)
    nulls_first = True

    def __init__(self, path: Path) -> None:
        """Speak to the database in a file, which is made where it is missing."""
        self.url = f"sqlite:///{path}"
        self.types = _Types()
        self.syntax = Syntax()
        self._path = path
        self.database = _Database(path)

    def creating(self) -> AbstractContextManager[Any]:
        """See Dialect."""
        return self.database.atomic("IMMEDIATE")

    def writing(self) -> AbstractContextManager[Any]:
        """See Dialect."""
        return self.database.atomic("IMMEDIATE")

    def reading(self) -> AbstractContextManager[Any]:
        """See Dialect."""
        return self.database.atomic()

    def flush(self) -> None:
        """See Dialect: bring the write-ahead log into the database file, with its fsyncs."""
        busy, _, _ = self.database.execute_sql("PRAGMA wal_checkpoint(FULL)").fetchone()
        if busy:
            message = f"{self.url} is being read for so long that it could not be flushed; it is tried again later"
            raise StorageError(message)

    def check(self) -> None:
        """See Dialect: it comes with Python."""

    def kind(self) -> str:
        """See Dialect."""
        return f"SQLite {sqlite3.sqlite_version}"

    def bytes(self) -> int:
        """See Dialect: of the file and its write-ahead log."""
        return sum(one.stat().st_size for one in (self._path, self._beside("-wal")) if one.exists())

    def reclaim(self) -> None:
        """See Dialect."""
        self.database.execute_sql("VACUUM")
        self.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def backup(self, target: Path) -> None:
        """See Dialect: an SQLite file."""
        source = self.database.connection()
        try:
            copy = sqlite3.connect(target)
            try:
                source.backup(copy, pages=1000)
            finally:
                copy.close()
        except sqlite3.Error as problem:
            target.unlink(missing_ok=True)  # half a backup is none
            target.with_name(f"{target.name}-journal").unlink(missing_ok=True)
            message = f"cannot write the backup {target}: {problem}; name a new file in a directory with room"
            raise StorageError(message) from None

    def at(self, copy: Path) -> Dialect:
        """See Dialect."""
        return Sqlite(copy)

    def replace_by(self, copy: Path) -> None:
        """See Dialect. A crash before the copy is in place leaves the store as it was when it was last flushed."""
        self.database.close_all()
        for suffix in ("-wal", "-shm"):
            self._beside(suffix).unlink(missing_ok=True)
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        copy.replace(self._path)
        self.database = _Database(self._path)

    def explain(self, sql: str, values: Any) -> list[str]:  # noqa: ANN401 - the parameters of a statement
        """See Dialect."""
        return [str(row[3]) for row in self.database.execute_sql(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()]

    def refresh(self) -> None:
        """See Dialect: a file is there or not."""

    def forget(self) -> None:
        """See Dialect: a file is there or not."""

    def translate(self, problem: Exception, doing: str) -> StorageError:
        """See Dialect."""
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
            return Damaged(f"the store {self.url} is damaged ({cause}); {RESTORE}")
        if primary == sqlite3.SQLITE_FULL:
            return DiskFull(f"the disk is full: the store {self.url} cannot grow; free some space")
        return StorageError(
            f"cannot {doing} the store {self.url}: {cause}; check the disk and the permissions of {self._path}"
        )

    def close(self) -> None:
        """See Dialect."""
        self.database.close_all()

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
