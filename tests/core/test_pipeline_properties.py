"""What holds of pipelines whatever becomes of their builds: an independent look at what was changed, in its order."""

from hypothesis import given, settings
from msgspec.structs import replace

from job_orchestra.core.commands import Command
from job_orchestra.core.ledger import Ledger
from job_orchestra.core.model import BuildState
from tests.kit.builders import assign, join, record
from tests.kit.lives import lives
from tests.kit.witness import Witness


@settings(max_examples=150)
@given(lives)
def test_no_build_begins_before_what_it_needs_has_ended_as_it_must(life: list[Command]) -> None:
    ledger, witness = Ledger(), Witness()
    for now, command in enumerate(life, 1):
        witness.see(now, ledger, command)
    witness.check()


@settings(max_examples=150)
@given(lives)
def test_every_pipeline_comes_to_its_end_if_workers_work(life: list[Command]) -> None:
    ledger, witness = Ledger(), Witness()
    for now, command in enumerate(life, 1):
        witness.see(now, ledger, command)
    now = len(life) + 1
    witness.see(now, ledger, join(at=ledger.counters.at, session="s9"))
    while ledger.builds:
        free = [one.id for one in ledger.builds.values() if one.state is BuildState.PENDING and not one.held]
        witness.see(now + 1, ledger, assign(*free, session="s9", at=ledger.counters.at))
        for agent in sorted(ledger.agents):
            held = [one for one in ledger.attempts.values() if one.agent == agent]
            done = [replace(one, state=BuildState.SUCCEEDED, finished=ledger.counters.at) for one in held]
            now += 2
            witness.see(now, ledger, record(*done, agent=agent, at=ledger.counters.at))
        assert free or not ledger.builds or ledger.attempts, "what is left waits for nobody"
    witness.check()
    assert not ledger.pipelines.live
    assert not ledger.specs or ledger.jobs
