"""Hosts, each with one agent: in a network namespace on a switch of their own, or all on loopback.

A host can be cut off and its links made bad only where it has a namespace. Refuses to know when and why.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.kit.agents import AgentProcess
from tests.kit.lan import Lan, Machine, lan

FLAGS = ("--slots", "4", "--settle", "1", "--reserve", "1000000")
"""Settings of the lab's agents."""

_CODE = re.compile(r"[0-9]{3}-[0-9]{3}")

FULL_MIB = 600
"""Size of the small disk of a host whose disk is to be full."""


class Host:
    """One agent, its data directory, and, where there is one, its machine."""

    def __init__(self, name: str, data: Path, machine: Machine | None, address: str) -> None:
        self.name = name
        self.address = address
        self.machine = machine
        self.agent = AgentProcess(data, machine.command(()) if machine else ())
        self.stopped = False
        self.small_disk = False
        listen = ("--listen", ":7711") if machine else ("--listen", "127.0.0.1:0", "--no-mdns")
        self._flags = ("--name", name, "--label", f"lab={name}", *FLAGS, *listen)

    @property
    def socket(self) -> Path:
        """Where its agent is asked."""
        return self.agent.paths.scripting

    @property
    def runs(self) -> bool:
        """Whether its process lives, stopped or not."""
        process = self.agent.process
        return process is not None and process.poll() is None

    def start(self) -> str:
        """Start its agent; return `ready`, or its error."""
        self.stopped = False
        return self.agent.try_start(*self._flags)

    def join(self, token: str) -> None:
        """Make it a member; its agent does not run yet."""
        program = [*(self.machine.command(()) if self.machine else ()), sys.executable, "-m", "job_orchestra.agent"]
        words = ["join", "--data", str(self.agent.data), "--name", self.name, "--no-start", "-"]
        done = subprocess.run([*program, *words], input=token, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{self.name} cannot join: {done.stderr}"

    def join_by_code(self, approve: Callable[[str], object]) -> None:
        """Make it a member of the network that it sees; `approve` is given the code that it shows."""
        program = [*(self.machine.command(()) if self.machine else ()), sys.executable, "-m", "job_orchestra.agent"]
        words = ["join", "--data", str(self.agent.data), "--name", self.name, "--no-start"]
        with subprocess.Popen([*program, *words], stderr=subprocess.PIPE, text=True) as joining:
            assert joining.stderr is not None
            told = ""
            for line in joining.stderr:
                told += line
                if _CODE.fullmatch(line.strip()):
                    approve(line.strip())
            assert joining.wait() == 0, told

    def kill(self) -> None:
        """Kill its agent with -9; builds go on."""
        if self.runs:
            self.agent.kill()
        self.stopped = False

    def kill_executor(self) -> None:
        """Kill the executor with -9."""
        pid = self.agent.executor_pid
        if pid:
            with suppress(ProcessLookupError):  # it had died with its machine
                os.kill(pid, signal.SIGKILL)

    def pause(self) -> None:
        """Stop its process."""
        if self.agent.process is not None and self.runs:
            os.kill(self.agent.process.pid, signal.SIGSTOP)
            self.stopped = True

    def resume(self) -> None:
        """Let it go on."""
        if self.agent.process is not None and self.runs and self.stopped:
            os.kill(self.agent.process.pid, signal.SIGCONT)
        self.stopped = False

    # -- its links

    def _in(self, *words: str, check: bool = True) -> None:
        assert self.machine is not None, "links are broken in namespaces only"
        done = subprocess.run(self.machine.command(words), capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, f"{' '.join(words)}: {done.stderr}"

    def deafen(self, others: Sequence["Host"]) -> None:
        """Let nothing arrive that these hosts send."""
        for one in others:
            self._in("iptables", "-w", "-A", "INPUT", "-s", one.address, "-j", "DROP")

    def lose(self, part: float) -> None:
        """Lose a part (0..1) of what arrives."""
        self._in(
            "iptables",
            "-w",
            "-A",
            "INPUT",
            *("-m", "statistic", "--mode", "random"),
            *("--probability", f"{part}", "-j", "DROP"),
        )

    def narrow(self, rate: str, queue: str) -> None:
        """Send no faster than `rate`, as tc-tbf(8) has it, with a queue that takes up to `queue` to empty."""
        self._in(
            "tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "16kb", "latency", queue
        )

    def heal(self) -> None:
        """Make its links whole again."""
        if self.machine is not None:
            self._in("iptables", "-w", "-F", "INPUT")
            self._in("tc", "qdisc", "del", "dev", "eth0", "root", check=False)

    def move(self, address: str) -> None:
        """Give it another address, as a router would that forgot its lease."""
        assert self.machine is not None, "addresses are given in namespaces only"
        self.machine.ip("addr", "del", f"{self.address}/24", "dev", "eth0")
        self.machine.ip("addr", "add", f"{address}/24", "dev", "eth0")
        self.address = address

    # -- its disk

    @property
    def filler(self) -> Path:
        """What fills its disk."""
        return self.agent.data / "filler"

    def fill(self) -> None:
        """Leave no byte free."""
        with self.filler.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def empty(self) -> None:
        """Give the space back."""
        self.filler.unlink(missing_ok=True)


@contextmanager
def hosts(folder: Path, count: int, *, namespaces: bool) -> Iterator[list[Host]]:
    """Give hosts h1, h2 ... without a network yet; all that they started ends with them."""
    with ExitStack() as stack:
        switch: Lan | None = stack.enter_context(lan()) if namespaces else None
        made: list[Host] = []
        for number in range(1, count + 1):
            address = f"10.77.0.{number}"
            machine = switch.machine(f"{address}/24") if switch else None
            host = Host(f"h{number}", folder / f"h{number}", machine, address if machine else "127.0.0.1")
            made.append(host)
            if namespaces and number == count:
                _small_disk(host, stack)
            stack.callback(_clean_up, host)
        yield made


def _small_disk(host: Host, stack: ExitStack) -> None:
    """Put its data directory on a disk that is soon full, where that can be mounted."""
    host.agent.data.mkdir(parents=True, mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={FULL_MIB}m,mode=700", "tmpfs", str(host.agent.data)]
    if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        host.small_disk = True
        stack.callback(subprocess.run, ["umount", "-l", str(host.agent.data)], check=False)


def _clean_up(host: Host) -> None:
    host.resume()
    host.agent.clean_up()


def form(made: Sequence[Host]) -> None:
    """Make one network of the hosts: the first makes it, the others join by invitation."""
    first, *others = made
    assert (answer := first.start()) == "ready", f"{first.name}: {answer}"
    for host in others:
        with first.agent.client() as net:
            host.join(net.call("network.invite").token)
        assert (answer := host.start()) == "ready", f"{host.name}: {answer}"
