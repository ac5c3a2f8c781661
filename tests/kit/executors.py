"""A real executor and the agent's end of its wire, for tests of what executors do with plans."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from job_orchestra.agent.executor.link import ExecutorLink
from job_orchestra.agent.executor.protocol import AttemptStatus, Plan, Report, StepPlan
from job_orchestra.agent.paths import Paths
from job_orchestra.core.ids import build_id

_LOOK_S = 0.02


class AgentEnd:
    """The agent's end: takes reports in, and waits for what they tell."""

    def __init__(self, folder: Path) -> None:
        """Be the agent in a folder."""
        self.paths = Paths(folder / "agent")
        self.witness = folder / "witness"
        self.reports: list[Report] = []
        self._news = asyncio.Event()
        self.lost = asyncio.Event()

    @asynccontextmanager
    async def linked(self) -> AsyncIterator[ExecutorLink]:
        """Be connected, as one life of an agent is."""
        link = await ExecutorLink.open(self.paths, on_report=self._on_report, on_lost=self.lost.set)
        link.configure(1)
        try:
            yield link
        finally:
            await link.close()

    async def _on_report(self, report: Report) -> None:
        self.reports.append(report)
        self._news.set()

    def status(self, key: str) -> AttemptStatus | None:
        """Return what was told last of an attempt."""
        return next((one for r in reversed(self.reports) for one in r.attempts if one.key == key), None)

    async def told_end(self, key: str) -> AttemptStatus:
        """Wait for a report of an attempt's end."""
        return await self.told(key, lambda one: one.state.ended)

    async def told(self, key: str, what: Callable[[AttemptStatus], object]) -> AttemptStatus:
        """Wait for a report of an attempt of which `what` holds."""
        await self.until(lambda: (one := self.status(key)) is not None and what(one))
        found = self.status(key)
        assert found is not None
        return found

    async def told_refused(self, key: str) -> None:
        """Wait for a report that an attempt does not start."""
        await self.until(lambda: any(key in r.refused for r in self.reports))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition: looked at with each report, and in between."""
        async with asyncio.timeout(60):
            while not condition():
                self._news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._news.wait()

    def shell(self, serial: int, *texts: str, **fields: Any) -> Plan:  # noqa: ANN401 - any field of Plan
        """Return a plan of shell steps s1, s2 ..."""
        steps = tuple(StepPlan(f"s{place}", ("sh", "-c", text)) for place, text in enumerate(texts, 1))
        return replace(self.plan(serial), steps=steps, **fields)

    def log(self, plan: Plan) -> bytes:
        """Return what an attempt wrote."""
        log = Path(plan.log)
        return log.read_bytes() if log.exists() else b""

    def plan(self, serial: int) -> Plan:
        """Return a plan whose execution leaves a line in the witness."""
        key = f"{build_id(serial)}.1"
        log = self.paths.log(key)
        log.parent.mkdir(exist_ok=True)
        step = StepPlan("note", ("sh", "-c", f"echo {key} >> {self.witness}"))
        return Plan(key, str(log), {"PATH": os.environ["PATH"]}, (step,))

    def executed(self) -> list[str]:
        """Return the lines in the witness."""
        return self.witness.read_text().split()
