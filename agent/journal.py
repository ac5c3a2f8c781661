"""The durable log of consensus in an SQLite file: entries by index, each with a checksum, and the hard state.

A batch of entries is one transaction with synchronous=FULL: when `append` returns, they survive a power loss. The file
is opened by one process, used by one thread at a time. Refuses to know what an entry means.

What is damaged is refused, never skipped: a voter with a hole in its log must not vote or lead (CONSENSUS.md). A tail
that was never acknowledged cannot be torn, because SQLite commits or rolls back as a whole.
"""

import errno
import os
import sqlite3
import struct
from binascii import crc32
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ..core.consensus import Entry, EntryKind, HardState
from ..core.errors import Damaged, DiskFull, NewerSchema, StorageError

FORMAT = 1
"""Version of the file's shape, in SQLite's user_version."""


class Journal:
    """The log of one voter."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises Damaged, NewerSchema or StorageError with the remedy."""
        self.path = path
        with self._guard("open"):
            # isolation_level=None: transactions are ours; the replica hands the connection from thread to thread
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._prepare()
        self._check()
        first, last = self._db.execute("SELECT min(number), max(number) FROM entry").fetchone()
        base, self.base_term = self._db.execute("SELECT number, term FROM base").fetchone()
        self.first: int = first or base + 1  # index of the first entry kept
        self.last: int = last or base  # index of the last entry; `first - 1` when there is none
        self._witness = _Witness(path.with_name(f"{path.name}-tail"))
        seen = self._witness.read()
        if seen > self.last:
            # SQLite takes a damaged end of its write-ahead log for one that was never finished, and drops it
            raise self._damaged(f"it ends at entry {self.last}, but entry {seen} was written and promised to others")
        self.state()

    def _prepare(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT:
            message = (
                f"{self.path} was written by a newer version of Job Orchestra (format {version}, this one reads "
                f"{FORMAT}); upgrade this agent"
            )
            raise NewerSchema(message)
        if version == 0:
            self._db.executescript(
                """
                BEGIN IMMEDIATE;
                CREATE TABLE entry (
                    number INTEGER PRIMARY KEY, term INTEGER NOT NULL, kind INTEGER NOT NULL, data BLOB NOT NULL,
                    crc INTEGER NOT NULL
                );
                CREATE TABLE base (number INTEGER NOT NULL, term INTEGER NOT NULL);
                INSERT INTO base VALUES (0, 0);
                CREATE TABLE state (
                    term INTEGER NOT NULL, vote INTEGER NOT NULL, committed INTEGER NOT NULL, crc INTEGER NOT NULL
                );
                PRAGMA user_version = 1;
                COMMIT;
                """
            )
            # a crash in between leaves a log without entries and votes, which is what it says
            self._db.execute("INSERT INTO state VALUES (0, 0, 0, ?)", (_crc_of_state((0, 0, 0)),))

    def _check(self) -> None:
        """Refuse a file in which an entry is missing or altered."""
        with self._guard("read"):
            base = self._db.execute("SELECT number FROM base").fetchone()[0]
            expected = base + 1
            query = "SELECT number, term, kind, data, crc FROM entry ORDER BY number"
            for number, term, kind, data, crc in self._db.execute(query):
                if number != expected or crc != _crc(number, term, kind, data):
                    what = "is missing" if number != expected else "does not match its checksum"
                    raise self._damaged(f"entry {expected} {what}")
                expected += 1

    def append(self, entries: Iterable[Entry], state: HardState | None = None) -> None:
        """Write entries (replacing those at and behind the first one's index) and the hard state; durable on return.

        Raises DiskFull or StorageError, and then nothing was written.
        """
        rows = [
            (one.index, one.term, int(one.kind), one.data, _crc(one.index, one.term, one.kind, one.data))
            for one in entries
        ]
        if rows and rows[0][0] <= self.last:
            self._witness.write(rows[0][0] - 1)  # before: these are given up, whether or not the rest comes about
        with self._transaction() as db:
            if rows:
                if rows[0][0] <= self.last:
                    db.execute("DELETE FROM entry WHERE number >= ?", (rows[0][0],))
                db.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", rows)
            if state is not None:
                db.execute("DELETE FROM state")
                fields = (state.term, state.vote, state.commit)
                db.execute("INSERT INTO state VALUES (?, ?, ?, ?)", (*fields, _crc_of_state(fields)))
        if rows:
            self.last = rows[-1][0]
            self._witness.write(self.last)

    def entries(self, start: int) -> Iterator[Entry]:
        """Yield the entries from index `start` on."""
        with self._guard("read"):
            query = "SELECT number, term, kind, data FROM entry WHERE number >= ? ORDER BY number"
            for number, term, kind, data in self._db.execute(query, (start,)):
                yield Entry(term, number, data, EntryKind(kind))

    def state(self) -> HardState:
        """Return the hard state."""
        with self._guard("read"):
            found = self._db.execute("SELECT term, vote, committed, crc FROM state").fetchall()
        if not found:
            if self.last:
                raise self._damaged("it does not say which vote was given")
            return HardState()
        *fields, crc = found[0]
        if len(found) > 1 or crc != _crc_of_state(tuple(fields)):
            raise self._damaged("what it says of votes does not match its checksum")
        return HardState(*fields)

    def term(self, index: int) -> int | None:
        """Return the term of an entry, also of the last one that was forgotten; None: nothing is known of it."""
        if index == self.first - 1:
            return self.base_term
        with self._guard("read"):
            found = self._db.execute("SELECT term FROM entry WHERE number = ?", (index,)).fetchone()
        return found[0] if found else None

    def compact(self, index: int) -> None:
        """Forget the entries up to and including `index`; what they did is safe elsewhere."""
        index = min(index, self.last)
        if index < self.first:
            return
        with self._transaction() as db:
            term = db.execute("SELECT term FROM entry WHERE number = ?", (index,)).fetchone()[0]
            db.execute("DELETE FROM entry WHERE number <= ?", (index,))
            db.execute("UPDATE base SET number = ?, term = ?", (index, term))
        self.first, self.base_term = index + 1, term

    def install(self, index: int, term: int) -> None:
        """Begin anew behind `index`: a snapshot, which is durable already, took the place of everything before."""
        self._witness.write(0)
        with self._transaction() as db:
            db.execute("DELETE FROM entry")
            db.execute("UPDATE base SET number = ?, term = ?", (index, term))
        self.first, self.last, self.base_term = index + 1, index, term

    def close(self) -> None:
        """Give the file back."""
        self._db.close()
        self._witness.close()

    @contextmanager
    def _guard(self, doing: str) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as problem:
            raise self._translate(problem, doing) from problem

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside, or nothing of it."""
        with self._guard("write"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _damaged(self, what: str) -> Damaged:
        return Damaged(
            f"the log {self.path} is damaged: {what}. This agent will not start with a hole in its log: restore the "
            f"file from a backup, or move {self.path.parent} away and begin anew"
        )

    def _translate(self, problem: sqlite3.Error, doing: str) -> StorageError:
        """Return our error for one of SQLite's."""
        code = getattr(problem, "sqlite_errorcode", None)
        primary = code & 0xFF if code is not None else None
        if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or isinstance(problem, sqlite3.DataError):
            return self._damaged(str(problem))
        if primary == sqlite3.SQLITE_FULL or getattr(problem, "errno", None) == errno.ENOSPC:
            return DiskFull(f"the disk is full: the log {self.path} cannot grow; free some space and try again")
        if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return StorageError(f"{self.path} is in use by another process; does a second agent run here?")
        return StorageError(f"cannot {doing} the log {self.path}: {problem}; check the disk and the permissions")


def begins(path: Path) -> int:
    """Return the index of the first entry that a log has, or will have; 1 where there is no log.

    Looks without opening the log: what is wrong with it is said when it is opened.
    """
    if not path.exists():
        return 1
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as file:
            return file.execute("SELECT number + 1 FROM base").fetchone()[0]
    except (sqlite3.Error, TypeError):
        return 1


class _Witness:
    """The index of the last entry, in a file beside: written after the log was synced, never synced itself.

    It may be behind after a power loss, and never ahead of what was durable, so that a log which ends before it has
    lost entries.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def read(self) -> int:
        """Return the index; 0 where none was written whole."""
        data = os.pread(self._descriptor, _WITNESS.size, 0)
        if len(data) < _WITNESS.size:
            return 0
        index, crc = _WITNESS.unpack(data)
        return index if crc == crc32(b"%d" % index) else 0

    def write(self, index: int) -> None:
        """Take note of an index."""
        with suppress(OSError):  # a full disk; it is then behind, which proves less and harms nothing
            os.pwrite(self._descriptor, _WITNESS.pack(index, crc32(b"%d" % index)), 0)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._descriptor)


_WITNESS = struct.Struct("!QI")  # index, checksum


def _crc_of_state(fields: tuple[int, ...]) -> int:
    """Return the checksum of a hard state."""
    return crc32(b"%d %d %d" % fields)


def _crc(number: int, term: int, kind: int, data: bytes) -> int:
    """Return the checksum of an entry: of its bytes and of where it belongs, so that a misplaced one is seen too."""
    return crc32(data, crc32(b"%d %d %d" % (number, term, kind)))
