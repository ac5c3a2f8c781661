"""The machine as its driver sees it: refusals, reads, leases, restarts, messages that do not belong."""

from __future__ import annotations

from random import Random
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
    MemoryLog,
    Message,
    Raft,
    Role,
    Snapshot,
)
from job_orchestra.core.errors import Conflict, InvalidInput, InvariantError, LimitReached, NoMaster


class Member:
    """A machine with a log in memory, and everything that it sent and applied."""

    def __init__(self, member: int, voters: tuple[int, ...], view: MemoryLog | None = None, **settings: Any) -> None:  # noqa: ANN401 - of Config
        self.view = view or MemoryLog(Snapshot(1, 1, Configuration(voters)))
        self.raft = Raft(Config(id=member, **settings), self.view, Random(member), self.view.start)
        self.sent: list[Message] = []
        self.applied: list[Entry] = []
        self.reads: list[tuple[int, bytes]] = []

    def work(self) -> None:
        raft = self.raft
        while raft.has_ready():
            ready = raft.ready()
            if ready.hard_state is not None:
                self.view.hard_state = ready.hard_state
            if ready.snapshot is not None:
                self.view.install(ready.snapshot)
            self.view.append(ready.entries)
            self.sent += ready.messages
            self.reads += ready.reads
            for entry in ready.committed:
                self.applied.append(entry)
                if entry.kind is EntryKind.CHANGE:
                    raft.apply_change(raft.decode_change(entry))
            raft.advance(ready)


def exchange(*members: Member) -> None:
    """Deliver until nothing is under way."""
    by_number = {member.raft.id: member for member in members}
    for member in members:
        member.work()
    while any(member.sent for member in members):
        for member in members:
            sent, member.sent = member.sent, []
            for message in sent:
                if message.to in by_number:
                    by_number[message.to].raft.step(message)
        for member in members:
            member.work()


def trio(**settings: Any) -> tuple[Member, Member, Member]:  # noqa: ANN401 - of Config
    """Three members, the first leads."""
    one, two, three = (Member(number, (1, 2, 3), **settings) for number in (1, 2, 3))
    one.raft.campaign()
    exchange(one, two, three)
    assert one.raft.role is Role.LEADER
    return one, two, three


def test_one_voter_alone_decides_at_once() -> None:
    one = Member(1, (1,))
    one.raft.campaign()
    one.work()
    one.raft.propose(b"x")
    one.work()
    assert [entry.data for entry in one.applied] == [b"", b"x"]
    assert one.sent == []


def test_followers_refuse_proposals_and_say_whom_to_ask() -> None:
    one, two, _ = trio()
    with pytest.raises(NoMaster, match="ask the master"):
        two.raft.propose(b"x")
    with pytest.raises(NoMaster, match="no master is elected"):
        Member(1, (1, 2)).raft.propose(b"x")
    with pytest.raises(NoMaster, match="ask the master itself"):
        one.raft.step(Message(Kind.PROPOSE, to=1, sender=2, entries=(Entry(0, 0, b"x"),)))


def test_proposals_are_refused_beyond_the_limit_and_taken_again_below_it() -> None:
    one, two, three = trio(max_uncommitted_bytes=100)
    one.raft.propose(b"x" * 90)
    with pytest.raises(LimitReached, match="90 bytes wait"):
        one.raft.propose(b"y" * 20)
    exchange(one, two, three)
    one.raft.propose(b"y" * 20)


def test_a_transfer_holds_proposals_back() -> None:
    one, two, three = trio()
    one.raft.transfer(2)
    with pytest.raises(NoMaster, match="leadership goes to member 2"):
        one.raft.propose(b"x")
    exchange(one, two, three)
    assert two.raft.role is Role.LEADER


def test_one_change_at_a_time() -> None:
    one, two, three = trio()
    one.raft.propose_change(Change(ChangeKind.ADD_LEARNER, 4))
    with pytest.raises(Conflict, match="may not be applied yet"):
        one.raft.propose_change(Change(ChangeKind.ADD_LEARNER, 5))
    exchange(one, two, three)
    one.raft.propose_change(Change(ChangeKind.ADD_LEARNER, 5))
    exchange(one, two, three)
    assert three.raft.members.configuration == Configuration((1, 2, 3), (4, 5))


def test_no_change_before_something_of_the_own_term_is_committed() -> None:
    one, two, three = trio()
    one.raft.transfer(2)
    for member in (one, two, three, one, three, two):  # until 2 leads, and nobody has heard of it
        member.work()
        sent, member.sent = member.sent, []
        for message in sent:
            (one, two, three)[message.to - 1].raft.step(message)
    assert two.raft.role is Role.LEADER
    with pytest.raises(Conflict, match="nothing of term 2 is committed yet"):
        two.raft.propose_change(Change(ChangeKind.REMOVE, 3))


def test_the_last_voter_cannot_be_removed() -> None:
    one = Member(1, (1,))
    one.raft.campaign()
    one.work()
    with pytest.raises(InvalidInput, match="last voter"):
        one.raft.propose_change(Change(ChangeKind.REMOVE, 1))
    with pytest.raises(InvariantError, match="leaves nobody to vote"):
        one.raft.apply_change(Change(ChangeKind.REMOVE, 1))
    assert one.raft.apply_change(None) == Configuration((1,))


def test_reads_wait_for_a_majority() -> None:
    one, two, three = trio()
    one.raft.read_index(b"who?")
    one.work()
    assert one.reads == []
    exchange(one, two, three)
    assert one.reads == [(one.raft.log.committed, b"who?")]
    with pytest.raises(NoMaster):
        two.raft.read_index(b"no")


def test_a_lease_runs_from_the_sending_of_the_heartbeat_and_ends_with_the_role() -> None:
    one, two, three = trio(lease_s=0.8)
    assert one.raft.lease_until() == 0.0
    one.raft.now = 50.0
    one.raft.tick()
    one.work()
    one.raft.now = 50.5
    exchange(one, two, three)
    assert one.raft.lease_until() == 50.8
    assert two.raft.lease_until() == 0.0
    one.raft.become_follower(9, 0)
    assert one.raft.lease_until() == 0.0


def test_a_leader_that_nobody_answers_steps_down_within_one_election_timeout() -> None:
    one, _, _ = trio(lease_s=0.8)
    for _ in range(10):
        assert one.raft.role is Role.LEADER
        one.raft.tick()
    assert one.raft.role is Role.FOLLOWER


def test_a_restarted_voter_ignores_campaigns_until_any_lease_it_may_have_granted_is_over() -> None:
    view = MemoryLog(Snapshot(1, 1, Configuration((1, 2, 3))))
    view.hard_state = HardState(4, 0, 1)
    two = Member(2, (), view, lease_s=0.8)
    campaign = Message(Kind.VOTE, to=2, sender=3, term=5, index=1, log_term=1)
    two.raft.step(campaign)
    assert (two.raft.term, two.raft.vote) == (4, 0)
    for _ in range(9):
        two.raft.tick()
    two.raft.step(campaign)
    assert two.raft.term == 4
    two.raft.tick()
    two.raft.step(campaign)
    assert (two.raft.term, two.raft.vote) == (5, 3)


def test_a_vote_is_sent_only_behind_the_hard_state_that_holds_it() -> None:
    two = Member(2, (1, 2, 3))
    two.raft.step(Message(Kind.VOTE, to=2, sender=1, term=2, index=1, log_term=1))
    ready = two.raft.ready()
    assert ready.hard_state == HardState(2, 1, 1)
    assert ready.must_sync
    assert [message.kind for message in ready.messages] == [Kind.VOTE_REPLY]


@pytest.mark.parametrize(
    "message",
    [
        Message(Kind.APPEND, to=2, sender=3, term=9, index=1, log_term=1),  # for another member
        Message(Kind.VOTE_REPLY, to=1, sender=7, term=9),  # from a stranger
        Message(Kind.APPEND_REPLY, to=1, sender=7, term=9, index=5),
        Message(Kind.HEARTBEAT, to=1, sender=3, term=0),  # without a term
        Message(Kind.VOTE, to=1, sender=3, term=9, index=9, log_term=9),  # a campaign against a leader that is heard
    ],
)
def test_messages_that_do_not_belong_change_nothing(message: Message) -> None:
    one, _, _ = trio()
    before = (one.raft.term, one.raft.role, one.raft.log.last, one.raft.log.committed)
    one.raft.step(message)
    assert (one.raft.term, one.raft.role, one.raft.log.last, one.raft.log.committed) == before
    assert not one.raft.has_ready()


def test_an_acknowledgement_of_an_older_term_does_not_count() -> None:
    one, two, three = trio()
    one.raft.transfer(2)
    exchange(one, two, three)
    two.raft.transfer(1)
    exchange(one, two, three)
    assert (one.raft.role, one.raft.term) == (Role.LEADER, 3)
    one.raft.propose(b"x")
    one.work()
    one.raft.step(Message(Kind.APPEND_REPLY, to=1, sender=2, term=1, index=one.raft.log.last))
    assert one.raft.log.committed == one.raft.log.last - 1


def test_a_snapshot_is_acknowledged_behind_its_installation() -> None:
    four = Member(4, (), MemoryLog())
    snapshot = Snapshot(20, 3, Configuration((1, 2, 3), (4,)), b"state")
    four.raft.step(Message(Kind.SNAPSHOT, to=4, sender=1, term=3, snapshot=snapshot))
    ready = four.raft.ready()
    assert ready.snapshot == snapshot
    assert [(message.kind, message.index) for message in ready.messages] == [(Kind.APPEND_REPLY, 20)]
    assert not four.raft.promotable()
    four.view.install(snapshot)
    four.raft.advance(ready)
    assert (four.raft.log.applied, four.raft.members.configuration) == (20, snapshot.configuration)
