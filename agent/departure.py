"""How an agent ends: at a signal, stopped by a client, or out of its network for good; and what becomes of its builds.

Decides when the agent's parts have to end; that they do is the business of `main`.
"""

import asyncio
from collections.abc import Awaitable, Callable

from ..core.api.agents import AgentSet, ByAgent
from ..core.api.method import Params
from ..core.errors import Conflict, InvalidInput, TimedOut
from .identity import Identity
from .master import Master
from .peers import Peers
from .replica import RaftReplica
from .worker import Worker

HAND_OVER_S = 1.0
"""Seconds that a master which stops waits for another one to take over."""

LEAVE_S = 40.0
"""Seconds for another agent to take over the vote of one that leaves."""

LOOK_S = 0.05
"""Seconds between two looks at whether that has happened."""

Ask = Callable[[str, Params], Awaitable[object]]
"""Makes a request of the network, as this agent's own client."""


class Departure:
    """The end of one agent, whenever that comes."""

    def __init__(
        self, identity: Identity, replica: RaftReplica, master: Master, peers: Peers, worker: Worker | None
    ) -> None:
        """End the agent whose parts these are; `connect` it before somebody asks it to leave."""
        self.due = asyncio.Event()
        """Set when the agent is to end now."""
        self.left = False
        """Whether it left its network: its directory belongs to none when it has ended."""
        self._identity = identity
        self._replica = replica
        self._master = master
        self._peers = peers
        self._worker = worker
        self._ask: Ask | None = None
        self._quit_executor = False

    def connect(self, ask: Ask) -> None:
        """Ask the network by this."""
        self._ask = ask

    async def stop(self, builds: str) -> None:
        """End the agent as a client asked: see AgentStop."""
        self._master.pause()
        if builds == "abort" and self._worker is not None:
            self._worker.stop_all("aborted: its agent was stopped")
        if builds in {"abort", "wait"} and self._worker is not None:
            await self._worker.idle()
        self._quit_executor = builds != "keep"
        asyncio.get_running_loop().call_soon(self.due.set)

    async def leave(self, builds: str) -> None:
        """Take this agent out of the network as a client asked, and end it: see AgentStop."""
        if builds == "keep":
            raise InvalidInput("builds cannot go on without the network; wait for them (--wait) or stop them (--abort)")
        if len(self._peers.records) == 1 or self._ask is None:
            name = self._identity.name
            raise Conflict(f"{name} is the only agent; to end the network, stop it: orchestra down")
        await self._ask("agents.set", AgentSet(self._identity.id, draining=True))
        if self._worker is not None:
            if builds == "abort":
                self._worker.stop_all("aborted: its agent left the network")
            await self._worker.idle()
        await self._ask("agents.remove", ByAgent(self._identity.id))
        # the network does the rest by itself; but a voter that just went might take the majority with it
        deadline = asyncio.get_running_loop().time() + LEAVE_S
        while self._peers.has_vote:
            if asyncio.get_running_loop().time() > deadline:
                message = (
                    "no other agent could take over the vote yet; it leaves when one can: orchestra agents shows it"
                )
                raise TimedOut(message)
            await asyncio.sleep(LOOK_S)
        self.left = True
        await self.stop("abort")

    async def hand_over(self) -> None:
        """Let another voter lead before this one ends: quicker than to let the others find out."""
        me = self._identity
        others = [one for one in self._replica.configuration.voters if one != me.member]
        near = [one for one in others if self._replica.behind(one) == 0]
        if self._replica.leading and near:
            self._replica.transfer(near[0])
            await self._peers.wait_other(me.id, HAND_OVER_S)

    async def end_worker(self) -> None:
        """Let go of the executor, or end it with all that runs on it, as was asked."""
        if self._worker is None:
            return
        if self._quit_executor:
            await self._worker.quit("the agent was stopped")
        await self._worker.close()
