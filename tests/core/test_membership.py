"""Tables of who should vote. V: a voter, L: a learner, A: an agent that is neither."""

from __future__ import annotations

from itertools import product

import pytest

from job_orchestra.core.consensus.messages import Change, ChangeKind
from job_orchestra.core.membership import SILENT_S, STABLE_S, Peer, advise, majority, odd

ADD, LEARN, REMOVE = ChangeKind.ADD_VOTER, ChangeKind.ADD_LEARNER, ChangeKind.REMOVE
LONG = 10 * STABLE_S


def voter(member: int, silent: float = 0.0, **more: bool) -> Peer:
    return Peer(member, votes=True, silent_s=silent, stable_s=0.0 if silent else LONG - member, caught_up=True, **more)


def learner(member: int, silent: float = 0.0, stable: float | None = None, **more: bool) -> Peer:
    stable = (0.0 if silent else LONG - member) if stable is None else stable
    return Peer(member, learns=True, silent_s=silent, stable_s=stable, **{"caught_up": True, **more})


def agent(member: int, **more: bool) -> Peer:
    return Peer(member, **more)


@pytest.mark.parametrize(
    ("peers", "expected"),
    [
        # one or two agents: one votes
        ([voter(1)], None),
        ([voter(1), agent(2)], (LEARN, 2)),
        ([voter(1), learner(2)], None),
        ([voter(1), learner(2), agent(3)], (LEARN, 3)),
        # three: three vote, by way of two
        ([voter(1), learner(2), learner(3)], (ADD, 2)),
        ([voter(1), voter(2), learner(3)], (ADD, 3)),
        ([voter(1), voter(2), voter(3)], None),
        # not before they are stable, have everything and want to
        ([voter(1), learner(2), learner(3, stable=STABLE_S - 1)], None),
        ([voter(1), learner(2), learner(3, caught_up=False)], None),
        ([voter(1), learner(2), learner(3, willing=False)], (REMOVE, 3)),
        # half-way, the second candidate is gone: wait while there is one, else back to one voter
        ([voter(1), voter(2), learner(3, stable=1.0)], None),
        ([voter(1), voter(2)], (LEARN, 2)),
        # four agents: three vote, one is spare
        ([voter(1), voter(2), voter(3), agent(4)], (LEARN, 4)),
        ([voter(1), voter(2), voter(3), learner(4)], None),
        # five: five vote
        ([voter(1), voter(2), voter(3), learner(4), learner(5)], (ADD, 4)),
        ([voter(1), voter(2), voter(3), voter(4), learner(5)], (ADD, 5)),
        ([*(voter(n) for n in range(1, 6)), learner(6), learner(7)], None),
        # a silent voter is replaced after a minute, the replacement first
        ([voter(1), voter(2), voter(3, silent=SILENT_S - 1), learner(4)], None),
        ([voter(1), voter(2), voter(3, silent=SILENT_S), learner(4)], (ADD, 4)),
        ([voter(1), voter(2), voter(3, silent=SILENT_S), voter(4)], (REMOVE, 3)),
        # without a replacement it keeps its vote: it may come back
        ([voter(1), voter(2), voter(3, silent=9999)], None),
        # two of five are silent: three firm voters are better than five with two gone
        ([voter(1), voter(2), voter(3), voter(4, silent=99), voter(5, silent=98)], (REMOVE, 4)),
        ([voter(1), voter(2), voter(3), voter(5, silent=98)], (REMOVE, 5)),
        ([voter(1), voter(2), voter(3), voter(4), voter(5, silent=98)], None),
        # no majority answers: nothing can be agreed on
        ([voter(1), voter(2, silent=99), voter(3, silent=99), learner(4)], None),
        ([voter(1), voter(2, silent=99), learner(3), learner(4)], None),
        # one leaves and says so
        ([voter(1), voter(2), voter(3, willing=False), learner(4)], (ADD, 4)),
        ([voter(1), voter(2), voter(3, willing=False)], (REMOVE, 3)),
        # the leader is never voted out: it hands over first
        ([voter(1, willing=False), voter(2), voter(3)], None),
        # spares that are gone make room
        ([voter(1), learner(2, silent=SILENT_S)], (REMOVE, 2)),
    ],
)
def test_next_change(peers: list[Peer], expected: tuple[ChangeKind, int] | None) -> None:
    advice = advise(1, peers)
    assert (advice and advice.change) == (expected and Change(*expected))


def test_a_lower_cap_takes_votes_away_but_not_copies() -> None:
    advice = advise(1, [voter(n) for n in range(1, 6)], cap=3)
    assert advice is not None
    assert advice.change == Change(LEARN, 5)
    assert advice.reason == "at most 3 may vote"


@pytest.mark.parametrize(("cap", "votes"), [(1, 1), (2, 1), (3, 3), (4, 3), (5, 5)])
def test_it_comes_to_rest_at_the_cap(cap: int, votes: int) -> None:
    peers = {1: voter(1), **{n: agent(n) for n in range(2, 9)}}
    for _ in range(50):
        advice = advise(1, peers.values(), cap)
        if advice is None:
            break
        member = advice.change.member
        peers[member] = {ADD: voter, LEARN: learner, REMOVE: agent}[advice.change.kind](member)
    else:
        pytest.fail("it never comes to rest")
    assert sum(peer.votes for peer in peers.values()) == votes


@pytest.mark.parametrize(("count", "expected"), [(0, 1), (1, 1), (2, 1), (3, 3), (4, 3), (5, 5)])
def test_odd(count: int, expected: int) -> None:
    assert odd(count) == expected


def test_no_advice_leaves_less_than_a_majority_answering() -> None:
    states = [voter, lambda n: voter(n, silent=99), lambda n: voter(n, silent=20), lambda n: voter(n, willing=False)]
    states += [learner, lambda n: learner(n, silent=99), agent]
    advised = 0
    for kinds in product(states, repeat=4):
        peers = [voter(1), *(kind(n) for n, kind in enumerate(kinds, 2))]
        advice = advise(1, peers)
        if advice is None:
            continue
        advised += 1
        after = {peer.member for peer in peers if peer.votes}
        (after.add if advice.change.kind is ADD else after.discard)(advice.change.member)
        answering = sum(peer.answering for peer in peers if peer.member in after)
        assert answering >= majority(len(after)), (peers, advice)
        assert advice.change.member != 1
    assert advised > 1000
