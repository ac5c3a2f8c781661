"""The seam between what the network decides and how the decision is made safe: propose commands, get outcomes.

`Replica` is what master and service see. `SoloReplica` is a network of one voter: it writes each entry to its journal,
applies it to the ledger and answers. Proposals that arrive while an entry is being written share the next one (group
commit); on an idle network a proposal is written at once. Refuses to know what the commands mean.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from ..core.commands import Command, decode, encode
from ..core.errors import NoMaster, OrchestraError, StorageError
from ..core.ledger import Changes, Ledger, Outcome
from .journal import Entry, HardState, Journal

MAX_COMMANDS = 20_000
"""Commands in one log entry. Larger: fewer writes under load; smaller: shorter pauses while an entry is applied."""

Watcher = Callable[[Changes], None]
"""Told, on the event loop and in order, what each committed entry changed."""


class Replica(Protocol):
    """One voter's share in the network's state."""

    ledger: Ledger  # as of the last applied entry; read it, never change it
    term: int  # of the current master
    leading: bool  # whether this agent is the master

    async def propose(self, commands: Sequence[Command]) -> list[Outcome]:
        """Make the commands durable and apply them; return one outcome each, in order.

        Raises NoMaster when this agent is not (or no longer) the master, StorageError when the log cannot be written:
        then nothing of them was accepted.
        """
        ...

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of every entry that is applied from now on."""
        ...

    async def compact(self, index: int) -> None:
        """Forget log entries up to `index`: what they did is durable in the store."""
        ...


class SoloReplica:
    """The only voter of its network."""

    def __init__(self, journal: Journal, ledger: Ledger) -> None:
        """Bring the ledger, as the store remembers it, up to the end of the journal."""
        self.ledger = ledger
        self.leading = True
        self.replayed = Changes(index=ledger.index)
        """What the replay changed and the store does not have yet."""
        self._journal = journal
        self._watchers: list[Watcher] = []
        self._waiting: list[tuple[Sequence[Command], asyncio.Future[list[Outcome]]]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        if journal.first > ledger.index + 1 or journal.last < ledger.index:
            message = (
                f"the log {journal.path} (entries {journal.first} to {journal.last}) does not fit the store, which "
                f"reflects entry {ledger.index}; restore both from the same backup, or begin anew in another --data"
            )
            raise StorageError(message)
        for entry in journal.entries(ledger.index + 1):
            _, changes = ledger.apply(entry.index, decode(entry.data))
            self.replayed.merge(changes)
        before = journal.state()
        self.term = (
            before.term + 1
        )  # each life of a sole voter is a term of its own: nothing from an earlier one counts
        journal.append((), HardState(term=self.term, vote="self", commit=journal.last))
        self._last = journal.last

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of every entry that is applied from now on."""
        self._watchers.append(watcher)

    async def propose(self, commands: Sequence[Command]) -> list[Outcome]:
        """See Replica."""
        if self._closing:
            message = "this agent is stopping; ask another agent, or this one when it is up again"
            raise NoMaster(message)
        if not commands:
            return []
        done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, done))
        self._wake.set()
        return await done

    async def run(self) -> None:
        """Write and apply what is proposed, until `close`."""
        while not (self._closing and not self._waiting):
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._commit(self._take())

    async def compact(self, index: int) -> None:
        """See Replica."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.compact, index)

    def close(self) -> None:
        """Refuse further proposals; `run` ends when those before are through."""
        self._closing = True
        self._wake.set()

    def release(self) -> None:
        """Give the journal back, after `run` has ended."""
        self._thread.shutdown()
        self._journal.close()

    def _take(self) -> list[tuple[Sequence[Command], asyncio.Future[list[Outcome]]]]:
        """Take as many proposals as fit into one entry, at least one."""
        count = taken = 0
        for commands, _ in self._waiting:
            if taken and count + len(commands) > MAX_COMMANDS:
                break
            count += len(commands)
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch

    async def _commit(self, batch: list[tuple[Sequence[Command], asyncio.Future[list[Outcome]]]]) -> None:
        commands = [command for part, _ in batch for command in part]
        entry = Entry(self._last + 1, self.term, encode(commands))
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.append, (entry,))
        except OrchestraError as error:
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
            return
        self._last = entry.index
        outcomes, changes = self.ledger.apply(entry.index, commands)
        for watcher in self._watchers:
            watcher(changes)
        position = 0
        for part, done in batch:
            if not done.done():  # a requester that gave up does not undo what it asked for
                done.set_result(outcomes[position : position + len(part)])
            position += len(part)
