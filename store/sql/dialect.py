"""What differs between SQL databases, behind one seam: connecting, types, syntax, errors, space, copies."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from ...core.errors import InvariantError, StorageError
from .statements import Syntax
from .tables import Types


class Dialect(Protocol):
    """One kind of SQL database, and the way to one of them."""

    url: str  # how it was opened, without a password
    shared: bool  # one database for all agents
    database: Any  # of peewee: a connection for each thread
    types: Types  # of columns
    syntax: Syntax  # of statements
    errors: tuple[type[Exception], ...]  # of the driver, beside peewee's
    copied: int = 0  # so many rows that are new, and more, are put in by `copy`; 0: all are by statements
    nulls_first: bool  # missing values come first in ascending order without being told so

    def creating(self) -> AbstractContextManager[Any]:
        """Keep others from creating tables meanwhile; all or nothing where the database can."""
        ...

    def writing(self) -> AbstractContextManager[Any]:
        """Begin a transaction that nobody else's can interleave with."""
        ...

    def reading(self) -> AbstractContextManager[Any]:
        """Begin a transaction whose reads see one state."""
        ...

    def run(self, sql: str, values: Sequence[Any]) -> Any:  # noqa: ANN401 - a cursor of the driver
        """Execute a statement of many rows."""
        return self.database.execute_sql(sql, values)

    def copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Put in rows whose keys are new, at once. Only where `copied` is not 0."""
        raise InvariantError(f"no {len(rows)} rows of {len(columns)} columns for {table} at once: `copied` is 0")

    def settle(self) -> None:
        """Let the database learn what it holds after much of that has changed, where it does so too late by itself."""

    def flush(self) -> None:
        """Make what is committed durable."""
        ...

    def check(self) -> None:
        """Raise StorageError where the database is too old, or is not what the URL says."""
        ...

    def kind(self) -> str:
        """Return the database's name and version, for people."""
        ...

    def bytes(self) -> int:
        """Return what the store takes on disk."""
        ...

    def reclaim(self) -> None:
        """Give free space back to the disk."""
        ...

    def backup(self, target: Path) -> None:
        """Write a copy of everything into a new file."""
        ...

    def at(self, copy: Path) -> "Dialect":
        """Return the way to a copy."""
        ...

    def replace_by(self, copy: Path) -> None:
        """Let a copy take the place of everything; connections of all threads end with it."""
        ...

    def explain(self, sql: str, values: Any) -> list[str]:  # noqa: ANN401 - the parameters of a statement
        """Return how the database answers a query, one line per step."""
        ...

    def refresh(self) -> None:
        """Give up this thread's connection where it lay idle and the server has ended it; raises nothing."""
        ...

    def forget(self) -> None:
        """Give up this thread's connection where it may be broken; the next question opens another one."""
        ...

    def translate(self, problem: Exception, doing: str) -> StorageError:
        """Return our error for one of the database's."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
