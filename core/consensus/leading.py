"""What a leader does: sends entries, counts who has them, checks that it still leads, hands over.

Functions on the machine; `LEADER` says which message goes to which. Refuses to know how a leader was elected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NoMaster
from .messages import NOBODY, Entry, EntryKind, Kind, Message, payload
from .progress import Flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from .progress import Progress
    from .raft import Raft


def tick(raft: Raft) -> None:
    """Let a leader's tick pass: heartbeats, and whether a majority still answers."""
    config, members = raft.config, raft.members
    raft.heartbeat_elapsed += 1
    if config.lease_s and raft.ticks - members.heard(raft.ticks) >= config.election_ticks:
        raft.become_follower(raft.term, NOBODY)
        return
    if raft.election_elapsed >= config.election_ticks:
        raft.election_elapsed = 0
        if config.check_quorum and not members.active():
            raft.become_follower(raft.term, NOBODY)
            return
        raft.transferee = NOBODY  # it did not take over in time
    if raft.heartbeat_elapsed >= config.heartbeat_ticks:
        raft.heartbeat_elapsed = 0
        heartbeat(raft)


def heartbeat(raft: Raft) -> None:
    """Begin a round of heartbeats."""
    number = raft.rounds.begin(raft.now)
    committed = raft.log.committed
    for progress in raft.members.peers:
        # Never more than what it is known to have: behind that its log may differ.
        commit = min(progress.match, committed)
        raft.send(Message(Kind.HEARTBEAT, to=progress.member, commit=commit, round=number))
        progress.sent_commit = commit
    if raft.members.alone():
        _confirm(raft)


def broadcast(raft: Raft) -> None:
    """Send everybody what they lack, or what is committed."""
    for progress in raft.members.peers:
        if not progress.halted:
            send_append(raft, progress)


def send_append(raft: Raft, progress: Progress, *, even_empty: bool = True) -> bool:
    """Send the next entries, or a snapshot if the log does not reach back. Return whether something was sent."""
    if progress.halted:
        return False
    log = raft.log
    before = progress.next - 1
    term = log.term(before)
    entries: tuple[Entry, ...] | None = ()
    if term is not None and (progress.state is not Flow.REPLICATE or not progress.full):
        # To a full window an empty message may still go: its answer tells whether the others were lost.
        entries = log.entries(progress.next, raft.config.max_message_bytes)
    if term is None or entries is None:
        return _send_snapshot(raft, progress)
    if not entries and not even_empty:
        return False
    raft.send(
        Message(Kind.APPEND, to=progress.member, index=before, log_term=term, commit=log.committed, entries=entries)
    )
    progress.sent(len(entries), payload(entries))
    progress.sent_commit = log.committed
    return True


def _send_snapshot(raft: Raft, progress: Progress) -> bool:
    if not progress.active:
        return False  # it would be wasted on one that does not answer
    snapshot = raft.log.view.snapshot()
    if snapshot is None:
        return False  # there will be one; heartbeats bring us back here
    progress.await_snapshot(snapshot.index)
    raft.send(Message(Kind.SNAPSHOT, to=progress.member, snapshot=snapshot))
    return True


def commit(raft: Raft) -> bool:
    """Commit what a majority has. Return whether that is more than before.

    Only entries of the leader's own term are committed by counting (Raft, 5.4.2); earlier ones are with them.
    """
    log, index = raft.log, raft.members.committed()
    if index <= log.committed or log.term(index) != raft.term:
        return False
    log.commit_to(index)
    if raft.waiting_reads:
        waiting, raft.waiting_reads = raft.waiting_reads, []
        for context in waiting:
            read(raft, context)
    return True


def read(raft: Raft, context: bytes) -> None:
    """Let a read wait until it is certain that this leader still led when it came."""
    log = raft.log
    if log.term(log.committed) != raft.term:
        # What earlier leaders committed is known only once something of this term is.
        raft.waiting_reads.append(context)
        return
    raft.rounds.read(log.committed, context)
    heartbeat(raft)


def refusal(raft: Raft) -> str:
    """Return why the membership cannot change now; empty if it can."""
    log = raft.log
    if raft.pending_change > log.applied:
        return f"the change at {raft.pending_change} or before may not be applied yet, only {log.applied} is"
    if raft.config.own_term_before_changes and log.term(log.committed) != raft.term:
        return f"nothing of term {raft.term} is committed yet"
    return ""


def on_switch(raft: Raft) -> None:
    """Go on with another membership."""
    members = raft.members
    if commit(raft):
        broadcast(raft)  # a smaller majority may have sufficed
    else:
        for progress in members.peers:
            send_append(raft, progress, even_empty=False)
    if raft.transferee and not members.is_voter(raft.transferee):
        raft.transferee = NOBODY


def on_unreachable(progress: Progress) -> None:
    """Learn that messages to a follower were lost."""
    if progress.state is Flow.REPLICATE:
        progress.probe()


def on_snapshot_report(progress: Progress, *, ok: bool) -> None:
    """Learn that a snapshot arrived, or did not."""
    if progress.state is not Flow.SNAPSHOT:
        return
    if not ok:
        progress.pending_snapshot = 0  # or it would be probed behind what it never got
    progress.probe()
    progress.paused = True  # until it answers, or until the next heartbeat after a failure


def on_propose(raft: Raft, message: Message) -> None:
    """Append what was proposed."""
    if raft.id not in raft.members.progress:
        raise NoMaster("this agent is no member any more; ask the other voters")
    if message.sender != raft.id and not raft.config.forward_proposals:
        raise NoMaster("members do not propose for others here; ask the master itself")
    if raft.transferee:
        raise NoMaster(f"leadership goes to member {raft.transferee}; ask it in a moment")
    entries = message.entries
    for place, entry in enumerate(entries):
        if entry.kind is EntryKind.CHANGE:
            if refusal(raft):
                # An empty entry in its place: the proposer sees that nothing came of it.
                entries = (*entries[:place], Entry(0, 0), *entries[place + 1 :])
            else:
                raft.pending_change = raft.log.last + place + 1
    raft.append(entries)
    broadcast(raft)


def on_append_reply(raft: Raft, message: Message) -> None:
    """Learn that a follower, or this leader's own disk, has entries, or refuses them."""
    progress = raft.members.progress.get(message.sender)
    if progress is None:
        return
    progress.active, progress.heard = True, raft.ticks
    if message.reject:
        _on_refusal(raft, progress, message)
    elif progress.acknowledged(message.index) or (progress.match == message.index and progress.state is Flow.PROBE):
        _on_progress(raft, progress)


def _on_refusal(raft: Raft, progress: Progress, message: Message) -> None:
    hint = message.hint
    if message.log_term > 0:
        # Where our terms are above the follower's, the logs differ: skip those places.
        hint, _ = raft.log.match_before(hint, message.log_term)
    if progress.refused(message.index, hint):
        if progress.state is Flow.REPLICATE:
            progress.probe()
        send_append(raft, progress)


def _on_progress(raft: Raft, progress: Progress) -> None:
    log, other = raft.log, progress.member != raft.id
    if progress.state is Flow.PROBE:
        progress.replicate()
    elif progress.state is Flow.REPLICATE:
        progress.free(progress.match)
    elif progress.match + 1 >= log.first_index():
        # Whatever snapshot it has installed: the log reaches back to it.
        progress.probe()
        progress.replicate()
    if commit(raft):
        broadcast(raft)
    elif other and progress.needs_commit(log.committed):
        send_append(raft, progress)
    if other:
        while progress.next <= log.last and send_append(raft, progress, even_empty=False):
            pass
        if progress.member == raft.transferee and progress.match == log.last:
            _hand_over(raft)


def on_heartbeat_reply(raft: Raft, message: Message) -> None:
    """Learn that a follower follows."""
    progress = raft.members.progress.get(message.sender)
    if progress is None:
        return
    progress.active, progress.heard, progress.paused = True, raft.ticks, False
    if progress.match < raft.log.last or progress.state is Flow.PROBE:
        send_append(raft, progress)
    if message.round > progress.round:
        progress.round = message.round
        _confirm(raft)


def on_transfer(raft: Raft, message: Message) -> None:
    """Begin to hand over to another member."""
    progress = raft.members.progress.get(message.sender)
    if progress is None or progress.learner or message.sender in (raft.transferee, raft.id):
        return
    raft.election_elapsed = 0  # it has one election timeout
    raft.transferee = message.sender
    if progress.match == raft.log.last:
        _hand_over(raft)
    else:
        send_append(raft, progress)


def _hand_over(raft: Raft) -> None:
    # It may be elected from now on, whenever that message arrives: this term has no lease any more.
    raft.rounds.surrendered = True
    raft.send(Message(Kind.TIMEOUT_NOW, to=raft.transferee))


def _confirm(raft: Raft) -> None:
    rounds = raft.rounds
    answered = raft.members.answered(rounds.current)
    if answered > rounds.answered:
        raft.reads += rounds.confirm(answered)


LEADER: tuple[Callable[[Raft, Message], None] | None, ...] = tuple(
    {
        Kind.PROPOSE: on_propose,
        Kind.APPEND_REPLY: on_append_reply,
        Kind.HEARTBEAT_REPLY: on_heartbeat_reply,
        Kind.TRANSFER: on_transfer,
    }.get(kind)
    for kind in Kind
)
"""By kind; None: a leader has no use for it."""
