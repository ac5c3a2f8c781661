"""Discovery between machines: seeing each other, moving, being flooded, and what is kept apart."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from job_orchestra.agent.sightings import LIMIT
from tests.kit.announcements import NETWORK, announced
from tests.kit.discoverer import discoverer
from tests.kit.lan import Lan, Machine, lan

ROOT = Path(__file__).parents[2]
OTHER = "f" * 16


@pytest.fixture
def net() -> Iterator[Lan]:
    with lan() as one:
        yield one


def test_agents_see_each_other_and_another_network(net: Lan, tmp_path: Path) -> None:
    one, two, three = (net.machine(f"192.0.2.{place}/24", f"fd00::{place}/64") for place in (1, 2, 3))
    with (
        discoverer(one, tmp_path / "1", 1) as first,
        discoverer(two, tmp_path / "2", 2, port=7722) as second,
        discoverer(three, tmp_path / "3", 3, network=OTHER, network_name="theirs") as third,
    ):
        for each, others in ((first, (2, 3)), (second, (1, 3)), (third, (1, 2))):
            for other in others:
                each.sees(other, f"192.0.2.{other}:{7722 if other == 2 else 7711}")
        assert {line["network"] for line in first.said("seen")} == {NETWORK, OTHER}
        assert first.said("log") == []


def test_over_ipv6_alone(net: Lan, tmp_path: Path) -> None:
    one, two = (net.machine(f"fd00::{place}/64") for place in (1, 2))
    with (
        discoverer(one, tmp_path / "1", 1, host="::") as first,
        discoverer(two, tmp_path / "2", 2, host="::") as second,
    ):
        first.sees(2, "[fd00::2]:7711")
        second.sees(1, "[fd00::1]:7711")


def test_who_moves_is_seen_again(net: Lan, tmp_path: Path) -> None:
    """The second machine's address changes; the third gets its interface only later."""
    one, two, three = net.machine("192.0.2.1/24"), net.machine("192.0.2.2/24"), net.machine()
    with (
        discoverer(one, tmp_path / "1", 1) as first,
        discoverer(two, tmp_path / "2", 2) as second,
        discoverer(three, tmp_path / "3", 3) as third,
    ):
        (warning,) = third.said("log")
        assert "--peer HOST:PORT" in warning["text"]
        first.sees(2, "192.0.2.2:7711")
        two.ip("addr", "del", "192.0.2.2/24", "dev", "eth0")
        two.ip("addr", "add", "192.0.2.77/24", "dev", "eth0")
        net.plug(three, "eth0", "192.0.2.3/24")
        first.sees(2, "192.0.2.77:7711")
        first.sees(3, "192.0.2.3:7711")
        third.sees(1, "192.0.2.1:7711")
        third.sees(2, "192.0.2.77:7711")
        second.sees(3, "192.0.2.3:7711")
        assert second.state()["sightings"].count(announced(1).id) == 1
        assert len([line for line in third.said("log") if line["level"] == "WARNING"]) == 1


def test_a_flood_is_survived(net: Lan, tmp_path: Path) -> None:
    """Thousands of made-up agents, some right in form: the memory stays bounded, and a true one is still seen.

    Whether it is among the last thousand a moment later depends on who is quicker, so nobody asks.
    """
    one, two, bad = (net.machine(f"192.0.2.{place}/24") for place in (1, 2, 66))
    with discoverer(one, tmp_path / "1", 1) as first:
        for kind in ("garbage", "pointers", "liars", "strangers"):
            with flood(bad, "192.0.2.66", 2_000, kind) as sending:
                assert sending.wait() == 0
        with flood(bad, "192.0.2.66", 20_000, "agents"), discoverer(two, tmp_path / "2", 2) as second:
            first.sees(2, "192.0.2.2:7711")
            second.sees(1, "192.0.2.1:7711")
            state = first.state()
            assert LIMIT / 2 < len(state["sightings"]) <= LIMIT
            assert state["counters"]["malformed"]
            assert first.said("log") == []


def test_only_the_chosen_interfaces_are_spoken_on_and_heard(net: Lan, tmp_path: Path) -> None:
    """A machine between its LAN and its containers, where another program of it listens to the same group."""
    one, two = net.machine("192.0.2.1/24"), net.machine("192.0.2.2/24")
    with lan() as inside:
        inside.plug(one, "docker0", "172.17.0.1/16")
        container, witness = inside.machine("172.17.0.3/16"), inside.machine("172.17.0.4/16")
        with (
            joined(one, "172.17.0.1"),
            discoverer(one, tmp_path / "1", 1) as first,
            discoverer(two, tmp_path / "2", 2),
            discoverer(container, tmp_path / "3", 3) as third,
            discoverer(witness, tmp_path / "4", 4) as fourth,
        ):
            first.sees(2, "192.0.2.2:7711")
            third.sees(4, "172.17.0.4:7711")
            fourth.sees(3, "172.17.0.3:7711")
            assert [line["id"] for line in first.said("seen")] == [announced(2).id]
            assert first.state()["counters"] == {"seen": 1}
            assert announced(1).id not in third.state()["sightings"] + fourth.state()["sightings"]


@contextmanager
def flood(machine: Machine, address: str, count: int, kind: str) -> Iterator["subprocess.Popen[bytes]"]:
    words = [sys.executable, "-m", "tests.kit.flooder", address, str(count), kind]
    with subprocess.Popen(machine.command(words), cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def joined(machine: Machine, address: str) -> Iterator[None]:
    """Have a program there that hears what goes to the group at this address."""
    words = [sys.executable, "-c", JOIN, address]
    with subprocess.Popen(machine.command(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"joined\n"
        yield


JOIN = """
import socket, sys
group = socket.inet_aton("224.0.0.251") + socket.inet_aton(sys.argv[1])
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
print("joined", flush=True)
sys.stdin.read()
"""
