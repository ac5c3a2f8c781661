"""A command line of `orchestra` that is killed in the middle: `python -m tests.kit.dying STEP WORD ...`.

Before its STEPth step on the disk (a statement of SQLite, a file that is copied, renamed or removed) the process is
gone, as by kill -9. STEP 0: it goes on to its end. How many steps there were is printed on stderr's last line.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Steps:
    """Counts the steps of this process, and ends it at one of them."""

    def __init__(self, last: int) -> None:
        """End before step `last`."""
        self.taken = 0
        self._last = last
        connect = sqlite3.connect

        def traced(*args: Any, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - as sqlite3.connect takes them
            connection = connect(*args, **options)
            connection.set_trace_callback(lambda _: self.step())
            return connection

        sqlite3.connect = traced
        shutil.copyfile = self._counted(shutil.copyfile)
        for name in ("replace", "rename", "unlink"):
            setattr(Path, name, self._counted(getattr(Path, name)))

    def step(self) -> None:
        """Take note of a step that is about to be made."""
        self.taken += 1
        if self.taken == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the call takes them
            self.step()
            return call(*args, **options)

        return counted


def steps_of(*words: str, home: Path) -> int:
    """Let a command line go to its end; return its steps."""
    done = _run(0, words, home)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.splitlines()[-1])


def kill_at(step: int, *words: str, home: Path) -> None:
    """Let a command line be killed at a step."""
    done = _run(step, words, home)
    assert done.returncode == -signal.SIGKILL, done.stderr


def _run(step: int, words: tuple[str, ...], home: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.kit.dying", str(step), *words]
    environment = {**os.environ, "ORCHESTRA_HOME": str(home)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


def main() -> None:
    """See the module."""
    from job_orchestra.console.cli.main import main as orchestra

    steps = Steps(int(sys.argv[1]))
    try:
        orchestra(sys.argv[2:])
    finally:
        sys.stderr.write(f"{steps.taken}\n")


if __name__ == "__main__":
    main()
