"""Real agents on hosts of their own: they find each other, take each other in, and keep every promise under faults."""

import os
import subprocess
import sys
from pathlib import Path

from job_orchestra.agent.client.blocking import Client
from tests.conftest import needs
from tests.kit.lab.campaign import Plan, run
from tests.kit.lab.hosts import Host, form, hosts
from tests.kit.waiting import wait_until

SEED = 7


def test_every_promise_holds_under_faults(tmp_path: Path) -> None:
    needs(os.getuid() == 0, "network namespaces need root")
    found, breaches = run(tmp_path, Plan(minutes=1.5, seed=SEED, agents=5, rate=5), lambda _: None)
    assert [f"{one.rule}: {one.what}" for one in breaches] == []
    assert sum(found.faults.values()) > 0


def test_machines_find_each_other_and_the_second_one_works(tmp_path: Path) -> None:
    """From two fresh machines: `up` on one, `join` by mDNS and a code on the other, then a build there."""
    needs(os.getuid() == 0, "network namespaces need root")
    with hosts(tmp_path, 2, namespaces=True) as (first, second):
        assert first.start() == "ready"
        with first.agent.client() as net:
            second.join_by_code(lambda code: net.call("network.approve", code=code))
            assert second.start() == "ready"
            assert net.builds.submit(["true"], runs_on=[f"lab={second.name}"])[0].wait().state == "succeeded"


def test_an_agent_whose_address_changed_is_found_again(tmp_path: Path) -> None:
    needs(os.getuid() == 0, "network namespaces need root")
    with hosts(tmp_path, 3, namespaces=True) as made:
        form(made)
        mover, other = made[2], made[1]
        wait_until(lambda: ready(other) == 3, "all are there")
        mover.move("10.77.0.33")
        with other.agent.client() as net:
            builds = net.builds.submit(["true"], runs_on=[f"lab={mover.name}"])
            assert builds[0].wait().state == "succeeded"
            wait_until(lambda: addresses(net)[mover.name] == ["10.77.0.33:7711"], "all know where it is")
        wait_until(lambda: ready(mover) == 3, "who moved sees all again")


def test_the_service_goes_on_under_attack(tmp_path: Path) -> None:
    """A hostile machine attacks all ports of the master, and floods the LAN with made-up agents, while builds run."""
    needs(os.getuid() == 0, "network namespaces need root")
    with hosts(tmp_path, 4, namespaces=True) as (*made, attacker):
        form(made)
        first = made[0]
        wait_until(lambda: ready(first) == 3, "all are there")
        assert attacker.machine is not None
        run_there = attacker.machine.command(["sh", "-c", 'ulimit -n 20000; exec "$@"', "sh", sys.executable, "-m"])
        attack = [*run_there, "tests.kit.hostile", first.address, "12"]
        flood = [*run_there, "tests.kit.flooder", attacker.address, "20000", "agents"]
        with (
            subprocess.Popen(attack, stdout=subprocess.PIPE, text=True) as attacking,
            subprocess.Popen(flood) as flooding,
            first.agent.client() as net,
        ):
            before = net.network.status()
            ended = 0
            while attacking.poll() is None or flooding.poll() is None:
                assert net.builds.submit(["true"])[0].wait().state == "succeeded"
                ended += 1
            wait_until(lambda: ready(first) == 3, "all are there")
            after = net.network.status()
            assert attacking.stdout is not None
            assert attacking.stdout.read().strip() == "done"
            assert flooding.returncode == 0
            counters = net.network.links().counters
        assert ended > 0
        # unless a machine was so busy that an agent stood still, and said so
        stood_still = any("replica.resumed" in one.agent.log() for one in made)
        assert (after.term, after.master) == (before.term, before.master) or stood_still
        assert counters["links.crowded"] > 0


def addresses(net: Client) -> dict[str, list[str]]:
    """Return where agents are, as the network knows, by their names."""
    return {one.name: one.addresses for one in net.agents.list().agents}


def ready(host: Host) -> int:
    """Return how many agents a host's agent sees as ready."""
    with host.agent.client() as net:
        found: int = net.network.status().agents["ready"]
    return found
