"""The dialects of databases on a server, which all agents share."""

import threading
import time
from pathlib import Path
from typing import NoReturn

import peewee

from ...core.errors import StorageError
from ..servers import no_file
from .dialect import Dialect

IDLE_S = 1.0
"""Seconds after which a connection is tried before it is used. Larger: fewer questions; more that fail."""


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
