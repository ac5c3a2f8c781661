"""Agreement among the voters: Raft as a pure machine, after the design of etcd's raft.

`raft` is the machine; `electing`, `leading` and `following` are what it does in its `roles`, and `ready` is what it
hands to its driver. They stand on `log` (what is agreed on), `members` (who has a say, and how far each is), `progress`
(flow to one follower), `rounds` (reads and the lease), `quorum` (counting) and `messages` (everything that is sent or
stored). `memory` is a log kept in memory: the cache of a driver, the disk of a test.

Imports run in that order, downwards, but that the roles and the machine know each other. Nothing here does I/O, reads a
clock, logs, or draws its own randomness.
"""

from .config import Config
from .memory import MemoryLog
from .messages import (
    NOBODY,
    Change,
    ChangeKind,
    Configuration,
    Entry,
    EntryKind,
    HardState,
    Kind,
    Member,
    Message,
    Snapshot,
)
from .progress import Flow
from .raft import Raft
from .ready import MAY_OVERTAKE_SYNC, Ready
from .roles import Role

__all__ = [
    "MAY_OVERTAKE_SYNC",
    "NOBODY",
    "Change",
    "ChangeKind",
    "Config",
    "Configuration",
    "Entry",
    "EntryKind",
    "Flow",
    "HardState",
    "Kind",
    "Member",
    "MemoryLog",
    "Message",
    "Raft",
    "Ready",
    "Role",
    "Snapshot",
]
