"""The command line as a user has it: real processes, messages on stderr, data on stdout, exit codes."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from job_orchestra.console.cli.main import COMMANDS
from tests.conftest import mount
from tests.kit.agents import AgentProcess, alive
from tests.kit.commands import PROGRAM, orchestra
from tests.kit.waiting import wait_until


def test_help_lists_every_command(tmp_path: Path) -> None:
    found = orchestra(tmp_path, "--help")
    assert found.code == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in found.out] == []
    for name in COMMANDS.keys() - {"up", "agent", "init"}:
        assert orchestra(tmp_path, name, "--help").code == 0, name


def test_a_misspelt_command_is_answered_with_the_right_one(tmp_path: Path) -> None:
    found = orchestra(tmp_path, "sumbit", "x")
    assert (found.code, "Did you mean `orchestra submit`?" in found.err) == (2, True)


@pytest.mark.parametrize(
    "words", [["status"], ["builds"], ["run", "--", "true"], ["submit", "a/b"], ["logs"], ["down"]]
)
def test_without_an_agent_the_remedy_is_named(tmp_path: Path, words: list[str]) -> None:
    found = orchestra(tmp_path, *words)
    assert found.code == 3
    assert found.err.endswith("start it with: orchestra up\n")
    assert found.out == ""


def test_a_stale_socket_is_no_agent_and_does_not_hinder_a_new_one(agent: AgentProcess) -> None:
    agent.paths.prepare()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(agent.paths.scripting))
    found = orchestra(agent.data, "status")
    assert (found.code, "is gone; start it with: orchestra up" in found.err) == (3, True)
    agent.start()
    assert orchestra(agent.data, "status").code == 0


def test_up_down_and_up_again(tmp_path: Path) -> None:
    data = tmp_path / "home"
    try:
        first = orchestra(data, "up")
        assert (first.code, first.out) == (0, "")
        assert "Made the network" in first.err
        assert "is up (process" in first.err
        again = orchestra(data, "up")
        assert (again.code, "is already up" in again.err) == (0, True)
        other = orchestra(data, "up", "--slots", "7")
        assert (other.code, "orchestra down, then up again" in other.err) == (2, True)
        assert orchestra(data, "down").code == 0
        for said in ("is up (process", "is already up"):
            same = orchestra(data, "up", "--slots", "7", "--label", "a=b")
            assert (same.code, said in same.err) == (0, True)
        second = orchestra(data, "agent")
        assert (second.code, "an agent already runs on" in second.err) == (2, True)
        assert orchestra(data, "status", "--json").json()["quorum"] is True
    finally:
        found = orchestra(data, "down")
    assert (found.code, "The agent is down" in found.err) == (0, True)
    assert orchestra(data, "status").code == 3


def test_down_with_a_running_build_asks_what_to_do(tmp_path: Path) -> None:
    data = tmp_path / "home"
    orchestra(data, "up")
    try:
        build = orchestra(data, "run", "--detach", "--no-copy", "--", "tail", "-f", "/dev/null").out.strip()
        wait_until(lambda: '"running"' in orchestra(data, "show", build, "--json").out, "it runs")
        refused = orchestra(data, "down")
        assert refused.code == 2
        assert "--wait" in refused.err
        assert orchestra(data, "down", "--keep").code == 0
        orchestra(data, "up")
        assert orchestra(data, "show", build, "--json").json()["build"]["state"] == "running"  # type: ignore[index]
    finally:
        assert orchestra(data, "down", "--abort").code == 0
    orchestra(data, "up")
    assert orchestra(data, "show", build, "--json").json()["build"]["state"] == "aborted"  # type: ignore[index]
    orchestra(data, "down")


def test_a_data_directory_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    found = orchestra(file / "home", "up")
    assert found.code != 0
    assert "choose another data directory with --data or ORCHESTRA_HOME" in found.err
    loose = tmp_path / "loose"
    loose.mkdir(mode=0o755)
    found = orchestra(loose, "up")
    assert (found.code != 0, f"chmod 700 {loose}" in found.err) == (True, True)


def test_a_data_directory_that_is_not_writable(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    mount(home, "ro,mode=700")
    try:
        found = orchestra(home, "up")
    finally:
        subprocess.run(["umount", home], check=True)
    assert found.code != 0
    assert "--data" in found.err


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("jobs: [", ["f.yaml:1:", "no YAML"]),
        ("project: p\njobs:\n  a: { rum: x }\n", ["f.yaml:3:8: jobs.a.rum: unknown key 'rum'; did you mean run?"]),
        (
            "project: p\njobs:\n  a: { run: x, env: [1] }\n",
            ["f.yaml:3:21: jobs.a.env: expected variables, found a list"],
        ),
        ("project: p\njobs:\n  a: { run: x, env: { V: 3.10 } }\n", ['write "3.10" in quotes']),
    ],
)
def test_a_wrong_job_file(tmp_path: Path, running_agent: AgentProcess, text: str, parts: list[str]) -> None:
    (tmp_path / "f.yaml").write_text(text)
    for command in ("validate", "apply"):
        found = orchestra(running_agent.data, command, "f.yaml", cwd=tmp_path)
        assert found.code == 2
        assert all(part in found.err for part in parts), found.err


FILE = """
project: demo
jobs:
  good: { run: 'echo "$PARAM_WHAT"', description: says something, parameters: [{ name: what, default: hello }] }
  bad: 'echo no; exit 4'
  choosy: { run: 'true', parameters: [{ name: size, required: true, choices: [small, large] }] }
"""


def test_jobs_from_file_to_end(tmp_path: Path, running_agent: AgentProcess) -> None:
    data = running_agent.data
    (tmp_path / "orchestra.yaml").write_text(FILE)
    assert orchestra(data, "validate", cwd=tmp_path).code == 0
    applied = orchestra(data, "apply", cwd=tmp_path)
    assert (applied.code, "(changed)" in applied.err) == (0, True)
    assert "(nothing to change)" in orchestra(data, "apply", cwd=tmp_path).err
    assert "says something" in orchestra(data, "jobs").out
    good = orchestra(data, "submit", "demo/good", "-p", "what=it works", "--follow")
    assert (good.code, good.out) == (0, "it works\n")
    bad = orchestra(data, "submit", "demo/bad", "--wait")
    assert (bad.code, "exit code 4" in bad.err) == (1, True)
    assert orchestra(data, "logs", "demo/bad#1").out == "no\n"
    shown = orchestra(data, "show", "demo/good#1", "--json").json()["build"]
    assert (shown["state"], shown["parameters"]) == ("succeeded", {"what": "it works"})  # type: ignore[index]
    again = orchestra(data, "rerun", "demo/good#1", "--follow")
    assert (again.code, again.out) == (0, "it works\n")
    watched = orchestra(data, "watch", "demo/bad#1")
    assert (watched.code, "run: failed exit 4" in watched.out) == (1, True)
    listed = orchestra(data, "builds", "demo", "--state", "failed", "--json").json()["builds"]
    assert [one["job"] for one in listed] == ["bad"]  # type: ignore[index, union-attr]


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["submit", "demo/goof"], 5, "no job 'demo/goof'; did you mean demo/good?"),
        (["submit", "demo/choosy"], 2, "needs a value for size; give it with -p size=VALUE"),
        (["submit", "demo/choosy", "-p", "size=huge"], 2, "choose one of: small, large"),
        (["submit", "demo/good", "-p", "waht=x"], 2, "did you mean what?"),
        (["submit", "demo/good", "-p", "nonsense"], 2, "write NAME=VALUE"),
        (["show", "zzzzzzzz"], 5, "no build"),
        (["show", "demo/good#999"], 5, "no build demo/good#999"),
        (["show", "what is this"], 2, "give an id"),
        (["builds", "--state", "happy"], 2, "no state 'happy'"),
        (["builds", "--where", "colour=red"], 2, "no field"),
        (["call", "builds.get", "{"], 2, "no JSON object"),
        (["call", "builds.gett", "{}"], 2, "unknown method"),
        (["apply", "missing.yaml"], 2, "cannot read missing.yaml"),
        (["disable", "nobody"], 5, "no agent 'nobody'"),
        (["run", "--on", "a b", "--", "true"], 2, "no requirement"),
        (["run", "-C", "/nowhere", "--", "true"], 2, "not a directory"),
    ],
)
def test_mistakes_and_their_exit_codes(
    tmp_path: Path, running_agent: AgentProcess, words: list[str], code: int, part: str
) -> None:
    with running_agent.client() as net:
        net.jobs.apply(FILE)
    found = orchestra(running_agent.data, *words, cwd=tmp_path)
    assert (found.code, found.out) == (code, "")
    assert part in found.err


def test_run_ships_the_directory_and_returns_the_exit_code(tmp_path: Path, running_agent: AgentProcess) -> None:
    project = tmp_path / "project"
    project.mkdir()
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / ".gitignore").write_text("ignored\n")
    (project / "ignored").touch()
    (project / "run.sh").write_text("#!/bin/sh\nls; exit 3\n")
    (project / "run.sh").chmod(0o755)
    found = orchestra(running_agent.data, "run", "--", "./run.sh", cwd=project)
    assert (found.code, found.out) == (3, "run.sh\n")
    assert "exit code 3" in found.err
    assert orchestra(running_agent.data, "run", "--", "sh", "-c", "kill -TERM $$", cwd=project).code == 128 + 15
    assert (
        orchestra(running_agent.data, "run", "--timeout", "0.2", "--", "tail", "-f", "/dev/null", cwd=project).code
        == 124
    )
    assert orchestra(running_agent.data, "run", "--", "no-such-program", cwd=project).code == 125


def test_ctrl_c_in_run_aborts_the_build(tmp_path: Path, running_agent: AgentProcess) -> None:
    environment = {**os.environ, "ORCHESTRA_HOME": str(running_agent.data)}
    words = ["run", "--no-copy", "--", "sh", "-c", "echo $$; exec tail -f /dev/null"]
    with subprocess.Popen(
        [*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"aborted" in err
    assert b"Traceback" not in err
    assert not alive(pid)


def test_output_is_bytes_when_piped_and_pipes_may_close_early(running_agent: AgentProcess) -> None:
    script = "import sys; sys.stdout.buffer.write(bytes(range(256)))"
    words = ["run", "--no-copy", "--", sys.executable, "-c", script]
    environment = {**os.environ, "ORCHESTRA_HOME": str(running_agent.data)}
    done = subprocess.run([*PROGRAM, *words], capture_output=True, env=environment, check=True)
    assert done.stdout == bytes(range(256))
    orchestra(running_agent.data, "run", "--no-copy", "--", "sh", "-c", "yes | head -c 5000000")
    shell = f'"{sys.executable}" -c "from job_orchestra.console.cli.main import main; main()" logs | head -c 10'
    cut = subprocess.run(["sh", "-c", shell], capture_output=True, env=environment, check=True)
    assert (cut.stdout, cut.stderr) == (b"y\n" * 5, b"")


def test_json_everywhere_and_tasks(running_agent: AgentProcess) -> None:
    data = running_agent.data
    orchestra(data, "run", "--no-copy", "--", "true")
    for words in (["status"], ["agents"], ["jobs"], ["builds"], ["show"], ["explain"], ["tasks"], ["doctor"]):
        assert orchestra(data, *words, "--json").json(), words
    assert orchestra(data, "call", "builds.get", '{"id": "last"}').json()["build"]
    assert orchestra(data, "call", "builds.get", "-", stdin=b'{"id": "last"}').json()["build"]
    assert "builds.submit" in orchestra(data, "tasks").out
    assert orchestra(data, "socket").out.startswith("ipc:///")
    assert json.loads(orchestra(data, "schema").out)["properties"]["jobs"]


def test_abort_and_cancel(running_agent: AgentProcess) -> None:
    data = running_agent.data
    build = orchestra(data, "run", "--detach", "--no-copy", "--", "tail", "-f", "/dev/null").out.strip()
    wait_until(lambda: "running" in orchestra(data, "explain", build).out, "it runs")
    refused = orchestra(data, "cancel", build)
    assert (refused.code, f"orchestra abort {build}" in refused.err) == (2, True)
    assert orchestra(data, "abort", build).code == 0
    assert orchestra(data, "watch", build).code == 1
    ended = orchestra(data, "abort", build)
    assert (ended.code, "has already ended: aborted" in ended.err) == (2, True)
    timed = orchestra(data, "run", "--detach", "--no-copy", "--timeout", "300", "--", "tail", "-f", "/dev/null").out
    wait_until(lambda: "its timeout of 300 s ends it in" in orchestra(data, "explain", timed.strip()).out, "it runs")
    assert orchestra(data, "abort", timed.strip()).code == 0
    again = ["--retry", "1", "--retry-when", "exit-75", "--retry-wait", "200s", "--backoff", "exponential"]
    later = orchestra(data, "run", "--detach", "--no-copy", *again, "--", "sh", "-c", "exit 75").out.strip()
    wait_until(lambda: "its next attempt begins in" in orchestra(data, "explain", later).out, "it is tried again")
    assert orchestra(data, "cancel", later).code == 0
    waiting = orchestra(data, "run", "--detach", "--no-copy", "--on", "moon", "--", "true").out.strip()
    assert "has no label moon" in orchestra(data, "explain", waiting).out
    assert orchestra(data, "cancel", waiting).code == 0


def test_settings_that_are_wrong(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "agent.toml").write_text("slotz = 3\n")
    found = orchestra(home, "up")
    assert (found.code, "unknown setting 'slotz'; did you mean slots?" in found.err) == (2, True)
    (home / "agent.toml").write_text("slots = [\n")
    assert "agent.toml" in orchestra(home, "up").err
    (home / "agent.toml").write_text("")
    assert "slots must be 0" in orchestra(home, "up", ORCHESTRA_SLOTS="-1").err
    assert orchestra(home, "up", "--store", "oracle:///x").err.count("names no store") == 1
