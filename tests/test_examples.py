"""The examples do what they say, with nothing but what they say they need."""

import subprocess
import sys
from pathlib import Path

from tests.kit.agents import AgentProcess

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(agent: AgentProcess, *command: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, str(EXAMPLES / "client.py"), f"ipc://{agent.paths.scripting}", *command]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_the_client_submits_follows_and_tells_the_end(running_agent: AgentProcess) -> None:
    found = run(running_agent, "sh", "-c", "echo one; echo two")
    assert (found.returncode, found.stdout) == (0, "one\ntwo\n")
    assert "succeeded" in found.stderr
    found = run(running_agent, "sh", "-c", "exit 3")
    assert (found.returncode, "failed" in found.stderr) == (1, True)


def test_the_client_tells_of_errors(running_agent: AgentProcess) -> None:
    found = run(running_agent)
    assert found.returncode == 1
    assert "say what to run" in found.stderr
    assert "Traceback" not in found.stderr


def test_the_client_is_forty_lines_of_pyzmq() -> None:
    text = (EXAMPLES / "client.py").read_text()
    assert len(text.splitlines()) <= 40
    assert "job_orchestra" not in text
