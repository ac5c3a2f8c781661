"""What an agent costs that does nothing, and how long commands take."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from job_orchestra.agent.executor.standby import UNUSED_S

from .figures import Figure, percentile
from .temporary import agent

if TYPE_CHECKING:
    from collections.abc import Iterator

_IDLE_S = 10.0
_RUNS = 15
_ORCHESTRA = Path(sys.executable).with_name("orchestra")


def rest() -> Iterator[Figure]:
    """Yield memory and processor time of agent and executor after builds, with nothing to do."""
    with agent() as running, tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "ORCHESTRA_HOME": str(running.data)}
        words = [
            str(_ORCHESTRA),
            "run",
            "--no-input",
            "--directory",
            folder,
            "--",
            "true",
        ]  # from then on programs stand by
        subprocess.run(words, env=environment, check=True, capture_output=True)
        time.sleep(1)
        before = running.cpu_seconds()
        time.sleep(_IDLE_S)
        busy = (running.cpu_seconds() - before) / _IDLE_S
        own, executor = running.resident(running.pid), running.resident(running.executor)
        standing = sum(running.proportional(pid) for pid in running.standing)
    yield Figure("processor at rest", busy * 100, "%", "<= 1")
    yield Figure("memory at rest: agent", own / 2**20, "MiB")
    yield Figure("memory at rest: executor", executor / 2**20, "MiB")
    yield Figure("memory at rest: both", (own + executor) / 2**20, "MiB", "<= 90")
    note = f"their part of what they share; for {UNUSED_S / 60:g} minutes after a build"
    yield Figure("memory of programs that stand by", standing / 2**20, "MiB", note=note)


def startup() -> Iterator[Figure]:
    """Yield the wall time of short commands."""
    with agent() as running:
        environment = {**os.environ, "ORCHESTRA_HOME": str(running.data)}
        for words, limit in ((["--help"], 120), (["status"], 200), (["builds"], 0), (["show"], 0)):
            took = [_time([str(_ORCHESTRA), *words], environment) for _ in range(_RUNS)]
            target = f"<= {limit}" if limit else ""
            yield Figure(f"orchestra {' '.join(words)}, p50", percentile(took, 50) * 1000, "ms", target)
        python = [_time([sys.executable, "-c", "pass"], environment) for _ in range(_RUNS)]
    yield Figure("for comparison: python -c pass, p50", percentile(python, 50) * 1000, "ms")


def _time(command: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began
