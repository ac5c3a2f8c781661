"""A network of real machines on simulated disks, wires and clocks: one thread, virtual time, everything from one seed.

The world does what it is told (deliver, tick, sync, crash ...) and checks after every step what must always hold
(`rules`); who decides what happens next is the walker or Hypothesis.
"""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING, Any

from job_orchestra.core.consensus import (
    MAY_OVERTAKE_SYNC,
    Change,
    Config,
    Configuration,
    Entry,
    EntryKind,
    Kind,
    Message,
    Raft,
    Role,
    Snapshot,
)
from job_orchestra.core.consensus.messages import decode_message, encode_message
from job_orchestra.core.errors import Conflict, InvalidInput, LimitReached, NoMaster

from .disk import Saved, Transaction, View, commit
from .peer import Peer
from .rules import Rules, Violation
from .states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from job_orchestra.core.consensus import Ready

TICK, MESSAGE, SYNC, REPORT = range(4)
"""Kinds of events."""

EARLY = tuple(kind in MAY_OVERTAKE_SYNC for kind in Kind)
DRIFT = 0.02
"""How much faster or slower than true time a clock may run."""


def lease(election_ticks: int) -> float:
    """Return the longest lease, in ticks, that such clocks allow."""
    return (election_ticks - 1) * (1 - 3 * DRIFT)


class Weather:
    """How bad network and disks are in one schedule."""

    __slots__ = ("delay", "drop", "duplicate", "jitter", "late", "sync")

    def __init__(self) -> None:
        """Begin with fair weather."""
        self.delay = 0.05  # ticks that a message takes at least
        self.jitter = 0.0  # up to so many more; 0: what is sent first arrives first
        self.late = 0.0  # share of messages that take ten times as long and more
        self.drop = 0.0  # share that is lost
        self.duplicate = 0.0  # share that arrives twice
        self.sync = 0.0  # ticks that a sync takes, up to; 0: none


class World(Rules):
    """All members, what is under way between them, and what must hold."""

    def __init__(
        self,
        seed: int,
        voters: int,
        learners: int = 0,
        settings: Mapping[str, Any] | None = None,
        state: State | None = None,
    ) -> None:
        """Begin with members 1 to `voters` + `learners`, all up; `settings` are those of Config."""
        super().__init__(state or State(), asks_first=(settings or {}).get("pre_vote", True))
        self.random = Random(seed)
        self.roll = self.random.random
        self.events: list[tuple[float, int, Peer, int, object]] = []
        self.number = 0  # of the last event
        self.weather = Weather()
        self.blocked: set[tuple[int, int]] = set()  # (from, to)
        self.stalled: set[tuple[int, int]] = set()  # (from, to): what is sent waits until it is released
        self.held: list[Message] = []  # what waits
        self.wired = False  # messages travel as bytes
        self.settings = {"election_ticks": 5, "max_inflight_messages": 4, **(settings or {})}
        self.settings.setdefault("lease_s", lease(self.settings["election_ticks"]))
        self._handlers = (self._on_tick, self._on_message, self._on_sync, self._on_report)  # by kind of event
        members = tuple(range(1, voters + learners + 1))
        first = Saved(1, 1, 0, Configuration(members[:voters], members[voters:]))
        for member in members:
            self.add(member, first)

    # What happens to members

    def add(self, member: int, saved: Saved | None = None) -> Peer:
        """Start a new member, by default one that knows nothing."""
        peer = self.peers[member] = Peer(member, saved or Saved(0, 0, 0, Configuration()))
        peer.rate = 1.0 + (self.roll() * 2 - 1) * DRIFT
        for other in self.peers.values():
            other.isolated_at = -1  # nothing separates it from the new one
        self.start(peer)
        return peer

    def start(self, peer: Peer) -> None:
        """Start a member from its disk."""
        peer.log = View(peer.take)
        saved = peer.disk.recover(peer.log)
        peer.applied, peer.term, peer.digest, peer.configuration = saved
        peer.up, peer.full, peer.busy, peer.paused_until = True, False, None, 0.0
        peer.life += 1
        peer.raft = Raft(self.config(peer.id), peer.log, self.random, self.applied_at_start(peer))
        peer.raft.now = self.clock(peer)
        peer.commit = peer.raft.log.committed
        peer.truncations = 0
        self._push(self.roll() * peer.rate, peer, TICK, peer.life)
        self.watch(peer)

    def config(self, member: int) -> Config:
        """Return the configuration of a member."""
        return Config(id=member, **self.settings)

    def applied_at_start(self, peer: Peer) -> int:
        """Return the index that a driver starts its machine from."""
        return peer.applied

    def stop(self, peer: Peer, *, power: bool) -> None:
        """Kill a member, or take its power: then part of what was not synced is gone."""
        peer.up, peer.busy = False, None
        self.leading.discard(peer)
        if power:
            peer.disk.lose_power(self.roll())
            self.counts["power losses"] += 1
        else:
            self.counts["kills"] += 1

    def compact(self, peer: Peer, keep: int) -> None:
        """Drop what is applied from a log, but for the last `keep` entries."""
        index = peer.applied - keep
        if not peer.up or index < peer.log.first_index():
            return
        peer.disk.sync_state()  # what is dropped from the log must be safe in the state
        peer.log.compact(index)
        peer.disk.pending.append(Transaction(compact=index))
        self.counts["compactions"] += 1

    def propose(self, peer: Peer, request: bytes) -> None:
        """Ask a member to have a request agreed on."""
        self._ask(peer, lambda: peer.raft.propose(request))

    def change(self, peer: Peer, change: Change) -> None:
        """Ask a member to change the membership."""
        self._ask(peer, lambda: peer.raft.propose_change(change))

    def transfer(self, peer: Peer, to: int) -> None:
        """Ask a member to hand over."""
        self._ask(peer, lambda: peer.raft.transfer(to))

    def read(self, peer: Peer, context: bytes) -> None:
        """Ask a leader for what is agreed on."""
        self.reads[context] = len(self.committed) - 1
        self._ask(peer, lambda: peer.raft.read_index(context))

    def _ask(self, peer: Peer, what: Callable[[], None]) -> None:
        if not peer.up or peer.paused_until > self.time:
            return
        peer.raft.now = self.clock(peer)
        try:
            what()
        except (NoMaster, Conflict, LimitReached, InvalidInput):
            self.counts["refusals"] += 1
        self.work(peer)

    # What happens next

    def next(self) -> None:
        """Let the next event happen."""
        event = heappop(self.events)
        self.time = event[0]
        self.happen(event)

    def happen(self, event: tuple[float, int, Peer, int, object]) -> None:
        """Let an event happen now."""
        _, _, peer, kind, what = event
        if not peer.up:
            if kind == MESSAGE and what.kind is Kind.SNAPSHOT:  # type: ignore[attr-defined]
                self._report_snapshot(what, ok=False)  # type: ignore[arg-type]
            return
        if peer.paused_until > self.time:
            self._push(peer.paused_until - self.time + self.roll() * 0.1, peer, kind, what)
            return
        peer.raft.now = self.time / peer.rate + peer.skew
        if self._handlers[kind](peer, what):
            self.work(peer)

    def _on_tick(self, peer: Peer, life: object) -> bool:
        if life != peer.life:
            return False
        self._push(peer.rate, peer, TICK, life)
        peer.raft.tick()
        return True

    def _on_message(self, peer: Peer, what: object) -> bool:
        message: Message = what  # type: ignore[assignment]
        if self.blocked and (message.sender, peer.id) in self.blocked:
            self._lost(message)
            return False
        kind, raft = message.kind, peer.raft
        if kind is Kind.SNAPSHOT:
            self._report_snapshot(message, ok=True)
        raft.step(message)
        if kind is Kind.APPEND_REPLY and raft.role is Role.LEADER and not message.reject:
            self._check_match(peer, message.sender)
        return True

    def _on_sync(self, peer: Peer, life: object) -> bool:
        if life != peer.life or peer.busy is None:
            return False
        self.synced(peer)
        return True

    def _on_report(self, peer: Peer, what: object) -> bool:
        life, report = what  # type: ignore[misc]
        if life == peer.life:  # pyright: ignore[reportUnknownMemberType]
            report(peer.raft)
        return True

    def _push(self, after: float, peer: Peer, kind: int, what: object) -> None:
        self.number += 1
        heappush(self.events, (self.time + after, self.number, peer, kind, what))

    # The driver

    def work(self, peer: Peer) -> None:
        """Let a member do what it has to."""
        raft = peer.raft
        self.watch(peer)
        while peer.busy is None and raft.has_ready():
            ready = raft.ready()
            if peer.full and (ready.entries or ready.hard_state or ready.snapshot):
                self.counts["disks full"] += 1
                self.stop(peer, power=False)  # it says why and stops; it never acknowledges
                return
            for message in ready.messages:
                if EARLY[message.kind]:
                    self.send(message)
            if ready.reads:
                self._check_reads(ready)
            peer.busy = ready
            if self.write(peer, ready):
                return
            self.finish(peer, ready)
            self.watch(peer)

    def write(self, peer: Peer, ready: Ready) -> bool:
        """Write; return whether a sync must be waited for."""
        snapshot = ready.snapshot
        if snapshot is not None:
            self.install(peer, snapshot)
        if ready.hard_state is not None or ready.entries or snapshot is not None:
            if ready.entries:
                self._check_kept(peer, ready.entries)
            transaction = Transaction(ready.hard_state, snapshot, ready.entries)
            commit(peer.log, transaction)
            peer.disk.pending.append(transaction)
            if self.must_sync(ready):
                latency = self.weather.sync + peer.slow
                if latency:
                    self._push(self.roll() * latency, peer, SYNC, peer.life)
                    return True
                peer.disk.sync()
        return False

    def must_sync(self, ready: Ready) -> bool:
        """Return whether a Ready must be on disk before it is acknowledged."""
        return ready.must_sync or ready.snapshot is not None

    def install(self, peer: Peer, snapshot: Snapshot) -> None:
        """Write the state of a snapshot, before the log may refer to it."""
        peer.disk.save(Saved(snapshot.index, snapshot.term, int(snapshot.data), snapshot.configuration))
        peer.disk.sync_state()

    def synced(self, peer: Peer) -> None:
        """Go on after a sync."""
        ready = peer.busy
        assert ready is not None
        peer.disk.sync()
        self.finish(peer, ready)
        self.watch(peer)

    def finish(self, peer: Peer, ready: Ready) -> None:
        """Send what was held back, apply, and tell the machine."""
        peer.busy = None
        for message in ready.messages:
            if not EARLY[message.kind]:
                self.send(message)
        if ready.snapshot is not None:
            snapshot = ready.snapshot
            peer.applied, peer.term = snapshot.index, snapshot.term
            peer.digest, peer.configuration = int(snapshot.data), snapshot.configuration
            self.counts["snapshots"] += 1
            self._check_installed(peer)
        if ready.committed:
            for entry in ready.committed:
                self.apply(peer, entry)
            peer.disk.save(Saved(peer.applied, peer.term, peer.digest, peer.configuration))
            if len(peer.disk.saved) > 6:
                peer.disk.sync_state()
        peer.raft.advance(ready)

    def apply(self, peer: Peer, entry: Entry) -> None:
        """Apply an entry, and compare with what the others applied."""
        self._check_applied(peer, entry)
        if entry.kind is EntryKind.CHANGE:
            peer.configuration = peer.raft.apply_change(peer.raft.decode_change(entry))
            self.counts["changes"] += 1
            self.watch(peer)
        elif entry.data and entry.term == peer.raft.term and peer.raft.role is Role.LEADER:
            self.acknowledged.setdefault(entry.data, entry.index)

    def send(self, message: Message) -> None:
        """Put a message on the wire."""
        weather, roll = self.weather, self.roll
        if (self.blocked and (message.sender, message.to) in self.blocked) or (weather.drop and roll() < weather.drop):
            self._lost(message)
            return
        if self.stalled and (message.sender, message.to) in self.stalled:
            self.held.append(message)
            return
        target = self.peers.get(message.to)
        if target is None:
            return
        if self.wired:
            message = decode_message(encode_message(message))
        delay = weather.delay + roll() * weather.jitter
        if weather.late and roll() < weather.late:
            delay *= 10 + 40 * roll()
        self._push(delay, target, MESSAGE, message)
        if weather.duplicate and roll() < weather.duplicate:
            self._push(delay + roll() * 4, target, MESSAGE, message)
            self.counts["duplicates"] += 1

    def release(self) -> None:
        """Let stalled connections go on, with all that they held."""
        held, self.held = self.held, []
        self.stalled.clear()
        for message in held:
            self.send(message)
        self.counts["held back"] += len(held)

    def _lost(self, message: Message) -> None:
        self.counts["drops"] += 1
        if message.kind is Kind.SNAPSHOT:
            self._report_snapshot(message, ok=False)
        elif message.kind is Kind.APPEND and self.roll() < 0.1:
            sender, to = self.peers[message.sender], message.to
            self._push(0.1, sender, REPORT, (sender.life, lambda raft: raft.report_unreachable(to)))

    def _report_snapshot(self, message: Message, *, ok: bool) -> None:
        sender, to = self.peers[message.sender], message.to
        self._push(0.5, sender, REPORT, (sender.life, lambda raft: raft.report_snapshot(to, ok=ok)))

    # At the end

    def calm(self) -> None:
        """Let everything be well from now on."""
        self.weather = Weather()
        self.blocked.clear()
        self.release()
        for peer in self.peers.values():
            peer.paused_until, peer.slow, peer.isolated_at, peer.full = 0.0, 0.0, -1, False
            if not peer.up and not peer.retired:
                self.start(peer)

    def converged(self) -> bool:
        """Return whether one leads and all members have applied everything."""
        leaders = [peer for peer in self.leading if peer.up]
        if not leaders:
            return False
        leader = max(leaders, key=lambda peer: peer.raft.term)
        raft = leader.raft
        if not raft.log.last == raft.log.committed == leader.applied or raft.log.term(raft.log.last) != raft.term:
            return False
        return all(
            (other := self.peers[member]).applied == leader.applied and other.digest == leader.digest
            for member in raft.members.progress
        )

    def settle(self, limit: int = 40_000) -> None:
        """Calm down, and check that all come to agree and that nothing acknowledged is gone."""
        self.calm()
        asked = b""
        for step in range(limit):
            self.next()
            if step % 16 == 15 and self.converged():
                if asked in self.acknowledged:
                    break
                leader = max(self.leading, key=lambda peer: peer.raft.term)
                asked = self.state.request(1_000_000 + step)
                self.propose(leader, asked)
        else:
            raise Violation("calm for long, and still no agreement: " + self.describe())
        self._check_acknowledged()
