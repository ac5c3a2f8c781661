"""Sitting at builds, as a user does: real terminals, real agents, and the build on another agent than the user's."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from job_orchestra.agent.client.awaiting import AsyncClient
from job_orchestra.console.cli import sitting
from job_orchestra.console.cli.inputs import Keys
from job_orchestra.console.cli.keys import LEAVE, Leaving
from job_orchestra.console.cli.locally import run_here
from job_orchestra.core.errors import NoAgent
from job_orchestra.core.model import BuildState
from job_orchestra.core.views.builds import BuildView
from tests.kit.agents import AgentProcess, agent_in, alive
from tests.kit.commands import PROGRAM, orchestra
from tests.kit.seats import Seat, seat
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="terminals of Linux")

THERE = ("--no-copy", "--on", "there")
"""Run it on the other agent."""

GREET = 'echo "ready $(stty size)"; while read -r line; do echo "got $line $(stty size)"; done; echo over'
FRIGHTEN = r"printf 'a\033]0;evil\007b\033]52;c;ZXZpbA==\007c\033[31mred\033[0md\n'"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    """Give the agent of a user whose builds run on another one of the same network."""
    folder = tmp_path_factory.mktemp("net")
    with agent_in(folder / "here") as first, agent_in(folder / "there") as second:
        first.start("--name", "box", "--slots", "2", "--no-mdns")
        invitation = orchestra(first.data, "invite").out.strip()
        joined = orchestra(second.data, "join", invitation, "--name", "far", "--no-start", "--no-mdns")
        assert joined.code == 0, joined.err
        second.start("--name", "far", "--label", "there", "--slots", "4", "--no-mdns")
        wait_until(lambda: '"there"' in orchestra(first.data, "agents", "--json").out, "the other one works")
        yield first


def run(here: AgentProcess, text: str, *options: str) -> Any:  # noqa: ANN401 - a context manager of a Seat
    return seat(here.data, "run", *THERE, *options, "--", "sh", "-c", text)


def last(here: AgentProcess) -> BuildView:
    with here.client() as net:
        return net.builds.get("last").build


def typed_and_answered(user: Seat, line: str) -> None:
    user.type(f"{line}\r")
    user.until(f"got {line}")


def test_a_command_has_the_terminal_of_who_runs_it(here: AgentProcess) -> None:
    text = (
        "test -t 0 && test -t 1 && test -t 2 && stty size && echo $TERM && printf '\\033[31mred\\n'; read -r x; exit $x"
    )
    with run(here, text) as user:
        start = user.until("red\r").decode()
        assert "far runs it: no other agent could take it" in start
        assert start.replace("\r\r", "\r").endswith("30 90\r\nxterm-256color\r\n\x1b[31mred\r")
        user.type("7\r")
        assert user.end() == 7
        assert b"failed after" in user.seen
        assert user.cooked


def test_the_size_of_the_window_is_the_commands(here: AgentProcess) -> None:
    with run(here, f"trap 'stty size' WINCH; {GREET}") as user:
        user.until("ready 30 90")
        typed_and_answered(user, "a")
        user.resize(44, 11)
        user.until("11 44")
        assert user.end() == 0, "a trap ends the reading"


def test_ctrl_c_is_the_commands(here: AgentProcess) -> None:
    with run(here, f"trap 'echo caught' INT; {GREET}; exit 5") as user:
        user.until("ready")
        typed_and_answered(user, "a")
        user.type("\x03")
        user.until("caught")
        user.until("over")
        assert user.end() == 5
    with run(here, "echo ready; sleep 1000") as user:
        user.until("ready")
        wait_until(lambda: not user.cooked, "keys are the command's")
        user.type("\x03")
        assert user.end() == 130
        assert user.cooked
    assert last(here).state == "failed"


def test_who_leaves_can_come_back(here: AgentProcess) -> None:
    with run(here, GREET) as user:
        assert "Ctrl-] twice leaves it" in user.until("ready").decode()
        typed_and_answered(user, "a")
        user.type(LEAVE + b"b\r")
        user.until("^]b")
        user.until("got ")
        user.type(LEAVE * 2)
        user.until("orchestra attach ")
        assert user.end() == 130
        assert user.cooked
    assert last(here).state == "running"
    with seat(here.data, "attach") as user:
        user.until("got a")
        typed_and_answered(user, "c")
        user.type("\x04")
        assert user.end() == 0


@pytest.mark.parametrize("how", ["killed", "window closed"])
def test_a_client_that_is_lost_leaves_the_build_to_itself(here: AgentProcess, how: str) -> None:
    with run(here, GREET) as user:
        user.until("ready")
        typed_and_answered(user, "a")
        if how == "killed":
            user.process.kill()
        else:
            user.hang_up()
        user.process.wait(60)
    assert last(here).state == "running"
    with seat(here.data, "attach") as user:
        user.resize(50, 20)
        user.until("got a 30 90")
        wait_until(lambda: not user.cooked, "keys are the command's")
        wait_until(lambda: _size_there(user) == b"20 50", "the window's size is known there")
        user.type("\x04")
        assert user.end() == 0


def _size_there(user: Seat) -> bytes:
    user.type("size\r")
    user.until("got size ")
    return user.until("\r\n").strip()


def test_what_was_shown_before_asks_a_terminal_nothing_and_restores_its_modes(here: AgentProcess) -> None:
    wide = (
        r"printf '\033[?1h\033[?1049h\033[?2004h\033[c'; i=0; while [ $i -lt 150 ]; do i=$((i+1)); echo line $i; done"
    )
    with run(here, f"{wide}; {GREET}") as user:
        user.until(b"\x1b[?1h\x1b[?1049h\x1b[?2004h\x1b[c")
        user.until("ready")
        typed_and_answered(user, "a")
        user.type(LEAVE * 2)
        assert user.end() == 130
        assert b"\x1b[?1l\x1b[?1049l\x1b[?2004l" in user.seen
    with seat(here.data, "attach") as user:
        again = user.until("got a")
        assert b"\x1b[?1h\x1b[?1049h\x1b[?2004h" in again
        assert b"\x1b[c" not in again
        assert b"line 52\r" not in again
        assert b"line 60\r" in again
        typed_and_answered(user, "b")
        user.type("\x04")
        assert user.end() == 0


def test_output_of_strangers_reaches_no_further_than_the_screen(here: AgentProcess) -> None:
    with run(here, FRIGHTEN) as user:
        user.end()
        assert b"abc\x1b[31mred\x1b[0md\r" in user.seen
        assert b"evil" not in user.seen
        assert b"ZXZpbA" not in user.seen
    with here.client() as net:
        build = net.builds.submit(["sh", "-c", FRIGHTEN])[0].id
    with seat(here.data, "attach", build) as user:  # made without a terminal: it is nobody's screen
        user.end()
        assert b"a^[]0;evil^Gb^[]52;c;ZXZpbA==^Gc\x1b[31mred\x1b[0md\r\n" in user.seen


def test_ctrl_c_before_it_runs_withdraws_it_and_twice_leaves_it(here: AgentProcess) -> None:
    with seat(here.data, "run", "--no-copy", "--on", "moon", "--", "true") as user:
        user.until("No agent can run it now; it waits until one can (Ctrl-C withdraws it):")
        user.until("far: needs moon, has no label moon")
        user.type("\x03")
        assert user.end() == 130
    assert last(here).state == "aborted"


def test_who_only_looks_on_leaves_with_ctrl_c(here: AgentProcess) -> None:
    with here.client() as net:
        build = net.builds.submit(["sh", "-c", "echo ready; exec tail -f /dev/null"])[0]
        with seat(here.data, "attach", build.id) as user:
            user.until("ready")
            user.type("\x03")
            user.until("Left to itself: the build goes on.")
            assert user.end() == 130
        assert build.get().state is BuildState.RUNNING
        build.abort()


def test_without_a_terminal_ctrl_c_aborts_and_once_more_leaves(here: AgentProcess) -> None:
    words = ["run", *THERE, "--", "sh", "-c", "trap '' TERM; echo $$; while :; do sleep 1000; done"]
    environment = {**os.environ, "ORCHESTRA_HOME": str(here.data)}
    with subprocess.Popen(
        [*PROGRAM, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        line = process.stderr.readline()
        while "Interrupted" not in line:
            assert line, "it says that it is interrupted"
            line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert alive(pid), "it has a few seconds to end by itself"


@pytest.mark.parametrize("data", [b"", bytes(range(256)) * 2000])
def test_what_is_piped_in_is_read(here: AgentProcess, data: bytes) -> None:
    words = [*PROGRAM, "run", *THERE, "--", "cat"]
    environment = {**os.environ, "ORCHESTRA_HOME": str(here.data)}
    done = subprocess.run(words, input=data, capture_output=True, check=False, env=environment, timeout=60)
    assert (done.returncode, done.stdout == data) == (0, True)


def test_a_file_is_read_and_with_no_input_nothing_is(here: AgentProcess, tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"from a file\n")
    environment = {**os.environ, "ORCHESTRA_HOME": str(here.data)}
    for option, expected in ([], b"from a file\n"), (["--no-input"], b""):
        with file.open("rb") as stdin:
            words = [*PROGRAM, "run", *THERE, *option, "--", "cat"]
            done = subprocess.run(words, stdin=stdin, capture_output=True, check=False, env=environment, timeout=60)
        assert (done.returncode, done.stdout) == (0, expected)


def test_where_no_agent_fits_it_waits_fails_or_runs_here(here: AgentProcess, tmp_path: Path) -> None:
    words = ["run", "--no-copy", "--on", "moon", "--fallback"]
    found = orchestra(here.data, *words, "fail", "--", "true", cwd=tmp_path)
    assert (found.code, "far: needs moon, has no label moon" in found.err) == (3, True)
    assert last(here).state == "aborted"
    found = orchestra(here.data, *words, "local", "-e", "X=5", "--", "sh", "-c", "pwd; exit $X", cwd=tmp_path)
    assert (found.code, found.out) == (5, f"{tmp_path}\n")
    assert "Running it here instead." in found.err
    refused = orchestra(here.data, *words, "local", "--detach", "--", "true")
    assert (refused.code, "it runs here" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["no-such-program"], 125),
        (["sh", "-c", "exit $X"], 5),
        (["sh", "-c", "kill -9 $$"], 137),
        (["sleep", "1000"], 124),
    ],
    ids=str,
)
def test_the_exit_code_is_the_same_as_elsewhere(command: list[str], code: int, tmp_path: Path) -> None:
    assert run_here(command, tmp_path, {"X": "5"}, 0.1 if code == 124 else None) == code


def test_without_an_agent_it_can_run_here(tmp_path: Path) -> None:
    found = orchestra(tmp_path / "none", "run", "--no-copy", "--fallback", "local", "--", "echo", "here", cwd=tmp_path)
    assert (found.code, found.out) == (0, "here\n")


def test_an_agent_that_comes_back_is_reached_again(agent: AgentProcess) -> None:
    agent.start("--name", "box")
    with seat(agent.data, "run", "--no-copy", "--", "sh", "-c", GREET) as user:
        user.until("ready")
        typed_and_answered(user, "a")
        agent.kill()
        user.until("Waiting 60 s for the agent to come back")
        agent.start("--name", "box")
        typed_and_answered(user, "b")
        agent.kill()
        user.until("Waiting 60 s for the agent to come back")
        assert user.cooked
        user.type("\x03")
        user.until("Left to itself: the build goes on")
        assert user.end() == 130
    assert user.seen.count(b"got a") == 1


def test_what_is_piped_in_goes_on_when_the_agent_comes_back(agent: AgentProcess) -> None:
    agent.start("--name", "box")
    environment = {**os.environ, "ORCHESTRA_HOME": str(agent.data)}
    words = [*PROGRAM, "run", "--no-copy", "--", "cat"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, env=environment, bufsize=0, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"one\n")
        assert process.stdout.readline() == b"one\n"
        agent.kill()
        while b"Waiting" not in process.stderr.readline():
            pass
        process.stdin.write(b"two\n")
        agent.start("--name", "box")
        assert process.stdout.readline() == b"two\n"
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(60) == 0


async def test_an_agent_that_stays_away_leaves_the_build_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sitting, "BACK_S", 0.0)
    gone = sitting.Sitting(cast("AsyncClient", None), "b", sitting.Seat(Keys.NONE, screen=False))
    with pytest.raises(NoAgent):
        await gone.agent_back(tmp_path)
    assert "Waiting 0 s" in capsys.readouterr().err


def test_the_wish_to_leave_is_found_however_it_is_cut() -> None:
    leaving = Leaving()
    assert leaving.passed(b"ab\x03") == b"ab\x03"
    assert leaving.passed(b"a\x1db") == b"a\x1db"
    assert leaving.passed(b"a\x1d") == b"a"
    assert leaving.passed(b"b") == b"\x1db"
    assert leaving.passed(b"\x1d") == b""
    assert leaving.passed(b"\x1d") is None
    assert Leaving().passed(b"a\x1d\x1db") is None
