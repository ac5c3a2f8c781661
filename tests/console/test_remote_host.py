"""`orchestra --host`: the agent of another machine, through a real ssh server."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from job_orchestra.agent.client.blocking import Client
from job_orchestra.agent.client.sockets import check_agent
from job_orchestra.console.cli import tunnel as tunnels
from job_orchestra.console.cli.tunnel import Tunnel
from job_orchestra.core.errors import InvalidInput, NoAgent, Unreachable
from tests.conftest import needs
from tests.kit.agents import AgentProcess
from tests.kit.commands import orchestra
from tests.kit.ports import free_port
from tests.kit.waiting import wait_until

SERVER = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Machine:
    """An ssh server of this user on this machine, and how one speaks to it."""

    def __init__(self, folder: Path, agent: AgentProcess) -> None:
        needs(SERVER and shutil.which("ssh"), "an ssh server (openssh-server)")
        folder.mkdir()
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        port = free_port()
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        settings = {
            "Port": port,
            "ListenAddress": "127.0.0.1",
            "HostKey": folder / "host",
            "AuthorizedKeysFile": folder / "user.pub",
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "PidFile": "none",
            "SetEnv": f"PATH={path} ORCHESTRA_HOME={agent.data}",
        }
        (folder / "server").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        assert SERVER is not None
        command = [SERVER, "-D", "-e", "-f", str(folder / "server")]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        known = {
            "HostName": "127.0.0.1",
            "Port": port,
            "User": getpass.getuser(),
            "IdentityFile": folder / "user",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": folder / "known",
            "StrictHostKeyChecking": "no",
            "LogLevel": "ERROR",
        }
        (folder / "client").write_text("Host there\n" + "".join(f"  {name} {value}\n" for name, value in known.items()))
        self.ssh = f"ssh -F {folder / 'client'}"
        wait_until(lambda: _answers(port), "the ssh server answers", hopeless=self._why)

    def _why(self) -> str:
        return "" if self.process.poll() is None else "it ended"


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, running_agent: AgentProcess) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("ssh") / "d", running_agent)
    yield machine
    machine.process.terminate()
    machine.process.wait()


def test_commands_speak_to_the_other_machine(tmp_path: Path, there: Machine) -> None:
    found = orchestra(tmp_path, "--host", "there", "status", "--json", ORCHESTRA_SSH=there.ssh)
    assert found.code == 0
    assert found.json()["agent"]["name"] == "box"  # type: ignore[index]
    assert not (tmp_path / "agent.key").exists()


def test_the_way_is_found_again_and_leads_nowhere_in_the_end(
    there: Machine, running_agent: AgentProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRA_SSH", there.ssh)
    monkeypatch.setattr(tunnels, "_AGAIN_S", 0.01)
    tunnel = Tunnel("there").open()
    try:
        before = tunnel._process
        assert before is not None
        before.kill()
        wait_until(lambda: tunnel._process is not before, "ssh is run again")
        assert tunnel._process is not None
        tunnel._wait(tunnel._process)
        with Client(running_agent.data, tunnel.path) as net:
            assert net.network.status().agent.name == "box"
    finally:
        tunnel.close()
    with pytest.raises(NoAgent):
        check_agent(tunnel.path)


def test_what_cannot_work_is_refused_with_the_remedy(tmp_path: Path) -> None:
    found = orchestra(tmp_path, "--host", "there", "run", "--", "true")
    assert (found.code, "ssh there orchestra run" in found.err) == (2, True)
    with pytest.raises(InvalidInput, match="is no machine"):
        Tunnel("-oProxyCommand=touch /tmp/x")


def test_a_machine_that_refuses_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRA_SSH", f"{shutil.which('sh')} -c 'echo no such host >&2; exit 255'")
    with pytest.raises(Unreachable, match="no such host; `ssh there orchestra socket` must print"):
        Tunnel("there").open()


def test_ssh_that_would_ask_for_a_password_is_told_what_to_do(tmp_path: Path) -> None:
    program = tmp_path / "ssh"
    program.write_text(
        '#!/bin/sh\ncase "$*" in *BatchMode=yes*) echo "ann@far: Permission denied (password)." >&2; esac\nexit 255\n'
    )
    program.chmod(0o755)
    found = orchestra(tmp_path, "--host", "ann@far", "status", ORCHESTRA_SSH=str(program))
    assert (found.code, "ssh-copy-id ann@far" in found.err) == (4, True)
