"""The demo: three temporary agents build this very checkout; half-way, their master is killed. `python3 -m tools demo`.

What happens is what a user would do by hand on three machines: start an agent, invite two more, apply orchestra.yaml,
ship the directory, submit the jobs, follow them, look at the table. When the first build has ended, all that the
master's machine runs is killed with -9, as if it had lost power: another agent takes over, and what ran on the dead one
is tried again elsewhere (`retry` in orchestra.yaml). All agents are on this machine and speak over loopback.
Everything is removed at the end. Exit code 1 if a build did not succeed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from job_orchestra import OrchestraError, connect
from job_orchestra.agent.client.directories import ship
from job_orchestra.agent.executor.processes import leftovers
from job_orchestra.agent.paths import Paths
from job_orchestra.console.format import between, duration, table

if TYPE_CHECKING:
    from job_orchestra.agent.client.blocking import Client
    from job_orchestra.core.views.builds import BuildView

ROOT = Path(__file__).resolve().parent.parent
JOBS = ("lint", "test", "package")
NAMES = ("anna", "bert", "cora")
_TAIL = 4000  # bytes of the log that are shown of a build that failed


def main() -> int:
    """Run the demo; returns 1 if anything failed."""
    folder = Path(tempfile.mkdtemp(prefix="orchestra-demo-"))
    machines = [folder / name for name in NAMES]
    try:
        _form(machines)
        with connect(machines[-1]) as net:
            _tell_network(net)
            ended = _pipeline(net, machines)
            _table(net, ended)
            for build in ended:
                if build.state != "succeeded":
                    _why(net, build)
        return 0 if all(build.state == "succeeded" for build in ended) else 1
    except OrchestraError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        for data in machines:
            if Paths(data).scripting.exists():
                _orchestra(data, "down", "--abort")
        shutil.rmtree(folder, ignore_errors=True)
        print("The demo's agents are stopped and their directories removed. Your own: orchestra up")


def _form(machines: list[Path]) -> None:
    """Make one network of three agents, all of which vote."""
    first, *others = machines
    flags = ("--slots", "1", "--settle", "1", "--listen", "127.0.0.1:0", "--no-mdns")
    _orchestra(first, "up", "--name", first.name, *flags)
    for data in others:
        with connect(first) as net:
            token = net.network.invite().token
        print(f"$ orchestra invite    # on {first.name}")
        _orchestra(data, "join", "--name", data.name, *flags, "-", text=token)
    with connect(first) as net:
        while len(net.network.status().voters) < len(machines):
            time.sleep(0.1)


def _orchestra(data: Path, *words: str, text: str = "") -> None:
    program = [sys.executable, "-c", "from job_orchestra.console.cli.main import main; main()"]
    print(f"$ orchestra {' '.join(words)}    # on {data.name}", flush=True)
    command = [*program, *words, "--data", str(data)]
    subprocess.run(command, check=False, stderr=subprocess.STDOUT, input=text, text=True)


def _tell_network(net: Client) -> None:
    status = net.network.status()
    master = status.master.name if status.master else "nobody"
    print(f"\n{len(status.voters)} voters; {master} leads in term {status.term}\n", flush=True)


def _kill_master(net: Client, machines: list[Path]) -> None:
    """Kill the master's agent, its executor and all that runs on it with -9; tell who leads then."""
    before = net.network.status().master
    data = next(one for one in machines if before is not None and one.name == before.name)
    pids = [int(Paths(data).lock.read_text()), int((Paths(data).executor / "lock").read_text())]
    print(f"$ kill -9 {' '.join(map(str, pids))}    # agent and executor of {data.name}, the master", flush=True)
    for pid in (*pids, *leftovers(str(Paths(data).work))):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    began = time.perf_counter()
    while (now := net.network.status().master) is None or now.name == data.name:
        time.sleep(0.05)
    print(f"  {now.name} leads after {duration(time.perf_counter() - began)}", flush=True)


def _pipeline(net: Client, machines: list[Path]) -> list[BuildView]:
    """Submit the jobs with this checkout, and tell of each step as it ends."""
    print("$ orchestra apply")
    applied = net.jobs.apply((ROOT / "orchestra.yaml").read_text(encoding="utf-8"))
    began = time.perf_counter()
    source = ship(net, ROOT)
    print(f"shipping {ROOT.name}/ (what git tracks) took {duration(time.perf_counter() - began)}")
    events = net.events(kinds=["build"])
    waiting: dict[str, str] = {}
    for job in JOBS:
        print(f"$ orchestra run --job {applied.project}/{job}", flush=True)
        build = net.builds.submit(f"{applied.project}/{job}", source=source, parameters={"python": sys.executable})[0]
        waiting[build.id] = job
    ended: dict[str, BuildView] = {}
    told: set[tuple[str, str]] = set()
    while len(ended) < len(waiting):
        event = next(events)["build"]
        if event["id"] not in waiting:
            continue
        found: BuildView = net.call("builds.get", id=event["id"]).build
        _steps(waiting[found.id], found, told)
        if found.state.ended:
            ended[found.id] = found
            if len(ended) == 1:
                _kill_master(net, machines)
    return [ended[one] for one in waiting]


def _steps(job: str, build: BuildView, told: set[tuple[str, str]]) -> None:
    for step in build.steps:
        mark = (f"{job}/{step.name}", step.state)
        if mark not in told:
            told.add(mark)
            took = between(step.started, step.finished, datetime.now(UTC))
            end = f"{step.state} after {duration(took)}" if step.finished else str(step.state)
            print(f"  {job:<8} {step.name:<12} {end}", flush=True)


def _table(net: Client, builds: list[BuildView]) -> None:
    names = {one.id: one.name for one in net.agents.list().agents}
    rows = [
        (
            f"{one.project}/{one.job}#{one.number}",
            str(one.state),
            ", then ".join(names.get(attempt.agent, attempt.agent) for attempt in one.attempts),
            duration(between(one.started, one.finished, datetime.now(UTC))),
            f"{one.log_bytes} B",
            one.reason or " ".join(f"{key}={value}" for key, value in one.results.items()),
        )
        for one in builds
    ]
    print()
    print("\n".join(table(("BUILD", "STATE", "ON", "TOOK", "LOG", "RESULT"), rows)))
    print("\nOn an agent of your own: orchestra builds, orchestra show BUILD, orchestra logs BUILD")


def _why(net: Client, build: BuildView) -> None:
    log = b"".join(net.log(build.id, -_TAIL))
    print(f"\nThe end of the log of {build.job}:\n{log.decode(errors='replace')}")


if __name__ == "__main__":
    sys.exit(main())
