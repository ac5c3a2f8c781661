"""When a build has ended, nothing it started is still running - whatever it did to get away."""

from pathlib import Path

import pytest

from job_orchestra.core.model import BuildState, StepState
from tests.kit.agents import AgentProcess, alive
from tests.kit.waiting import wait_until

HOLD = "exec tail -f /dev/null"

ESCAPES = {
    "a child": f"(echo $(exec sh -c 'echo $PPID') >> $PIDS; {HOLD}) & wait",
    "a child that ignores SIGTERM": f"trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >> $PIDS; {HOLD}' & wait; wait",
    "a new session": f"setsid sh -c 'echo $$ >> $PIDS; {HOLD}' & wait",
    "a double fork in a new session": f"setsid sh -c '(sh -c \"echo \\$\\$ >> $PIDS; {HOLD}\" &) ; exit 0'; {HOLD}",
    "a double fork without our environment": (
        f"setsid env -i PATH=$PATH P=$PIDS sh -c '(sh -c \"echo \\$\\$ >> \\$P; {HOLD}\" &) ; exit 0'; {HOLD}"
    ),
    "a daemon that left the workspace, too": (
        f"cd /; setsid env -i PATH=$PATH P=$PIDS sh -c '(sh -c \"echo \\$\\$ >> \\$P; {HOLD}\" &) ; exit 0'; {HOLD}"
    ),
    "a stopped child": f"sh -c 'echo $$ >> $PIDS; kill -STOP $$; {HOLD}' & {HOLD}",
}


@pytest.mark.parametrize("how", ESCAPES)
def test_after_an_abort_nothing_of_a_build_lives(running_agent: AgentProcess, tmp_path: Path, how: str) -> None:
    pids = tmp_path / "pids"
    with running_agent.client() as net:
        build = net.builds.submit(["sh", "-c", ESCAPES[how]], env={"PIDS": str(pids)})[0]
        found = wait_until(lambda: pids.read_text().split() if pids.exists() else [], "it runs")
        build.abort()
        ended = build.wait()
    assert ended.state is BuildState.ABORTED
    assert "asked by" in ended.reason
    assert [pid for pid in map(int, found) if alive(pid)] == []


@pytest.mark.parametrize("how", ["a child", "a new session", "a double fork in a new session"])
def test_what_a_step_leaves_behind_is_ended_with_the_build(
    running_agent: AgentProcess, tmp_path: Path, how: str
) -> None:
    pids = tmp_path / "pids"
    script = ESCAPES[how].rpartition(";" if "double" in how else "&")[0].rstrip("&") + " &\n"
    script += "while [ ! -s $PIDS ]; do :; done"
    with running_agent.client() as net:
        ended = net.builds.submit(["sh", "-c", script], env={"PIDS": str(pids)})[0].wait()
    assert ended.state is BuildState.SUCCEEDED
    assert [pid for pid in map(int, pids.read_text().split()) if alive(pid)] == []


def test_two_builds_at_a_time_are_told_apart(running_agent: AgentProcess, tmp_path: Path) -> None:
    script = ESCAPES["a double fork in a new session"]
    with running_agent.client() as net:
        builds = [net.builds.submit(["sh", "-c", script], env={"PIDS": str(tmp_path / name)})[0] for name in "ab"]
        first, second = (
            wait_until(lambda path=tmp_path / name: path.exists() and int(path.read_text() or 0), "it runs")
            for name in "ab"
        )
        builds[0].abort()
        assert builds[0].wait().state is BuildState.ABORTED
        assert (alive(first), alive(second)) == (False, True)
        builds[1].abort()
        assert builds[1].wait().state is BuildState.ABORTED
        assert not alive(second)


def test_a_timeout_kills_the_tree_and_says_so(running_agent: AgentProcess, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    timeout_s = 0.15
    with running_agent.client() as net:
        while not pids.exists():  # it has to come as far as that before its time is over
            timeout_s *= 2
            build = net.builds.submit(["sh", "-c", ESCAPES["a child"]], env={"PIDS": str(pids)}, timeout=timeout_s)[0]
            ended = build.wait()
            assert (ended.state, ended.reason) == (BuildState.FAILED, f"timed out after {timeout_s:g} s")
            assert [step.state for step in ended.steps] == [StepState.TIMEOUT]
    assert [pid for pid in map(int, pids.read_text().split()) if alive(pid)] == []


def test_exit_codes_and_signals_are_told_apart(running_agent: AgentProcess) -> None:
    with running_agent.client() as net:
        code = net.builds.submit(["sh", "-c", "exit 9"])[0].wait()
        killed = net.builds.submit(["sh", "-c", "kill -9 $$"])[0].wait()
        missing = net.builds.submit(["no-such-program"])[0].wait()
    assert (code.state, code.steps[0].exit_code, code.steps[0].signal) == (BuildState.FAILED, 9, None)
    assert code.reason == "step run failed with exit code 9"
    assert (killed.state, killed.steps[0].exit_code, killed.steps[0].signal) == (BuildState.FAILED, None, 9)
    assert killed.reason == "step run was ended by signal 9 (SIGKILL)"
    assert missing.state is BuildState.ERROR
    assert "no such program" in missing.reason
