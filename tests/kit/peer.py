"""One simulated member, as the world sees it: what is in its memory and on its disk, and what the world knows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_orchestra.core.consensus import Snapshot

from .disk import Disk

if TYPE_CHECKING:
    from job_orchestra.core.consensus import Raft, Ready

    from .disk import Saved, View


class Peer:
    """One member: its machine, its disk, and the driver between them."""

    __slots__ = (
        "applied",
        "busy",
        "commit",
        "configuration",
        "digest",
        "disk",
        "full",
        "id",
        "isolated_at",
        "led",
        "life",
        "log",
        "paused_until",
        "raft",
        "rate",
        "retired",
        "skew",
        "slow",
        "term",
        "truncations",
        "up",
    )

    def __init__(self, member: int, saved: Saved) -> None:
        self.id = member
        self.disk = Disk(saved)
        self.up = False
        self.retired = False  # removed from the network for good
        self.life = 0  # counts starts: events of an earlier life are void
        self.raft: Raft = None  # type: ignore[assignment] - set by every start
        self.log: View = None  # type: ignore[assignment]
        self.busy: Ready | None = None  # waits for its sync
        self.applied, self.term, self.digest, self.configuration = saved  # the state
        self.rate = 1.0  # of its clock
        self.skew = 0.0  # how far its clock jumped ahead
        self.slow = 0.0  # ticks that its syncs take longer
        self.full = False  # its disk has no space
        self.paused_until = 0.0
        self.isolated_at = -1  # its term when it was cut off from everybody; -1: it is not
        self.led = 0  # the latest term in which it was seen leading
        self.commit = 0  # the latest commit index that was seen
        self.truncations = 0

    def take(self) -> Snapshot:
        """Return a snapshot of the state."""
        return Snapshot(self.applied, self.term, self.configuration, str(self.digest).encode())
