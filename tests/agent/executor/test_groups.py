"""Control groups: what a build starts is told from what others start, and dies with it, whatever it does to hide."""

import glob
import os
from pathlib import Path

import pytest

from job_orchestra.agent.executor.groups import Groups, group_of
from job_orchestra.agent.executor.link import ExecutorLink
from job_orchestra.core.model import BuildState
from tests.kit.agents import alive
from tests.kit.executors import AgentEnd

HOLD = "exec tail -f /dev/null"


@pytest.fixture(autouse=True)
def groups(tmp_path: Path) -> None:
    """Skip where there are none; a container may not have them, so this is no failure in CI either."""
    found = Groups(str(tmp_path))
    if found.group("x") is None:
        pytest.skip("this user can make no control groups (cgroup v2) here")
    found.close()


async def test_a_process_that_hid_from_everything_else_dies_with_its_own_build(
    end: AgentEnd, link: ExecutorLink, tmp_path: Path
) -> None:
    link.configure(2)
    hide = f"cd /; setsid env -i PATH=$PATH P={tmp_path} sh -c '(sh -c \"echo \\$\\$ > \\$P/pid; {HOLD}\" &) ; exit 0'"
    other = end.shell(1, HOLD)
    hiding = end.shell(2, f"{hide}; while [ ! -s {tmp_path}/pid ]; do :; done")
    link.start([other])
    await end.told(other.key, lambda one: one.state is BuildState.RUNNING)
    link.start([hiding])
    assert (await end.told_end(hiding.key)).state is BuildState.SUCCEEDED
    assert not alive(int((tmp_path / "pid").read_text())), "the other build, which still runs, might have started it"


async def test_processes_are_in_the_group_of_their_room_and_an_executor_leaves_no_groups(
    end: AgentEnd, link: ExecutorLink
) -> None:
    plan = end.shell(1, "until grep orchestra- /proc/self/cgroup; do :; done")
    link.start([plan])
    await end.told_end(plan.key)
    path = end.log(plan).decode().strip().removeprefix("0::")
    assert path.startswith(group_of(os.getpid()).rstrip("/") + "/orchestra-")
    assert path.endswith("/1")
    await link.quit("the test is over")
    await end.until(lambda: not glob.glob(f"/sys/fs/cgroup/**/{path.split('/')[-2]}", recursive=True))


def test_what_an_executor_before_this_one_left_is_killed(tmp_path: Path) -> None:
    first = Groups(str(tmp_path))
    group = first.group("1")
    first.enter(group)
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", HOLD], {"PATH": os.environ["PATH"]}, setsid=True)
    first.close()
    assert group is not None
    assert group_of(pid) == group.path
    Groups(str(tmp_path)).close()
    assert os.waitpid(pid, 0)[1] == 9
