"""The stored log in memory, as the consensus machine reads it, and how much of it is kept for members that were away.

Holds what the journal holds: whoever writes to the one appends to the other. Refuses to know about disks.
"""

from collections.abc import Callable

from ..core.consensus import Configuration, MemoryLog, Snapshot
from ..core.errors import StorageError
from .journal import Journal

TAIL_ENTRIES = 20_000
"""Entries kept behind what the store has, for members that were away. More: fewer whole copies; fewer: less disk."""

TAIL_BYTES = 32 << 20
"""As TAIL_ENTRIES, in bytes of data, kept in memory too."""


class LogView(MemoryLog):
    """The log of one voter or learner."""

    __slots__ = ("take",)

    def __init__(self, journal: Journal, applied: int, configuration: Configuration) -> None:
        """Read the journal, for a store that reflects `applied`. Raises StorageError when they do not fit together."""
        super().__init__()
        if journal.first > applied + 1 or journal.last < applied:
            message = (
                f"the log {journal.path} (entries {journal.first} to {journal.last}) does not fit the store, which "
                f"reflects entry {applied}; restore both from the same backup, or begin anew in another --data"
            )
            raise StorageError(message)
        self.take: Callable[[], Snapshot | None] = lambda: None
        """Makes a snapshot of the state as of now; None where none can be had."""
        self.start, self.start_term = journal.first - 1, journal.base_term
        self.entries_ = list(journal.entries(journal.first))
        self.hard_state = journal.state()
        self.configuration = configuration

    def snapshot(self) -> Snapshot | None:
        """Return the newest snapshot."""
        return self.take()

    def tail(self, index: int) -> int:
        """Return up to where the log may be forgotten, with a tail kept behind `index`."""
        kept = size = 0
        for entry in reversed(self.entries_[: max(0, index - self.start)]):
            size += len(entry.data)
            if kept >= TAIL_ENTRIES or size > TAIL_BYTES:
                break
            kept += 1
        return index - kept

    def forget(self, index: int) -> None:
        """Drop entries up to `index`, as far as they are still here."""
        if index > self.start:
            self.compact(index)
