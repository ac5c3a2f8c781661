"""Agents for the length of a measurement, in directories that are removed afterwards."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from job_orchestra import connect
from job_orchestra.agent.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from job_orchestra.agent.client.blocking import Client


@dataclass(frozen=True)
class Running:
    """An agent that runs."""

    net: Client  # a connection to it
    data: Path  # its data directory
    pid: int  # its process id

    @property
    def executor(self) -> int:
        """Return the process id of its executor."""
        return int((self.data / "executor" / "lock").read_text())

    def resident(self, pid: int) -> int:
        """Return the bytes of memory that one of its processes has resident."""
        return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) << 10

    @property
    def standing(self) -> list[int]:
        """Return the process ids of the programs that stand by for builds, while none runs."""
        executor = self.executor
        return [int(pid) for pid in Path(f"/proc/{executor}/task/{executor}/children").read_text().split()]

    def proportional(self, pid: int) -> int:
        """Return the bytes of memory of a process, its part of what it shares with others."""
        return int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("\nPss:")[1].split()[0]) << 10

    def cpu_seconds(self) -> float:
        """Return the processor time of agent, executor and what stands by so far, without that of builds."""
        ticks = 0
        for pid in (self.pid, self.executor, *self.standing):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def agent(*flags: str) -> Iterator[Running]:
    """Start an agent, and stop it at the end."""
    with _folder() as folder:
        process = start(folder / "agent", *flags)
        with connect(folder / "agent") as net:
            # the first build waits for the executor; measurements begin behind it
            net.builds.submit(["true"])[0].wait()
            yield Running(net, folder / "agent", process.pid)
            net.agent.stop(builds="abort")
        process.wait()


@dataclass
class Member:
    """An agent of a network."""

    data: Path  # its data directory
    flags: tuple[str, ...]  # what it is started with
    process: subprocess.Popen[bytes]  # it

    @property
    def socket(self) -> Path:
        """Return its scripting socket."""
        return Paths(self.data).scripting

    def start(self) -> None:
        """Start it again."""
        self.process = start(self.data, *self.flags)


@contextmanager
def network(count: int, *flags: str, names: Sequence[str] = (), voters: int = 0) -> Iterator[list[Member]]:
    """Start agents on loopback that are one network, so many of them voters (0: all); stop them at the end.

    They are called `names`, or a1, a2 and so on.
    """
    flags = ("--listen", "127.0.0.1:0", "--no-mdns", "--settle", "0.5", *flags)
    members: list[Member] = []
    with _folder() as folder:
        try:
            for number in range(1, count + 1):
                name = names[number - 1] if names else f"a{number}"
                data, own = folder / name, ("--name", name, *flags)
                if members:
                    _join(data, members[0])
                members.append(Member(data, own, start(data, *own)))
            with connect(members[0].data) as net:
                while len(net.network.status().voters) < (voters or count):
                    time.sleep(0.05)
            for one in members if "--no-worker" not in flags else ():
                with connect(one.data) as net:
                    net.builds.submit(["true"])[0].wait()
            yield members
            for one in members:
                if one.process.poll() is None:
                    with connect(one.data) as net:
                        net.agent.stop(builds="abort")
        finally:
            for one in members:
                with suppress(subprocess.TimeoutExpired):
                    one.process.wait(20)
                one.process.kill()
                one.process.wait()


def _join(data: Path, first: Member) -> None:
    with connect(first.data) as net:
        token = net.network.invite().token
    command = [sys.executable, "-m", "job_orchestra.agent", "join", "--data", str(data), "--no-start", "-"]
    subprocess.run(command, input=token.encode(), check=True, capture_output=True)


def start(data: Path, *flags: str) -> subprocess.Popen[bytes]:
    """Start an agent; return its process when it answers."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "job_orchestra.agent", "run", "--data", str(data), "--ready-fd", str(writing)]
    log_file = data.with_suffix(".log")
    with log_file.open("ab") as log:
        process = subprocess.Popen([*command, *flags], stdout=log, stderr=log, pass_fds=(writing,))
    os.close(writing)
    with os.fdopen(reading) as answers:
        answer = answers.readline().strip()
    if answer != "ready":
        message = f"the agent did not start: {answer or log_file.read_text()}"
        raise RuntimeError(message)
    return process


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="orchestra-bench-"))
    try:
        yield folder
    finally:
        # at the very end: ext4 gives out inodes slowly for minutes after many files were deleted
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
