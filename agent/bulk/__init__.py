"""The bulk path: files travel between members beside the control mesh, so that heartbeats never wait behind bytes.

It has a port, a ZeroMQ context and threads of its own. What may be fetched, and by whom, is told to it by functions,
which are called in its threads.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from ..mesh.sockets import Keys
from .client import Client, Source, bulk_of
from .files import Resolve
from .server import Server


class Bulk:
    """One agent's end of it."""

    def __init__(self, public: str, secret: str, *, host: str, port: int = 0) -> None:
        """Listen at once, at any port for 0, and serve nobody until `admit`. Raises Conflict when the port is taken."""
        keys = Keys(public, secret)
        self._server = Server(keys, host, port)
        self._client = Client(keys)
        self.port = self._server.port
        self.counters = self._server.counters

    def offer(self, resolve: Resolve) -> None:
        """Serve the files that `resolve` finds by name."""
        self._server.resolve = resolve

    def admit(self, is_member: Callable[[str], bool]) -> None:
        """Serve those whose public key `is_member` knows; it is asked at every request."""
        self._server.is_member = is_member

    async def fetch_file(self, sources: Sequence[Source], name: str, target: Path) -> None:
        """Fetch a file from the first source that gives all of it; what is in `target` already is not fetched again.

        Nothing is promised of its content: check its digest. Raises NotFound where no source has it, Unreachable where
        none gives it, DiskFull or StorageError where it cannot be written.
        """
        await self._client.fetch(sources, name, target)

    def close(self) -> None:
        """End all transfers and give everything back. Blocks for a moment."""
        self._client.close()
        self._server.close()


__all__ = ["Bulk", "Source", "bulk_of"]
