"""A simulated disk of one member: what is written survives a killed process, only what is synced survives the power.

A transaction is whole or absent after a power loss, as in a database with a write-ahead log: a torn one fails its check
and is dropped with all behind it. The log and the state are two files: they lose independently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from job_orchestra.core.consensus import Configuration, MemoryLog, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from job_orchestra.core.consensus import Entry, HardState


class Saved(NamedTuple):
    """The state of one member as of an index."""

    applied: int  # the last entry applied
    term: int  # of that entry
    digest: int  # of everything applied
    configuration: Configuration  # as of that entry


class Transaction(NamedTuple):
    """One write to the log file."""

    hard_state: HardState | None = None  # replaces the old one
    snapshot: Snapshot | None = None  # replaces the log
    entries: tuple[Entry, ...] = ()  # appended, in place of what is there
    compact: int = 0  # drop entries up to this index


class View(MemoryLog):
    """The log as its member sees it. Its snapshot is always that of what is applied."""

    __slots__ = ("take",)

    def __init__(self, take: Callable[[], Snapshot]) -> None:
        super().__init__()
        self.take = take

    def snapshot(self) -> Snapshot | None:
        return self.take()


class Disk:
    """A log file and a state file."""

    __slots__ = ("durable", "pending", "saved")

    def __init__(self, saved: Saved) -> None:
        """Begin with a state, and an empty log behind it."""
        self.durable = MemoryLog()
        if saved.applied:
            self.durable.install(Snapshot(saved.applied, saved.term, saved.configuration))
        self.pending: list[Transaction] = []  # written, not synced
        self.saved = [saved]  # the synced state, and states written since

    def sync(self) -> None:
        """Make the log durable."""
        for transaction in self.pending:
            commit(self.durable, transaction)
        self.pending.clear()

    def save(self, saved: Saved) -> None:
        """Write the state."""
        self.saved.append(saved)

    def sync_state(self) -> None:
        """Make the state durable."""
        del self.saved[:-1]

    def lose_power(self, fraction: float) -> None:
        """Keep a beginning of what was not synced, of each file: about `fraction`."""
        del self.pending[int(len(self.pending) * fraction) :]
        del self.saved[1 + int((len(self.saved) - 1) * (1 - fraction)) :]

    def recover(self, view: View) -> Saved:
        """Read both files after a stop, as a driver must; fills `view`."""
        self.sync()
        saved, durable = self.saved[-1], self.durable
        if durable.term(saved.applied) != saved.term:
            # A snapshot reached the state file, and the power went before the log file knew.
            durable.install(Snapshot(saved.applied, saved.term, saved.configuration))
        view.hard_state = durable.hard_state
        view.configuration = saved.configuration
        view.entries_ = durable.entries_[:]
        view.start, view.start_term = durable.start, durable.start_term
        return saved


def commit(log: MemoryLog, transaction: Transaction) -> None:
    """Carry a transaction out on a log."""
    if transaction.hard_state is not None:
        log.hard_state = transaction.hard_state
    if transaction.snapshot is not None:
        log.install(transaction.snapshot)
    if transaction.entries:
        log.append(transaction.entries)
    if transaction.compact:
        log.compact(min(transaction.compact, log.last_index()))
