"""How long `orchestra run` takes from a large directory, and how much it sends, when little or nothing has changed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from job_orchestra import connect

from .figures import Figure, percentile
from .temporary import Running, agent, network

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMES = 15
"""Runs that a time is taken of."""

FILE = 4000
"""Bytes of each file."""

_FETCHED = re.compile(rb"trees\.fetched: .*: (\d+) bytes in")


def running() -> Iterator[Figure]:
    """Yield times of whole commands, as a shell sees them, and bytes between two agents on loopback."""
    with tempfile.TemporaryDirectory() as folder:
        for count, target in ((10_000, "<= 400"), (100_000, "")):
            tree = Path(folder) / str(count)
            _plant(tree, count)
            yield from _times(tree, count, target)
            yield from _bytes(tree, count)


def _times(tree: Path, count: int, target: str) -> Iterator[Figure]:
    with agent() as found:
        first = _run(found.data, tree)
        again = [_run(found.data, tree) for _ in range(TIMES)]
        edited = [_edit_and_run(found, tree, number) for number in range(3)]
    yield Figure(f"run -- true, {count:,} files, the first time", first, "ms")
    yield Figure(f"run -- true, {count:,} files, nothing changed, p50", percentile(again, 50), "ms", target)
    yield Figure(f"run -- true, {count:,} files, nothing changed, best", min(again), "ms")
    yield Figure(f"run -- true, {count:,} files, one edited, best of 3", min(edited), "ms")


def _bytes(tree: Path, count: int) -> Iterator[Figure]:
    """Yield what one agent fetches from the other, which the directory is shipped at and which runs nothing."""
    with network(2, voters=1) as (near, far):
        with connect(near.data) as net:
            net.call("agents.set", agent=net.network.status().agent.id, enabled=False)
        log = far.data.with_suffix(".log")
        _run(near.data, tree)
        first = _fetched(log)
        _run(near.data, tree)
        unchanged = _fetched(log) - first
        _edit(tree, 1000)
        _run(near.data, tree)
        edited = _fetched(log) - first - unchanged
    note = "contents and lists as they travel, counted by the agent that fetches them"
    yield Figure(f"sent for {count:,} files of {FILE} random bytes, the first time", first / 1024, "KiB", note=note)
    yield Figure(f"sent for {count:,} files, nothing changed", unchanged / 1024, "KiB", "<= 0")
    most = 64 + FILE / 1024
    yield Figure(f"sent for {count:,} files, one edited", edited / 1024, "KiB", f"<= {most:.1f}", "64 KiB and the file")


def _plant(tree: Path, count: int) -> None:
    """Make a git work tree with a commit."""
    for number in range(count):
        path = tree / f"src{number // 1000}" / f"part{number // 50 % 20}" / f"file{number}.c"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(FILE))
    who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    for words in (("init", "--quiet"), ("add", "--all"), (*who, "commit", "--quiet", "--message", "all")):
        subprocess.run(["git", *words], cwd=tree, check=True)  # noqa: S607 - the git of who measures


def _edit(tree: Path, number: int) -> None:
    next((tree / "src0" / "part0").glob(f"file{number % 50}.c")).write_bytes(os.urandom(FILE))


def _edit_and_run(found: Running, tree: Path, number: int) -> float:
    _edit(tree, number)
    return _run(found.data, tree)


def _run(data: Path, tree: Path) -> float:
    """Return the milliseconds of one command."""
    command = [str(Path(sys.executable).with_name("orchestra")), "run", "--", "true"]
    began = time.perf_counter()
    env = {**os.environ, "ORCHESTRA_HOME": str(data)}
    done = subprocess.run(command, cwd=tree, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        message = f"orchestra run ended with {done.returncode}: {done.stderr.decode()}"
        raise RuntimeError(message)
    return (time.perf_counter() - began) * 1000


def _fetched(log: Path) -> int:
    """Return the bytes that an agent has fetched of directories, by what it says."""
    return sum(int(one) for one in _FETCHED.findall(log.read_bytes()))
