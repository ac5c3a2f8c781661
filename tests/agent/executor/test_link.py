"""A real executor over its socket: what it does with orders that come twice, whoever the agent is that passes them."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from job_orchestra.agent.executor.link import ExecutorLink
from job_orchestra.agent.executor.protocol import Plan, Report, StepPlan
from job_orchestra.agent.paths import Paths
from job_orchestra.core.ids import build_id


class Agent:
    """The agent's end: takes reports in, and waits for what they tell."""

    def __init__(self, folder: Path) -> None:
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

    async def told_end(self, key: str) -> None:
        """Wait for a report of an attempt's end."""
        await self._until(lambda: any(one.key == key and one.state.ended for r in self.reports for one in r.attempts))

    async def told_refused(self, key: str) -> None:
        """Wait for a report that an attempt does not start."""
        await self._until(lambda: any(key in r.refused for r in self.reports))

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def plan(self, serial: int) -> Plan:
        """Return a plan whose execution leaves a line in the witness."""
        key = f"{build_id(serial)}.1"
        log = self.paths.log(key)
        log.parent.mkdir(exist_ok=True)
        step = StepPlan("note", ("sh", "-c", f"echo {key} >> {self.witness}"))
        return Plan(key, str(log), {"PATH": os.environ["PATH"]}, (step,))

    def executed(self) -> list[str]:
        return self.witness.read_text().split()


async def test_an_attempt_never_begins_twice_although_the_agent_was_restarted_between_two_orders(
    tmp_path: Path,
) -> None:
    agent = Agent(tmp_path)
    agent.paths.prepare()
    one, other = agent.plan(1), agent.plan(2)
    async with agent.linked() as link:
        link.start([one, one])
        await agent.told_end(one.key)
        link.start([one])
        link.forget([one.key])
    agent.reports.clear()
    async with agent.linked() as link:
        assert link.attempts == ()
        link.start([one, other])
        await agent.told_end(other.key)
        assert agent.executed() == [one.key, other.key]
        await agent.told_refused(one.key)
        link.forget([other.key])
        await link.quit("the test is over")
    agent.reports.clear()
    async with agent.linked() as link:  # another executor: it knows from its journal
        link.start([one, other])
        await agent.told_refused(one.key)
        await agent.told_refused(other.key)
        await link.quit("the test is over")
    assert agent.executed() == [one.key, other.key]
    assert all(not report.attempts for report in agent.reports)
