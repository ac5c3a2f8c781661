"""A real executor for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from job_orchestra.agent.executor.link import ExecutorLink
from tests.kit.executors import AgentEnd


@pytest.fixture
def end(tmp_path: Path) -> AgentEnd:
    found = AgentEnd(tmp_path)
    found.paths.prepare()
    return found


@pytest.fixture
async def link(end: AgentEnd) -> AsyncIterator[ExecutorLink]:
    async with end.linked() as found:
        yield found
        await found.quit("the test is over")
