"""Real agents on hosts of their own: they find each other, take each other in, and keep every promise under faults."""

import os
from pathlib import Path

from tests.conftest import needs
from tests.kit.lab.campaign import Plan, run
from tests.kit.lab.hosts import hosts

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
