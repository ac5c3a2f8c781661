"""A small part of what `python3 -m tools simulate` does in volume, and Hypothesis, which shrinks what it finds."""

from __future__ import annotations

from heapq import heapify
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from job_orchestra.core.consensus import Change, ChangeKind, Role
from tests.kit.mutants import MUTANTS, plant
from tests.kit.rules import Violation
from tests.kit.simulation import MESSAGE, World
from tests.kit.states import LedgerState
from tests.kit.walker import run, trace, walk

if TYPE_CHECKING:
    from tests.kit.peer import Peer

QUICK = 2000
"""Schedules within which every planted bug shows."""


def test_nothing_is_wrong_in_some_hundred_schedules_and_everything_happened() -> None:
    outcome = run(range(400), 500)
    assert outcome.found == []
    assert outcome.missing == []


def test_the_same_seed_gives_the_same_schedule() -> None:
    one, other = list[str](), list[str]()
    assert trace(17, 300, one.append) is None
    assert trace(17, 300, other.append) is None
    assert one == other
    assert len(one) > 50


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_planted_bug_is_caught(name: str) -> None:
    with plant(name) as world:
        assert run(range(QUICK), 500, world).found


def test_a_planted_bug_is_gone_afterwards() -> None:
    with plant("truncate without conflict") as world:
        assert walk(0, 500, world) is not None
    assert walk(0, 500) is None


def elected(world: World) -> Peer:
    while not world.converged():
        world.next()
    return next(iter(world.leading))


def test_the_real_ledger_comes_to_the_same_state_everywhere() -> None:
    state = LedgerState()
    world = World(3, 3, state=state)
    leader = elected(world)
    for number in range(20):
        world.propose(leader, state.request(number % 10))
    while not world.converged():
        world.next()
    (ledger, *others) = (ledger for ledgers in state.ledgers.values() for ledger in ledgers)
    assert len(others) == 2
    assert {other.digest() for other in others} == {ledger.digest()}
    assert len(ledger.builds) == 10  # each request came twice and was carried out once


@pytest.mark.parametrize("name", ["forget the lease after a restart", None])
def test_voters_that_restart_keep_their_promise(name: str | None) -> None:
    def restart_all_but_the_leader(kind: type[World]) -> None:
        world = kind(1, 3)
        leader = elected(world)
        for _ in range(100):
            world.next()
        others = [peer for peer in world.peers.values() if peer is not leader]
        for peer in others:
            world.stop(peer, power=False)
            world.start(peer)
        others[0].raft.campaign()
        world.work(others[0])
        for _ in range(60):
            world.next()
        assert leader.raft.role is Role.LEADER

    if name is None:
        restart_all_but_the_leader(World)
        return
    with plant(name) as kind, pytest.raises(Violation, match="has the lease"):
        restart_all_but_the_leader(kind)


class Network(RuleBasedStateMachine):
    """Hypothesis decides what happens; the world checks after every step."""

    @initialize(seed=st.integers(0, 2**16), voters=st.integers(1, 5), learners=st.integers(0, 1), plain=st.booleans())
    def begin(self, seed: int, voters: int, learners: int, plain: bool) -> None:
        given = {"pre_vote": False, "check_quorum": False, "lease_s": 0.0} if plain else {}
        self.world = World(seed, voters, learners, given)
        self.world.weather.sync = 0.3
        self.asked = 0

    def peer(self, number: int) -> Peer:
        peers = list(self.world.peers.values())
        return peers[number % len(peers)]

    @rule(count=st.integers(1, 40))
    def time_passes(self, count: int) -> None:
        for _ in range(count):
            if self.world.events:
                self.world.next()

    @rule(place=st.integers(0, 50))
    def a_message_overtakes(self, place: int) -> None:
        events = self.world.events
        messages = [event for event in events if event[3] == MESSAGE]
        if messages:
            event = messages[place % len(messages)]
            events.remove(event)
            heapify(events)
            self.world.happen(event)

    @rule(number=st.integers(0, 9))
    def a_client_asks(self, number: int) -> None:
        self.asked += 1
        self.world.propose(self.peer(number), b"%d" % self.asked)

    @rule(number=st.integers(0, 9), power=st.booleans())
    def a_member_stops(self, number: int, power: bool) -> None:
        if self.peer(number).up:
            self.world.stop(self.peer(number), power=power)

    @rule(number=st.integers(0, 9))
    def a_member_starts(self, number: int) -> None:
        if not self.peer(number).up:
            self.world.start(self.peer(number))

    @rule(number=st.integers(0, 9))
    def a_member_campaigns(self, number: int) -> None:
        peer = self.peer(number)
        if peer.up:
            peer.raft.campaign()
            self.world.work(peer)

    @rule(number=st.integers(0, 9), keep=st.integers(0, 3))
    def a_log_is_compacted(self, number: int, keep: int) -> None:
        self.world.compact(self.peer(number), keep)

    @rule(side=st.sets(st.integers(1, 8)))
    def the_network_splits(self, side: set[int]) -> None:
        members = set(self.world.peers)
        self.world.blocked = {pair for a in side & members for b in members - side for pair in ((a, b), (b, a))}

    @rule()
    def the_network_heals(self) -> None:
        self.world.blocked = set()
        self.world.release()

    @rule(number=st.integers(0, 9), kind=st.sampled_from(ChangeKind), member=st.integers(1, 7))
    def the_membership_changes(self, number: int, kind: ChangeKind, member: int) -> None:
        if member not in self.world.peers:
            self.world.add(member)
        self.world.change(self.peer(number), Change(kind, member))

    @rule(number=st.integers(0, 9), to=st.integers(1, 7))
    def a_leader_hands_over(self, number: int, to: int) -> None:
        if self.peer(number).raft.role is Role.LEADER:
            self.world.transfer(self.peer(number), to)

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def nobody_is_behind_itself(self) -> None:
        for peer in self.world.peers.values():
            log = peer.raft.log
            assert log.applied <= log.applying <= log.committed <= log.last

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()


Network.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestNetwork = Network.TestCase
