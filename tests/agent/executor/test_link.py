"""A real executor over its socket: what it does with orders that come twice, whoever the agent is that passes them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.kit.executors import AgentEnd

ROOT = Path(__file__).parents[3]


async def test_an_attempt_never_begins_twice_although_the_agent_was_restarted_between_two_orders(
    tmp_path: Path,
) -> None:
    agent = AgentEnd(tmp_path)
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


def test_an_executor_that_outlives_its_agent_is_nothing_left_undone(tmp_path: Path) -> None:
    agent = AgentEnd(tmp_path)
    agent.paths.prepare()
    program = (
        "import asyncio, sys; from pathlib import Path; from tests.kit.executors import AgentEnd\n"
        "async def stay():\n"
        "    async with AgentEnd(Path(sys.argv[1])).linked() as link: print(link.pid)\n"
        "asyncio.run(stay())"
    )
    words = [sys.executable, "-W", "always", "-c", program, str(tmp_path)]
    left = subprocess.run(words, cwd=ROOT, capture_output=True, check=True, text=True)
    os.kill(int(left.stdout), signal.SIGTERM)
    assert left.stderr == ""
