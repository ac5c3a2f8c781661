"""What the machine hands to its driver, in the order in which it must be carried out.

1. Send the messages whose kind is in MAY_OVERTAKE_SYNC, or wait with them too.
2. Store `hard_state`, install `snapshot`, append `entries`, in one transaction; sync if `must_sync` or a snapshot.
3. Send the other messages: they promise what was stored.
4. Apply `committed` in order; for each entry of kind CHANGE call `apply_change`.
5. Call `advance`. Until then no other Ready is handed out, but messages may be stepped and proposals made.

What else a driver owes the machine, each learned from a simulation:

- A snapshot is durable in the state before the log file refers to it. After a crash in between, the log does not hold
  the applied entry with its term: then it is emptied behind that entry, and the hard state is kept.
- `report_snapshot` is called for every snapshot that was sent, whatever became of it, or its follower waits for ever.
- Ticks pass no faster than time: a driver that was held up does not catch up on them. `now` counts while the machine
  sleeps, too.
- Connections keep the order of messages. Nothing breaks without it, but each one that overtakes costs a repetition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .messages import Entry, HardState, Kind, Member, Message, Snapshot, payload

if TYPE_CHECKING:
    from .raft import Raft
    from .roles import Role

MAY_OVERTAKE_SYNC = frozenset({Kind.APPEND, Kind.HEARTBEAT, Kind.SNAPSHOT, Kind.PROPOSE, Kind.TRANSFER})
"""Kinds that promise nothing of this member's own disk: a leader may send them while it writes. A request for votes is
not among them: it tells of a log that must not be lost while the votes are under way."""


class Ready:
    """One portion of work."""

    __slots__ = ("committed", "entries", "hard_state", "messages", "must_sync", "own", "reads", "role", "snapshot")

    def __init__(self, messages: list[Message], own: list[Message], entries: tuple[Entry, ...]) -> None:
        """Begin with what there always is; the rest is filled in."""
        self.messages = messages  # to others, in this order
        self.own = own  # from this member to itself, stepped by `advance`
        self.entries = entries  # to append to the stored log
        self.hard_state: HardState | None = None  # to store; None: as it was
        self.snapshot: Snapshot | None = None  # to install in place of state and log
        self.must_sync = False  # whether it must be on disk, not only written, before other messages are sent
        self.committed: tuple[Entry, ...] = ()  # to apply
        self.reads: list[tuple[int, bytes]] = []  # (index, context): may be answered once `index` is applied
        self.role: tuple[Member, Role] | None = None  # (leader, own role) if either changed


def has_ready(raft: Raft) -> bool:
    """Return whether there is anything to do."""
    log, given = raft.log, raft.given
    return bool(
        raft.outbox
        or raft.after_sync
        or log.handed <= log.last
        or (log.committed > log.applying and log.pending_snapshot is None)
        or (log.pending_snapshot is not None and not raft.installing)
        or raft.term != given.term
        or raft.vote != given.vote
        or log.committed != given.commit
        or raft.reads
        or raft.role is not raft.given_role
        or raft.leader != raft.given_leader
    )


def collect(raft: Raft) -> Ready:
    """Take everything that is to be done out of the machine."""
    log, given = raft.log, raft.given
    messages, own = raft.outbox, list[Message]()
    if raft.after_sync:
        for message in raft.after_sync:
            (own if message.to == raft.id else messages).append(message)
        raft.after_sync = []
    raft.outbox = []
    ready = Ready(messages, own, log.unstored() if log.handed <= log.last else ())
    if raft.role is not raft.given_role or raft.leader != raft.given_leader:
        raft.given_role, raft.given_leader = raft.role, raft.leader
        ready.role = (raft.leader, raft.role)
    moved = raft.term != given.term or raft.vote != given.vote
    if moved or log.committed != given.commit:
        raft.given = ready.hard_state = HardState(raft.term, raft.vote, log.committed)
    ready.must_sync = moved or bool(ready.entries)
    if log.pending_snapshot is not None and not raft.installing:
        ready.snapshot = log.pending_snapshot
        raft.installing = True
    if raft.reads:
        ready.reads, raft.reads = raft.reads, []
    if log.committed > log.applying:
        ready.committed = log.next_committed(raft.config.max_apply_bytes)
        if ready.committed:
            log.applying = ready.committed[-1].index
    log.handed = log.last + 1
    return ready


def settle(raft: Raft, ready: Ready) -> None:
    """Learn that the driver has carried `ready` out."""
    log = raft.log
    for message in ready.own:
        raft.step(message)
    if ready.entries:
        last = ready.entries[-1]
        log.stored(last.index, last.term)
    if ready.snapshot is not None:
        raft.installing = False
        log.installed(ready.snapshot.index)
    if ready.committed:
        raft.release(payload(ready.committed))
        log.applied_to(ready.committed[-1].index)
