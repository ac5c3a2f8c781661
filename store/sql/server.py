"""The dialects of databases on a server, which all agents share."""

from pathlib import Path
from typing import NoReturn

from ...core.errors import StorageError
from ..servers import no_file
from .dialect import Dialect


class Server(Dialect):
    """A database that all agents share, of whom the master writes."""

    shared = True
    dump: str  # the tool that makes copies

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
