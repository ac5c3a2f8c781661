"""`orchestra --host MACHINE`: the scripting socket of another machine's agent, brought here through ssh.

The agent listens nowhere for this: ssh proves who one is, encrypts, and leads to the socket, which admits its own user.
So whoever may log in there as that user may do what that user may, and nobody else. Refuses to know what is asked.
"""

import os
import re
import shlex
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import click

from ...agent.client.sockets import check_agent
from ...core.errors import InvalidInput, NoAgent, NotAllowed, OrchestraError, TimedOut, Unreachable

SOCKET = "ORCHESTRA_SOCKET"
"""The variable that names the socket to speak to."""

SSH = "ORCHESTRA_SSH"
"""The variable with the program that is run instead of `ssh`, and its first arguments."""

LOCAL = frozenset({"up", "agent", "init", "join", "recover", "leave", "doctor", "run", "store", "artifacts", "socket"})
"""Commands that work on files or processes of this machine."""

_OPEN_S = 30.0  # longest wait for ssh to be through
_AGAIN_S = 1.0  # between two attempts to be through again
_OPTIONS = (
    *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=2", "-o", "ConnectTimeout=10"),
    *("-o", "BatchMode=yes"),  # it is run several times, also while a console has the screen: nobody could be asked
)
_REFUSED = re.compile(r"permission denied|host key verification failed|too many authentication", re.IGNORECASE)


class Tunnel:
    """A socket here that leads to an agent there, for as long as this is open. A context manager."""

    def __init__(self, machine: str) -> None:
        """Lead to the agent of `machine`: a name that ssh knows, or USER@HOST."""
        if machine.startswith("-") or not machine.isprintable() or not machine.strip():
            raise InvalidInput(f"{machine[:80]!r} is no machine; give what you would give ssh, as ann@build-2")
        self._machine = machine
        self._ssh = shlex.split(os.environ.get(SSH, "ssh"))
        self._folder = tempfile.TemporaryDirectory(prefix="orchestra-")
        self.path = Path(self._folder.name) / "rpc"
        self._closed = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def open(self) -> Self:
        """Return when it leads there. Raises OrchestraError with what ssh says."""
        try:
            there = self._where()
            self._process = self._forward(there)
            self._wait(self._process)
        except OrchestraError:
            self.close()
            raise
        threading.Thread(target=self._keep, args=(there,), name="tunnel", daemon=True).start()
        return self

    def _where(self) -> str:
        """Ask the machine for the path of its agent's socket."""
        words = [*self._ssh, *_OPTIONS, "-T", "--", self._machine, "orchestra socket"]
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
        except OSError as error:
            raise InvalidInput(f"cannot run {self._ssh[0]}: {error.strerror}; --host needs ssh") from None
        scheme, _, path = done.stdout.decode(errors="replace").strip().rpartition("ipc://")
        if done.returncode or scheme or not path.startswith("/"):
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            if _REFUSED.search(said[-1]):
                message = (
                    f"{self._machine}: {said[-1]}; --host asks for no password and no confirmation. Run once "
                    f"by hand: ssh {self._machine} true; then give ssh a key: ssh-copy-id {self._machine}, or ssh-add"
                )
                raise NotAllowed(message)
            hint = f"`ssh {self._machine} orchestra socket` must print the address of its agent's socket"
            raise Unreachable(f"{self._machine}: {said[-1]}; {hint}")
        return path

    def _forward(self, there: str) -> subprocess.Popen[bytes]:
        words = [*self._ssh, *_OPTIONS, "-N", "-T", "-o", "ExitOnForwardFailure=yes"]
        words += ["-o", "StreamLocalBindUnlink=yes", "-L", f"{self.path}:{there}", "--", self._machine]
        return subprocess.Popen(  # noqa: S603 - a list of words, no shell
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + _OPEN_S
        while True:
            try:
                check_agent(self.path)
            except NoAgent:
                if process.poll() is not None:
                    raise Unreachable(f"ssh to {self._machine} ended; try: ssh {self._machine} true") from None
                if time.monotonic() > end:
                    raise TimedOut(f"{self._machine} is not reached in time; try: ssh {self._machine} true") from None
                time.sleep(0.02)
            else:
                return

    def _keep(self, there: str) -> None:
        """Begin again whenever ssh ends."""
        while self._process is not None:
            self._process.wait()
            if self._closed.wait(_AGAIN_S):
                return
            self._process = self._forward(there)
            if self._closed.is_set():  # meanwhile
                self._process.terminate()

    def close(self) -> None:
        """Lead nowhere any more."""
        self._closed.set()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        self._folder.cleanup()


def lead(ctx: click.Context, machine: str, command: str | None = None) -> None:
    """Have a command speak to the agent of `machine`. Raises InvalidInput for those that cannot."""
    if command in LOCAL:
        what = f"orchestra {command}"
        raise InvalidInput(f"{what} works on files and processes where it runs; do it there: ssh {machine} {what}")
    if SOCKET in os.environ:
        return  # whoever started this has led there already
    tunnel = Tunnel(machine).open()
    ctx.call_on_close(tunnel.close)
    os.environ[SOCKET], os.environ["ORCHESTRA_HOST"] = str(tunnel.path), machine
