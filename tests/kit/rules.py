"""What must always hold in a simulated network, checked after every step; a broken rule raises Violation.

    at most one leader in a term                    a lease and a later leader never at the same time
    no two entries committed at one index           reads hold everything that was committed before them
    a committed entry is on the disks of a majority an isolated member does not raise its term
    and is never replaced there                     what was acknowledged is applied, once
    all apply the same, in order, to the same state

The rules look at members from outside, with knowledge that no member has. They refuse to know why anything happened.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from job_orchestra.core.consensus import Entry, EntryKind, Role
from job_orchestra.core.errors import Damaged, InvariantError

if TYPE_CHECKING:
    from job_orchestra.core.consensus import Ready

    from .peer import Peer
    from .states import State


class Violation(Exception):
    """A rule that must always hold does not."""


class Rules:
    """What is known to be so, and whether members agree with it."""

    def __init__(self, state: State, *, asks_first: bool) -> None:
        """Begin with a network that has agreed on nothing; `asks_first`: members use pre-votes."""
        self.state = state
        self.asks_first = asks_first
        self.time = 0.0
        self.counts: Counter[str] = Counter()  # what happened, for the coverage of a run
        self.entries: list[Entry] = [Entry(0, 0), Entry(1, 1)]  # applied, by index
        self.digests: list[int] = [0, 0]  # after each of them
        self.committed: list[int] = [0, 1]  # term of the entry committed at each index
        self.electorate: tuple[int, ...] = ()  # the voters that the last entry was committed by
        self.leaders: dict[int, int] = {}  # term -> who leads it
        self.leading: set[Peer] = set()  # who thinks that it leads
        self.requests: dict[bytes, int] = {}  # request -> where it was applied first
        self.acknowledged: dict[bytes, int] = {}  # request -> where, as the client was told
        self.reads: dict[bytes, int] = {}  # read -> what was committed when it came
        self.peers: dict[int, Peer] = {}

    def clock(self, peer: Peer) -> float:
        """Return what a member's clock says."""
        return self.time / peer.rate + peer.skew

    def watch(self, peer: Peer) -> None:
        """Check a member after something happened to it."""
        raft = peer.raft
        log = raft.log
        if log.committed != peer.commit:
            self._check_commit(peer)
        if log.truncations != peer.truncations:
            self.counts["truncations"] += log.truncations - peer.truncations
            peer.truncations = log.truncations
        if raft.role is Role.LEADER:
            if peer.led != raft.term or peer not in self.leading:
                self._check_leader(peer)
            if len(self.leading) > 1:
                self._check_leases()
        elif self.leading and peer in self.leading:
            self.leading.discard(peer)
        if peer.isolated_at >= 0 and self.asks_first and raft.term > peer.isolated_at + 1 and not raft.members.alone():
            # One more is possible, when it had been told to campaign.
            raise Violation(f"{peer.id} is cut off and raised its term from {peer.isolated_at} to {raft.term}")

    def _check_leader(self, peer: Peer) -> None:
        term = peer.raft.term
        if self.leaders.setdefault(term, peer.id) != peer.id:
            raise Violation(f"{peer.id} and {self.leaders[term]} both lead term {term}")
        if peer.led != term:
            self.counts["elections"] += 1
            last = len(self.committed) - 1
            # Votes may be late: the leader of an old term need not have what a newer one committed.
            if term == max(self.leaders) and peer.raft.log.term(last) not in (None, self.committed[last]):
                raise Violation(f"{peer.id} leads term {term} without the entry committed at {last}")
            if term == max(self.leaders) and peer.raft.log.last < last:
                raise Violation(f"{peer.id} leads term {term} and has nothing at {last}, which is committed")
        peer.led = term
        self.leading.add(peer)

    def _check_leases(self) -> None:
        newest = max(peer.raft.term for peer in self.leading)
        for peer in self.leading:
            if peer.raft.term != newest and peer.raft.lease_until() > self.clock(peer):
                raise Violation(f"{peer.id} has the lease of term {peer.raft.term} while term {newest} has a leader")

    def _check_commit(self, peer: Peer) -> None:
        log, committed = peer.raft.log, self.committed
        for index in range(peer.commit + 1, log.committed + 1):
            term = log.term(index)
            if index == len(committed):
                if term is None:
                    raise Violation(f"{peer.id} committed {index} without having it")
                committed.append(term)
                if index == log.committed:
                    self.electorate = peer.raft.members.configuration.voters
                    self._check_majority(self.electorate, index, term)
                    if peer.raft.role is Role.LEADER and term != peer.raft.term:
                        raise Violation(f"{peer.id} leads term {peer.raft.term} and counts out an entry of term {term}")
            elif term is not None and term != committed[index]:
                raise Violation(f"{peer.id} committed term {term} at {index}, where term {committed[index]} was")
        peer.commit = log.committed

    def _check_majority(self, voters: tuple[int, ...], index: int, term: int, without: int = 0) -> None:
        has = 0
        for voter in voters:
            disk = self.peers[voter].disk
            durable = disk.durable
            if voter != without:
                has += durable.start >= index or durable.term(index) == term or disk.saved[0].applied >= index
        if has <= len(voters) // 2:
            raise Violation(f"{index} is committed, but on the disks of only {has} of {len(voters)} voters")

    def _check_match(self, peer: Peer, member: int) -> None:
        progress = peer.raft.members.progress.get(member)
        other = self.peers[member]
        if progress is None or other.disk.durable.hard_state.term > peer.raft.term:
            return  # a later leader may have replaced it since
        match, durable = progress.match, other.disk.durable
        if durable.start < match and other.disk.saved[0].applied < match:
            term = durable.term(match)
            if term is None or term != (peer.raft.log.term(match) or term):
                raise Violation(f"{peer.id} believes that {member} has stored {match}, and its disk has term {term}")

    def _check_kept(self, peer: Peer, entries: tuple[Entry, ...]) -> None:
        committed, log = self.committed, peer.log
        first = entries[0].index
        if first >= len(committed):
            return
        for index in range(first, min(log.last_index() + 1, len(committed))):
            place = index - first
            new = entries[place].term if place < len(entries) else None
            if log.term(index) == committed[index] != new:
                # One that does not belong to the majority may: its leader was elected without the entry.
                self._check_majority(self.electorate, index, committed[index], without=peer.id)
                break

    def _check_applied(self, peer: Peer, entry: Entry) -> None:
        index = entry.index
        if index != peer.applied + 1:
            raise Violation(f"{peer.id} applies {index} after {peer.applied}")
        peer.digest = self.state.digest(peer.digest, entry, self.entries)
        peer.applied, peer.term = index, entry.term
        if index == len(self.entries):
            self.entries.append(entry)
            self.digests.append(peer.digest)
            if entry.data and entry.kind is EntryKind.NORMAL:
                self.requests.setdefault(entry.data, index)
        elif self.digests[index] != peer.digest:
            raise Violation(f"{peer.id} came to another state at {index} than the others: {entry}")

    def _check_installed(self, peer: Peer) -> None:
        if peer.digest != self.digests[peer.applied]:
            raise Violation(f"{peer.id} installed another state at {peer.applied} than was applied there")

    def _check_reads(self, ready: Ready) -> None:
        for index, context in ready.reads:
            before = self.reads.pop(context, None)
            self.counts["reads"] += 1
            if before is not None and index < before:
                raise Violation(f"a read saw {index}, but {before} was committed before it came")

    def _check_acknowledged(self) -> None:
        for request, index in self.acknowledged.items():
            first = self.requests.get(request)
            if first is None or first > index or self.entries[index].data != request:
                raise Violation(f"{request!r} was acknowledged at {index}, and applied at {first}")

    def describe(self) -> str:
        """Return one line on every member."""
        return "; ".join(
            f"{peer.id} {'up' if peer.up else 'down'} {peer.raft.role.name.lower()} of {peer.raft.leader} in term "
            f"{peer.raft.term}, last {peer.raft.log.last}, committed {peer.raft.log.committed}, applied {peer.applied}"
            for peer in self.peers.values()
        )


FAILURES = (Violation, InvariantError, Damaged)
"""What a simulation that finds something ends with."""
