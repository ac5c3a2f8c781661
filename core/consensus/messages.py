"""Everything that members send each other or store: entries, messages, snapshots, hard state, configurations.

Refuses to know what an entry's data means, and how any of it travels. Fields are only added, at the end, with
defaults: yesterday's bytes stay readable.
"""

from enum import IntEnum

import msgspec

Member = int
"""The number of a member, from 1. A number is never used again: an agent that lost its disk returns as a new member,
because the old one may have voted or acknowledged what the new one does not remember."""

NOBODY: Member = 0
"""No member: no leader is known, no vote was given."""


class EntryKind(IntEnum):
    """What an entry is for."""

    NORMAL = 0  # the driver's data; empty data is what a new leader opens its term with
    CHANGE = 1  # a change of the membership


class Kind(IntEnum):
    """What a message is."""

    PROPOSE = 0  # append these entries, if you lead
    APPEND = 1  # entries behind `index` of `log_term`, and what is committed
    APPEND_REPLY = 2  # the log matches up to `index`, or it does not and `hint` is where it may
    HEARTBEAT = 3  # I lead; this is committed as far as I know you have it
    HEARTBEAT_REPLY = 4  # you lead, as of `round`
    VOTE = 5  # elect me in this term
    VOTE_REPLY = 6  # my vote in this term, or a refusal
    PRE_VOTE = 7  # would you elect me in this term?
    PRE_VOTE_REPLY = 8  # whether I would
    SNAPSHOT = 9  # the log does not reach back to you: take the state instead
    TRANSFER = 10  # `sender` should lead
    TIMEOUT_NOW = 11  # campaign at once, the leader wants it


class ChangeKind(IntEnum):
    """How the membership changes."""

    ADD_VOTER = 0  # add a voter, or give a learner a vote
    ADD_LEARNER = 1  # add a learner, or take a voter's vote away
    REMOVE = 2  # neither voter nor learner any more


class Entry(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """One place of the log."""

    term: int  # of the leader that appended it
    index: int  # its place, from 1
    data: bytes = b""  # the driver's, or an encoded Change
    kind: EntryKind = EntryKind.NORMAL  # what it is for


class Configuration(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Who belongs to the network."""

    voters: tuple[Member, ...] = ()  # ascending: those who elect and count
    learners: tuple[Member, ...] = ()  # ascending: those who only listen


class Snapshot(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """The state that the log up to an index leads to, in place of that log."""

    index: int  # the last entry that it holds
    term: int  # of that entry
    configuration: Configuration  # as of that entry
    data: bytes = b""  # the driver's: the state, or how to get it


class HardState(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What a member must not forget, besides its log."""

    term: int = 0  # the latest seen
    vote: Member = NOBODY  # given in that term
    commit: int = 0  # may be behind after a crash: it is learned again


class Message(msgspec.Struct, array_like=True, omit_defaults=True):
    """One message between members. `term` is 0 only for PROPOSE, which has no part in elections."""

    kind: Kind  # what it is
    to: Member  # for whom
    sender: Member = NOBODY  # from whom; of a TRANSFER: who should lead
    term: int = 0  # the sender's, or the one that a (pre-)vote is about
    index: int = 0  # APPEND: the entry before `entries`; its reply: matched or refused; VOTE: the last
    log_term: int = 0  # of the entry at `index`, or at `hint` in a refusal
    commit: int = 0  # what the leader knows to be committed
    entries: tuple[Entry, ...] = ()  # what to append
    reject: bool = False  # a reply that says no
    hint: int = 0  # where the logs may still match
    snapshot: Snapshot | None = None  # of a SNAPSHOT
    forced: bool = False  # a campaign that the leader asked for: leases do not stand in its way
    round: int = 0  # of a heartbeat, returned in its reply


class Change(msgspec.Struct, frozen=True, array_like=True):
    """One change of the membership."""

    kind: ChangeKind  # what happens
    member: Member  # to whom


encode_change = msgspec.msgpack.Encoder().encode
decode_change = msgspec.msgpack.Decoder(Change).decode
encode_message = msgspec.msgpack.Encoder().encode
decode_message = msgspec.msgpack.Decoder(Message).decode

ENTRY_OVERHEAD = 8
"""Bytes that an entry costs besides its data, about, stored or sent."""


def size(entries: tuple[Entry, ...] | list[Entry]) -> int:
    """Return about how many bytes the entries take, stored or sent."""
    return sum(len(entry.data) for entry in entries) + ENTRY_OVERHEAD * len(entries)


def payload(entries: tuple[Entry, ...] | list[Entry]) -> int:
    """Return how many bytes of data the entries carry. An empty entry counts nothing, so it always fits."""
    return sum(len(entry.data) for entry in entries)


def limited(entries: tuple[Entry, ...], limit: int) -> tuple[Entry, ...]:
    """Return the longest beginning of `entries` within `limit` bytes, but at least one entry if there is one."""
    total = 0
    for count, entry in enumerate(entries):
        total += len(entry.data) + ENTRY_OVERHEAD
        if total > limit and count:
            return entries[:count]
    return entries
