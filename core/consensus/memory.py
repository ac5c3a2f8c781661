"""A log view in memory. A driver keeps one beside its disk, so that no answer of the machine waits for the disk.

Refuses to know when anything is safe: whoever appends here has written it first, or is a test.
"""

from collections.abc import Iterable, Sequence

from ..errors import InvariantError
from .messages import Configuration, Entry, HardState, Snapshot


class MemoryLog:
    """Entries behind a snapshot, the hard state, and the configuration as of the applied index."""

    __slots__ = ("configuration", "entries_", "hard_state", "start", "start_term", "state")

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        """Begin empty, or behind `snapshot`."""
        self.hard_state = HardState()
        self.configuration = Configuration()
        self.entries_: list[Entry] = []
        self.start = 0  # the index before the first entry
        self.start_term = 0  # the term at `start`
        self.state: Snapshot | None = None  # the newest snapshot
        if snapshot is not None:
            self.install(snapshot)
            self.hard_state = HardState(commit=snapshot.index)

    def initial_state(self) -> tuple[HardState, Configuration]:
        """Return what a machine starts from."""
        return self.hard_state, self.configuration

    def first_index(self) -> int:
        """Return the index of the first entry that is still there."""
        return self.start + 1

    def last_index(self) -> int:
        """Return the index of the last entry."""
        return self.start + len(self.entries_)

    def term(self, index: int) -> int | None:
        """Return the term at `index`; None: not in the log."""
        place = index - self.start
        if place == 0:
            return self.start_term
        return self.entries_[place - 1].term if 0 < place <= len(self.entries_) else None

    def entries(self, first: int, end: int) -> Sequence[Entry]:
        """Return the entries from `first` up to but without `end`."""
        return self.entries_[first - self.start - 1 : end - self.start - 1]

    def snapshot(self) -> Snapshot | None:
        """Return the newest snapshot; None: there is none now."""
        return self.state

    def append(self, entries: Iterable[Entry]) -> None:
        """Add entries; whatever was at their places and behind is gone."""
        new = list(entries)
        if not new:
            return
        place = new[0].index - self.start - 1
        if place < 0:
            new, place = new[-place:], 0
        if place > len(self.entries_):
            raise InvariantError(f"entry {new[0].index} leaves a gap behind {self.last_index()}")
        self.entries_[place:] = new

    def install(self, snapshot: Snapshot) -> None:
        """Replace the log by a snapshot."""
        self.entries_ = []
        self.start, self.start_term = snapshot.index, snapshot.term
        self.state = snapshot
        self.configuration = snapshot.configuration

    def compact(self, index: int) -> None:
        """Drop the entries up to and with `index`. The caller has a snapshot that holds them."""
        term = self.term(index)
        if index <= self.start:
            return
        if term is None:
            raise InvariantError(f"cannot compact to {index}: the log ends at {self.last_index()}")
        self.entries_ = self.entries_[index - self.start :]
        self.start, self.start_term = index, term
