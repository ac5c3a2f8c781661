"""Voters in one process that agree at once: the Replica seam without disks, elections and time; failures on demand."""

from collections.abc import Callable, Sequence

from job_orchestra.agent.agreement import Watcher
from job_orchestra.core.commands import Command, decode, encode
from job_orchestra.core.consensus import NOBODY, Change, Configuration, Member
from job_orchestra.core.errors import NoMaster
from job_orchestra.core.ledger import Changes, Ledger, Outcome


class Voter:
    """One voter: a Replica."""

    def __init__(self, council: "Council", number: Member) -> None:
        self.ledger = Ledger()
        self.leading = False
        self.number = number
        self._council = council
        self._watchers: list[Watcher] = []
        self._on_leading: list[Callable[[bool], None]] = []

    @property
    def term(self) -> int:
        return self._council.term

    @property
    def leader(self) -> Member:
        return next((one.number for one in self._council.voters if one.leading), NOBODY)

    @property
    def configuration(self) -> Configuration:
        return Configuration(voters=tuple(one.number for one in self._council.voters))

    @property
    def age(self) -> float:
        return 0.0

    async def propose(self, commands: Sequence[Command]) -> list[Outcome]:
        """Decide, unless this voter does not lead or the council was told to fail."""
        if not self.leading:
            raise NoMaster("not the master")
        return self._council.decide(self, commands)

    async def change(self, change: Change) -> None:
        raise NotImplementedError

    def watch(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)

    def on_replaced(self, watcher: Callable[[], None]) -> None:
        """Nothing is ever replaced here."""

    def on_leading(self, watcher: Callable[[bool], None]) -> None:
        self._on_leading.append(watcher)

    async def compact(self, index: int) -> None:
        raise NotImplementedError

    def apply(self, entry: bytes) -> list[Outcome]:
        outcomes, changes = self.ledger.apply(self.ledger.index + 1, decode(entry))
        self.tell(changes)
        return outcomes

    def tell(self, changes: Changes) -> None:
        for watcher in self._watchers:
            watcher(changes)

    def lead(self, leading: bool) -> None:
        if leading != self.leading:
            self.leading = leading
            for watcher in self._on_leading:
                watcher(leading)


class Council:
    """The voters, and the log that they agree on."""

    def __init__(self, count: int = 3) -> None:
        """Begin with the first one as master."""
        self.term = 0
        self.entries: list[bytes] = []
        self.fail_before = 0  # so many proposals are lost before they are agreed on, and the master with them
        self.fail_after = 0  # so many proposals are agreed on, but the master dies before it learns of that
        self.voters = [Voter(self, number) for number in range(1, count + 1)]
        self.elect(self.voters[0])

    def elect(self, voter: Voter) -> None:
        """Let another one lead."""
        self.term += 1
        for one in self.voters:
            one.lead(False)
        voter.lead(True)

    def decide(self, leader: Voter, commands: Sequence[Command]) -> list[Outcome]:
        """Have all voters apply an entry."""
        if self.fail_before:
            self.fail_before -= 1
            leader.lead(False)
            raise NoMaster("killed before it was agreed on")
        entry = encode(tuple(commands))
        self.entries.append(entry)
        outcomes = {one.number: one.apply(entry) for one in self.voters}
        digests = {one.ledger.digest() for one in self.voters}
        assert len(digests) == 1, "the voters disagree"
        if self.fail_after:
            self.fail_after -= 1
            leader.lead(False)
            raise NoMaster("killed before it learned that it was agreed on")
        return outcomes[leader.number]
