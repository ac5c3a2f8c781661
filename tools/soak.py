"""Tries a network of real agents for a while: `python -m tools.soak --minutes N --seed S`; see RELIABILITY in docs.

Prints the figures; exits with 1 if a promise was broken. What was written down stays in the directory that is named.
With `--pipelines` it runs large pipelines on three agents instead, and kills the master at random moments.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.kit.lab import pipelines
from tests.kit.lab.campaign import Plan, run
from tests.kit.lab.figures import told


def main(arguments: list[str]) -> int:
    """Run as asked; returns the exit code."""
    options = _parse(arguments)
    status = 0
    for seed in range(options.seed, options.seed + options.runs):
        folder = Path(tempfile.mkdtemp(prefix=f"orchestra-soak-{seed}-", dir=options.folder))
        folder.chmod(0o700)
        plan = Plan(options.minutes, seed, options.agents, options.rate, namespaces=not options.loopback)
        if options.pipelines:
            status = _pipelines(folder, options, seed) or status
            continue
        began = time.monotonic()
        found, breaches = run(folder, plan, lambda text: print(f"  {text}", flush=True))
        print(f"soak, {(time.monotonic() - began) / 60:.1f} min in all; events in {folder}")
        print(told(found), flush=True)
        for breach in breaches[:50]:
            print(f"  BROKEN {breach.rule}: {breach.what}")
        status = status or int(bool(breaches))
    return status


def _pipelines(folder: Path, options: argparse.Namespace, seed: int) -> int:
    """Run pipelines until the time is over; returns 1 if one went wrong."""
    found = pipelines.run(
        folder, seed=seed, kills=options.kills, minutes=options.minutes, agents=3, say=lambda text: print(f"  {text}")
    )
    print(f"soak of pipelines, seed {seed}; stores and witnesses in {folder}")
    print(
        f"  {found.pipelines} pipelines of {found.builds} builds in all, {found.executed} executed, {found.kills} kills"
    )
    print(f"  seconds of each: {', '.join(f'{one:.1f}' for one in found.seconds)}", flush=True)
    for breach in found.breaches[:50]:
        print(f"  BROKEN {breach}")
    return int(bool(found.breaches))


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tools soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of load and faults in each run")
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--runs", type=int, default=1, help="how many, each with the next seed")
    parser.add_argument("--agents", type=int, default=5)
    parser.add_argument("--rate", type=float, default=4.0, help="builds a second")
    parser.add_argument("--loopback", action="store_true", help="no namespaces, and so no faults of links")
    parser.add_argument("--pipelines", action="store_true", help="large pipelines, while the master is killed")
    parser.add_argument("--kills", type=int, default=6, help="of the master in each pipeline")
    parser.add_argument("--folder", help="where to write")
    options = parser.parse_args(arguments)
    if not options.loopback and not options.pipelines and os.getuid() != 0:
        print("namespaces need root; on loopback, without faults of links, goes: --loopback", file=sys.stderr)
        sys.exit(2)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
