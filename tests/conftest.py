"""What all tests share: agents, databases, what to do without a service, and hypothesis without deadlines."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.kit.agents import AgentProcess, agent_in
from tests.kit.databases import SERVERS, Server
from tests.kit.jitter import Jitter

settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("suite")

# agents of tests speak to this machine only, whatever they are started by
os.environ["ORCHESTRA_LISTEN"] = "127.0.0.1:0"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take a seed for a machine that is far too busy."""
    parser.addoption("--jitter", metavar="SEED", help="let what tests wait for come late, at random: see kit/jitter.py")


def pytest_configure(config: pytest.Config) -> None:
    """Let everything in this process be slow from now on, if that is asked for."""
    if seed := config.getoption("jitter"):
        jitter = Jitter(f"{seed} {os.environ.get('PYTEST_XDIST_WORKER', '')}")
        jitter.start()
        config.add_cleanup(jitter.stop)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    """Give an agent that is not started yet, in a directory of its own."""
    with agent_in(tmp_path / "agent") as found:
        yield found


@pytest.fixture(scope="module")
def running_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    """Give an agent that runs for all tests of a module."""
    with agent_in(tmp_path_factory.mktemp("shared") / "agent") as found:
        yield found.start("--slots", "2", "--name", "box")


@pytest.fixture(scope="session")
def database() -> Iterator[Callable[[str], Server]]:
    """Return a function that gives a database server by its name, and starts it when it is asked for first."""
    started: dict[str, Server] = {}

    def get(name: str) -> Server:
        if name not in started:
            server = SERVERS[name]()
            if why := server.missing():
                server.remove()
                needs(condition=False, reason=why)
            started[name] = server
            server.start()
        return started[name]

    yield get
    for server in started.values():
        server.remove()


def mount(folder: Path, options: str) -> None:
    """Mount a tmpfs; skip the test where the machine does not let even root do that, as in many containers."""
    needs(os.getuid() == 0, "mounting a tmpfs needs root")
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")


def needs(condition: object, reason: str) -> None:
    """Skip the test where something is missing on a developer's machine; in CI that is a failure."""
    if condition:
        return
    if os.environ.get("CI"):
        pytest.fail(f"missing in CI: {reason}")
    pytest.skip(reason)
