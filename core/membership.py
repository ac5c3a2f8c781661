"""Who should vote: looks at the agents as their leader sees them, and advises one change of the membership at a time.

With one or two agents one votes, with three or four three do, with five or more five. Even numbers are only passed
through: a second or fourth voter survives no more losses than one or three. A voter that is silent for a minute or
leaves is replaced, the replacement first. Nothing is advised that would leave less than a majority answering.

Refuses to know how a change is agreed on, and whether one is under way: ask again when the last one was applied.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .consensus.messages import Change, ChangeKind, Member

STABLE_S = 30.0
"""Contact without a break before an agent may vote. Larger: slower growth; smaller: votes for who comes and goes."""

SILENT_S = 60.0
"""Silence after which a voter is replaced. Larger: longer without a spare; smaller: changes for every restart."""

ANSWERING_S = 5.0
"""Silence up to which an agent counts on for a majority. Larger: bolder changes; smaller: changes wait more often."""

SPARES = 2
"""Learners that are kept, so that growth and replacement need not wait for a copy: voters are added in pairs."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An agent as the leader sees it; the leader itself is one, never silent."""

    member: Member  # its number
    votes: bool = False  # it is a voter
    learns: bool = False  # it is a learner
    silent_s: float = 0.0  # since it was last heard by this leader, or since this leader was elected
    stable_s: float = 0.0  # in contact without a break
    caught_up: bool = False  # it has nearly everything that the leader has
    willing: bool = True  # it may vote, and is not leaving

    @property
    def answering(self) -> bool:
        """Whether a majority may count on it now."""
        return self.silent_s <= ANSWERING_S

    @property
    def good(self) -> bool:
        """Whether it is worth its vote."""
        return self.willing and self.silent_s < SILENT_S


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, and why, in words for people."""

    change: Change  # the change to propose
    reason: str  # one clause


def advise(leader: Member, peers: Iterable[Peer], cap: int = 5, stable_s: float = STABLE_S) -> Advice | None:
    """Return the next change that brings the voters nearer to what they should be; None: all is well, or must wait.

    `cap` is the most voters there may be (even numbers count as the odd one below); `stable_s` see STABLE_S.
    """
    known = sorted(peers, key=lambda peer: (-peer.stable_s, peer.member))
    voters = [peer for peer in known if peer.votes]
    if not _safe(voters):
        return None  # no change could be agreed on
    ready = _ready(known, stable_s)
    return (
        _replace_or_shrink(leader, voters, ready, cap)
        or _grow(voters, ready, cap)
        or _make_odd(leader, known, voters, cap)
        or _keep_spares(known)
    )


def majority(count: int) -> int:
    """Return how many of `count` voters decide."""
    return count // 2 + 1


def odd(count: int) -> int:
    """Return the largest odd number up to `count`, at least 1."""
    return max(1, count - 1 + count % 2)


def _safe(voters: Sequence[Peer]) -> bool:
    return sum(voter.answering for voter in voters) >= majority(len(voters))


def _ready(known: Sequence[Peer], stable_s: float) -> list[Peer]:
    return [
        peer
        for peer in known
        if not peer.votes and peer.willing and peer.answering and peer.caught_up and peer.stable_s >= stable_s
    ]


def _goal(voters: Sequence[Peer], ready: Sequence[Peer], cap: int) -> int:
    return odd(min(cap, sum(voter.good for voter in voters) + len(ready)))


def _replace_or_shrink(leader: Member, voters: Sequence[Peer], ready: Sequence[Peer], cap: int) -> Advice | None:
    bad = sorted((v for v in voters if not v.good and v.member != leader), key=lambda v: (-v.silent_s, v.member))
    if not bad:
        return None
    good = sum(voter.good for voter in voters)
    worst = bad[0]
    what = "leaves" if not worst.willing else f"has been silent for {worst.silent_s:.0f} s"
    if ready and good < min(odd(len(voters)), _goal(voters, ready, cap)) and _safe([*voters, ready[0]]):
        return _add(ready[0], f"voter {worst.member} {what}")
    rest = [voter for voter in voters if voter is not worst]
    if not _safe(rest):
        return None
    replaced = good >= odd(len(voters))
    # With two of five gone for good, three voters survive another loss and five do not.
    now = sum(voter.answering for voter in voters) - majority(len(voters))
    firmer = odd(good) - majority(odd(good)) > now
    if replaced or firmer or not worst.willing:
        return Advice(Change(ChangeKind.REMOVE, worst.member), f"it {what}")
    return None


def _grow(voters: Sequence[Peer], ready: Sequence[Peer], cap: int) -> Advice | None:
    if not ready or len(voters) >= _goal(voters, ready, cap) or not _safe([*voters, ready[0]]):
        return None
    return _add(ready[0], f"{_goal(voters, ready, cap)} agents can vote")


def _make_odd(leader: Member, known: Sequence[Peer], voters: Sequence[Peer], cap: int) -> Advice | None:
    if len(voters) <= odd(cap):
        if len(voters) % 2 or any(p.answering and p.willing and not p.votes and p.learns for p in known):
            return None  # as it should be, or another one is about to be ready
        reason = f"{len(voters)} voters survive no more losses than {len(voters) - 1}"
    else:
        reason = f"at most {odd(cap)} may vote"
    others = [voter for voter in reversed(voters) if voter.member != leader]
    if not others or not _safe([voter for voter in voters if voter is not others[0]]):
        return None
    # It keeps its copy; who was in contact for the shortest time loses the vote.
    return Advice(Change(ChangeKind.ADD_LEARNER, others[0].member), reason)


def _keep_spares(known: Sequence[Peer]) -> Advice | None:
    learners = [peer for peer in known if peer.learns]
    for peer in learners:
        if not peer.good:
            what = "leaves" if not peer.willing else f"has been silent for {peer.silent_s:.0f} s"
            return Advice(Change(ChangeKind.REMOVE, peer.member), f"it {what}")
    if len(learners) < SPARES:
        for peer in known:
            if not peer.votes and not peer.learns and peer.willing and peer.answering:
                return Advice(Change(ChangeKind.ADD_LEARNER, peer.member), "a copy more, and a voter to be")
    return None


def _add(peer: Peer, reason: str) -> Advice:
    return Advice(Change(ChangeKind.ADD_VOTER, peer.member), reason)
