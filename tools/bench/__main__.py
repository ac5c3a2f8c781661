"""The entry: runs the measurements that were named, or all."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial

from .consensus import consensus
from .console import console
from .crowd import crowd
from .failover import failover
from .figures import Figure, Missing, show
from .joining import joining
from .latency import latency
from .network import network
from .pipeline import pipeline
from .queue import queue
from .rest import rest, startup
from .running import running
from .store import MANY, store
from .throughput import throughput
from .transfer import transfer

MEASUREMENTS = {
    "throughput": throughput,
    "latency": latency,
    "queue": queue,
    "pipeline": pipeline,
    "consensus": consensus,
    "rest": rest,
    "startup": startup,
    "network": network,
    "failover": failover,
    "joining": joining,
    "transfer": transfer,
    "run": running,
    "crowd": crowd,
    "store": store,
    "console": console,
}


def main(arguments: list[str]) -> int:
    """Measure; returns 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python3 -m tools bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--store", metavar="URL", default="", help="of `store`: an empty database in place of SQLite")
    parser.add_argument("--builds", metavar="N", type=int, default=MANY, help=f"of `store`: how many [{MANY:,}]")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"there is no measurement {unknown[0]!r}; there are: {', '.join(MEASUREMENTS)}")
    # an installation comes compiled; without this each start would compile every module anew, and that be measured
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    results: dict[str, list[Figure | Missing]] = {}
    for name in options.names or MEASUREMENTS:
        print(f"measuring {name} ...", file=sys.stderr)
        measure = partial(store, options.store, options.builds) if name == "store" else MEASUREMENTS[name]
        results[name] = list(measure())
    show(results, as_json=options.json)
    missed = [one for found in results.values() for one in found if isinstance(one, Figure) and one.met is False]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
