"""The master's care for who votes: asks core/membership what to change, and sees those off who leave the network.

Refuses to know why a change is good (membership), and how it is agreed on (replica).
"""

import asyncio
import logging
import time

from ..core.commands import Remove
from ..core.consensus import Change, ChangeKind
from ..core.errors import OrchestraError
from ..core.membership import Peer, advise
from ..core.model import AgentRecord
from .identity import Identity
from .master import Master
from .mesh.contract import Mesh
from .replica import RaftReplica

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""Seconds between two looks."""

CLOSE = 1_000
"""Log entries that a member may lack and still count as caught up."""

BREAK_S = 3.0
"""Silence that ends a contact: who comes back begins to be in contact anew."""

FAREWELL_S = 0.5
"""Seconds that an agent which wants to leave still is a member, to hear the answer."""

REPLACE_S = 20.0
"""Seconds that a member on its way out waits for another one to take its vote, before it goes without."""


class Electorate:
    """Decides on voters while this agent leads."""

    def __init__(  # noqa: PLR0913 - its seams
        self, identity: Identity, replica: RaftReplica, master: Master, mesh: Mesh, *, settle_s: float, cap: int = 5
    ) -> None:
        """Let agents vote that were in contact for `settle_s` seconds, at most `cap` of them."""
        self._identity = identity
        self._replica = replica
        self._master = master
        self._mesh = mesh
        self._settle_s = settle_s
        self._cap = cap
        self._contact: dict[str, float] = {}  # agent id -> since when it is in contact without a break
        self._leaving: dict[str, float] = {}  # agent id -> since when this master knows that it leaves
        self._led_since = time.monotonic()
        replica.on_leading(self._on_leading)

    def _on_leading(self, _: bool) -> None:  # noqa: FBT001 - told by the replica
        self._led_since = time.monotonic()
        self._contact.clear()
        self._leaving.clear()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._replica.leading:
                try:
                    await self._look(time.monotonic())
                except OrchestraError as error:
                    log.info("electorate.later: %s", error)

    async def _look(self, now: float) -> None:
        agents = [one for one in self._replica.ledger.agents.values() if one.member]
        peers = [self._peer(one, now) for one in agents]
        advice = advise(self._identity.member, peers, self._cap, self._settle_s)
        if advice is not None:
            log.info("electorate.change: %s %s: %s", advice.change.kind.name, advice.change.member, advice.reason)
            await self._replica.change(advice.change)
            return
        await self._see_off(agents, now)
        await self._drop_strangers(agents)

    def _peer(self, record: AgentRecord, now: float) -> Peer:
        configuration = self._replica.configuration
        mine = record.id == self._identity.id
        votes, learns = record.member in configuration.voters, record.member in configuration.learners
        heard = 0.0 if mine else self._mesh.silence(record.id)
        # who has a vote or a copy has some time to find a new master; who is to get one must have been heard
        silent = min(heard, now - self._led_since) if votes or learns else heard
        if heard > BREAK_S:
            self._contact.pop(record.id, None)
            since = now
        else:
            since = self._contact.setdefault(record.id, now)
        behind = self._replica.behind(record.member)
        return Peer(
            record.member,
            votes=votes,
            learns=learns,
            silent_s=silent,
            stable_s=float("inf") if mine else now - since,
            caught_up=mine or (behind is not None and behind <= CLOSE),
            willing=record.votes and not record.leaving,
        )

    async def _see_off(self, agents: list[AgentRecord], now: float) -> None:
        """Take those out of the network who leave: first the vote, then the membership."""
        leaving = [one for one in agents if one.leaving]
        self._leaving = {one.id: self._leaving.get(one.id, now) for one in leaving}
        configuration = self._replica.configuration
        for record in leaving:
            if record.member not in configuration.voters:
                if now - self._leaving[record.id] < FAREWELL_S:
                    continue
                if record.member in configuration.learners:
                    await self._replica.change(Change(ChangeKind.REMOVE, record.member))
                await self._master.propose(Remove(self._master.time(), "network", record.id))
                return
            others = [one for one in configuration.voters if one != record.member]
            if not others:
                others = await self._successor(agents)
                if not others:
                    continue  # the last voter stays until another one can take over
            if record.id == self._identity.id:
                self._replica.transfer(max(others, key=self._progress))
                return
            if now - self._leaving[record.id] > REPLACE_S and self._safe(others):
                await self._replica.change(Change(ChangeKind.REMOVE, record.member))
                return

    async def _successor(self, agents: list[AgentRecord]) -> list[int]:
        """Give a vote to somebody who can lead in place of the last voter; return its number, if there is one."""
        for one in agents:
            behind = self._replica.behind(one.member)
            close = behind is not None and behind <= CLOSE and self._mesh.silence(one.id) <= BREAK_S
            if close and one.member in self._replica.configuration.learners and one.votes and not one.leaving:
                await self._replica.change(Change(ChangeKind.ADD_VOTER, one.member))
                return [one.member]
        return []

    def _progress(self, member: int) -> int:
        behind = self._replica.behind(member)
        return -behind if behind is not None else -(1 << 62)

    def _safe(self, voters: list[int]) -> bool:
        """Whether a majority of these voters answers."""
        ids = {one.member: one.id for one in self._replica.ledger.agents.values()}
        answering = [
            one
            for one in voters
            if one == self._identity.member or (one in ids and self._mesh.silence(ids[one]) <= BREAK_S)
        ]
        return len(answering) * 2 > len(voters)

    async def _drop_strangers(self, agents: list[AgentRecord]) -> None:
        """Take numbers out of consensus that belong to nobody any more: of an agent that was admitted anew."""
        configuration = self._replica.configuration
        known = {one.member for one in agents}
        for member in (*configuration.learners, *configuration.voters):
            rest = [one for one in configuration.voters if one != member]
            if member not in known and (member in configuration.learners or (rest and self._safe(rest))):
                await self._replica.change(Change(ChangeKind.REMOVE, member))
                return
