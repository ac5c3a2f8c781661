"""Workers that do what a test says: they join as real ones do, take orders, run nothing, and report what is told."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from job_orchestra.agent.master import NO_SECRETS
from job_orchestra.agent.mastery import MasterWay
from job_orchestra.agent.worker import Worker
from job_orchestra.core.definition import Spec
from job_orchestra.core.errors import NotFound, OrchestraError
from job_orchestra.core.messages import Resized, Taken, Typed
from job_orchestra.core.model import AgentRecord, Attempt, Build, BuildState, Stop
from tests.kit.builders import T0
from tests.kit.meshes import until


class Hand(Worker):
    """The worker of one agent, in place of one with an executor."""

    def __init__(self, *, slots: int = 2, session: str = "s1") -> None:
        """Wait to be employed."""
        self._slots = slots
        self._session = session
        self._way: MasterWay | None = None
        self._unsure = asyncio.Event()
        self._recalled = asyncio.Event()
        self._recalled.set()
        self.has: dict[str, Attempt] = {}  # build id -> as it was ordered, or told last
        self.stopped: dict[str, Stop] = {}  # build id -> how
        self.typed: list[Typed] = []
        self.manners: tuple[int, bool] | None = None  # slots, and whether builds give way to everything else
        self.over: tuple[str, ...] | None = None  # keys that did not count when it joined last; None: it did not yet

    def employ(self, record: AgentRecord, way: MasterWay) -> None:
        """Work for this agent."""
        self.record = replace(record, session=self._session, slots=self._slots)
        self._way = way

    async def run(self) -> None:
        """See Worker: join every master with what is here, as long as that takes."""
        assert self._way is not None
        while True:
            self._unsure.clear()
            try:
                over = await self._way.join(self.record, tuple(self.has.values()), (), self)
            except OrchestraError:
                continue  # it waited for a master
            if not self._unsure.is_set():
                self.over = over
            await self._unsure.wait()

    def behave(self, slots: int, *, paused: str, nice: bool) -> None:
        """See Worker."""
        self.manners = (slots, nice)
        if paused != self.record.paused:
            self.record = replace(self.record, paused=paused)
            self.join_again()

    def join_again(self) -> None:
        """See Worker."""
        self.over = None
        self._unsure.set()

    async def joined(self) -> None:
        """Wait until it has joined who leads."""
        await until(lambda: self.over is not None, f"{self.record.name} has joined")

    async def given(self, *builds: str) -> None:
        """Wait until these were ordered."""
        await until(lambda: set(builds) <= self.has.keys(), f"{self.record.name} is to run {builds}")

    async def report(self, build: str, state: BuildState, **fields: Any) -> None:  # noqa: ANN401 - any field of Attempt
        """Tell the master what became of an order."""
        assert self._way is not None
        times = {"started": T0, "finished": T0 if state.ended else None}
        told = self.has[build] = replace(self.has[build], state=state, **times, **fields)
        await self._way.record(self.record.id, [told])
        if state.ended:
            del self.has[build]

    # -- what the agent does with a worker

    @property
    def running(self) -> int:
        """See Worker."""
        return sum(not one.state.ended for one in self.has.values())

    def holds(self, key: str) -> bool:
        """See Worker."""
        return any(one.key == key and not one.state.ended for one in self.has.values())

    def assign(
        self, given: Sequence[tuple[Attempt, Build, Spec]], secrets: Mapping[str, Mapping[str, str]] = NO_SECRETS
    ) -> None:
        """See WorkerPort."""
        del secrets
        for attempt, build, _ in given:
            if attempt.session == self.record.session:  # else it is an order of before, that was on its way
                self.has.setdefault(build.id, attempt)

    def stop(self, attempt: Attempt, how: Stop, reason: str) -> None:
        """See WorkerPort."""
        assert reason
        self.stopped[attempt.build] = how

    def stop_all(self, reason: str) -> None:
        """See Worker."""
        assert reason
        self.has.clear()

    async def idle(self) -> None:
        """See Worker."""
        await until(lambda: not self.running, f"{self.record.name} has nothing to do")

    async def quit(self, reason: str) -> None:
        """See Worker: there is no executor."""

    async def close(self) -> None:
        """See Worker."""

    async def type(self, typed: Typed) -> Taken:
        """See Worker."""
        self._check(typed.key)
        self.typed.append(typed)
        return Taken(typed.offset + len(typed.data))

    async def resize(self, wish: Resized) -> None:
        """See Worker."""
        self._check(wish.key)

    def _check(self, key: str) -> None:
        if not self.holds(key):
            raise NotFound("it does not run here any more")
