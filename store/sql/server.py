"""The dialects of databases on a server, which all agents share: what is the same in each of them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn, TypeVar

import peewee

from ...core.errors import StorageError
from ..servers import no_file
from .dialect import Dialect
from .tables import META, Instant

IDLE_S = 1.0
"""Seconds after which a connection is tried before it is used. Larger: fewer questions; more that fail."""


_HIGHEST = 253_402_300_799_999  # the end of the year 9999, in milliseconds
_Problem = TypeVar("_Problem", bound=BaseException)


class Calendar(Instant):
    """A column of the database's own type for instants."""

    epoch: datetime  # as the driver takes it
    lowest: int  # milliseconds, of the first year that the database knows

    def db_value(self, value: int | None) -> datetime | None:
        """Return milliseconds since the epoch as the driver takes them; what no calendar has is its edge."""
        return None if value is None else self.epoch + timedelta(milliseconds=min(max(value, self.lowest), _HIGHEST))

    def python_value(self, value: datetime | None) -> int | None:
        """Return milliseconds since the epoch."""
        return None if value is None else (value - self.epoch) // timedelta(milliseconds=1)


def cause_of(problem: BaseException, kind: type[_Problem]) -> BaseException:
    """Return the driver's own error behind peewee's; where there is none, what came first."""
    while not isinstance(problem, kind) and problem.__context__ is not None:
        problem = problem.__context__
    return problem


class Server(Dialect):
    """A database that all agents share, of whom the master writes."""

    shared = True
    dump: str  # the tool that makes copies

    def __init__(self) -> None:
        """Begin without a connection."""
        self._used = threading.local()

    def refresh(self) -> None:
        """See Dialect: the server may have been started anew meanwhile, which only shows when it is asked."""
        now = time.monotonic()
        idle, self._used.last = now - getattr(self._used, "last", now), now
        if idle < IDLE_S or self.database.is_closed() or self.database.transaction_depth():
            return
        try:
            self.database.execute_sql("SELECT 1").fetchall()
        except (peewee.PeeweeException, *self.errors):
            self.forget()

    def forget(self) -> None:
        """See Dialect."""
        if not self.database.transaction_depth() and not self.database.is_closed():
            with suppress(peewee.PeeweeException, *self.errors):
                self.database.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """See Dialect: the row of the applied index is locked first, so that writers follow each other."""
        with self.database.atomic():
            self.database.execute_sql(f"SELECT value FROM {META} WHERE name = 'applied' FOR UPDATE")  # noqa: S608 - only our own words
            yield

    def close(self) -> None:
        """See Dialect."""
        self.database.close_all()

    def flush(self) -> None:
        """See Dialect: a commit is durable, unless whoever runs the server has decided otherwise."""

    def backup(self, target: Path) -> NoReturn:
        """See Dialect."""
        raise no_file(self.url, target, self.dump)

    def at(self, copy: Path) -> NoReturn:
        """See Dialect."""
        raise no_file(self.url, copy, self.dump)

    def replace_by(self, copy: Path) -> NoReturn:
        """See Dialect."""
        raise no_file(self.url, copy, self.dump)

    def unusable(self, why: str) -> StorageError:
        """Return the error for a database that cannot be used as it is."""
        return StorageError(f"cannot use the store {self.url}: {why}")
