"""A real executor carries out plans: what surrounds the steps."""

import os
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from job_orchestra.agent.executor.link import ExecutorLink
from job_orchestra.agent.executor.protocol import Plan, StepPlan
from job_orchestra.core.definition import When
from job_orchestra.core.messages import Typed
from job_orchestra.core.model import BuildState, Stop
from tests.kit.executors import AgentEnd

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


async def run(end: AgentEnd, link: ExecutorLink, plan: Plan) -> tuple[BuildState, str, bytes]:
    link.start([plan])
    status = await end.told_end(plan.key)
    return status.state, status.reason, end.log(plan)


async def test_what_is_kept_is_collected_when_nothing_of_the_steps_is_left(end: AgentEnd, link: ExecutorLink) -> None:
    step = "trap 'touch ended; exit' TERM; touch began; (while :; do tail -f /dev/null; done) &"
    keep = ("sh", "-c", 'echo $ORCHESTRA_OUTCOME; ls; pgrep -f "tail -f /dev/nul[l] $PWD"; true')
    plan = end.shell(1, step, collect=keep)
    assert await run(end, link, plan) == (BuildState.SUCCEEDED, "", b"succeeded\nbegan\n")
    failing = end.shell(2, "echo no; exit 4", collect=keep)
    assert await run(end, link, failing) == (BuildState.FAILED, "step s1 failed with exit code 4", b"no\nfailed\n")
    spoilt = end.shell(3, "true", collect=("false",))
    assert (await run(end, link, spoilt))[0] is BuildState.ERROR


async def test_bad_results_are_known_before_anything_is_collected(end: AgentEnd, link: ExecutorLink) -> None:
    plan = end.shell(1, "echo x > $ORCHESTRA_RESULTS", collect=("sh", "-c", "echo $ORCHESTRA_OUTCOME"))
    state, reason, log = await run(end, link, plan)
    assert (state, log) == (BuildState.FAILED, b"failed\n")
    assert "KEY=VALUE" in reason


async def test_a_workspace_elsewhere_is_worked_in_and_kept(end: AgentEnd, link: ExecutorLink, tmp_path: Path) -> None:
    tree = tmp_path / "trees" / "one"
    for serial in (1, 2):
        plan = end.shell(serial, 'pwd; test "$PWD" = "$ORCHESTRA_WORKSPACE"; echo x >> kept', workspace=str(tree))
        assert await run(end, link, plan) == (BuildState.SUCCEEDED, "", f"{tree}\n".encode())
    assert (tree / "kept").read_text() == "x\nx\n"


async def test_an_abort_that_is_told_twice_spares_what_always_runs_and_a_kill_does_not(
    end: AgentEnd, link: ExecutorLink, tmp_path: Path
) -> None:
    for serial, (how, said) in enumerate(((Stop.ABORT, b"tidied\n"), (Stop.KILL, b"")), 1):
        began, tidying, go = (tmp_path / f"{name}{serial}" for name in ("began", "tidying", "go"))
        os.mkfifo(go)
        tidy = f"touch {tidying}; read -r x < {go}; echo tidied"  # no other process, of whose end the shell would tell
        steps = (
            StepPlan("wait", ("sh", "-c", f"touch {began}; exec tail -f /dev/null")),
            StepPlan("tidy", ("sh", "-c", tidy), when=When.ALWAYS),
        )
        plan = replace(end.shell(serial), steps=steps)
        with go.open("r+b", buffering=0) as gate:
            link.start([plan])
            await end.until(began.exists)
            link.stop(plan.key, "asked")
            await end.until(tidying.exists)
            link.stop(plan.key, "told again", how)
            await link.type(Typed(plan.key, "s", 0, b"", over=False, requester="ann"))  # it answers: it was told
            gate.write(b"\n")
            assert ((await end.told_end(plan.key)).reason, end.log(plan)) == ("asked", said)


async def test_a_nice_attempt_gives_way_with_all_that_it_starts(end: AgentEnd, link: ExecutorLink) -> None:
    say = f"{sys.executable} -c 'import os; print(os.nice(0))'"
    plan = end.shell(1, f"{say}; ({say})", nice=True)
    assert (await run(end, link, plan))[2] == b"19\n19\n"
    missing = replace(end.shell(2, nice=True), steps=(StepPlan("s1", ("no-such-program",)),))
    assert "no such program" in (await run(end, link, missing))[1]
