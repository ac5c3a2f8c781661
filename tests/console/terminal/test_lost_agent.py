"""The agent that the console speaks to is killed: it says so, keeps what it had with its age, and finds another one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from job_orchestra.console.feed.live import LiveFeed
from job_orchestra.console.feed.places import Local
from job_orchestra.console.terminal.app import Console
from job_orchestra.console.terminal.session import Session
from tests.kit.agents import AgentProcess
from tests.kit.consoles import screen_text
from tests.kit.networks import network_in
from tests.kit.waiting import until


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[AgentProcess]]:
    with network_in(tmp_path, 3) as agents:
        yield agents


def place_of(agent: AgentProcess) -> Local:
    return Local(agent.paths.scripting, agent.data, agent.data.name)


async def test_the_agent_is_killed(three: list[AgentProcess]) -> None:
    first, spoken_to, _ = three
    with first.client() as net:
        net.builds.submit(["true"], name="before")[0].wait()
    others: list[Local] = []
    session = Session()
    session.state.place = "builds"
    app = Console(LiveFeed(place_of(spoken_to), lambda: others), session=session)

    def shown(*texts: str) -> bool:
        text = screen_text(app)
        return all(one in text for one in texts)

    async with app.run_test(size=(120, 30)):
        await until(lambda: shown("via a1", "● live", "before"), "the build is on the screen")

        spoken_to.kill()
        await until(lambda: shown("DISCONNECTED"), "it says that the agent is gone")
        assert shown("before")
        assert not shown("via a1")
        await until(lambda: shown("orchestra up"), "it says what to do")
        await until(lambda: shown("s old"), "it tells the age of what it shows")
        assert shown("before")

        others.append(place_of(first))
        await until(lambda: shown("via a0", "● live", "before"), "it found another agent by itself")
        assert not shown("DISCONNECTED")
        with first.client() as net:
            net.builds.submit(["true"], name="after")
        await until(lambda: shown("after", "before"), "it hears of what happens there")
