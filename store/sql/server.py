"""What databases on a server have in common, as opposed to a file: patience, URLs with passwords, no copy as a file."""

from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

from ...core.errors import StorageError
from .dialect import Dialect

CONNECT_S = 5
"""Seconds to connect. The agent tries again; longer only delays the message that nobody answers."""

STATEMENT_S = 60
"""Seconds that a statement may take. Larger: a stuck server holds up readers for longer."""


class Server(Dialect):
    """A database that all agents share, of whom the master writes."""

    shared = True
    dump: str  # the tool that makes copies

    def flush(self) -> None:
        """See Dialect: a commit is durable, unless whoever runs the server has decided otherwise."""

    def backup(self, target: Path) -> NoReturn:
        """See Dialect."""
        raise self._no_file(target)

    def at(self, copy: Path) -> NoReturn:
        """See Dialect."""
        raise self._no_file(copy)

    def replace_by(self, copy: Path) -> NoReturn:
        """See Dialect."""
        raise self._no_file(copy)

    def _no_file(self, path: Path) -> StorageError:
        return StorageError(
            f"the store {self.url} is a database of its own and cannot be the file {path}; use {self.dump}, or: "
            "orchestra store export"
        )

    def unusable(self, why: str) -> StorageError:
        """Return the error for a database that cannot be used as it is."""
        return StorageError(f"cannot use the store {self.url}: {why}")


def without_password(url: str) -> str:
    """Return a URL that may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{place}"))
