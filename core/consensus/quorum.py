"""Counting: whether a vote is won, and what a majority has. Refuses to know what is counted."""

from collections.abc import Iterable, Mapping
from enum import Enum

from .messages import Member


class Tally(Enum):
    """What the votes so far come to."""

    PENDING = "pending"  # both ends are still possible
    WON = "won"  # a majority said yes
    LOST = "lost"  # a majority can no longer say yes


def tally(voters: tuple[Member, ...], votes: Mapping[Member, bool]) -> Tally:
    """Return what `votes` (member -> yes or no) come to among `voters`. Votes of others do not count."""
    yes = no = 0
    for voter in voters:
        vote = votes.get(voter)
        if vote:
            yes += 1
        elif vote is not None:
            no += 1
    majority = len(voters) // 2 + 1
    if yes >= majority:
        return Tally.WON
    return Tally.LOST if len(voters) - no < majority else Tally.PENDING


def agreed(values: Iterable[int]) -> int:
    """Return the largest value that a majority has reached, one value for each voter."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]
