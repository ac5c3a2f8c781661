"""A clock that is set back: nothing in the record runs backwards."""

import asyncio
import time
from pathlib import Path

from job_orchestra.agent.executor.site import Clock
from job_orchestra.agent.journal import Journal
from job_orchestra.agent.master import Master
from job_orchestra.agent.replica import RaftReplica
from job_orchestra.core.commands import NewBuild, Submit
from job_orchestra.core.consensus import Config, Configuration
from job_orchestra.core.definition import Spec, Step
from job_orchestra.core.ledger import Ledger

HOUR_MS = 3_600_000


async def test_builds_are_created_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    moments = [0]  # what the clock shows, last
    alone = Configuration(voters=(1,))
    replica = RaftReplica(Journal(tmp_path / "journal.db"), Ledger(), config=Config(id=1), configuration=alone)
    running = asyncio.create_task(replica.run())
    await replica.caught_up.wait()
    master = Master(replica, clock=lambda: moments[-1])
    spec = Spec((Step("run", "true"),))
    new = NewBuild("p", "j", spec.digest())
    for moment in (10 * HOUR_MS, 9 * HOUR_MS, 10 * HOUR_MS + 5):
        moments.append(moment)
        await master.propose(Submit(master.time(), "ann", (new,), {spec.digest(): spec}))
    assert [build.created for build in replica.ledger.builds.values()] == [10 * HOUR_MS, 10 * HOUR_MS, 10 * HOUR_MS + 5]
    replica.close()
    await running
    replica.release()


def test_an_attempt_counts_its_own_time_from_its_beginning() -> None:
    before = time.time_ns() // 1_000_000
    clock = Clock(now=1000.0)
    began = clock.at(1000.0)
    assert before <= began <= time.time_ns() // 1_000_000
    assert clock.at(1002.5) == began + 2500
