"""Real agents as processes, each in a data directory of its own, stopped and cleaned up at the end of the test."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from job_orchestra import connect
from job_orchestra.agent.client.blocking import Client
from job_orchestra.agent.executor.processes import leftovers
from job_orchestra.agent.paths import Paths

from .waiting import wait_until


class AgentProcess:
    """One agent, started and killed at will."""

    def __init__(self, data: Path, machine: Sequence[str] = ()) -> None:
        """Speak of the agent with this data directory; `machine` is the beginning of a command line that runs there."""
        self.data = data
        self._machine = machine
        self.paths = Paths(data)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *flags: str, environment: dict[str, str] | None = None) -> "AgentProcess":
        """Start it and wait until it answers."""
        answer = self.try_start(*flags, environment=environment)
        assert answer == "ready", f"the agent did not start: {answer or self.log()}"
        return self

    def try_start(self, *flags: str, environment: dict[str, str] | None = None) -> str:
        """Start it; return `ready`, or its exit code and error."""
        reading, writing = os.pipe()
        command = [*self._machine, sys.executable, "-m", "job_orchestra.agent", "run", "--data", str(self.data)]
        self.data.parent.mkdir(parents=True, exist_ok=True)
        with (self.data.parent / f"{self.data.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--ready-fd", str(writing), *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writing,),
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        os.close(writing)
        with os.fdopen(reading) as answers:
            answer = answers.readline().strip()
        if answer != "ready":
            self.process.wait()
        return answer

    def log(self) -> str:
        """Return what it said."""
        return (self.data.parent / f"{self.data.name}.log").read_text()

    def client(self) -> Client:
        """Connect to it."""
        return connect(self.data)

    def kill(self) -> None:
        """Kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end, and wait."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait()

    @property
    def executor_pid(self) -> int:
        """Process id of its executor; 0 when there was none."""
        with suppress(FileNotFoundError, ValueError):
            return int((self.paths.executor / "lock").read_text())
        return 0

    def clean_up(self) -> None:
        """Leave nothing behind."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        pid = self.executor_pid
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not alive(pid), f"the executor {pid} has ended")
        for left in leftovers(str(self.paths.work)):
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)
        shutil.rmtree(self.paths.sockets, ignore_errors=True)


@contextmanager
def agent_in(data: Path) -> Iterator[AgentProcess]:
    """Give an agent that is not started yet."""
    agent = AgentProcess(data)
    try:
        yield agent
    finally:
        agent.clean_up()


def alive(pid: int) -> bool:
    """Whether a process lives; one that has ended and is not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
