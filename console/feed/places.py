"""Where agents may be spoken to: this user's sockets on this machine."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...agent.client.awaiting import AsyncClient
from ...agent.client.sockets import data_directory, neighbours, socket_path


@dataclass(frozen=True)
class Local:
    """The scripting socket of an agent on this machine."""

    path: Path  # of the socket
    data: Path  # a data directory to pack things into
    label: str = "this machine"  # for people

    async def connect(self) -> AsyncClient:
        """See live.Place."""
        return AsyncClient(self.data, self.path)


def home(data: Path | None = None) -> Local:
    """Return where the agent with this data directory (default: ORCHESTRA_HOME or the platform's) is spoken to."""
    path = socket_path(data)
    return Local(path, data_directory(data), os.environ.get("ORCHESTRA_HOST") or "this machine")


def others(data: Path | None = None) -> Sequence[Local]:
    """Return where other agents on this machine are spoken to, of whatever network."""
    if "ORCHESTRA_SOCKET" in os.environ:  # somewhere else: what is here has nothing to do with it
        return []
    return [Local(path, data_directory(data)) for path in neighbours(data)]
