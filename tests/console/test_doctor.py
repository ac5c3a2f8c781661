"""`orchestra doctor`: what is right is told, and what is wrong is told with its remedy."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from job_orchestra.console.cli.checks import Finding, machine, network
from job_orchestra.console.cli.checks.network import tcp_answers
from job_orchestra.core.api.agents import Agents
from job_orchestra.core.api.network import Identity, Link, Links, Status
from job_orchestra.core.model import AgentRecord
from job_orchestra.core.version import VERSION
from job_orchestra.core.views.agents import AgentView, agent_view
from tests.kit.agents import AgentProcess, agent_in
from tests.kit.waiting import wait_until

ME, BEE = Identity("a1", "ant"), Identity("a2", "bee")
STATUS = Status(
    network=Identity("n", "lab"),
    agent=ME,
    master=BEE,
    term=3,
    voters=["a1", "a2", "a3"],
    quorum=True,
    agents={"ready": 2, "unreachable": 0},
    queue={"pending": 0, "running": 0},
    version=VERSION,
    store="sqlite:///x",
    notices=[],
)
LINK = Link(
    id="a2",
    name="bee",
    addresses=["192.0.2.2:7711"],
    version=VERSION,
    reachable=True,
    silence=0.5,
    round_trip=0.001,
    skew=0.01,
    ports={"bulk": 7712, "door": 7713},
)
LINKS = Links(
    links=[LINK],
    counters={},
    addresses=["192.0.2.1:7711"],
    ports={"bulk": 7712, "door": 7713},
    announced=True,
    speaking=["192.0.2.1"],
    seen=["a2"],
)


def look(status: Status = STATUS, links: Links = LINKS, closed: tuple[tuple[str, int], ...] = ()) -> list[Finding]:
    """Return what is found; `closed` are the places that do not answer."""
    agents = [_agent("ant"), _agent("bee")]
    return list(network(status, Agents(agents), links, lambda host, port: (host, port) not in closed))


def _agent(name: str) -> AgentView:
    return agent_view(AgentRecord(name, name, session="s"), reachable=True, used=0, roles=[], addresses=[])


def wrong(found: list[Finding]) -> list[Finding]:
    bad = [one for one in found if not one.ok]
    assert all(one.remedy for one in bad)
    assert not any(one.remedy for one in found if one.ok)
    return bad


def test_where_all_is_well_nothing_is_wrong() -> None:
    assert wrong(look()) == []


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no quorum": ({"status": replace(STATUS, quorum=False, master=None)}, "quorum", "orchestra recover"),
    "another version of the agent": ({"status": replace(STATUS, version="1.0.0")}, "agent's version", "orchestra up"),
    "a notice": ({"status": replace(STATUS, notices=["the disk is full"])}, "notice", "docs/operations.md"),
    "a port of ours": ({"closed": (("192.0.2.1", 7713),)}, "ports", "TCP port 7713"),
    "a port of another": ({"closed": (("192.0.2.2", 7712),)}, "bee: bulk port", "TCP port 7712"),
    "multicast is not possible": ({"links": replace(LINKS, speaking=[])}, "multicast", "UDP port 5353"),
    "multicast does not get through": ({"links": replace(LINKS, seen=[])}, "multicast", "--peer"),
    "unreachable": ({"links": replace(LINKS, links=[replace(LINK, reachable=False)])}, "bee", "firewall"),
    "never heard of": (
        {"links": replace(LINKS, links=[replace(LINK, reachable=False, silence=None, addresses=[])])},
        "bee",
        "no known address",
    ),
    "rejected": ({"links": replace(LINKS, links=[replace(LINK, rejects=True)])}, "bee", "join --again"),
    "versions": ({"links": replace(LINKS, links=[replace(LINK, version="1.0.0")])}, "bee: version", "upgrade"),
    "clocks": ({"links": replace(LINKS, links=[replace(LINK, skew=-7.5)])}, "bee: clock", "NTP"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_its_remedy(case: str) -> None:
    given, what, remedy = WRONG[case]
    (found,) = [one for one in wrong(look(**given)) if one.what == what]
    assert remedy in found.remedy


def test_without_multicast_by_choice_nothing_is_wrong() -> None:
    assert wrong(look(links=replace(LINKS, announced=False, speaking=[], seen=[]))) == []


def test_names_of_others_cannot_steer_the_terminal() -> None:
    evil = replace(LINK, name="\x1b]2;owned\x07", reachable=False)
    assert not any("\x1b" in one.what + one.found + one.remedy for one in look(links=replace(LINKS, links=[evil])))


def test_a_machine_without_an_agent(tmp_path: Path) -> None:
    assert [one.what for one in wrong(list(machine(tmp_path / "nothing")))] == ["data directory"]


def test_files_that_others_can_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "agent.key").touch(mode=0o644)
    found = {one.what: one.remedy for one in wrong(list(machine(tmp_path)))}
    assert found["data directory"] == f"chmod 700 {tmp_path}"
    assert found["permissions"] == f"chmod 600 {tmp_path / 'agent.key'}"


def test_ports_are_knocked_at() -> None:
    assert not tcp_answers("127.0.0.1", 1)


# -- with real agents


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[AgentProcess, AgentProcess]]:
    """Give two agents that are one network."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(agent_in(tmp_path / name)) for name in ("ant", "bee"))
        first.start("--name", "ant")
        with first.client() as net:
            token = net.call("network.invite").token
        join = [sys.executable, "-m", "job_orchestra.agent", "join", "--data", str(second.data), "--no-start", "-"]
        subprocess.run(join, input=token, text=True, check=True, capture_output=True)
        second.start("--name", "bee")
        with first.client() as net:  # it joined by its host's name, and tells its own a moment after its start
            wait_until(lambda: "bee" in {one.name for one in net.call("agents.list").agents}, "it is known by its name")
        yield first, second


def doctor(agent: AgentProcess) -> tuple[int, dict[str, dict[str, Any]]]:
    program = "from job_orchestra.console.cli.main import main; main()"
    command = [sys.executable, "-c", program, "doctor", "--json", "--data", str(agent.data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"NO_COLOR": "1"})
    return done.returncode, {one["what"]: one for one in json.loads(done.stdout)["findings"]}


def test_a_network_of_two_is_well_until_one_dies(two: tuple[AgentProcess, AgentProcess]) -> None:
    first, second = two
    code, found = doctor(second)
    assert found["ant"]["ok"], found
    assert (code, [one for one in found.values() if not one["ok"]]) == (0, [])
    second.kill()
    with first.client() as net:
        wait_until(lambda: not net.call("network.links").links[0].reachable, "the other one has noticed")
    code, found = doctor(first)
    assert code == 1
    assert "orchestra remove bee" in found["bee"]["remedy"]
