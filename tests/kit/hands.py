"""Workers of a town that do what a test says: they take orders, run nothing, and report what they are told to."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from job_orchestra.agent.master import NO_SECRETS
from job_orchestra.core.definition import Spec
from job_orchestra.core.model import Attempt, Build, BuildState, Stop
from tests.kit.builders import T0
from tests.kit.meshes import until
from tests.kit.towns import Citizen


class Hand:
    """The worker of one citizen, in place of an executor (master.WorkerPort)."""

    def __init__(self, citizen: Citizen, *, slots: int = 2, session: str = "s1") -> None:
        """Work for an agent that was told to run nothing itself."""
        self.citizen = citizen
        self.slots = slots
        self.session = session
        self.given: dict[str, Attempt] = {}  # build id -> as ordered
        self.stopped: dict[str, Stop] = {}  # build id -> how
        self.unsure = asyncio.Event()  # it should join anew
        self.over: tuple[str, ...] = ()  # keys that did not count any more when it joined last

    async def join(self, reports: Sequence[Attempt] = (), begun: tuple[str, ...] | None = ()) -> None:
        """Begin the session with whoever leads, or go on with it."""
        await self._settled()
        self.citizen.agent.way.when_unsure(self.unsure.set)
        record = replace(self.citizen.agent.standing.record(), session=self.session, slots=self.slots)
        self.over = await self.citizen.agent.way.join(record, reports, begun, self)

    async def _settled(self) -> None:
        """Wait until the agent has said of itself that it does not work; that would end this session."""
        bulk = self.citizen.agent.wires.bulk.port
        me = self.citizen.id
        master = next((one for one in self.citizen.town.citizens.values() if one.leads), self.citizen)
        ledger = master.agent.replica.ledger
        await until(lambda: me in ledger.agents and ledger.agents[me].bulk == bulk, f"{me} said where it is")

    def assign(
        self, given: Sequence[tuple[Attempt, Build, Spec]], secrets: Mapping[str, Mapping[str, str]] = NO_SECRETS
    ) -> None:
        """See WorkerPort."""
        self.given.update((build.id, attempt) for attempt, build, _ in given)

    def stop(self, attempt: Attempt, how: Stop, reason: str) -> None:
        """See WorkerPort."""
        assert reason
        self.stopped[attempt.build] = how

    async def has(self, *builds: str) -> None:
        """Wait until these were ordered."""
        await until(lambda: set(builds) <= self.given.keys(), f"{self.citizen.name} is to run {builds}")

    async def report(self, build: str, state: BuildState, **fields: Any) -> None:  # noqa: ANN401 - any field of Attempt
        """Tell the master what became of an order."""
        times = {"started": T0, "finished": T0 if state.ended else None}
        told = replace(self.given[build], state=state, **times, **fields)
        await self.citizen.agent.way.record(self.citizen.id, [told])
