"""The log of one member: what its view has stored, the tail that is not stored yet, and what is committed and applied.

Truncation happens only where a term conflicts, and never at or below what is committed: both are checked, and a
violation raises before anything changes. Refuses to know who sent the entries.
"""

from collections.abc import Sequence
from typing import Protocol

from ..errors import Damaged, InvariantError
from .messages import Configuration, Entry, EntryKind, HardState, Snapshot, limited


class LogView(Protocol):
    """What is stored, as far as the machine may see it.

    It changes only between `ready()` and `advance()`, and when the driver compacts.
    """

    def initial_state(self) -> tuple[HardState, Configuration]:
        """Return what a machine starts from; the configuration is that of the applied index."""
        ...

    def first_index(self) -> int:
        """Return the index of the first entry that is still there."""
        ...

    def last_index(self) -> int:
        """Return the index of the last entry."""
        ...

    def term(self, index: int) -> int | None:
        """Return the term at `index`, also just before the first entry; None: not in the log."""
        ...

    def entries(self, first: int, end: int) -> Sequence[Entry]:
        """Return the entries from `first` up to but without `end`; all are there."""
        ...

    def snapshot(self) -> Snapshot | None:
        """Return the newest snapshot; None: there is none now."""
        ...


class Log:
    """Always `applied <= applying <= committed <= last`."""

    __slots__ = (
        "applied",
        "applying",
        "committed",
        "handed",
        "last",
        "offset",
        "pending_snapshot",
        "tail",
        "truncations",
        "view",
    )

    def __init__(self, view: LogView, committed: int, applied: int) -> None:
        """Begin with what is stored, and known of it; entries up to `applied` are not handed out again."""
        self.view = view
        self.last = view.last_index()  # index of the last entry, stored or not
        self.offset = self.last + 1  # index of the first entry that is not stored
        self.tail: list[Entry] = []  # entries that are not stored, or not known to be
        self.handed = self.offset  # entries of the tail before this index are with the driver
        self.pending_snapshot: Snapshot | None = None  # one that is not installed yet
        start = view.first_index() - 1
        self.applied = max(start, applied)
        # What was applied was committed, also where the note of that was lost with the power.
        self.committed = max(self.applied, committed)
        self.applying = self.applied
        if self.committed > self.last:
            raise Damaged(
                f"the log ends at {self.last}, {self.committed} is committed and {self.applied} applied: what is "
                "stored does not fit together; remove this member and let it join again with an empty folder"
            )
        self.truncations = 0  # times that entries were replaced, for those who watch

    def first_index(self) -> int:
        """Return the index of the first entry that can be read."""
        pending = self.pending_snapshot
        return self.view.first_index() if pending is None else pending.index + 1

    def term(self, index: int) -> int | None:
        """Return the term at `index`; None: it was compacted, or is not there yet."""
        place = index - self.offset
        if place >= 0:
            return self.tail[place].term if place < len(self.tail) else None
        pending = self.pending_snapshot
        if pending is not None:
            return pending.term if index == pending.index else None
        return self.view.term(index)

    def last_term(self) -> int:
        """Return the term of the last entry."""
        if self.tail:
            return self.tail[-1].term
        term = self.term(self.last)
        if term is None:
            raise InvariantError(f"the term of the last entry {self.last} is not known")
        return term

    def entries(self, first: int, limit: int) -> tuple[Entry, ...] | None:
        """Return entries from `first` on, at most `limit` bytes but at least one; None: they were compacted."""
        if first > self.last:
            return ()
        return self.slice(first, self.last + 1, limit) if first >= self.first_index() else None

    def slice(self, first: int, end: int, limit: int) -> tuple[Entry, ...]:
        """Return the entries from `first` up to but without `end`, at most `limit` bytes but at least one."""
        offset = self.offset
        if first >= offset:
            return limited(tuple(self.tail[first - offset : end - offset]), limit)
        stored = tuple(self.view.entries(first, min(end, offset)))
        return limited(stored + tuple(self.tail[: end - offset]) if end > offset else stored, limit)

    def up_to_date(self, index: int, term: int) -> bool:
        """Return whether a log that ends in (`index`, `term`) has all that this one could have committed."""
        mine = self.last_term()
        return term > mine or (term == mine and index >= self.last)

    def append(self, entries: tuple[Entry, ...]) -> None:
        """Add entries, in place of those at and behind the index of the first.

        Raises InvariantError if that would touch what is committed.
        """
        first = entries[0].index
        if first <= self.committed:
            raise InvariantError(f"entry {first} would replace one of the {self.committed} committed ones")
        if first == self.last + 1:
            self.tail.extend(entries)
        else:
            self.truncations += 1
            if first <= self.offset:
                self.tail = list(entries)
                self.offset = self.handed = first
            else:
                self.tail[first - self.offset :] = entries
                self.handed = min(self.handed, first)
        self.last = entries[-1].index

    def accept(self, index: int, term: int, entries: tuple[Entry, ...], commit: int) -> int | None:
        """Take entries of a leader that follow (`index`, `term`), and learn its commit.

        Returns the index up to which the log now is the leader's; None if it does not match there.
        """
        if self.term(index) != term:
            return None
        matched = index + len(entries)
        for place, entry in enumerate(entries):
            if self.term(entry.index) != entry.term:
                self.append(entries[place:] if place else entries)
                break
        self.commit_to(min(commit, matched))
        return matched

    def match_before(self, index: int, term: int) -> tuple[int, int]:
        """Return the last (index, term) at or before `index` whose term is not above `term`: all between differ.

        The term is 0 where it is no longer known.
        """
        while index > 0:
            mine = self.term(index)
            if mine is None:
                return index, 0
            if mine <= term:
                return index, mine
            index -= 1
        return 0, 0

    def commit_to(self, index: int) -> None:
        """Learn that everything up to `index` is committed; nothing is ever uncommitted again."""
        if index > self.committed:
            if index > self.last:
                raise InvariantError(
                    f"entry {index} cannot be committed: the log ends at {self.last}; entries are lost"
                )
            self.committed = index

    def restore(self, snapshot: Snapshot) -> None:
        """Let a snapshot take the place of the whole log, once it is installed."""
        self.committed = self.last = snapshot.index
        self.offset = self.handed = snapshot.index + 1
        self.tail = []
        self.pending_snapshot = snapshot

    def has_unstored(self) -> bool:
        """Return whether there are entries that the driver was not given to store."""
        return self.handed <= self.last

    def unstored(self) -> tuple[Entry, ...]:
        """Return the entries that the driver was not given to store."""
        return tuple(self.tail[self.handed - self.offset :])

    def has_committed(self) -> bool:
        """Return whether there are committed entries that the driver was not given to apply."""
        return self.committed > self.applying and self.pending_snapshot is None

    def next_committed(self, limit: int) -> tuple[Entry, ...]:
        """Return the next committed entries to apply, at most `limit` bytes but at least one."""
        if self.committed <= self.applying or self.pending_snapshot is not None:
            return ()
        return self.slice(self.applying + 1, self.committed + 1, limit)

    def stored(self, index: int, term: int) -> None:
        """Learn that the driver has stored the tail up to (`index`, `term`), unless it was replaced meanwhile."""
        place = index - self.offset
        if 0 <= place < len(self.tail) and self.tail[place].term == term:
            del self.tail[: place + 1]
            self.offset = index + 1
            self.handed = max(self.handed, self.offset)

    def installed(self, index: int) -> None:
        """Learn that the driver has installed the snapshot up to `index`."""
        if self.pending_snapshot is not None and self.pending_snapshot.index == index:
            self.pending_snapshot = None
        self.applied_to(index)

    def applied_to(self, index: int) -> None:
        """Learn that the driver has applied everything up to `index`."""
        if index > self.committed:
            raise InvariantError(f"entry {index} was applied, but only {self.committed} are committed")
        self.applied = max(self.applied, index)
        self.applying = max(self.applying, index)

    def has_unapplied_change(self) -> bool:
        """Return whether a change of the membership is committed but not applied."""
        if self.applied >= self.committed or self.pending_snapshot is not None:
            return False
        waiting = self.slice(self.applied + 1, self.committed + 1, 2**63)
        return any(entry.kind is EntryKind.CHANGE for entry in waiting)
