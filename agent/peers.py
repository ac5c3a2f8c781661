"""Who belongs to the network and who leads it, as this agent knows it; keeps the mesh's member table in step.

An agent that holds the ledger knows from there; another one from the roster that each master makes known, and that is
kept in a file for the next start. Refuses to know what is said to whom.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import TypeVar

from ..core.consensus import NOBODY, Member
from ..core.errors import NoMaster, PeerError
from ..core.ledger import Changes
from ..core.messages import ROSTER, Roster, pack, unpack
from ..core.model import AgentRecord
from .agreement import Replica
from .identity import Identity
from .mesh.contract import Contact, Mesh
from .roster import RosterFile

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 4.0
"""Seconds that a request waits for a master before it is refused: longer than an election takes."""

BEHIND_S = 3.0
"""Seconds without a leader after which an agent's own ledger may not know who is a member by now."""

FULL_MESH = 16
"""Agents up to which everybody holds a link to everybody; beyond, links go to those who hold the ledger."""


class Peers:
    """The members, and the master."""

    def __init__(
        self, identity: Identity, replica: Replica, mesh: Mesh, known: RosterFile, save: Callable[[RosterFile], None]
    ) -> None:
        """Begin with what the ledger says, or with what was known at the last start."""
        self._identity = identity
        self._replica = replica
        self._mesh = mesh
        self._save = save
        self._roster = known
        self._term = 0  # of the roster
        self._master = ""  # as a roster says
        self._moved = asyncio.Event()  # set, and made anew, when another agent leads
        self._told = ""  # who led when that was last told
        self._others: dict[str, AgentRecord] = {}  # members that a roster names, while our own ledger is behind
        self._numbers: dict[Member, str] = {}  # member -> agent id
        self._retired = False  # the network goes on without our copy, and our copy does not know it
        self._watchers: list[Callable[[str], None]] = []
        replica.watch(self._on_changes)
        replica.on_replaced(self.refresh)
        replica.on_leading(self._on_leading)
        mesh.listen(ROSTER, self._on_roster)
        mesh.on_link(self._on_link)
        self.refresh()

    @property
    def holds_copy(self) -> bool:
        """Whether this agent has the ledger and the history, as a voter or a learner."""
        configuration = self._replica.configuration
        holders = {*configuration.voters, *configuration.learners}
        return self._identity.member in holders and not self._retired

    @property
    def has_vote(self) -> bool:
        """Whether this agent is a voter, as far as it knows."""
        return self.holds_copy and self._identity.member in self._replica.configuration.voters

    @property
    def master(self) -> str:
        """Agent id of the master; empty: none is known."""
        if not self.holds_copy:
            return self._master
        if self._replica.leading:
            return self._identity.id
        leader = self._replica.leader
        # this agent itself, elected, with something left to apply, is not there yet
        return "" if leader in {NOBODY, self._identity.member} else self.agent_of(leader)

    @property
    def term(self) -> int:
        """The term, as far as this agent knows."""
        return max(self._replica.term, self._term)

    @property
    def records(self) -> dict[str, AgentRecord]:
        """All members that this agent knows, by id."""
        if not self.holds_copy or not self._replica.ledger.agents:
            return {one.id: one for one in self._roster.members}
        if not self._others:
            return self._replica.ledger.agents
        return {**self._others, **self._replica.ledger.agents}

    def agent_of(self, member: Member) -> str:
        """Return the id of the agent with this number; empty: it is not known."""
        return self._numbers.get(member, "")

    def replicas(self) -> list[AgentRecord]:
        """Return those who hold the ledger, as far as known."""
        if not self.holds_copy:
            return list(self._roster.members)
        configuration = self._replica.configuration
        holders = {*configuration.voters, *configuration.learners}
        return [one for one in self._replica.ledger.agents.values() if one.member in holders]

    def voters(self) -> list[AgentRecord]:
        """Return the voters, as far as known; an agent without the ledger takes all it knows of for some."""
        if not self.holds_copy:
            return list(self._roster.members)
        return [one for one in self.replicas() if one.member in self._replica.configuration.voters]

    def reachable(self, agent: str, within_s: float = 5.0) -> bool:
        """Whether something was heard from an agent lately."""
        return agent == self._identity.id or self._mesh.silence(agent) <= within_s

    def quorum(self) -> bool:
        """Whether a majority of the voters is in contact, as far as this agent can see."""
        voters = self.voters()
        return bool(self.master) and sum(self.reachable(one.id) for one in voters) * 2 > len(voters)

    def on_master(self, watcher: Callable[[str], None]) -> None:
        """Tell `watcher` the id of the master whenever another agent leads; empty: nobody does."""
        self._watchers.append(watcher)

    async def wait_master(self, patience_s: float = PATIENCE_S) -> str:
        """Return the master's id, as soon as there is one. Raises NoMaster, which says why there is none."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while not (master := self.master):
            moved = self._moved
            try:
                async with asyncio.timeout_at(deadline):
                    await moved.wait()
            except TimeoutError:
                raise NoMaster(self.why_none()) from None
        return master

    async def wait_other(self, than: str, patience_s: float) -> None:
        """Return when somebody else than `than` leads, or nobody, or after `patience_s` seconds."""
        moved = self._moved
        if self.master == than:
            try:
                async with asyncio.timeout(patience_s):
                    await moved.wait()
            except TimeoutError:
                return

    async def unless_succeeded(self, master: str, asking: Coroutine[None, None, T]) -> T:
        """Return what a master answers; raises NoMaster when another one leads before it does.

        A master that stands still, or is cut off, is silent for longer than it takes to elect its successor.
        """
        task = asyncio.ensure_future(asking)
        other = asyncio.ensure_future(self._successor(master))
        try:
            await asyncio.wait([task, other], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        finally:
            task.cancel()
            other.cancel()
        raise NoMaster(f"{self.name_of(master)} was deposed before it answered; ask {self.name_of(other.result())}")

    async def _successor(self, of: str) -> str:
        """Return who leads, as soon as that is somebody else."""
        while (master := self.master) in {"", of}:
            await self._moved.wait()
        return master

    def why_none(self) -> str:
        """Return why no new work is accepted, and what helps."""
        rejecting = [self.name_of(one) for one in self._mesh.rejecting()]
        if rejecting and not self.quorum():
            return (
                f"no master: {', '.join(sorted(rejecting))} and this agent are not of one network any more: it was "
                "removed, or the network was recovered without it. To come back: orchestra down, then orchestra join "
                "--again TOKEN"
            )
        voters = self.voters()
        silent = [one.name for one in voters if not self.reachable(one.id)]
        if len(silent) * 2 >= len(voters) and silent:
            return (
                f"no master: {len(silent)} of {len(voters)} voters cannot be reached ({', '.join(sorted(silent))}), so "
                "nothing new can be decided. Bring one of them back; if they are gone for good: orchestra recover"
            )
        return "no master is elected at the moment; try again in a moment (a request id makes that safe)"

    def refresh(self) -> None:
        """Bring the mesh's member table in step with what is known."""
        if self._replica.age < BEHIND_S:
            self._others = {}
        records = self.records
        self._numbers = {one.member: one.id for one in records.values()}
        others = [one for one in records.values() if one.id != self._identity.id and one.public]
        near = {one.id for one in self.replicas()}
        everybody = len(records) <= FULL_MESH
        self._mesh.know(Contact(one.id, one.public, one.addresses, keep=everybody or one.id in near) for one in others)
        if self.holds_copy:
            self._remember(RosterFile(tuple(self.replicas()), self._identity.epoch))
        self.look()

    def look(self) -> None:
        """See whether another agent leads now, and tell who waits for that."""
        master = self.master
        if master == self._told:
            return
        self._told = master
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        log.info("peers.master: %s", self.name_of(master) if master else "nobody")
        for watcher in self._watchers:
            watcher(master)

    def name_of(self, agent: str) -> str:
        """Return the name of an agent, for people."""
        record = self.records.get(agent)
        return record.name if record else agent

    # -- what moves

    def _on_changes(self, changes: Changes) -> None:
        self._retired = False
        if changes.agents or changes.removed_agents or "configuration" in changes.meta:
            self.refresh()
            if self._replica.leading:
                self._announce(self.records)

    def _on_leading(self, leading: bool) -> None:  # noqa: FBT001 - told by the replica
        self.look()
        if leading:
            self._announce(self.records)

    def _on_link(self, agent: str, up: bool) -> None:  # noqa: FBT001 - told by the mesh
        # also to one that holds the ledger: it may have been away for so long that it does not know who leads now
        if up and self.holds_copy and self.master:
            self._mesh.send(agent, ROSTER, self._as_roster())

    def _announce(self, agents: Iterable[str]) -> None:
        """Make the master known to those who do not hold the ledger, and so cannot see who leads."""
        message = self._as_roster()
        holders = {one.id for one in self.replicas()}
        for agent in agents:
            if agent not in holders:
                self._mesh.send(agent, ROSTER, message)

    def _as_roster(self) -> bytes:
        return pack(Roster(self._replica.term, self.master, tuple(self.replicas())))

    def _on_roster(self, sender: str, payload: bytes) -> None:
        try:
            roster = unpack(payload, Roster)
        except PeerError:
            self._mesh.counters["dropped.malformed"] += 1
            return
        if roster.term < self.term or not roster.master:
            return
        self._retired = sender == roster.master and all(one.id != self._identity.id for one in roster.members)
        if self.holds_copy:
            if self._replica.age >= BEHIND_S:
                self._others = {one.id: one for one in roster.members}
                self.refresh()
            return
        self._term, self._master = roster.term, roster.master
        mine = [one for one in self._roster.members if one.id == self._identity.id]
        members = {one.id: one for one in (*mine, *roster.members)}
        self._remember(RosterFile(tuple(members.values()), self._identity.epoch))
        self.refresh()

    def _remember(self, roster: RosterFile) -> None:
        if roster != self._roster:
            self._roster = roster
            self._save(roster)
