"""Planted bugs. Each is a change of the machine or of its driver that a simulation must notice.

`plant(name)` switches one on and returns the kind of World to simulate; it is off again at the end of the `with`.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from job_orchestra.core.consensus import HardState, Kind, Message, leading
from job_orchestra.core.consensus.log import Log
from job_orchestra.core.consensus.members import Members
from job_orchestra.core.consensus.quorum import Tally
from job_orchestra.core.consensus.raft import Raft
from job_orchestra.core.consensus.roles import Role
from job_orchestra.core.consensus.rounds import Rounds

from .simulation import EARLY, SYNC, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from job_orchestra.core.consensus import Config, Entry, Ready

    from .peer import Peer


def _truncate_without_conflict(log: Log, index: int, term: int, entries: tuple[Entry, ...], commit: int) -> int | None:
    if log.term(index) != term:
        return None
    new = tuple(entry for entry in entries if entry.index > log.committed)
    if new:
        log.append(new)
    matched = index + len(entries)
    log.commit_to(min(commit, matched))
    return matched


def _count_duplicate_votes(members: Members, member: int, vote: bool) -> Tally:
    members.votes[member * 1000 + len(members.votes)] = vote
    majority = len(members.configuration.voters) // 2 + 1
    if sum(members.votes.values()) >= majority:
        return Tally.WON
    return Tally.LOST if len(members.votes) - sum(members.votes.values()) >= majority else Tally.PENDING


def _accept_older_acknowledgements(original: Callable[..., None]) -> Callable[..., None]:
    def step_older(raft: Raft, message: Message) -> None:
        if message.kind is Kind.APPEND_REPLY and raft.role is Role.LEADER:
            leading.on_append_reply(raft, message)
        else:
            original(raft, message)

    return step_older


def _commit_older_terms(raft: Raft) -> bool:
    index = raft.members.committed()
    if index <= raft.log.committed:
        return False
    raft.log.commit_to(index)
    return True


def _heartbeats_tell_too_much(raft: Raft) -> None:
    number = raft.rounds.begin(raft.now)
    for progress in raft.members.peers:
        raft.send(Message(Kind.HEARTBEAT, to=progress.member, commit=raft.log.committed, round=number))


def _no_promise_after_restart(original: Callable[..., None]) -> Callable[..., None]:
    def start(raft: Raft, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - passed on
        original(raft, *arguments, **more)
        raft.promise = 0

    return start


def _learners_count(original: Callable[..., None]) -> Callable[..., None]:
    def switch(members: Members, *arguments: Any) -> None:  # noqa: ANN401 - passed on
        original(members, *arguments)
        members._matches = tuple(members.progress.values())  # pyright: ignore[reportPrivateUsage]

    return switch


def _read_without_asking(raft: Raft, context: bytes) -> None:
    raft.reads.append((raft.log.committed, context))


class SkipsSync(World):
    """The driver says that it synced, and did not."""

    def must_sync(self, ready: Ready) -> bool:
        return False


class ForgetsVotes(World):
    """The driver does not store votes."""

    def write(self, peer: Peer, ready: Ready) -> bool:
        state = ready.hard_state
        if state is not None and state.vote:
            ready.hard_state = HardState(state.term, 0, state.commit)
        return super().write(peer, ready)


class AcknowledgesSnapshotsEarly(World):
    """The driver says that it has a snapshot before it has installed it."""

    def write(self, peer: Peer, ready: Ready) -> bool:
        if ready.snapshot is None:
            return super().write(peer, ready)
        for message in ready.messages:
            if not EARLY[message.kind]:
                self.send(message)
        ready.messages = [message for message in ready.messages if EARLY[message.kind]]
        self._push(0.5 + self.roll() * 2, peer, SYNC, peer.life)
        return True

    def synced(self, peer: Peer) -> None:
        ready = peer.busy
        if ready is not None and ready.snapshot is not None:
            super().write(peer, ready)
        super().synced(peer)


class AppliesTwice(World):
    """The driver starts its machine from an index behind the state that it loaded."""

    def applied_at_start(self, peer: Peer) -> int:
        index = max(peer.applied - 1, peer.log.first_index() - 1)
        if index < peer.applied:
            peer.applied, peer.term = index, peer.log.term(index) or 0
        return index


def _patched(target: object, name: str, replacement: object) -> Callable[[], Any]:
    return lambda: patch.object(target, name, replacement)


def _wrapped(target: object, name: str, wrap: Callable[..., object]) -> Callable[[], Any]:
    return lambda: patch.object(target, name, wrap(getattr(target, name)))


class WithoutPreVote(World):
    """Members campaign without asking first."""

    def config(self, member: int) -> Config:
        return replace(super().config(member), pre_vote=False)


MUTANTS: dict[str, tuple[type[World], Callable[[], Any] | None]] = {
    "truncate without conflict": (World, _patched(Log, "accept", _truncate_without_conflict)),
    "do not clamp commit to what is matched": (World, _patched(leading, "heartbeat", _heartbeats_tell_too_much)),
    "count duplicate votes": (World, _patched(Members, "record", _count_duplicate_votes)),
    "accept acknowledgements of older terms": (
        World,
        _wrapped(Raft, "_step_older", _accept_older_acknowledgements),
    ),
    "commit entries of older terms by counting": (World, _patched(leading, "commit", _commit_older_terms)),
    "two membership changes at once": (World, _patched(leading, "refusal", lambda _raft: "")),
    "learners count": (World, _wrapped(Members, "switch", _learners_count)),
    "skip the sync before acknowledging": (SkipsSync, None),
    "vote without storing it": (ForgetsVotes, None),
    "acknowledge a snapshot before it is installed": (AcknowledgesSnapshotsEarly, None),
    "apply twice after a restart": (AppliesTwice, None),
    "no pre-vote": (WithoutPreVote, None),
    "forget the lease after a restart": (World, _wrapped(Raft, "__init__", _no_promise_after_restart)),
    "keep the lease after handing over": (
        World,
        lambda: patch.object(Rounds, "surrendered", property(lambda _rounds: False, lambda _rounds, _value: None)),
    ),
    "read without asking": (World, _patched(leading, "read", _read_without_asking)),
}
"""Name -> the World to simulate, and what is patched meanwhile."""


@contextmanager
def plant(name: str) -> Iterator[type[World]]:
    """Switch a planted bug on."""
    world, change = MUTANTS[name]
    with ExitStack() as stack:
        if change is not None:
            stack.enter_context(change())
        yield world
