"""How this agent stands in its network: the record that says who and where it is, told again whenever that changes.

An agent that works tells it with its worker's session; one that does not, here. Refuses to know what the network does
with it (core/belonging).
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from ..core.commands import Admit
from ..core.definition import Spec
from ..core.errors import OrchestraError
from ..core.model import AgentRecord, Attempt, Build, Stop
from ..core.version import VERSION
from .agreement import Replica
from .identity import Identity
from .master import NO_SECRETS, Master, now_ms
from .mastery import MasterWay
from .settings import Settings
from .wires import Wires

RETRY_S = 2.0
"""Seconds between attempts to tell the master."""


class Idle:
    """What a master may order an agent about that does not work: nothing (master.WorkerPort)."""

    def assign(
        self, given: Sequence[tuple[Attempt, Build, Spec]], secrets: Mapping[str, Mapping[str, str]] = NO_SECRETS
    ) -> None:
        """See WorkerPort."""

    def stop(self, attempt: Attempt, how: Stop, reason: str) -> None:
        """See WorkerPort."""


class Standing:
    """One agent, as the others are to know it."""

    def __init__(self, identity: Identity, settings: Settings, wires: Wires) -> None:
        """Speak for the agent of this identity, which is reached by these wires."""
        self._identity = identity
        self._settings = settings
        self._wires = wires
        self._news = asyncio.Event()

    def record(self) -> AgentRecord:
        """Return what the network should know of this agent."""
        return AgentRecord(
            id=self._identity.id,
            name=self._identity.name,
            version=VERSION,
            member=self._identity.member,
            public=self._identity.public,
            addresses=self._wires.mesh.addresses,
            bulk=self._wires.bulk.port,
            votes=self._settings.voter != "never",
            door=self._wires.door_port,
        )

    def changed(self) -> None:
        """Have the record told anew."""
        self._news.set()

    async def found(self, replica: Replica, master: Master) -> None:
        """Make this agent the first member, where it makes the network; never returns."""
        known = replica.ledger.agents.get(self._identity.id)
        if replica.leading and (known is None or not known.member):
            await master.propose(Admit(now_ms(), "network", self.record(), member=self._identity.member))
        await asyncio.Event().wait()

    async def keep_telling(self, way: MasterWay) -> None:
        """Tell every master where an agent is that does not work, until cancelled."""
        way.when_unsure(self.changed)
        while True:
            self._news.clear()
            with contextlib.suppress(OrchestraError):
                await way.join(self.record(), (), (), Idle())
                await self._news.wait()
            await asyncio.sleep(RETRY_S)
