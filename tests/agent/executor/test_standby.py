"""Programs of ours that stand by: they are what they would be if they had been started, and nothing is left of them."""

import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from job_orchestra.agent.executor import readiness
from job_orchestra.agent.executor.ending import NEVER
from job_orchestra.agent.executor.link import ExecutorLink
from job_orchestra.agent.executor.outlets import Actions
from job_orchestra.agent.executor.processes import Processes, Track
from job_orchestra.agent.executor.protocol import Plan
from job_orchestra.agent.executor.standby import UNUSED_S, Standby
from job_orchestra.core.model import BuildState, Terminal
from tests.kit.agents import alive
from tests.kit.executors import AgentEnd

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans become children of the executor there only")

PROGRAM = """
import json, os, subprocess, sys
from pathlib import Path
from job_orchestra.agent.executor import readiness
from job_orchestra.agent.executor.groups import group_of
words = tuple(sys.argv[1:])
stood = words == ("ready",)
if stood:
    words = readiness.told()
    if words is None:
        sys.exit()
what, *rest = words
if what == "tell":
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    with os.scandir("/proc/self/fd") as entries:
        descriptors = {one.name: os.readlink(one.path) for one in entries if os.path.exists(one.path)}
    descriptors = {number: path.split(":")[0] for number, path in descriptors.items() if "/fd" not in path}
    about = {name: status[name].strip() for name in ("PPid", "Umask", "SigBlk", "SigIgn", "SigCgt")}
    about |= {"leads": os.getsid(0) == os.getpgid(0) == os.getpid(), "nice": os.nice(0), "group": group_of(os.getpid())}
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
        about["terminal"] = True
    except OSError:
        about["terminal"] = False
    about |= {"in": os.getcwd(), "env": dict(os.environ), "descriptors": descriptors}
    child = subprocess.run(["env"], stdout=subprocess.PIPE, check=True).stdout.decode()
    about["inherited"] = sorted(line for line in child.splitlines() if not line.startswith("_="))
    Path(rest[0]).write_text(json.dumps([stood, os.getpid(), about]))
    print("told", flush=True)
elif what == "hold":
    other = subprocess.Popen(["tail", "-f", "/dev/null"], start_new_session=True)
    Path(rest[0]).write_text(json.dumps([stood, os.getpid(), other.pid]))
    other.wait()
else:
    sys.exit(int(what))
"""
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}  # in another locale Python adds to it
OURS = (sys.executable, "-E", "-P", "-c", PROGRAM)


@pytest.fixture
async def ready(end: AgentEnd) -> AsyncIterator[ExecutorLink]:
    async with end.linked() as found:
        found.configure(1, (*OURS, "ready"))
        yield found
        await found.quit("the test is over")


class Told:
    """What programs tell of themselves, in files."""

    def __init__(self, end: AgentEnd, link: ExecutorLink, folder: Path) -> None:
        self._end = end
        self._link = link
        self._folder = folder
        self._serials = count(1)

    def plan(self, what: str = "tell", **fields: Any) -> tuple[Plan, Path]:  # noqa: ANN401 - any field of Plan
        """Return a plan whose workspace is prepared by a program that tells of itself in a file."""
        serial = next(self._serials)
        told = self._folder / f"told{serial}"
        plan = self._end.shell(serial, "true", **{"env": ENVIRONMENT, **fields})
        return replace(plan, prepare=(*OURS, what, str(told))), told

    async def of_one_that(self, *, stood: bool, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
        """Return what the first one tells that stood by, or did not."""
        while True:  # whoever comes next may not be there yet
            plan, told = self.plan(**fields)
            self._link.start([plan])
            status = await self._end.told_end(plan.key)
            assert (status.state, status.reason) == (BuildState.SUCCEEDED, "")
            assert self._end.log(plan).strip() == b"told"
            it_stood, pid, about = json.loads(told.read_text())
            assert not alive(pid)
            if it_stood == stood:
                places = about["descriptors"]
                about["descriptors"] = {one: "log" if path == plan.log else path for one, path in places.items()}
                return cast("dict[str, Any]", about)

    async def of_one_that_holds(self) -> tuple[Plan, int, int]:
        """Return the plan of one that stood by and does not end, its process id and that of what it has started."""
        await self.of_one_that(stood=True)
        while True:
            plan, told = self.plan("hold")
            self._link.start([plan])
            await self._end.until(lambda told=told: told.exists() and told.read_text().endswith("]"))
            stood, pid, other = json.loads(told.read_text())
            if stood:
                return plan, pid, other
            self._link.stop(plan.key, "it did not stand by")
            await self._end.told_end(plan.key)


def children(link: ExecutorLink) -> list[int]:
    return [int(one) for one in Path(f"/proc/{link.pid}/task/{link.pid}/children").read_text().split()]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"nice": True},
        {"terminal": Terminal(80, 24, "xterm")},
        {"secrets": ("hidden",)},
        {"input": True},
        {"env": {**ENVIRONMENT, "A": "é", "PYTHONHOME": "/nowhere", "LONG": "x" * 30_000}},
    ],
    ids=lambda fields: next(iter(fields), "plain"),
)
async def test_what_stood_by_is_what_it_would_be_if_it_had_been_started(
    end: AgentEnd, ready: ExecutorLink, tmp_path: Path, fields: dict[str, Any]
) -> None:
    told = Told(end, ready, tmp_path)
    began = await told.of_one_that(stood=False, **fields)
    stood = await told.of_one_that(stood=True, **fields)
    assert stood == began
    assert began["leads"]
    assert began["nice"] == (19 if "nice" in fields else 0)
    assert began["terminal"] == ("terminal" in fields)


async def test_its_exit_code_counts(end: AgentEnd, ready: ExecutorLink, tmp_path: Path) -> None:
    told = Told(end, ready, tmp_path)
    await told.of_one_that(stood=True)
    plan, _ = told.plan("3")
    ready.start([plan])
    assert (await end.told_end(plan.key)).state is BuildState.ERROR


async def test_a_directory_that_is_gone_is_told_as_ever(end: AgentEnd, ready: ExecutorLink, tmp_path: Path) -> None:
    told = Told(end, ready, tmp_path)
    await told.of_one_that(stood=True)
    (tmp_path / "file").touch()
    plan, _ = told.plan(workspace=str(tmp_path / "file" / "inside"))
    ready.start([plan])
    assert (await end.told_end(plan.key)).state is BuildState.ERROR
    await told.of_one_that(stood=True)


async def test_an_abort_ends_it_with_all_that_it_started(end: AgentEnd, ready: ExecutorLink, tmp_path: Path) -> None:
    told = Told(end, ready, tmp_path)
    plan, pid, other = await told.of_one_that_holds()
    ready.stop(plan.key, "asked")
    status = await end.told_end(plan.key)
    assert (status.state, status.reason) == (BuildState.ABORTED, "asked")
    assert not alive(pid)
    assert not alive(other)
    await told.of_one_that(stood=True)


async def test_nothing_is_left_of_those_whose_executor_was_killed(end: AgentEnd, tmp_path: Path) -> None:
    async with end.linked() as link:
        link.configure(1, (*OURS, "ready"))
        _, pid, other = await Told(end, link, tmp_path).of_one_that_holds()
        standing = set(children(link)) - {pid}
        assert standing
        os.kill(link.pid, signal.SIGKILL)
        await end.lost.wait()
    end.lost.clear()
    await end.until(lambda: not any(map(alive, standing)))
    async with end.linked() as link:  # which kills what one before it left
        assert not alive(pid)
        assert not alive(other)
        await link.quit("the test is over")


async def test_those_that_are_killed_are_done_without_and_others_come(
    end: AgentEnd, ready: ExecutorLink, tmp_path: Path
) -> None:
    told = Told(end, ready, tmp_path)
    await told.of_one_that(stood=True)
    standing = children(ready)
    for one in standing:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    await end.until(lambda: not any(map(alive, standing)))  # one that is told before that is killed at its work
    plan, _ = told.plan()
    ready.start([plan])
    assert (await end.told_end(plan.key)).state is BuildState.SUCCEEDED
    await told.of_one_that(stood=True)


async def test_those_that_stand_by_are_no_older_than_the_agent(end: AgentEnd, tmp_path: Path) -> None:
    async with end.linked() as link:
        link.configure(1, (*OURS, "ready"))
        await Told(end, link, tmp_path).of_one_that(stood=True)
        before = children(link)
        assert before
    async with end.linked() as link:
        await end.until(lambda: not any(map(alive, before)))
        await link.quit("the test is over")


async def test_one_that_does_not_start_is_told_of_and_done_without(end: AgentEnd, tmp_path: Path) -> None:
    async with end.linked() as link:
        link.configure(1, (*OURS, "x"))
        told = Told(end, link, tmp_path)
        log = end.paths.executor / "executor.log"
        for _ in range(2):
            plan, path = told.plan()
            link.start([plan])
            assert (await end.told_end(plan.key)).state is BuildState.SUCCEEDED
            assert json.loads(path.read_text())[0] is False
            await end.until(lambda: "no-standby: x does not start" in log.read_text())
        await link.quit("the test is over")


class Starting:
    """What a standby knows of processes, without any."""

    def __init__(self) -> None:
        self.started: list[socket.socket] = []

    def start_helper(self, command: Sequence[str], env: Mapping[str, str], actions: Actions) -> None:
        assert (command, env["ORCHESTRA_TMP"]) == (("ours", "ready"), "/rooms/ready")
        ((_, source, place),) = cast("list[tuple[int, int, int]]", list(actions))
        assert place == readiness.CONTROL
        self.started.append(socket.socket(fileno=os.dup(source)))


def test_what_is_not_needed_any_more_is_let_go_of() -> None:
    processes = Starting()
    with selectors.DefaultSelector() as selector:
        standby = Standby(cast("Processes", processes), selector, "/rooms/ready")
        standby.configure(("ours", "ready"), 2)
        assert (standby.take(Track(), ("theirs", "x"), {}, (), ""), processes.started) == (None, [])
        assert (standby.due, len(selector.get_map())) == (NEVER, 0)
        assert standby.take(Track(), ("ours", "x"), {}, (), "") is None
        (started,) = processes.started
        ways = [socket.socket(fileno=fd) for _ in range(2) for fd in socket.recv_fds(started, 1, 1)[1]]
        assert len(ways) == 2
        standby.configure(("ours", "ready"), 1)
        standby.on_time(standby.due - UNUSED_S)
        assert len(selector.get_map()) == 1, "they may be needed still"
        standby.on_time(standby.due)
        assert (standby.due, len(selector.get_map())) == (NEVER, 0)
        for one in (started, *ways):
            with one:
                assert one.recv(1) == b""
