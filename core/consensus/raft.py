"""One member's part in the agreement: roles, terms, votes. In go ticks, messages and proposals; out come Readys.

After etcd's raft (Ongaro's thesis, with pre-vote, check-quorum, learners and single-member changes), plus a lease that
is measured from the sending of answered heartbeats. What a leader does with messages is in `leading`, what everybody
else does in `following`, elections are in `electing`. Refuses to know disks, networks, clocks (but for `now`, see
there) and what is agreed on.
"""

from random import Random

from ..errors import Conflict, InvalidInput, InvariantError, LimitReached, NoMaster
from . import electing, following, leading, ready
from .config import Config
from .log import Log, LogView
from .members import Members, changed
from .messages import (
    NOBODY,
    Change,
    Configuration,
    Entry,
    EntryKind,
    HardState,
    Kind,
    Member,
    Message,
    Snapshot,
    decode_change,
    encode_change,
    payload,
)
from .ready import Ready
from .roles import Role
from .rounds import Rounds

_HANDLERS = {
    Role.FOLLOWER: following.FOLLOWER,
    Role.CANDIDATE: following.CANDIDATE,
    Role.PRE_CANDIDATE: following.PRE_CANDIDATE,
    Role.LEADER: leading.LEADER,
}
# By kind, for a lookup costs less than a hash.
_REPLIES = tuple(kind.name.endswith("_REPLY") for kind in Kind)
_FROM_LEADER = tuple(kind in (Kind.APPEND, Kind.HEARTBEAT, Kind.SNAPSHOT) for kind in Kind)
_CAMPAIGNS = tuple(kind in (Kind.VOTE, Kind.PRE_VOTE) for kind in Kind)


class Raft:
    """The machine. Drivers use the public methods, `id`, `term`, `role`, `leader`, `log` and `members` (to read)."""

    def __init__(self, config: Config, view: LogView, random: Random, applied: int = 0) -> None:
        """Begin as a follower with what `view` has stored.

        `applied` is the index that the driver's state reflects, which is also that of the view's configuration;
        `random` is used for election timeouts alone.
        """
        state, configuration = view.initial_state()
        self.config = config
        self.id = config.id
        self.random = random
        self.now = 0.0
        """Monotonic seconds, set by the driver before it calls; only the lease uses it."""
        self.term = state.term
        self.vote: Member = state.vote
        self.leader: Member = NOBODY
        self.role = Role.FOLLOWER
        self.log = Log(view, state.commit, applied)
        self.members = Members(config.id, config.max_inflight_messages, config.max_inflight_bytes)
        self.members.switch(configuration, self.log.last, 0)
        self.rounds = Rounds(config.lease_s)
        self.outbox: list[Message] = []  # may be sent at once
        self.after_sync: list[Message] = []  # only when what they promise is stored
        self.reads: list[tuple[int, bytes]] = []  # confirmed
        self.waiting_reads: list[bytes] = []  # until something of this term is committed
        self.transferee: Member = NOBODY  # who is to lead instead
        self.pending_change = 0  # no change may be proposed before this index is applied
        self.uncommitted = 0  # bytes of data that this leader has appended and not applied
        self.ticks = 0  # since the start
        self.election_elapsed = 0  # ticks since the leader was heard, or a campaign or check began
        self.heartbeat_elapsed = 0
        self.timeout = 0  # ticks until the next campaign
        # A lease that this member granted before it stopped may still run: it acts as if a leader was heard just now.
        self.promise = config.election_ticks if config.lease_s and state.term else 0
        self.installing = False  # the pending snapshot is with the driver
        self.given = HardState(state.term, state.vote, self.log.committed)
        self.given_role, self.given_leader = self.role, self.leader
        self._handlers = following.FOLLOWER
        self.reset(self.term)

    # What a driver asks for

    def tick(self) -> None:
        """Let one tick pass."""
        self.ticks += 1
        self.election_elapsed += 1
        if self.promise:
            self.promise -= 1
        if self.role is Role.LEADER:
            leading.tick(self)
        elif self.election_elapsed >= self.timeout and self.promotable():
            self.election_elapsed = 0
            self.campaign()

    def campaign(self) -> None:
        """Try to become leader now, unless another may still have the lease."""
        electing.campaign(self, pre=self.config.pre_vote)

    def propose(self, data: bytes) -> None:
        """Append an entry, if this member leads; it is agreed on when it comes back in a Ready.

        Raises NoMaster if nobody here can take it, LimitReached if too much is waiting already.
        """
        self._propose(Entry(0, 0, data))

    def propose_change(self, change: Change) -> None:
        """Propose a change of the membership. It takes effect when it was committed and applied.

        Raises NoMaster as `propose`, Conflict if another change comes first, InvalidInput if nobody would be left.
        """
        if self.role is Role.LEADER:
            reason = leading.refusal(self)
            if reason:
                raise Conflict(f"the membership cannot change now: {reason}; try again in a moment")
            changed(self.members.configuration, change)
        self._propose(Entry(0, 0, encode_change(change), EntryKind.CHANGE))

    def apply_change(self, change: Change | None) -> Configuration:
        """Apply a committed change, or None to void it; the same on every member. Return the configuration since."""
        if change is not None:
            try:
                configuration = changed(self.members.configuration, change)
            except InvalidInput as error:
                raise InvariantError(f"a change was agreed on that leaves nobody to vote: {change}") from error
            self._switch(configuration)
        return self.members.configuration

    def decode_change(self, entry: Entry) -> Change:
        """Return the change that an entry of that kind holds."""
        return decode_change(entry.data)

    def transfer(self, to: Member) -> None:
        """Let `to` lead, as soon as it has everything. Proposals are refused meanwhile, for one election timeout."""
        self.step(Message(Kind.TRANSFER, to=self.id, sender=to))

    def report_unreachable(self, member: Member) -> None:
        """Learn that messages to `member` were lost, and find out anew where it is."""
        progress = self.members.progress.get(member)
        if self.role is Role.LEADER and progress is not None:
            leading.on_unreachable(progress)

    def report_snapshot(self, member: Member, *, ok: bool) -> None:
        """Learn that the snapshot to `member` was delivered, or was not."""
        progress = self.members.progress.get(member)
        if self.role is Role.LEADER and progress is not None:
            leading.on_snapshot_report(progress, ok=ok)

    def read_index(self, context: bytes) -> None:
        """Ask for an index that holds everything agreed on before now. It comes, with `context`, in a later Ready.

        Raises NoMaster if this member does not lead. A read of a leader that loses its role is never answered.
        """
        if self.role is not Role.LEADER:
            raise NoMaster("this agent does not lead; ask the master")
        leading.read(self, context)

    def lease_until(self) -> float:
        """Return until when (as `now`) this member alone may decide; 0: it may not without asking."""
        return self.rounds.lease_until() if self.role is Role.LEADER else 0.0

    def has_ready(self) -> bool:
        """Return whether there is anything to do."""
        return ready.has_ready(self)

    def ready(self) -> Ready:
        """Return what is to be done; `advance` must follow before the next one."""
        return ready.collect(self)

    def advance(self, done: Ready) -> None:
        """Learn that `done` was carried out."""
        ready.settle(self, done)

    def step(self, message: Message) -> None:
        """Take in a message. Messages that are not for this member or this term are dropped.

        Raises NoMaster and LimitReached for a proposal that cannot be taken.
        """
        kind, term = message.kind, message.term
        if message.to != self.id or (_REPLIES[kind] and message.sender not in self.members.progress):
            return
        if term == 0:
            if kind not in (Kind.PROPOSE, Kind.TRANSFER):
                return
        elif term != self.term:
            if term < self.term:
                self._step_older(message)
                return
            if not self._enter(message):
                return
        if _CAMPAIGNS[kind]:
            electing.answer(self, message)
            return
        handler = self._handlers[kind]
        if handler is not None:
            handler(self, message)

    # What the handlers use

    def promotable(self) -> bool:
        """Return whether this member could lead."""
        return self.members.is_voter(self.id) and self.log.pending_snapshot is None

    def send(self, message: Message) -> None:
        """Send a message in this term."""
        message.sender, message.term = self.id, self.term
        self.outbox.append(message)

    def reply(self, message: Message) -> None:
        """Send a message in this term, once everything that it promises is stored."""
        message.sender, message.term = self.id, self.term
        self.after_sync.append(message)

    def append(self, entries: tuple[Entry, ...]) -> None:
        """Append entries as the leader. Raises LimitReached if too much is waiting."""
        size = payload(entries)
        if self.uncommitted and size and self.uncommitted + size > self.config.max_uncommitted_bytes:
            raise LimitReached(f"{self.uncommitted} bytes wait for a majority of the voters; try again in a moment")
        self.uncommitted += size
        log, term = self.log, self.term
        log.append(tuple(Entry(term, log.last + n, e.data, e.kind) for n, e in enumerate(entries, 1)))
        # The leader counts itself only when its own disk has the entries.
        self.reply(Message(Kind.APPEND_REPLY, to=self.id, index=log.last))

    def release(self, size: int) -> None:
        """Learn that `size` bytes of data were applied."""
        self.uncommitted = max(0, self.uncommitted - size)

    def become_follower(self, term: int, leader: Member) -> None:
        """Follow `leader`, or wait for one."""
        self.reset(term)
        self.become(Role.FOLLOWER, leader)

    def heard_leader(self, leader: Member) -> None:
        """Follow the leader of this term, which spoke just now."""
        self.election_elapsed = 0
        self.leader = leader
        if self.config.lease_s:
            self.promise = self.config.election_ticks

    def restore(self, snapshot: Snapshot) -> bool:
        """Take a snapshot in place of the log. Return whether it is needed; if not, it may teach what is committed."""
        log, configuration = self.log, snapshot.configuration
        if snapshot.index <= log.committed:
            return False
        if self.id not in configuration.voters and self.id not in configuration.learners:
            return False
        if log.term(snapshot.index) == snapshot.term:
            log.commit_to(snapshot.index)
            return False
        log.restore(snapshot)
        self.installing = False
        self.members.progress = {}
        self.members.switch(configuration, log.last, self.ticks)
        return True

    def reset(self, term: int) -> None:
        """Begin a term, or a role in the same one."""
        if self.term != term:
            self.term = term
            self.vote = NOBODY
        self.leader = NOBODY
        self.election_elapsed = self.heartbeat_elapsed = 0
        self.timeout = self.config.election_ticks + self.random.randrange(self.config.election_ticks)
        self.transferee = NOBODY
        self.pending_change = self.uncommitted = 0
        self.rounds = Rounds(self.config.lease_s)
        self.waiting_reads.clear()
        self.members.reset(self.log.last)

    def become(self, role: Role, leader: Member) -> None:
        """Change the role and nothing else."""
        self.role, self.leader = role, leader
        self._handlers = _HANDLERS[role]

    # Inside

    def _propose(self, entry: Entry) -> None:
        self.step(Message(Kind.PROPOSE, to=self.id, sender=self.id, entries=(entry,)))

    def _enter(self, message: Message) -> bool:
        """Enter the later term of a message, if that is what it means. Return whether the message counts."""
        kind = message.kind
        if _CAMPAIGNS[kind]:
            if not message.forced and electing.heard_leader(self):
                return False
            if kind is Kind.VOTE:
                self.become_follower(message.term, NOBODY)
        elif kind is not Kind.PRE_VOTE_REPLY or message.reject:
            self.become_follower(message.term, message.sender if _FROM_LEADER[kind] else NOBODY)
        return True

    def _step_older(self, message: Message) -> None:
        config = self.config
        if message.kind is Kind.PRE_VOTE:
            # Without an answer, a candidate with an old term and members that ignore it would wait for each other.
            self.reply(Message(Kind.PRE_VOTE_REPLY, to=message.sender, reject=True))
        elif (config.check_quorum or config.pre_vote) and message.kind in (Kind.APPEND, Kind.HEARTBEAT):
            # A leader of an older term must hear of ours, for we may be unable to tell it by a campaign.
            self.reply(Message(Kind.APPEND_REPLY, to=message.sender))

    def _switch(self, configuration: Configuration) -> None:
        members = self.members
        members.switch(configuration, self.log.last, self.ticks)
        if self.role is not Role.LEADER:
            return
        if not members.is_voter(self.id):
            if self.config.step_down_when_removed:
                self.become_follower(self.term, NOBODY)
            return
        leading.on_switch(self)
