"""Asking repositories over the network: servers that answer, refuse, are not there or never say anything."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from job_orchestra.agent.repositories.asking import Unlisted, tip
from job_orchestra.agent.repositories.checkout import check_out
from job_orchestra.agent.repositories.git import Git
from job_orchestra.core.definition import Source
from job_orchestra.core.errors import (
    Conflict,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
    OrchestraError,
    TimedOut,
)
from job_orchestra.core.repository import Tip
from tests.agent.repositories.conftest import Forge
from tests.kit.gitting import git
from tests.kit.ports import free_port
from tests.kit.waiting import wait_until

LONG_S = 30.0


@pytest.fixture
def daemon(forge: Forge) -> Iterator[str]:
    """Give the address of the first repository at a server of git's own."""
    port = free_port()
    words = ["git", "daemon", "--export-all", f"--base-path={forge.folder}", "--listen=127.0.0.1", f"--port={port}"]
    serving = subprocess.Popen([*words, "--reuseaddr"], stderr=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(answers, "the daemon answers")
        yield f"git://127.0.0.1:{port}/origin"
    finally:
        serving.terminate()
        serving.wait()


def test_what_a_branch_is_and_a_checkout_over_the_network(forge: Forge, daemon: str) -> None:
    head = git(forge.origin, "rev-parse", "HEAD")
    git(forge.origin, "tag", "v1")
    assert tip(forge.git, daemon, "", LONG_S) == Tip(head, "main")
    assert tip(forge.git, daemon, "v1", LONG_S) == Tip(head, "v1")
    assert tip(forge.git, daemon, head, LONG_S) == Tip(head, "")
    with pytest.raises(Unlisted, match="did you mean main"):
        tip(forge.git, daemon, "mein", LONG_S)
    for depth in (0, 1):
        workspace = forge.workspace(f"depth{depth}")
        check_out(forge.git, forge.mirrors, Source(git=daemon, depth=depth), workspace, lambda _: None)
        assert (workspace / "src" / "a.c").read_text() == "int a;\n"


def test_an_empty_repository_is_told(forge: Forge) -> None:
    empty = forge.workspace("empty")
    git(empty, "init", "--quiet")
    with pytest.raises(NotFound, match="has no commits yet"):
        tip(forge.git, empty.as_uri(), "", LONG_S)


# -- servers that refuse


class Refusing(BaseHTTPRequestHandler):
    """Answers everything with the status that the path begins with."""

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        self.send_response(status)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Location", "ext::sh -c true")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class has it
        """Say nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    """Give the address of a server that refuses."""
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


ANSWERS: dict[str, tuple[type[OrchestraError], str]] = {
    "401": (NotAllowed, "access to .* is refused: .*credential helper"),
    "403": (NotAllowed, "access to .* is refused"),
    "404": (NotFound, "there is no repository at"),
    "503": (Conflict, "cannot be reached"),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_what_a_refusal_means(refusing: str, status: str) -> None:
    kind, text = ANSWERS[status]
    with pytest.raises(kind, match=text):
        tip(Git(("http",)), f"{refusing}/{status}/x.git", "main", LONG_S)


def test_nobody_is_asked_for_a_password_or_about_a_key(forge: Forge, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    lines = ["#!/bin/sh", f'echo "$@" > {tmp_path}/words', 'echo "Permission denied (publickey)." >&2', "exit 255"]
    (tools / "ssh").write_text("\n".join(lines))
    (tools / "ssh").chmod(0o755)
    git_there = Git((), {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
    with pytest.raises(NotAllowed, match="Permission denied"):
        tip(git_there, "ann@host.example:team/x.git", "main", LONG_S)
    words = (tmp_path / "words").read_text()
    assert "-oBatchMode=yes" in words
    assert "ann@host.example" in words


def test_where_nobody_listens(forge: Forge) -> None:
    with pytest.raises(Conflict, match="cannot be reached"):
        tip(forge.git, f"git://127.0.0.1:{free_port()}/x", "main", LONG_S)


def test_a_server_that_says_nothing_is_left_with_all_that_git_started(forge: Forge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"git://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(TimedOut, match="git had no answer within 1 s"):
            tip(forge.git, address, "main", 1.0)
        connection, _ = silent.accept()
        with connection:
            connection.settimeout(LONG_S)
            while connection.recv(4096):
                pass  # it ends: nobody holds the other side open


@pytest.mark.parametrize("address", ["ext::sh -c true", "-x", "../x"])
def test_what_is_no_address_is_never_given_to_git(forge: Forge, address: str) -> None:
    with pytest.raises(InvalidInput):
        tip(forge.git, address, "main", LONG_S)


def test_one_that_says_too_much_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec yes 'remote: nothing of interest' >&2\n")
    program.chmod(0o755)
    monkeypatch.setattr("job_orchestra.agent.repositories.git.MAX_SAID", 1 << 20)
    with pytest.raises(LimitReached, match=r"git://host/x: the repository says more than 1 MiB"):
        tip(Git(("git",), {"PATH": f"{program.parent}:/usr/bin:/bin"}), "git://host/x", "main", LONG_S)
