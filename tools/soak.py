"""Tries a network of real agents for a while: `python -m tools.soak --minutes N --seed S`; see RELIABILITY in docs.

Prints the figures; exits with 1 if a promise was broken. What was written down stays in the directory that is named.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

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
        began = time.monotonic()
        found, breaches = run(folder, plan, lambda text: print(f"  {text}", flush=True))
        print(f"soak, {(time.monotonic() - began) / 60:.1f} min in all; events in {folder}")
        print(told(found), flush=True)
        for breach in breaches[:50]:
            print(f"  BROKEN {breach.rule}: {breach.what}")
        status = status or int(bool(breaches))
    return status


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tools soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of load and faults in each run")
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--runs", type=int, default=1, help="how many, each with the next seed")
    parser.add_argument("--agents", type=int, default=5)
    parser.add_argument("--rate", type=float, default=4.0, help="builds a second")
    parser.add_argument("--loopback", action="store_true", help="no namespaces, and so no faults of links")
    parser.add_argument("--folder", help="where to write")
    options = parser.parse_args(arguments)
    if not options.loopback and os.getuid() != 0:
        print("namespaces need root; on loopback, without faults of links, goes: --loopback", file=sys.stderr)
        sys.exit(2)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
