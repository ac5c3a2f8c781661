"""Who the members are, in a file: so that an agent without the ledger finds the others when it starts again.

Nothing is decided by it. It is a memory of what the network said last, and may be old.
"""

import msgspec

from ..core.model import AgentRecord
from .identity import read_private, write_private
from .paths import Paths, check_private


class RosterFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered."""

    members: tuple[AgentRecord, ...] = ()  # those that everybody must be able to reach, and this agent itself
    epoch: int = 0  # of the network, when this was said
    master: str = ""  # agent id of the master; empty: it was not known


def load(paths: Paths) -> RosterFile:
    """Return what is remembered; nothing, where there is no file. Raises Damaged or StorageError with the remedy."""
    if not paths.peers.exists():
        return RosterFile()
    check_private(paths.peers)
    return read_private(paths.peers, RosterFile)


def save(paths: Paths, roster: RosterFile) -> None:
    """Remember; durable on return. Raises StorageError."""
    write_private(paths.peers, msgspec.json.encode(roster))
