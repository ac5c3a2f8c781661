"""What was proposed at this voter and is not decided yet: proposals wait for an entry, then for what becomes of it.

Each proposer is answered once. Refuses to know how entries are agreed on (replica), and what the commands mean.
"""

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from ..core.commands import Command
from ..core.consensus import Entry, EntryKind
from ..core.errors import Conflict, NoMaster, OrchestraError
from ..core.ledger import Outcome

MAX_COMMANDS = 20_000
"""Commands in one log entry. Larger: fewer writes under load; smaller: shorter pauses while an entry is applied."""

Proposal: TypeAlias = tuple[Sequence[Command], asyncio.Future[list[Outcome]]]
"""Commands that belong together, and who waits for their outcomes."""

ELSEWHERE = "ask the master, or again in a moment: a request id makes that safe"
"""What who proposed may do where this agent does not decide."""


class Proposals:
    """Those of one voter, in the order in which they came."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: list[Proposal] = []
        self._offered: dict[int, tuple[int, list[Proposal]]] = {}  # index -> term, what is in the entry
        self._changes: dict[int, tuple[int, asyncio.Future[None]]] = {}  # index -> term, who waits for the change

    @property
    def waiting(self) -> bool:
        """Whether any are in no entry yet."""
        return bool(self._waiting)

    def add(self, commands: Sequence[Command]) -> asyncio.Future[list[Outcome]]:
        """Take in commands; the future is done when they are decided, or refused."""
        done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, done))
        return done

    def take(self) -> list[Proposal]:
        """Return as many waiting ones as fit into one entry, at least one."""
        count = taken = 0
        for commands, _ in self._waiting:
            if taken and count + len(commands) > MAX_COMMANDS:
                break
            count += len(commands)
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch

    def offered(self, index: int, term: int, batch: list[Proposal]) -> None:
        """Learn that these are in the entry at `index`, if it is the one of this term that is agreed on there."""
        self._offered[index] = (term, batch)

    def change(self, index: int, term: int) -> asyncio.Future[None]:
        """Learn that a change of the voters is in the entry at `index`; the future is done when it is applied."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changes[index] = (term, done)
        return done

    def commands_of(self, entry: Entry) -> Sequence[Command] | None:
        """Return the commands of an entry that is agreed on, where it is one that was proposed here."""
        term, batch = self._offered.get(entry.index, (0, []))
        return [command for commands, _ in batch for command in commands] if batch and term == entry.term else None

    def decided(self, entry: Entry, outcomes: Sequence[Outcome]) -> None:
        """Answer those who proposed what is at this place of the log, whether or not this is it."""
        self._decided_change(entry)
        term, batch = self._offered.pop(entry.index, (0, []))
        if term != entry.term:
            refuse(batch, NoMaster(f"another master decided something else; {ELSEWHERE}"))
            return
        position = 0
        for commands, done in batch:
            if not done.done():  # a requester that gave up does not undo what it asked for
                done.set_result(list(outcomes[position : position + len(commands)]))
            position += len(commands)

    def _decided_change(self, entry: Entry) -> None:
        term, change = self._changes.pop(entry.index, (0, None))
        if change is None or change.done():
            return
        if term == entry.term and entry.kind is EntryKind.CHANGE:
            change.set_result(None)
        else:
            change.set_exception(Conflict("the change of the voters came to nothing; try again in a moment"))

    def refuse_waiting(self, error: OrchestraError) -> None:
        """Answer those that are in no entry: nothing came of them."""
        batch, self._waiting = self._waiting, []
        refuse(batch, error)

    def give_up(self, error: OrchestraError) -> None:
        """Answer those that are in entries not agreed on yet; their fate is told some other way than by `decided`."""
        batch = [proposal for _, batch in self._offered.values() for proposal in batch]
        self._offered.clear()
        refuse(batch, error)
        for _, change in self._changes.values():
            if not change.done():
                change.set_exception(NoMaster(ELSEWHERE))
        self._changes.clear()


def refuse(batch: Sequence[Proposal], error: OrchestraError) -> None:
    """Answer proposals with an error."""
    for _, done in batch:
        if not done.done():
            done.set_exception(error)
