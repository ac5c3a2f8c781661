"""Several real agents on this machine that are one network."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.kit.agents import AgentProcess, agent_in
from tests.kit.waiting import wait_until


@contextmanager
def network_in(folder: Path, count: int) -> Iterator[list[AgentProcess]]:
    """Give agents `a0`, `a1` ... that run, all of them voters."""
    with ExitStack() as stack:
        agents: list[AgentProcess] = []
        for number in range(count):
            one = stack.enter_context(agent_in(folder / f"a{number}"))
            if agents:
                _join(one.data, agents[0])
            agents.append(one.start("--no-mdns", "--settle", "0.3", "--slots", "2", "--name", f"a{number}"))
        with agents[0].client() as net:
            wait_until(lambda: len(net.call("network.status").voters) == count, f"{count} vote")
            names = {f"a{number}" for number in range(count)}
            wait_until(lambda: {one.name for one in net.call("agents.list").agents} == names, "they go by their names")
        yield agents


def _join(data: Path, first: AgentProcess) -> None:
    with first.client() as net:
        token = net.call("network.invite").token
    command = [sys.executable, "-m", "job_orchestra.agent", "join", "--data", str(data), "--no-start", "-"]
    subprocess.run(command, input=token.encode(), check=True, capture_output=True)
