"""Pipelines as a user sees them, on a real agent: followed, aborted, run again."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from job_orchestra.console.cli import interleaving
from job_orchestra.console.cli.interleaving import members
from job_orchestra.core.errors import OrchestraError
from job_orchestra.core.model import BuildState, PipelineState
from tests.kit.agents import AgentProcess, alive
from tests.kit.commands import PROGRAM, orchestra
from tests.kit.waiting import wait_until

FILE = """
project: tower
jobs:
  base: echo base
  wall:
    needs: base
    matrix: { side: [north, south] }
    run: 'printf "$MATRIX_SIDE\\nhalf"; test "$PARAM_FAIL" != "$MATRIX_SIDE"'
    parameters: [{ name: fail }]
  roof: { needs: wall, run: echo roof }
  tidy: { needs: { job: roof, when: always }, run: echo tidy }
"""


@pytest.fixture(scope="module")
def tower(running_agent: AgentProcess) -> AgentProcess:
    with running_agent.client() as net:
        net.jobs.apply(FILE)
    return running_agent


def test_a_pipeline_is_followed_line_by_line_with_the_names_of_its_builds(tower: AgentProcess) -> None:
    found = orchestra(tower.data, "submit", "tower", "--follow")
    assert found.code == 0, found.err
    lines = found.out.splitlines()
    for side in ("north", "south"):
        whose = f"wall ({side}) | "
        assert [one.removeprefix(whose) for one in lines if one.startswith(whose)] == [side, "half"]
    assert sorted(one for one in lines if not one.startswith("wall")) == [
        "base         | base",
        "roof         | roof",
        "tidy         | tidy",
    ]
    assert "Pipeline p-1: 5 build(s) of base, wall, roof, tidy" in found.err
    assert found.err.endswith("Pipeline p-1 succeeded\n")


def test_builds_that_begin_and_end_between_two_looks_are_followed_too(
    tower: AgentProcess, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with tower.client() as net:
        pipeline = net.call("builds.submit", job="tower").pipeline
        net.call("pipelines.wait", id=pipeline)
        before = [replace(one, state=BuildState.PENDING, attempt=0) for one in members(net, pipeline)]
        looks = [before]  # then as it is
        monkeypatch.setattr(interleaving, "members", lambda *given: looks.pop() if looks else members(*given))
        interleaving.see_pipeline(net, pipeline)
    assert sorted(line.split()[-1] for line in capfdbinary.readouterr().out.splitlines()) == sorted(
        [b"base", b"half", b"half", b"north", b"roof", b"south", b"tidy"]
    )


def test_a_failure_is_told_and_what_hangs_on_it_is_skipped(tower: AgentProcess) -> None:
    found = orchestra(tower.data, "submit", "tower", "--follow", "-p", "fail=south")
    assert found.code == 1
    assert "wall (north) | half\n" in found.out
    assert "roof         | (skipped)\n" in found.out
    assert "tidy         | tidy\n" in found.out
    assert "step run failed with exit code 1" in found.err
    pipeline = found.err.split()[1].rstrip(":")
    again = orchestra(tower.data, "rerun", pipeline, "--failed", "--follow")
    assert again.code == 1
    assert "wall (north)" not in again.out, "it has succeeded"
    assert "wall (south)" in again.out
    assert "skipped" in orchestra(tower.data, "show", pipeline).out


@pytest.fixture
def stuck(running_agent: AgentProcess, tmp_path: Path) -> Iterator[list[str]]:
    """Give the words that submit a pipeline of which one build runs on and one waits for it; it writes its pid."""
    text = f"""
project: stuck
jobs:
  done: echo done
  long: {{ needs: done, run: 'echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec tail -f /dev/null' }}
  other: {{ needs: done, run: echo other }}
  after: {{ needs: long, run: echo after }}
  always: {{ needs: {{ job: long, when: always }}, run: echo always }}
"""
    with running_agent.client() as net:
        net.jobs.apply(text)
        yield ["submit", "stuck"]
        with suppress(OrchestraError):
            net.call("builds.abort", id="last")


def states(agent: AgentProcess, pipeline: str) -> dict[str, str]:
    with agent.client() as net:
        return {one.job: str(one.state) for one in members(net, pipeline)}


ABORTED = {"done": "succeeded", "long": "aborted", "other": "succeeded", "after": "aborted", "always": "aborted"}


def test_an_abort_stops_what_runs_and_withdraws_what_waits(
    running_agent: AgentProcess, stuck: list[str], tmp_path: Path
) -> None:
    with running_agent.client() as net:
        pipeline = net.call("builds.submit", job="stuck").pipeline
    wait_until((tmp_path / "pid").exists, "it runs")
    wait_until(lambda: states(running_agent, pipeline)["other"] == "succeeded", "the other one has ended")
    aborted = orchestra(running_agent.data, "abort", pipeline)
    assert aborted.code == 0, aborted.err
    attached = orchestra(running_agent.data, "attach", pipeline)
    assert (attached.code, "done   | done\n" in attached.out) == (1, True)
    with running_agent.client() as net:
        assert net.call("pipelines.wait", id=pipeline).pipeline.state is PipelineState.ABORTED
    assert states(running_agent, pipeline) == ABORTED
    assert not alive(int((tmp_path / "pid").read_text()))
    assert orchestra(running_agent.data, "abort", pipeline).code == 2, "there is nothing left of it"


def test_ctrl_c_while_a_pipeline_is_followed_aborts_it(
    running_agent: AgentProcess, stuck: list[str], tmp_path: Path
) -> None:
    environment = {**os.environ, "ORCHESTRA_HOME": str(running_agent.data)}
    with subprocess.Popen(
        [*PROGRAM, *stuck, "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        try:
            wait_until((tmp_path / "pid").exists, "it runs")
            assert process.stdout is not None
            assert process.stdout.readline() in {"done   | done\n", "other  | other\n"}
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Interrupted: aborting the pipeline" in err
    assert {"long", "after", "always"} <= {line.split()[0] for line in err.splitlines() if " aborted" in line}
    assert " aborted" in err.splitlines()[-1]
    assert not alive(int((tmp_path / "pid").read_text()))
