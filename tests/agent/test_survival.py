"""What happens to builds when the agent or the executor is killed. Real processes, real kills."""

import os
import random
import signal
from pathlib import Path

import pytest

from job_orchestra.core.errors import OrchestraError
from job_orchestra.core.ids import build_id
from job_orchestra.core.model import BuildState
from tests.kit.agents import AgentProcess, alive
from tests.kit.waiting import wait_until

BUILDS = 2_000
KILLS = 12
LINES = 20

#: Writes its id to a file that all builds share, then a log that can be checked byte for byte.
WORK = f"""
echo $ORCHESTRA_BUILD_ID.$ORCHESTRA_ATTEMPT >> $WITNESS
i=0
while [ $i -lt {LINES} ]; do echo "$ORCHESTRA_BUILD_ID $i"; i=$((i+1)); done
"""


def expected_log(build: str) -> bytes:
    return "".join(f"{build} {i}\n" for i in range(LINES)).encode()


@pytest.mark.parametrize("seed", [1])
def test_killing_the_agent_at_random_moments_loses_and_doubles_nothing(
    agent: AgentProcess, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    witness = tmp_path / "witness"
    witness.touch()
    agent.start("--slots", "4")
    accepted: list[str] = []
    with agent.client() as net:
        request = {"command": WORK, "name": "work", "env": {"WITNESS": str(witness)}}
        for _ in range(BUILDS // 500):
            accepted += [one.builds[0].id for one in net.batch("builds.submit", [request] * 500)]
    assert len(set(accepted)) == BUILDS

    def executed() -> int:
        return witness.read_bytes().count(b"\n")

    for kill in range(KILLS):
        moment = chance.randrange(BUILDS * kill // (KILLS + 1), BUILDS * (kill + 1) // (KILLS + 1))
        wait_until(lambda at=moment: executed() >= at, f"{moment} builds were executed")
        agent.kill()
        agent.start("--slots", "4")

    with agent.client() as net:
        views = [net.call("builds.wait", id=one).build for one in accepted]
        assert [view.state for view in views if view.state is not BuildState.SUCCEEDED] == []
        assert [view.id for view in views if len(view.attempts) != 1 or view.attempt != 1] == []
        assert [one for one in accepted if b"".join(net.log(one)) != expected_log(one)] == []
        pages, after = [], None
        while True:
            page = net.call("builds.list", limit=1000, after=after)
            pages += [one.id for one in page.builds]
            after = page.next
            if after is None:
                break
        assert sorted(pages) == sorted(accepted)
    ran = witness.read_text().split()
    assert sorted(ran) == sorted(f"{one}.1" for one in accepted)


def test_a_running_build_goes_on_while_its_agent_is_dead(agent: AgentProcess, tmp_path: Path) -> None:
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    agent.start()
    with agent.client() as net:
        build = net.builds.submit(["sh", "-c", f"echo before; cat {fifo}; echo after"])[0]
        wait_until(lambda: b"".join(net_log(agent, build.id)) == b"before\n", "the build has begun")
    agent.kill()
    fifo.write_text("meanwhile\n")  # returns when the build, which nobody watches, has read it
    agent.start()
    with agent.client() as net:
        ended = net.call("builds.wait", id=build.id).build
        assert (ended.state, ended.attempt) == (BuildState.SUCCEEDED, 1)
        assert b"".join(net.log(build.id)) == b"before\nmeanwhile\nafter\n"


def net_log(agent: AgentProcess, build: str) -> list[bytes]:
    """Return what there is of a log now."""
    path = agent.paths.log(f"{build}.1")
    return [path.read_bytes()] if path.exists() else []


def test_orders_of_attempts_that_nobody_knows_any_more_are_cleared(agent: AgentProcess, tmp_path: Path) -> None:
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    agent.start()
    with agent.client() as net:
        build = net.builds.submit(["sh", "-c", f"echo here; cat {fifo}; echo made > made"], artifacts=["made"])[0]
        wait_until(lambda: b"".join(net_log(agent, build.id)) == b"here\n", "the build has begun")
    agent.kill()
    mine = agent.paths.order(f"{build.id}.1")
    assert mine.exists()
    strangers = [mine.with_name(f"{build_id(4711)}.1.{kind}") for kind in ("json", "taken", "kept")]
    for one in strangers:
        one.write_bytes(mine.read_bytes())
    agent.start()
    wait_until(lambda: not any(one.exists() for one in strangers), "what belongs to nobody is gone")
    assert mine.exists(), "it is still needed"
    fifo.write_text("go\n")
    with agent.client() as net:
        assert [one["path"] for one in net.call("builds.wait", id=build.id).build.artifacts] == ["made"]
    wait_until(lambda: not any(agent.paths.orders.iterdir()), "no order is left")


def test_killing_the_executor_loses_its_attempts_and_nothing_of_them_lives(agent: AgentProcess, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    agent.start("--slots", "2")
    stubborn = f"""
        trap '' TERM
        echo $$ >> {pids}
        (trap '' TERM; echo $(exec sh -c 'echo $PPID') >> {pids}; exec tail -f /dev/null) &
        setsid sh -c 'trap "" TERM; echo $$ >> {pids}; exec tail -f /dev/null' &
        wait
    """
    with agent.client() as net:
        lost = [net.builds.submit(["sh", "-c", stubborn])[0] for _ in range(2)]
        after = net.builds.submit(["echo", "I am next"])[0]
        wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 6, "all processes run")
        assert net.call("builds.get", id=after.id).build.state in {BuildState.PENDING, BuildState.ASSIGNED}
        os.kill(agent.executor_pid, signal.SIGKILL)
        for build in lost:
            ended = build.wait()
            assert ended.state is BuildState.LOST
            assert "executor" in ended.reason
        assert [pid for pid in map(int, pids.read_text().split()) if alive(pid)] == []
        assert after.wait().state is BuildState.SUCCEEDED
        assert net.builds.submit(["true"])[0].wait().state is BuildState.SUCCEEDED


def test_a_finished_build_is_not_lost_with_the_executor(agent: AgentProcess) -> None:
    agent.start()
    with agent.client() as net:
        done = net.builds.submit(["true"])[0]
        assert done.wait().state is BuildState.SUCCEEDED
        os.kill(agent.executor_pid, signal.SIGKILL)
        assert net.builds.submit(["true"])[0].wait().state is BuildState.SUCCEEDED
        assert done.get().state is BuildState.SUCCEEDED


def test_what_the_executor_held_and_had_not_begun_goes_back_into_the_queue(agent: AgentProcess, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    witness.touch()
    agent.start("--slots", "2")
    with agent.client() as net:
        request = {"command": WORK, "name": "work", "env": {"WITNESS": str(witness)}}
        ids = [one.builds[0].id for one in net.batch("builds.submit", [request] * 500)]
        for moment in (100, 250, 400):
            wait_until(lambda at=moment: witness.read_bytes().count(b"\n") >= at, f"{moment} builds were executed")
            os.kill(agent.executor_pid, signal.SIGKILL)
        views = [net.call("builds.wait", id=one).build for one in ids]
    lost = [view for view in views if view.state is BuildState.LOST]
    assert len(lost) <= 2 * 3  # what was in a slot when the executor died
    assert {view.state for view in views if view not in lost} == {BuildState.SUCCEEDED}
    ran = [line.split(".")[0] for line in witness.read_text().split()]
    assert len(ran) == len(set(ran)), "an attempt that may have begun was begun again"
    assert {view.id for view in views} - {view.id for view in lost} <= set(ran)


def test_agent_and_executor_killed_together(agent: AgentProcess) -> None:
    agent.start("--slots", "1")
    with agent.client() as net:
        running = net.builds.submit(["tail", "-f", "/dev/null"])[0]
        wait_until(lambda: running.get().state is BuildState.RUNNING, "it runs")
        waiting = net.builds.submit(["true"])[0]
    executor = agent.executor_pid
    agent.kill()
    os.kill(executor, signal.SIGKILL)
    wait_until(lambda: not alive(executor), "the executor is dead")
    agent.start("--slots", "1")
    with agent.client() as net:
        assert net.call("builds.wait", id=running.id).build.state is BuildState.LOST
        assert net.call("builds.wait", id=waiting.id).build.state is BuildState.SUCCEEDED


def test_nothing_accepted_is_lost_when_the_agent_dies_right_after_the_answer(agent: AgentProcess) -> None:
    accepted: list[str] = []
    for _ in range(3):
        agent.start("--no-worker")
        with agent.client() as net:
            accepted += [one.builds[0].id for one in net.batch("builds.submit", [{"command": ["true"]}] * 50)]
        agent.kill()
    agent.start()
    with agent.client() as net:
        states = {net.call("builds.wait", id=one).build.state for one in accepted}
    assert states == {BuildState.SUCCEEDED}
    assert len(set(accepted)) == 150


def test_a_request_id_makes_a_retry_after_a_crash_safe(agent: AgentProcess) -> None:
    agent.start("--no-worker")
    with agent.client() as net:
        first = net.builds.submit(["true"], request="only once")[0].id
    agent.kill()
    agent.start("--no-worker")
    with agent.client() as net:
        assert net.builds.submit(["true"], request="only once")[0].id == first
        assert net.network.status().queue == {"pending": 1, "running": 0}


def test_the_executor_ends_when_the_agent_is_stopped_with_its_builds(agent: AgentProcess) -> None:
    agent.start()
    with agent.client() as net:
        build = net.builds.submit(["tail", "-f", "/dev/null"])[0]
        wait_until(lambda: build.get().state is BuildState.RUNNING, "it runs")
        executor = agent.executor_pid
        with pytest.raises(OrchestraError, match="1 build"):
            net.agent.stop()
        net.agent.stop(builds="abort")
    assert agent.process is not None
    assert agent.process.wait() == 0
    wait_until(lambda: not alive(executor), "the executor has ended")
    agent.start()
    with agent.client() as net:
        assert net.call("builds.get", id=build.id).build.state is BuildState.ABORTED
