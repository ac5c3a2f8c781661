"""An agent for the length of a measurement, in a directory that is removed afterwards."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from job_orchestra import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from job_orchestra.agent.client import Client


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

    def cpu_seconds(self) -> float:
        """Return the processor time of agent and executor so far, without that of builds."""
        ticks = 0
        for pid in (self.pid, self.executor):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def agent(*flags: str) -> Iterator[Running]:
    """Start an agent, and stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="orchestra-bench-"))
    data = folder / "agent"
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "job_orchestra.agent", "run", "--data", str(data), "--ready-fd", str(writing)]
    try:
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([*command, *flags], stdout=log, stderr=log, pass_fds=(writing,))
        os.close(writing)
        with os.fdopen(reading) as answers:
            answer = answers.readline().strip()
        if answer != "ready":
            message = f"the agent did not start: {answer or (folder / 'log').read_text()}"
            raise RuntimeError(message)
        with connect(data) as net:
            # the first build waits for the executor; measurements begin behind it
            net.builds.submit(["true"])[0].wait()
            yield Running(net, data, process.pid)
            net.agent.stop(builds="abort")
        process.wait()
    finally:
        # at the very end: ext4 gives out inodes slowly for minutes after many files were deleted
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
