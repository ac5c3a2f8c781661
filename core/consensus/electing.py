"""Elections: who may campaign, who gets a vote, what the votes come to.

Functions on the machine. Refuses to know what a leader does once it is elected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvariantError
from . import leading
from .messages import NOBODY, Entry, Kind, Member, Message
from .quorum import Tally
from .roles import Role

if TYPE_CHECKING:
    from .raft import Raft


def campaign(raft: Raft, *, pre: bool, forced: bool = False) -> None:
    """Ask for votes, or with `pre` whether they would be given; `forced`: for the leader, against its own lease."""
    # Its own vote is promised too; and whoever has not applied a committed change does not know who may elect it.
    if raft.role is Role.LEADER or (raft.promise and not forced):
        return
    if not raft.promotable() or raft.log.has_unapplied_change():
        return
    if pre:
        raft.members.votes.clear()
        raft.become(Role.PRE_CANDIDATE, NOBODY)
        ask, reply, term = Kind.PRE_VOTE, Kind.PRE_VOTE_REPLY, raft.term + 1
    else:
        raft.reset(raft.term + 1)
        raft.vote = raft.id
        raft.become(Role.CANDIDATE, NOBODY)
        ask, reply, term = Kind.VOTE, Kind.VOTE_REPLY, raft.term
    last, last_term = raft.log.last, raft.log.last_term()
    for voter in raft.members.configuration.voters:
        if voter == raft.id:
            # As every vote, its own counts when it is stored.
            raft.after_sync.append(Message(reply, to=voter, sender=raft.id, term=term))
        else:
            message = Message(ask, to=voter, sender=raft.id, term=term, index=last, log_term=last_term, forced=forced)
            raft.outbox.append(message)


def heard_leader(raft: Raft) -> bool:
    """Return whether a leader was heard so recently that campaigns against it are ignored."""
    if raft.promise:
        return True
    return raft.config.check_quorum and bool(raft.leader) and raft.election_elapsed < raft.config.election_ticks


def answer(raft: Raft, message: Message) -> None:
    """Answer a request for a vote or a pre-vote."""
    real = message.kind is Kind.VOTE
    free = (
        raft.vote == message.sender
        or (raft.vote == NOBODY and raft.leader == NOBODY)
        or (not real and message.term > raft.term)
    )
    # Learners answer too: one may have been promoted without knowing it yet, and then its vote is needed.
    reply = Message(Kind.VOTE_REPLY if real else Kind.PRE_VOTE_REPLY, to=message.sender, sender=raft.id)
    if free and raft.log.up_to_date(message.index, message.log_term):
        # In the term that was asked about: a pre-candidate is not in it yet, and would drop an older one.
        reply.term = message.term
        if real:
            raft.election_elapsed = 0
            raft.vote = message.sender
    else:
        reply.term = raft.term
        reply.reject = True
    raft.after_sync.append(reply)


def count(raft: Raft, member: Member, *, yes: bool) -> None:
    """Count a vote, and become what the votes come to."""
    result = raft.members.record(member, yes)
    if result is Tally.WON:
        if raft.role is Role.PRE_CANDIDATE:
            campaign(raft, pre=False)
        else:
            _become_leader(raft)
    elif result is Tally.LOST:
        raft.become_follower(raft.term, NOBODY)


def _become_leader(raft: Raft) -> None:
    if raft.role is not Role.CANDIDATE:
        raise InvariantError(f"a {raft.role.name.lower()} cannot become leader; only a candidate can")
    raft.reset(raft.term)
    raft.become(Role.LEADER, raft.id)
    own = raft.members.progress[raft.id]
    own.replicate()
    own.active = True
    for progress in raft.members.peers:
        progress.heard = raft.ticks
    # There may be a change among the entries of earlier terms; looking for it would cost more than waiting.
    raft.pending_change = raft.log.last
    raft.append((Entry(0, 0),))
    leading.broadcast(raft)
