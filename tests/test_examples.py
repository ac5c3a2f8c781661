"""The examples do what they say, with nothing but what they say they need."""

import os
import shutil
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


def python(folder: Path, path: Path, *words: str) -> str:
    """Run Python in a folder, with what is installed in another; return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(path)}
    command = [sys.executable, *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_provider_of_a_store_is_installed_and_passes_the_suite(tmp_path: Path) -> None:
    package, installed = tmp_path / "package", tmp_path / "installed"
    shutil.copytree(EXAMPLES / "job-orchestra-shelf", package)  # what building leaves is left there
    offline = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    python(tmp_path, installed, "-m", "pip", "install", *offline, "--target", str(installed), str(package))
    shutil.rmtree(package / "job_orchestra_shelf")
    quiet = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".")
    assert " passed" in python(package, installed, *quiet, "tests")
    url = f"shelf://{tmp_path}/history.shelf"
    orchestra = "from job_orchestra.console.cli.main import main; main()"
    assert "a shelf" in python(tmp_path, installed, "-c", orchestra, "store", "info", "--store", url)
    for part in ("core", "store"):  # as in a wheel: where pytest finds the suite's files by the package's name
        shutil.copytree(EXAMPLES.parent / part, installed / "job_orchestra" / part)
    shutil.copy(EXAMPLES.parent / "__init__.py", installed / "job_orchestra")
    suite = "job_orchestra.store.suite"
    which = ("-p", f"{suite}.plugin", "--pyargs", f"{suite}.test_upkeep", "--store-url", "shelf:///{folder}/{number}")
    assert " passed" in python(tmp_path, installed, *quiet, *which)
