"""The console over a long history and large logs: a real one in a terminal, at a real agent, by its keys."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from job_orchestra import connect
from job_orchestra.core.ids import build_id
from job_orchestra.core.model import Build, BuildState
from job_orchestra.store.collections import COLLECTIONS
from job_orchestra.store.opening import open_store

from .figures import Figure, percentile
from .temporary import start
from .terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BUILDS = 1_000_000
LOG_BYTES = 1 << 30
LINES_A_SECOND = 10_000

_FIRST = 10_000_000  # serials that no build of the measurement itself gets
_BATCH = 10_000
_STEP = 34  # rows that a page goes further in a terminal of 40 lines
_RARE = 200_000  # every so manyth build is one of a job of its own
_ROUNDS = 9
_IDLE_S = 10.0
_ORCHESTRA = str(Path(sys.executable).with_name("orchestra"))
_FLAGS = ("--listen", "127.0.0.1:0", "--no-mdns", "--name", "bench")

_NEWEST = f"#{BUILDS} "

_FILL = f"""
import os
line = b"%08d compiling a source file of the usual length, with its options and warnings, as logs have them\\n"
piece = b"".join(line % number for number in range(10_000))
left = {LOG_BYTES}
while left > 0:
    left -= os.write(1, piece[:left])
"""

_STREAM = f"""
import sys, time
began, told = time.monotonic(), 0
while True:
    due = int((time.monotonic() - began) * {LINES_A_SECOND})
    sys.stdout.write("".join(f"{{told + one:09}} \\x1b[32mok\\x1b[0m a line of a test\\n" for one in range(due - told)))
    sys.stdout.flush()
    told = due
    time.sleep(0.01)
"""


def console() -> Iterator[Figure]:
    """Yield how long what one does takes to be on the screen, and what the console costs."""
    with tempfile.TemporaryDirectory(prefix="orchestra-bench-") as folder:
        long, fresh = Path(folder) / "long", Path(folder) / "fresh"
        with _running(long):
            pass  # it makes its network and its store
        _fill(long)
        with _running(long) as agent:
            yield from _history(long)
            yield from _at_rest(long)
            yield from _lost(long, agent)
        with _running(fresh):
            yield from _logs(fresh)


@contextmanager
def _running(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = start(data, *_FLAGS)
    try:
        yield process
        if process.poll() is None:
            with connect(data) as net:
                net.agent.stop(builds="abort")
            process.wait(60)
    finally:
        process.kill()
        process.wait()


def _fill(data: Path) -> None:
    """Put builds into the agent's store, behind its back."""
    with _running(data), connect(data) as net:
        url = net.network.status().store
    store = open_store(url)
    try:
        kept = {name: list(store.scan(name)) for name in COLLECTIONS}
        meta, applied = store.meta(), store.applied()
        store.clear()
        store.load(kept)
        now = time.time_ns() // 1_000_000
        for first in range(0, BUILDS, _BATCH):
            store.load({"builds": [_build(number, now) for number in range(first, first + _BATCH)]})
        store.finish(applied, meta)
    finally:
        store.close()


def _build(number: int, now: int) -> Build:
    """Return one of the builds, the last of which is the newest."""
    rare = number % _RARE == _RARE // 2
    created = now - (BUILDS - number) * 20_000
    state = BuildState.ERROR if rare else BuildState.FAILED if number % 11 == 0 else BuildState.SUCCEEDED
    return Build(
        build_id(_FIRST + number),
        _FIRST + number,
        f"project{number % 7}",
        "zebra" if rare else f"job{number % 40}",
        number + 1,
        state,
        "0" * 64,
        created,
        reason="step unit failed with exit code 1" if state is BuildState.FAILED else "",
        requester="ann@anna",
        attempt=1,
        started=created + 50,
        finished=created + 5_000,
    )


@contextmanager
def _console(data: Path, place: str) -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory(prefix="orchestra-bench-") as folder:
        session = Path(folder) / "job-orchestra" / "console.json"
        session.parent.mkdir()
        session.write_text(json.dumps({"place": place}))
        own = {"XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder, "ORCHESTRA_HOME": str(data)}
        environment = {**os.environ, **own, "TERM": "xterm-256color", "COLORTERM": ""}
        environment.pop("NO_COLOR", None)
        with Terminal([_ORCHESTRA, "console"], environment) as terminal:
            yield terminal


def _history(data: Path) -> Iterator[Figure]:
    paints: list[float] = []
    for _ in range(_ROUNDS):
        with _console(data, "builds") as terminal:
            paints.append(terminal.wait(_NEWEST, terminal.began))
    yield Figure("first paint of the newest builds, p50", percentile(paints, 50), "s", "<= 1", f"{BUILDS:,} builds")
    yield Figure("first paint, p95", percentile(paints, 95), "s")
    with _console(data, "builds") as terminal:
        terminal.wait(_NEWEST, terminal.began)
        terminal.settle()
        pages: list[float] = []
        for page in range(1, 3 * _ROUNDS):
            pages.append(terminal.ask("\x1b[6~", rf"\b{1 + _STEP * page:,}/[\d,]+"))
            terminal.settle(0.1)
        yield Figure("a page further, p50", percentile(pages, 50) * 1000, "ms", "<= 100")
        yield Figure("a page further, p95", percentile(pages, 95) * 1000, "ms", "<= 100")
        for what, keys, pattern in _FILTERS:
            taken: list[float] = []
            for _ in range(_ROUNDS):
                terminal.ask("g", _NEWEST)
                terminal.settle(0.1)
                for key in keys[:-1]:
                    terminal.press(key)
                terminal.settle(0.3)
                taken.append(terminal.ask(keys[-1], pattern))
                terminal.settle(0.2)
                terminal.press("\x1b")
                terminal.settle(0.3)
            yield Figure(f"{what}, p50", percentile(taken, 50) * 1000, "ms", "<= 100")
        yield Figure("memory of the console", terminal.resident() / 2**20, "MiB", "<= 150")


_FILTERS: tuple[tuple[str, Sequence[str], str], ...] = (
    ("filter by state", ["/state:erro", "r\r"], f"/zebra +#{BUILDS - _RARE // 2 + 1} "),
    ("filter by job", ["/job:zebr", "a\r"], f"/zebra +#{BUILDS - _RARE // 2 + 1} "),
    ("the oldest of all", ["G"], r"/job0 +#1 "),
)


def _logs(data: Path) -> Iterator[Figure]:
    with connect(data) as net:
        net.builds.submit([sys.executable, "-c", _FILL], name="large")[0].wait()
        opened: list[float] = []
        with _console(data, "builds") as terminal:
            terminal.wait("/large ", terminal.began)
            for _ in range(_ROUNDS):
                terminal.settle()
                opened.append(terminal.ask("\r", r"100% of 1\.0 GiB"))
                terminal.settle()
                terminal.press("\x1b")
            memory = terminal.resident()
        yield Figure("a log of 1 GiB opens at its end, p50", percentile(opened, 50) * 1000, "ms", "<= 300")
        yield Figure("memory of the console with it", memory / 2**20, "MiB", "<= 150")
        build = net.builds.submit([sys.executable, "-c", _STREAM], name="stream")[0]
        with _console(data, "builds") as terminal:
            terminal.wait("/stream ", terminal.began)
            terminal.settle()
            terminal.ask("\r", "following")
            terminal.rest(2.0)
            answered: list[float] = []
            before = terminal.cpu_seconds()
            began = time.perf_counter()
            for _ in range(4 * _ROUNDS):
                answered.append(terminal.ask("k", "paused"))
                terminal.rest(0.1)
                answered.append(terminal.ask("G", "following"))
                terminal.rest(0.2)
            busy = (terminal.cpu_seconds() - before) / (time.perf_counter() - began)
        net.builds.abort(build.id)
        yield Figure("a key while 10,000 lines/s are followed, p95", percentile(answered, 95) * 1000, "ms", "<= 100")
        yield Figure("processor meanwhile", busy * 100, "%")


def _at_rest(data: Path) -> Iterator[Figure]:
    for place in ("overview", "builds"):
        with _console(data, place) as terminal:
            terminal.wait("live", terminal.began)
            terminal.rest(5.0)
            before = terminal.cpu_seconds()
            terminal.rest(_IDLE_S)
            yield Figure(f"processor at rest: {place}", (terminal.cpu_seconds() - before) / _IDLE_S * 100, "%", "<= 1")


def _lost(data: Path, agent: subprocess.Popen[bytes]) -> Iterator[Figure]:
    with _console(data, "builds") as terminal:
        terminal.wait("live", terminal.began)
        terminal.rest(1.0)
        agent.send_signal(signal.SIGKILL)
        took = terminal.wait("DISCONNECTED", time.perf_counter())
    yield Figure("the killed agent's loss is said", took, "s", "<= 2")
