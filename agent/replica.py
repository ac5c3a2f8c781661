"""One voter's share in the network's state: drives the consensus machine, applies what is agreed on, answers proposals.

Proposals that arrive while an entry is being written share the next one (group commit); an idle voter writes at once.
What is promised to other members is sent only after the write returned. A write that fails takes everything back that
was not written: the machine is made anew from what is stored, whoever proposed gets the error, and it is tried again
with the next proposal. Refuses to know what the commands mean, and how messages travel (`Transport`).
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from ..core.commands import Command, decode, encode
from ..core.consensus import (
    MAY_OVERTAKE_SYNC,
    NOBODY,
    Change,
    Config,
    Configuration,
    Entry,
    EntryKind,
    Flow,
    HardState,
    Kind,
    Member,
    Message,
    Raft,
    Ready,
    Role,
    Snapshot,
)
from ..core.errors import LimitReached, NoMaster, NotLeading, OrchestraError, StorageError
from ..core.ledger import Ledger, Outcome
from .agreement import CONFIGURATION, TERM, Snapshots, Transport, Watcher
from .journal import Journal
from .logview import LogView
from .proposals import ELSEWHERE, Proposals, refuse

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Seconds after a failed write until this voter tries by itself to take part again."""

RESUMED_S = 1.0
"""Seconds without a tick (the machine slept, the process was stopped) after which a leader steps down before it acts.

Others may lead by then: what it would do as a leader could only fail, and its clients learn so at once.
"""

SNAPSHOT_S = 60.0
"""Seconds for a member to install a snapshot before it is asked anew where its log ends."""


def clock() -> float:
    """Return seconds since some moment, also of those in which the machine slept, where the system can tell."""
    return time.clock_gettime(_CLOCK)


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_OF_LEADERS = frozenset({Kind.APPEND, Kind.HEARTBEAT, Kind.SNAPSHOT})


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
        recovered: int = 0,
        tick_s: float = 0.1,
        seed: int | None = None,
    ) -> None:
        """Begin where the ledger, as the store remembers it, ends; what is behind it is applied when agreed on.

        `configuration` is that of the ledger's index; changes of it in the log up to `recovered` count no more. Raises
        StorageError when log and store do not fit together.
        """
        self.ledger = ledger
        self.caught_up = asyncio.Event()
        """Set when this voter first leads, or follows, with all applied that it knew to be agreed on."""
        self.log_bytes = 0
        """About how many bytes were added to the log since the last `compact`."""
        self._journal = journal
        self._config = config
        self._transport = transport
        self._snapshots = snapshots
        self._recovered = recovered
        self._tick_s = tick_s
        self._random = random.Random(seed)  # noqa: S311 - election timeouts are no secrets
        self._watchers: list[Watcher] = []
        self._on_replaced: list[Callable[[], None]] = []
        self._on_leading: list[Callable[[bool], None]] = []
        self._led = False  # what those were told last
        self._described = False  # whether an entry was applied that told the store who votes
        self._ticked = clock()
        self._heard = clock()  # when a leader last spoke
        self._snapshots_sent: dict[Member, float] = {}  # member -> when the one under way was first seen
        self._proposals = Proposals()
        self._wake = asyncio.Event()
        self._closing = False
        self._problem: StorageError | None = None  # why the last write failed
        self._settled_term = 0  # the term of which an entry is applied here while leading
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        try:
            self._view = LogView(journal, ledger.index, configuration)
        except StorageError:
            journal.close()
            raise
        self._view.take = self._snapshot
        self.raft = self._machine()

    @property
    def term(self) -> int:
        """See Replica."""
        return self.raft.term

    @property
    def leader(self) -> Member:
        """See Replica."""
        return self.raft.leader

    @property
    def age(self) -> float:
        """See Replica."""
        return 0.0 if self.leading else clock() - self._heard

    @property
    def configuration(self) -> Configuration:
        """See Replica."""
        return self.raft.members.configuration

    @property
    def leading(self) -> bool:
        """See Replica."""
        return self.raft.role is Role.LEADER and self._settled_term == self.raft.term

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of every entry that is applied from now on."""
        self._watchers.append(watcher)

    def on_replaced(self, watcher: Callable[[], None]) -> None:
        """See Replica."""
        self._on_replaced.append(watcher)

    def on_leading(self, watcher: Callable[[bool], None]) -> None:
        """See Replica."""
        self._on_leading.append(watcher)

    async def change(self, change: Change) -> None:
        """See Replica."""
        if not self.leading:
            raise NoMaster(ELSEWHERE)
        self.raft.propose_change(change)
        done = self._proposals.change(self.raft.log.last, self.raft.term)
        self._wake.set()
        await done

    def transfer(self, to: Member) -> None:
        """Let another voter lead, as soon as it has everything. Nothing happens where this agent does not lead."""
        if self.raft.role is Role.LEADER:
            self.raft.transfer(to)
            self._wake.set()

    def unreachable(self, member: Member) -> None:
        """Learn that messages to a member were lost."""
        self.raft.report_unreachable(member)

    def behind(self, member: Member) -> int | None:
        """Return how many entries a member lacks, as this leader knows; None: that is not known."""
        progress = self.raft.members.progress.get(member)
        if progress is None or self.raft.role is not Role.LEADER or progress.state is Flow.SNAPSHOT:
            return None
        if not progress.match:
            return None  # it has acknowledged nothing yet
        return self.raft.log.last - progress.match

    async def propose(self, commands: Sequence[Command]) -> list[Outcome]:
        """See Replica."""
        if self._closing:
            message = "this agent is stopping; ask another agent, or this one when it is up again"
            raise NoMaster(message)
        if not commands:
            return []
        done = self._proposals.add(commands)
        self._wake.set()
        return await done

    def receive(self, message: Message) -> None:
        """Take in a message of another member."""
        self._check_resumed()
        now = self.raft.now = clock()
        if message.term >= self.raft.term and message.kind in _OF_LEADERS:
            self._heard = now
        with contextlib.suppress(NoMaster, LimitReached):  # nobody proposes to others here
            self.raft.step(message)
        self._wake.set()

    async def run(self) -> None:
        """Take part until `close`."""
        ticking = asyncio.get_running_loop().create_task(self._tick())
        self._campaign_alone()
        self._wake.set()
        try:
            while not (self._closing and not self._proposals.waiting):
                await self._wake.wait()
                self._wake.clear()
                if self._problem is not None:
                    self._begin_again()
                await self._work()
        finally:
            ticking.cancel()
            stopped = NoMaster(f"this agent stopped while it decided; {ELSEWHERE}")
            self._proposals.give_up(stopped)
            self._proposals.refuse_waiting(stopped)

    async def compact(self, index: int) -> None:
        """See Replica."""
        index = min(index, self.ledger.index, self._view.last_index())
        self.log_bytes = 0
        if not self._only:
            index = self._view.tail(index)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.compact, index)
        self._view.forget(index)

    def close(self) -> None:
        """Refuse further proposals; `run` ends when those before are through."""
        self._closing = True
        self._wake.set()

    def release(self) -> None:
        """Give the journal back, after `run` has ended."""
        self._thread.shutdown()
        self._journal.close()

    def _snapshot(self) -> Snapshot | None:
        """Return a snapshot of the state as of the last applied entry."""
        term = self._view.term(self.ledger.index)
        if self._snapshots is None or term is None:
            return None
        configuration = self.raft.members.configuration
        return Snapshot(self.ledger.index, term, configuration, self._snapshots.describe())

    # -- the machine's work

    def _machine(self) -> Raft:
        return Raft(self._config, self._view, self._random, self.ledger.index)

    def _campaign_alone(self) -> None:
        """Lead at once where nobody else has a vote."""
        if self._alone:
            self.raft.now = clock()
            self.raft.campaign()

    @property
    def _alone(self) -> bool:
        """Whether this member decides alone."""
        return self.raft.members.alone() and self.raft.promotable()

    @property
    def _only(self) -> bool:
        """Whether there is no other member: nobody asks for the log, and who joins later gets a snapshot."""
        return len(self.raft.members.progress) <= 1

    async def _tick(self) -> None:
        """Let the machine's time pass; a voter that is alone needs none."""
        while True:
            await asyncio.sleep(self._tick_s)
            self._check_resumed()
            self._ticked = clock()
            if not self._only:
                self.raft.now = self._ticked
                self.raft.tick()
                self._watch_snapshots()
                if self.raft.has_ready():
                    self._wake.set()

    def _check_resumed(self) -> None:
        """Step down if time passed unnoticed: somebody else may lead by now."""
        if clock() - self._ticked < RESUMED_S + self._tick_s:
            return
        self._ticked = clock()
        if self.raft.role is Role.LEADER and not self._alone:
            log.warning("replica.resumed: this agent slept; it leads no more until it is elected again")
            self.raft.become_follower(self.raft.term, NOBODY)
            self._wake.set()

    def _watch_snapshots(self) -> None:
        """Ask anew where a member's log ends if a snapshot to it takes too long."""
        under_way = [one.member for one in self.raft.members.peers if one.state is Flow.SNAPSHOT]
        self._snapshots_sent = {one: self._snapshots_sent.get(one, self._ticked) for one in under_way}
        for one, since in list(self._snapshots_sent.items()):
            if self._ticked - since > SNAPSHOT_S:
                del self._snapshots_sent[one]
                self.raft.report_snapshot(one, ok=False)

    async def _work(self) -> None:
        """Do what there is to do."""
        self._check_resumed()
        self._offer()
        while self.raft.has_ready():
            ready = self.raft.ready()
            try:
                await self._carry_out(ready)
            except StorageError as error:
                self._fail(error)
                return
            if ready.snapshot is None or ready.snapshot.index == self.ledger.index:
                self.raft.advance(ready)
            else:
                self.raft = self._machine()  # what was installed is newer: go on as after a restart
            if ready.snapshot is not None:
                for watcher in self._on_replaced:
                    watcher()
            self._tell_leading()
            if self._only:
                self._view.forget(self.ledger.index)
            self._offer()
        self._tell_leading()

    def _tell_leading(self) -> None:
        if self._led != self.leading:
            self._led = self.leading
            for watcher in self._on_leading:
                watcher(self._led)

    def _offer(self) -> None:
        """Hand what was proposed to the machine, as one entry."""
        if not self._proposals.waiting:
            return
        if self.raft.role is not Role.LEADER and not self._alone:
            self._proposals.refuse_waiting(NotLeading(ELSEWHERE))
            return
        if not self.leading:
            return  # about to be elected, or its own first entry is not agreed on yet: a moment
        batch = self._proposals.take()
        try:
            self.raft.propose(encode([command for commands, _ in batch for command in commands]))
        except OrchestraError as error:
            refuse(batch, error)
            return
        self._proposals.offered(self.raft.log.last, self.raft.term, batch)

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
            self._proposals.give_up(NoMaster(f"this agent was deposed while it decided; {ELSEWHERE}"))
        for entry in ready.committed:
            self._apply(entry)
        if not self.caught_up.is_set() and (self.leading or (self.raft.leader and not self._behind())):
            self.caught_up.set()

    def _behind(self) -> bool:
        return self.ledger.index < self.raft.log.committed

    def _apply(self, entry: Entry) -> None:
        """Apply an entry that is agreed on, and answer whoever proposed it."""
        # what was proposed here needs no decoding, and shares its texts with what is known already
        commands = self._proposals.commands_of(entry)
        if commands is None:
            commands = decode(entry.data) if entry.kind is EntryKind.NORMAL and entry.data else ()
        outcomes, changes = self.ledger.apply(entry.index, commands)
        changes.meta[TERM] = str(entry.term)
        if entry.kind is EntryKind.CHANGE:
            void = entry.index <= self._recovered
            self._view.configuration = self.raft.apply_change(None if void else self.raft.decode_change(entry))
        if entry.kind is EntryKind.CHANGE or not self._described:
            # also with the first entry: what this member began with may not be what the store remembers (recovery)
            self._described = True
            changes.meta[CONFIGURATION] = msgspec.json.encode(self._view.configuration).decode()
        if self.raft.role is Role.LEADER and entry.term == self.raft.term:
            self._settled_term = entry.term
        for watcher in self._watchers:
            watcher(changes)
        self._proposals.decided(entry, outcomes)

    async def _install(self, snapshot: Snapshot) -> None:
        if self._snapshots is None:
            message = "a snapshot arrived, and this agent cannot take any: upgrade it"
            raise StorageError(message)
        found = await self._snapshots.install(snapshot)
        index = found.ledger.index
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._journal.install, index, found.term)
        self._snapshots.settled()
        self.ledger = found.ledger
        self._view.install(Snapshot(index, found.term, found.configuration))
        self.log_bytes = 0

    def _send(self, messages: list[Message]) -> None:
        if messages and self._transport is not None:
            self._transport.send(messages)

    # -- failing and coming back

    def _fail(self, error: StorageError) -> None:
        """Take everything back that was not written, and tell those who proposed it. Before anything began: raise."""
        if not self.caught_up.is_set() and self._alone:
            raise error
        if self._problem is None:
            log.error("replica.write-failed: %s; nothing new is accepted", error)
        self._problem = error
        # what was sent to others before our own disk refused may still be agreed on by them
        self._proposals.give_up(error if self._alone else NoMaster(f"{error}; {ELSEWHERE}"))
        self._proposals.refuse_waiting(error)
        self.raft = self._machine()
        if not self._closing:
            asyncio.get_running_loop().call_later(RETRY_S, self._wake.set)

    def _begin_again(self) -> None:
        """Try to take part again after a write failed."""
        self._campaign_alone()
        if self.raft.has_ready() or not self._alone:
            problem, self._problem = self._problem, None
            log.info("replica.again: after %s", problem)
