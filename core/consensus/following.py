"""What everybody but the leader does with messages: followers follow, candidates count votes or give up.

Functions on the machine; `FOLLOWER`, `CANDIDATE` and `PRE_CANDIDATE` say which message goes to which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NoMaster
from . import electing
from .messages import Kind, Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from .raft import Raft


def on_append(raft: Raft, message: Message) -> None:
    """Take entries of the leader, or learn what is committed."""
    raft.heard_leader(message.sender)
    log, to, index = raft.log, message.sender, message.index
    if index < log.committed:
        # An old message; what is committed is certain to match.
        raft.reply(Message(Kind.APPEND_REPLY, to=to, index=log.committed))
        return
    matched = log.accept(index, message.log_term, message.entries, message.commit)
    if matched is not None:
        raft.reply(Message(Kind.APPEND_REPLY, to=to, index=matched))
        return
    # Where our terms are above the leader's, the logs differ: let it skip those places.
    hint, term = log.match_before(min(index, log.last), message.log_term)
    raft.reply(Message(Kind.APPEND_REPLY, to=to, index=index, log_term=term, reject=True, hint=hint))


def on_heartbeat(raft: Raft, message: Message) -> None:
    """Hear that the leader leads."""
    raft.heard_leader(message.sender)
    raft.log.commit_to(message.commit)
    raft.send(Message(Kind.HEARTBEAT_REPLY, to=message.sender, round=message.round))


def on_snapshot(raft: Raft, message: Message) -> None:
    """Take the leader's state, because its log does not reach back to ours."""
    raft.heard_leader(message.sender)
    if message.snapshot is None:
        return
    index = raft.log.last if raft.restore(message.snapshot) else raft.log.committed
    raft.reply(Message(Kind.APPEND_REPLY, to=message.sender, index=index))


def on_propose(raft: Raft, message: Message) -> None:
    """Pass a proposal on, or refuse it."""
    if not raft.leader or not raft.config.forward_proposals:
        raise NoMaster("this agent does not lead; ask the master" if raft.leader else "no master is elected; try again")
    # Without a term: it is no part of any election.
    raft.outbox.append(Message(Kind.PROPOSE, to=raft.leader, sender=message.sender, entries=message.entries))


def on_transfer(raft: Raft, message: Message) -> None:
    """Tell the leader who should lead."""
    if raft.leader:
        raft.outbox.append(Message(Kind.TRANSFER, to=raft.leader, sender=message.sender, term=raft.term))


def on_timeout_now(raft: Raft, _message: Message) -> None:
    """Campaign, because the leader wants this member to lead."""
    electing.campaign(raft, pre=False, forced=True)


def _refuse(_raft: Raft, _message: Message) -> None:
    raise NoMaster("no master is elected; try again in a moment")


def _follow(handler: Callable[[Raft, Message], None]) -> Callable[[Raft, Message], None]:
    def on_leader(raft: Raft, message: Message) -> None:
        raft.become_follower(message.term, message.sender)  # another one was elected in this term
        handler(raft, message)

    return on_leader


def _on_vote_reply(raft: Raft, message: Message) -> None:
    electing.count(raft, message.sender, yes=not message.reject)


def _table(handlers: dict[Kind, Callable[[Raft, Message], None]]) -> tuple[Callable[[Raft, Message], None] | None, ...]:
    return tuple(handlers.get(kind) for kind in Kind)


_GIVING_UP = {
    Kind.PROPOSE: _refuse,
    Kind.APPEND: _follow(on_append),
    Kind.HEARTBEAT: _follow(on_heartbeat),
    Kind.SNAPSHOT: _follow(on_snapshot),
}

FOLLOWER = _table(
    {
        Kind.PROPOSE: on_propose,
        Kind.APPEND: on_append,
        Kind.HEARTBEAT: on_heartbeat,
        Kind.SNAPSHOT: on_snapshot,
        Kind.TRANSFER: on_transfer,
        Kind.TIMEOUT_NOW: on_timeout_now,
    }
)
CANDIDATE = _table({**_GIVING_UP, Kind.VOTE_REPLY: _on_vote_reply})
PRE_CANDIDATE = _table({**_GIVING_UP, Kind.PRE_VOTE_REPLY: _on_vote_reply})
"""By kind; None: it is of no use in that role. A pre-candidate may still get the replies of an earlier campaign."""
