"""The demo: a temporary agent builds this very checkout, and shows how it goes. `python3 -m tools demo`.

What happens is what a user would do by hand: start an agent, apply orchestra.yaml, ship the directory, submit the jobs,
follow them, look at the table. Everything is removed at the end. Exit code 1 if a build did not succeed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from job_orchestra import OrchestraError, connect
from job_orchestra.agent.client import ship
from job_orchestra.console.format import between, duration, table

if TYPE_CHECKING:
    from job_orchestra.agent.client import Client
    from job_orchestra.core.views import BuildView

ROOT = Path(__file__).resolve().parent.parent
JOBS = ("lint", "test", "package")
_TAIL = 4000  # bytes of the log that are shown of a build that failed


def main() -> int:
    """Run the demo; returns 1 if anything failed."""
    folder = Path(tempfile.mkdtemp(prefix="orchestra-demo-"))
    data = folder / "agent"
    try:
        _orchestra(data, "up", "--name", "demo", "--slots", "2")
        with connect(data) as net:
            ended = _pipeline(net)
            _table(ended)
            for build in ended:
                if build.state != "succeeded":
                    _why(net, build)
        return 0 if all(build.state == "succeeded" for build in ended) else 1
    except OrchestraError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        _orchestra(data, "down", "--abort")
        shutil.rmtree(folder, ignore_errors=True)
        print("The demo's agent is stopped and its directory removed. Your own: orchestra up")


def _orchestra(data: Path, *words: str) -> None:
    program = [sys.executable, "-c", "from job_orchestra.console.cli.main import main; main()"]
    print(f"$ orchestra {' '.join(words)}", flush=True)
    subprocess.run([*program, *words, "--data", str(data)], check=False, stderr=subprocess.STDOUT)


def _pipeline(net: Client) -> list[BuildView]:
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
    return [ended[one] for one in waiting]


def _steps(job: str, build: BuildView, told: set[tuple[str, str]]) -> None:
    for step in build.steps:
        mark = (f"{job}/{step.name}", step.state)
        if mark not in told:
            told.add(mark)
            took = between(step.started, step.finished, datetime.now(UTC))
            end = f"{step.state} after {duration(took)}" if step.finished else str(step.state)
            print(f"  {job:<8} {step.name:<12} {end}", flush=True)


def _table(builds: list[BuildView]) -> None:
    rows = [
        (
            f"{one.project}/{one.job}#{one.number}",
            str(one.state),
            duration(between(one.started, one.finished, datetime.now(UTC))),
            f"{one.log_bytes} B",
            one.reason or " ".join(f"{key}={value}" for key, value in one.results.items()),
        )
        for one in builds
    ]
    print()
    print("\n".join(table(("BUILD", "STATE", "TOOK", "LOG", "RESULT"), rows)))
    print("\nOn an agent of your own: orchestra builds, orchestra show BUILD, orchestra logs BUILD")


def _why(net: Client, build: BuildView) -> None:
    log = b"".join(net.log(build.id, -_TAIL))
    print(f"\nThe end of the log of {build.job}:\n{log.decode(errors='replace')}")


if __name__ == "__main__":
    sys.exit(main())
