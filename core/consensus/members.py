"""Who belongs to the network, as one member sees it: configuration, the flow to each, and the votes of an election.

Refuses to know the log and the roles.
"""

from ..errors import InvalidInput
from .messages import Change, ChangeKind, Configuration, Member
from .progress import Progress
from .quorum import Tally, agreed, tally


def changed(configuration: Configuration, change: Change) -> Configuration:
    """Return the configuration after `change`. Raises InvalidInput if nobody could vote any more."""
    voters, learners = set(configuration.voters), set(configuration.learners)
    voters.discard(change.member)
    learners.discard(change.member)
    if change.kind is ChangeKind.ADD_VOTER:
        voters.add(change.member)
    elif change.kind is ChangeKind.ADD_LEARNER:
        learners.add(change.member)
    if not voters:
        raise InvalidInput(f"member {change.member} is the last voter; add another one first")
    return Configuration(tuple(sorted(voters)), tuple(sorted(learners)))


class Members:
    """The configuration, and a Progress for everybody in it."""

    __slots__ = (
        "_matches",
        "_others",
        "configuration",
        "id",
        "max_bytes",
        "max_messages",
        "peers",
        "progress",
        "votes",
    )

    def __init__(self, member: Member, max_messages: int, max_bytes: int) -> None:
        """Begin with nobody; `member` is who sees it."""
        self.id = member
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.progress: dict[Member, Progress] = {}  # ascending, this member included
        self.peers: tuple[Progress, ...] = ()  # the others, ascending
        self.votes: dict[Member, bool] = {}  # in the campaign that is under way
        self.configuration = Configuration()
        self._matches: tuple[Progress, ...] = ()
        self._others: tuple[Progress, ...] = ()

    def switch(self, configuration: Configuration, last_index: int, now: int) -> None:
        """Use another configuration.

        New members are tried at `last_index`, and count as heard `now`, so that a leader does not step down before
        they had a chance to answer.
        """
        old, progress = self.progress, dict[Member, Progress]()
        for member in sorted({*configuration.voters, *configuration.learners}):
            known = old.get(member)
            if known is None:
                known = Progress(member, self.max_messages, self.max_bytes)
                known.reset(max(last_index, 1))
                known.active, known.heard = True, now
            known.learner = member in configuration.learners
            progress[member] = known
        self.configuration = configuration
        self.progress = progress
        self.peers = tuple(known for member, known in progress.items() if member != self.id)
        self._matches = tuple(progress[member] for member in configuration.voters)
        self._others = tuple(known for known in self._matches if known.member != self.id)

    def reset(self, last_index: int) -> None:
        """Forget how far everybody is, as at the beginning of a term."""
        self.votes.clear()
        for progress in self.progress.values():
            progress.reset(last_index + 1)
        mine = self.progress.get(self.id)
        if mine is not None:
            mine.match = last_index

    def is_voter(self, member: Member) -> bool:
        """Return whether `member` votes."""
        progress = self.progress.get(member)
        return progress is not None and not progress.learner

    def alone(self) -> bool:
        """Return whether there is only one voter."""
        return len(self._matches) == 1

    def record(self, member: Member, vote: bool) -> Tally:  # noqa: FBT001 - a vote is a yes or no
        """Take a vote: the first that a member gave counts. Return what the votes come to."""
        self.votes.setdefault(member, vote)
        return tally(self.configuration.voters, self.votes)

    def committed(self) -> int:
        """Return the index that a majority of the voters has stored."""
        return agreed([progress.match for progress in self._matches])

    def active(self) -> bool:
        """Return whether a majority of the voters was heard from since the last check, and begin the next one."""
        heard = {progress.member: progress.active for progress in self._matches}
        for progress in self.peers:
            progress.active = False
        return tally(self.configuration.voters, heard) is Tally.WON

    def heard(self, now: int) -> int:
        """Return the latest tick since which a majority of the voters was heard; a leader hears itself `now`."""
        return self._with_own([progress.heard for progress in self._others], now)

    def answered(self, current: int) -> int:
        """Return the latest round that a majority of the voters has answered; a leader answers its own."""
        return self._with_own([progress.round for progress in self._others], current)

    def _with_own(self, others: list[int], own: int) -> int:
        if len(others) < len(self._matches):
            others.append(own)
        return agreed(others)
