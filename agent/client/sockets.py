"""Where this machine's agents can be spoken to, and whether one listens there."""

import os
import socket
from pathlib import Path

from ...core import errors
from ..paths import Paths, default_data

PROBE_S = 1.0
"""Seconds between two looks whether the agent that is waited for is still there."""


def data_directory(data: Path | None = None) -> Path:
    """Return the data directory that is meant: the given one, ORCHESTRA_HOME, or the platform's."""
    return (data or default_data()).expanduser().absolute()


def socket_path(data: Path | None = None) -> Path:
    """Return where the agent with this data directory (see `data_directory`), or ORCHESTRA_SOCKET, can be spoken to."""
    named = os.environ.get("ORCHESTRA_SOCKET")
    return Path(named) if named else Paths(data_directory(data)).scripting


def neighbours(data: Path | None = None) -> list[Path]:
    """Return the sockets of this user's other agents on this machine, whatever network they belong to."""
    mine = Paths(data_directory(data)).scripting
    return sorted(found for found in mine.parent.parent.glob(f"*/{mine.name}") if found != mine)


def belongs(data: Path | None = None) -> bool:
    """Whether a data directory (see `data_directory`) is that of a network's member."""
    return Paths(data_directory(data)).network.exists()


def check_agent(path: Path) -> None:
    """Raise NoAgent unless somebody listens at the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except FileNotFoundError:
            why = "no agent runs on this machine with this data directory"
        except PermissionError:
            message = f"the agent at {path} belongs to another user; run as that user, or start your own: orchestra up"
            raise errors.NotAllowed(message) from None
        except OSError:
            why = "the agent of this data directory is gone"
        else:
            return
    message = f"{why}; start it with: orchestra up"
    raise errors.NoAgent(message)
