"""One voter's share in the network's state: drives the consensus machine, applies what is agreed on, answers proposals.

Proposals that arrive while an entry is being written share the next one (group commit); an idle voter writes at once.
What is promised to other members is sent only after the write returned. A write that fails takes everything back that
was not written: the machine is made anew from what is stored, whoever proposed gets the error, and it is tried again
with the next proposal. Refuses to know what the commands mean, and how messages travel (`Transport`).
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeAlias

import msgspec

from ..core.commands import Command, decode, encode
from ..core.consensus import (
    MAY_OVERTAKE_SYNC,
    Config,
    Configuration,
    Entry,
    EntryKind,
    HardState,
    MemoryLog,
    Message,
    Raft,
    Ready,
    Role,
    Snapshot,
)
from ..core.errors import NoMaster, OrchestraError, StorageError
from ..core.ledger import Changes, Ledger, Outcome
from .journal import Journal

log = logging.getLogger(__name__)

MAX_COMMANDS = 20_000
"""Commands in one log entry. Larger: fewer writes under load; smaller: shorter pauses while an entry is applied."""

RETRY_S = 1.0
"""Seconds after a failed write until this voter tries by itself to take part again."""

CONFIGURATION = "configuration"
"""Name of the meta row that holds the members as of the applied index, as JSON."""

Watcher = Callable[[Changes], None]
"""Told, on the event loop and in order, what each committed entry changed."""

_Proposal: TypeAlias = tuple[Sequence[Command], asyncio.Future[list[Outcome]]]


class Replica(Protocol):
    """What master and service see."""

    ledger: Ledger  # as of the last applied entry; read it, never change it

    @property
    def term(self) -> int:
        """The term, as far as this agent knows."""
        ...

    @property
    def leading(self) -> bool:
        """Whether this agent is the master, and its ledger holds all that was agreed on before."""
        ...

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


class Transport(Protocol):
    """The way to the other members. Messages may be lost, and come in any order."""

    def send(self, messages: Sequence[Message]) -> None:
        """Send, without waiting."""
        ...


class Snapshots(Protocol):
    """How a whole state travels, where a log does not reach back."""

    def take(self) -> Snapshot | None:
        """Return a snapshot of what is durable now; its data says how to get the state."""
        ...

    async def install(self, snapshot: Snapshot) -> Ledger:
        """Get the state, make it durable, and return the ledger that it holds."""
        ...


class _View(MemoryLog):
    """The stored log, in memory, with the snapshots of the driver."""

    __slots__ = ("snapshots",)

    def __init__(self, snapshots: Snapshots | None) -> None:
        super().__init__()
        self.snapshots = snapshots

    def snapshot(self) -> Snapshot | None:
        """Return the newest snapshot."""
        return self.snapshots.take() if self.snapshots is not None else self.state


class RaftReplica:
    """One voter or learner."""

    def __init__(  # noqa: PLR0913 - its seams
        self,
        journal: Journal,
        ledger: Ledger,
        *,
        config: Config,
        configuration: Configuration,
        transport: Transport | None = None,
        snapshots: Snapshots | None = None,
        tick_s: float = 0.1,
        seed: int | None = None,
    ) -> None:
        """Begin where the ledger, as the store remembers it, ends; what is behind it is applied when agreed on.

        `configuration` is that of the ledger's index. Raises StorageError when log and store do not fit together.
        """
        self.ledger = ledger
        self.caught_up = asyncio.Event()
        """Set when this voter first leads, or follows, with all applied that it knew to be agreed on."""
        self.log_bytes = 0
        """About how many bytes of log are kept in memory, until `compact`."""
        self._journal = journal
        self._config = config
        self._transport = transport
        self._snapshots = snapshots
        self._tick_s = tick_s
        self._random = random.Random(seed)  # noqa: S311 - election timeouts are no secrets
        self._watchers: list[Watcher] = []
        self._waiting: list[_Proposal] = []
        self._pending: dict[int, tuple[int, list[_Proposal]]] = {}  # index -> term, whom to answer
        self._wake = asyncio.Event()
        self._closing = False
        self._problem: StorageError | None = None  # why the last write failed
        self._settled_term = 0  # the term of which an entry is applied here while leading
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        if journal.first > ledger.index + 1 or journal.last < ledger.index:
            message = (
                f"the log {journal.path} (entries {journal.first} to {journal.last}) does not fit the store, which "
                f"reflects entry {ledger.index}; restore both from the same backup, or begin anew in another --data"
            )
            journal.close()
            raise StorageError(message)
        self._view = _View(snapshots)
        self._view.start, self._view.start_term = journal.first - 1, journal.base_term
        self._view.entries_ = list(journal.entries(journal.first))
        self._view.hard_state = journal.state()
        self._view.configuration = configuration
        self.raft = self._machine()

    @property
    def term(self) -> int:
        """See Replica."""
        return self.raft.term

    @property
    def leading(self) -> bool:
        """See Replica."""
        return self.raft.role is Role.LEADER and self._settled_term == self.raft.term

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

    def receive(self, message: Message) -> None:
        """Take in a message of another member."""
        self.raft.now = time.monotonic()
        self.raft.step(message)
        self._wake.set()

    async def run(self) -> None:
        """Take part until `close`."""
        ticking = asyncio.get_running_loop().create_task(self._tick())
        self._campaign_alone()
        self._wake.set()
        try:
            while not (self._closing and not self._waiting):
                await self._wake.wait()
                self._wake.clear()
                if self._problem is not None:
                    self._begin_again()
                await self._work()
        finally:
            ticking.cancel()
            why = f"this agent stopped while it decided; {self._no_master()}"
            self._refuse([*self._take_pending(), *self._waiting], NoMaster(why))
            self._waiting = []

    async def compact(self, index: int) -> None:
        """See Replica."""
        index = min(index, self.ledger.index, self._view.last_index())
        await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.compact, index)
        self._forget(index)

    def close(self) -> None:
        """Refuse further proposals; `run` ends when those before are through."""
        self._closing = True
        self._wake.set()

    def release(self) -> None:
        """Give the journal back, after `run` has ended."""
        self._thread.shutdown()
        self._journal.close()

    def _forget(self, index: int) -> None:
        """Drop entries from memory."""
        if index > self._view.start:
            self._view.compact(index)
            self.log_bytes = sum(len(entry.data) for entry in self._view.entries_)

    # -- the machine's work

    def _machine(self) -> Raft:
        return Raft(self._config, self._view, self._random, self.ledger.index)

    def _campaign_alone(self) -> None:
        """Lead at once where nobody else has a vote."""
        if self.raft.members.alone() and self.raft.promotable():
            self.raft.now = time.monotonic()
            self.raft.campaign()

    async def _tick(self) -> None:
        """Let the machine's time pass; a voter that is alone needs none."""
        while True:
            await asyncio.sleep(self._tick_s)
            if len(self.raft.members.progress) > 1:
                self.raft.now = time.monotonic()
                self.raft.tick()
                if self.raft.has_ready():
                    self._wake.set()

    async def _work(self) -> None:
        """Do what there is to do."""
        self._offer()
        while self.raft.has_ready():
            ready = self.raft.ready()
            try:
                await self._carry_out(ready)
            except StorageError as error:
                self._fail(error)
                return
            self.raft.advance(ready)
            if self.raft.members.alone():
                self._forget(self.ledger.index)  # nobody will ask for it; who joins later gets a snapshot
            self._offer()

    def _offer(self) -> None:
        """Hand what was proposed to the machine, as one entry."""
        if not self._waiting:
            return
        if self.raft.role is not Role.LEADER and not self.raft.members.alone():
            self._refuse(self._waiting, NoMaster(self._no_master()))
            self._waiting = []
            return
        if not self.leading:
            return  # about to be elected, or its own first entry is not agreed on yet: a moment
        batch = self._take()
        try:
            self.raft.propose(encode([command for commands, _ in batch for command in commands]))
        except OrchestraError as error:
            self._refuse(batch, error)
            return
        self._pending[self.raft.log.last] = (self.raft.term, batch)

    def _take(self) -> list[_Proposal]:
        """Take as many proposals as fit into one entry, at least one."""
        count = taken = 0
        for commands, _ in self._waiting:
            if taken and count + len(commands) > MAX_COMMANDS:
                break
            count += len(commands)
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch

    async def _carry_out(self, ready: Ready) -> None:
        """Do, in its order, what the machine wants done (core/consensus/ready.py)."""
        self._send([message for message in ready.messages if message.kind in MAY_OVERTAKE_SYNC])
        if ready.snapshot is not None:
            await self._install(ready.snapshot)
        if ready.must_sync:
            loop = asyncio.get_running_loop()
            state = ready.hard_state or HardState(self.raft.term, self.raft.vote, self._view.hard_state.commit)
            await loop.run_in_executor(self._thread, self._journal.append, ready.entries, state)
            self._view.append(ready.entries)
            self.log_bytes += sum(len(entry.data) for entry in ready.entries)
        if ready.hard_state is not None:
            # a commit index alone is not worth a sync: it is written with the next entries, or learned again
            self._view.hard_state = ready.hard_state
        self._send([message for message in ready.messages if message.kind not in MAY_OVERTAKE_SYNC])
        if ready.role is not None and ready.role[1] is not Role.LEADER:
            why = f"this agent was deposed while it decided; {self._no_master()}"
            self._refuse(self._take_pending(), NoMaster(why))
        for entry in ready.committed:
            self._apply(entry)
        if not self.caught_up.is_set() and (self.leading or (self.raft.leader and not self._behind())):
            self.caught_up.set()

    def _behind(self) -> bool:
        return self.ledger.index < self.raft.log.committed

    def _apply(self, entry: Entry) -> None:
        """Apply an entry that is agreed on, and answer whoever proposed it."""
        term, batch = self._pending.pop(entry.index, (0, []))
        if batch and term == entry.term:
            # what was proposed here needs no decoding, and shares its texts with what is known already
            commands: Sequence[Command] = [command for proposed, _ in batch for command in proposed]
        else:
            commands = decode(entry.data) if entry.kind is EntryKind.NORMAL and entry.data else ()
        outcomes, changes = self.ledger.apply(entry.index, commands)
        if entry.kind is EntryKind.CHANGE:
            configuration = self.raft.apply_change(self.raft.decode_change(entry))
            self._view.configuration = configuration
            changes.meta[CONFIGURATION] = msgspec.json.encode(configuration).decode()
        if self.raft.role is Role.LEADER and entry.term == self.raft.term:
            self._settled_term = entry.term
        for watcher in self._watchers:
            watcher(changes)
        if term != entry.term:
            self._refuse(batch, NoMaster(f"another master decided something else; {self._no_master()}"))
            return
        position = 0
        for proposed, done in batch:
            if not done.done():  # a requester that gave up does not undo what it asked for
                done.set_result(outcomes[position : position + len(proposed)])
            position += len(proposed)

    async def _install(self, snapshot: Snapshot) -> None:
        if self._snapshots is None:
            message = "a snapshot arrived, and this agent cannot take any: upgrade it"
            raise StorageError(message)
        self.ledger = await self._snapshots.install(snapshot)
        await asyncio.get_running_loop().run_in_executor(
            self._thread, self._journal.install, snapshot.index, snapshot.term
        )
        self._view.install(snapshot)

    def _send(self, messages: list[Message]) -> None:
        if messages and self._transport is not None:
            self._transport.send(messages)

    # -- failing and coming back

    def _fail(self, error: StorageError) -> None:
        """Take everything back that was not written, and tell those who proposed it. Before anything began: raise."""
        if not self.caught_up.is_set() and self.raft.members.alone():
            raise error
        if self._problem is None:
            log.error("replica.write-failed: %s; nothing new is accepted", error)
        self._problem = error
        # what was sent to others before our own disk refused may still be agreed on by them
        open_end = error if self.raft.members.alone() else NoMaster(f"{error}; {self._no_master()}")
        self._refuse(self._take_pending(), open_end)
        self._refuse(self._waiting, error)
        self._waiting = []
        self.raft = self._machine()
        if not self._closing:
            asyncio.get_running_loop().call_later(RETRY_S, self._wake.set)

    def _begin_again(self) -> None:
        """Try to take part again after a write failed."""
        self._campaign_alone()
        if self.raft.has_ready() or not self.raft.members.alone():
            problem, self._problem = self._problem, None
            log.info("replica.again: after %s", problem)

    def _take_pending(self) -> list[_Proposal]:
        """Return what was proposed and not agreed on yet; its fate is told some other way than by applying it."""
        batch = [proposal for _, batch in self._pending.values() for proposal in batch]
        self._pending.clear()
        return batch

    @staticmethod
    def _refuse(batch: Sequence[_Proposal], error: OrchestraError) -> None:
        for _, done in batch:
            if not done.done():
                done.set_exception(error)

    def _no_master(self) -> str:
        return "ask the master, or again in a moment: a request id makes that safe"


def configuration_of(meta: dict[str, str], alone: Configuration) -> Configuration:
    """Return the members that a store remembers; `alone` where it remembers none: a network of one."""
    text = meta.get(CONFIGURATION)
    return msgspec.json.decode(text, type=Configuration) if text else alone
