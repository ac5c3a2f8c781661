"""Counting, members, flow control, rounds, and the bytes of yesterday."""

from __future__ import annotations

from typing import Any

import pytest

from job_orchestra.core.consensus import (
    Change,
    ChangeKind,
    Config,
    Configuration,
    Entry,
    EntryKind,
    HardState,
    Kind,
    Message,
    Snapshot,
)
from job_orchestra.core.consensus.members import Members, changed
from job_orchestra.core.consensus.messages import decode_change, decode_message, encode_change, encode_message, limited
from job_orchestra.core.consensus.progress import Flow, Progress
from job_orchestra.core.consensus.quorum import Tally, agreed, tally
from job_orchestra.core.consensus.rounds import Rounds
from job_orchestra.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("voters", "votes", "expected"),
    [
        ((1,), {}, Tally.PENDING),
        ((1,), {1: True}, Tally.WON),
        ((1, 2, 3), {1: True}, Tally.PENDING),
        ((1, 2, 3), {1: True, 9: True}, Tally.PENDING),  # 9 has no vote
        ((1, 2, 3), {1: True, 2: True}, Tally.WON),
        ((1, 2, 3), {1: True, 2: False}, Tally.PENDING),
        ((1, 2, 3), {2: False, 3: False}, Tally.LOST),
        ((1, 2, 3, 4), {1: True, 2: True}, Tally.PENDING),
        ((1, 2, 3, 4), {1: False, 2: False}, Tally.LOST),
        ((1, 2, 3, 4), {1: True, 2: True, 4: True}, Tally.WON),
    ],
)
def test_votes(voters: tuple[int, ...], votes: dict[int, bool], expected: Tally) -> None:
    assert tally(voters, votes) is expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [([5], 5), ([5, 3], 3), ([5, 3, 1], 3), ([9, 0, 0], 0), ([4, 3, 2, 1], 2), ([5, 4, 3, 2, 1], 3)],
)
def test_what_a_majority_has(values: list[int], expected: int) -> None:
    assert agreed(values) == expected


def test_only_the_first_vote_of_a_member_counts() -> None:
    members = Members(1, 8, 100)
    members.switch(Configuration((1, 2, 3, 4, 5)), 0, 0)
    assert members.record(1, True) is Tally.PENDING
    for _ in range(5):
        assert members.record(2, True) is Tally.PENDING
    assert members.record(2, False) is Tally.PENDING
    assert members.record(3, True) is Tally.WON


@pytest.mark.parametrize(
    ("change", "voters", "learners"),
    [
        (Change(ChangeKind.ADD_VOTER, 4), (1, 2, 4), (3,)),
        (Change(ChangeKind.ADD_VOTER, 3), (1, 2, 3), ()),
        (Change(ChangeKind.ADD_VOTER, 2), (1, 2), (3,)),
        (Change(ChangeKind.ADD_LEARNER, 2), (1,), (2, 3)),
        (Change(ChangeKind.REMOVE, 1), (2,), (3,)),
        (Change(ChangeKind.REMOVE, 3), (1, 2), ()),
        (Change(ChangeKind.REMOVE, 9), (1, 2), (3,)),
    ],
)
def test_changes(change: Change, voters: tuple[int, ...], learners: tuple[int, ...]) -> None:
    assert changed(Configuration((1, 2), (3,)), change) == Configuration(voters, learners)


def test_the_last_voter_stays() -> None:
    for kind in (ChangeKind.REMOVE, ChangeKind.ADD_LEARNER):
        with pytest.raises(InvalidInput, match="add another one first"):
            changed(Configuration((1,), (2,)), Change(kind, 1))


def test_learners_are_sent_to_and_not_counted() -> None:
    members = Members(1, 8, 100)
    members.switch(Configuration((1, 2, 3), (4,)), 5, 0)
    members.reset(5)
    assert [progress.member for progress in members.peers] == [2, 3, 4]
    members.progress[4].acknowledged(9)
    assert members.committed() == 0
    members.progress[3].acknowledged(7)
    assert members.committed() == 5


def test_flow_replicates_until_the_window_is_full_and_goes_on_when_answered() -> None:
    progress = Progress(2, 2, 1000)
    progress.reset(5)
    progress.sent(3, 30)
    assert progress.halted  # one probe at a time
    assert progress.acknowledged(7)
    progress.replicate()
    assert (progress.state, progress.next) == (Flow.REPLICATE, 8)
    progress.sent(1, 10)
    progress.sent(2, 20)
    assert progress.full
    assert progress.halted
    assert (progress.next, progress.inflight_bytes) == (11, 30)
    assert not progress.acknowledged(7)  # old news frees nothing
    assert progress.acknowledged(8)
    progress.free(8)
    assert (progress.full, progress.halted, progress.inflight_bytes) == (False, False, 20)


def test_flow_is_limited_in_bytes() -> None:
    progress = Progress(2, 100, 25)
    progress.reset(1)
    progress.replicate()
    progress.sent(1, 20)
    assert not progress.full
    progress.sent(1, 20)
    assert progress.full


@pytest.mark.parametrize(
    ("state", "match", "following", "index", "hint", "news", "then"),
    [
        (Flow.REPLICATE, 5, 10, 4, 3, False, 10),  # answered since
        (Flow.REPLICATE, 5, 10, 9, 7, True, 6),  # back to what is certain
        (Flow.PROBE, 0, 10, 8, 5, False, 10),  # not the probe that is out
        (Flow.PROBE, 0, 10, 9, 5, True, 6),
        (Flow.PROBE, 0, 10, 9, 0, True, 1),
        (Flow.PROBE, 7, 10, 9, 2, True, 8),  # never at or below what matches
    ],
)
def test_refusals(  # noqa: PLR0917 - a table
    state: Flow, match: int, following: int, index: int, hint: int, news: bool, then: int
) -> None:
    progress = Progress(2, 8, 100)
    progress.reset(following)
    progress.state, progress.match = state, match
    assert progress.refused(index, hint) is news
    assert progress.next == then


def test_a_snapshot_that_failed_is_not_counted_as_received() -> None:
    progress = Progress(2, 8, 100)
    progress.await_snapshot(20)
    assert progress.halted
    progress.probe()
    assert progress.next == 21
    progress.await_snapshot(20)
    progress.pending_snapshot = 0
    progress.probe()
    assert progress.next == 1


def test_rounds_confirm_reads_and_a_lease_from_when_they_were_sent() -> None:
    rounds = Rounds(5.0)
    assert rounds.lease_until() == 0.0
    rounds.read(7, b"early")
    assert rounds.begin(100.0) == 1
    rounds.read(8, b"late")
    assert rounds.begin(102.0) == 2
    assert rounds.confirm(1) == [(7, b"early")]
    assert rounds.lease_until() == 105.0
    assert rounds.confirm(1) == []
    assert rounds.confirm(2) == [(8, b"late")]
    assert rounds.lease_until() == 107.0
    rounds.surrendered = True
    assert rounds.lease_until() == 0.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"id": 0}, "from 1 on"),
        ({"id": 1, "heartbeat_ticks": 10}, "less than election_ticks"),
        ({"id": 1, "max_inflight_messages": 0}, "at least 1"),
        ({"id": 1, "check_quorum": False, "lease_s": 1.0}, "a lease needs check_quorum"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Config(**settings)


def test_limits_keep_at_least_one() -> None:
    entries = tuple(Entry(1, index, b"x" * 10) for index in range(1, 4))
    assert limited(entries, 0) == entries[:1]
    assert limited(entries, 36) == entries[:2]
    assert limited(entries, 1000) == entries
    assert limited((), 10) == ()


MESSAGE = Message(
    Kind.SNAPSHOT,
    to=2,
    sender=1,
    term=7,
    index=5,
    log_term=6,
    commit=4,
    entries=(Entry(7, 6, b"data"), Entry(7, 7, b"", EntryKind.CHANGE)),
    reject=True,
    hint=3,
    snapshot=Snapshot(9, 7, Configuration((1, 2), (3,)), b"state"),
    forced=True,
    round=11,
)
YESTERDAY = "9d0902010705060492930706c40464617461940707c40001c303940907929201029103c4057374617465c30b"
"""The bytes of MESSAGE in version 1: they stay readable as long as logs and peers of that version may exist."""


def test_messages_read_the_bytes_of_yesterday() -> None:
    assert decode_message(bytes.fromhex(YESTERDAY)) == MESSAGE
    assert decode_message(encode_message(MESSAGE)) == MESSAGE
    assert decode_message(encode_message(Message(Kind.VOTE, to=3, term=2))) == Message(Kind.VOTE, to=3, term=2)


def test_changes_read_the_bytes_of_yesterday() -> None:
    assert decode_change(bytes.fromhex("920205")) == Change(ChangeKind.REMOVE, 5)
    assert encode_change(Change(ChangeKind.ADD_VOTER, 300)) == bytes.fromhex("9200cd012c")


def test_hard_state_defaults_mean_nothing_was_stored() -> None:
    assert HardState() == HardState(0, 0, 0)
