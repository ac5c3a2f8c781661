"""Simulates networks from seeds, and checks that planted bugs are found: `python -m tools.simulate --seeds 0..2000`.

Prints schedules a second, what happened in them, and for each failure the seed that replays it. Exits with 1 if a rule
was broken, if a rare event never happened (then nothing was proven), or, with --mutants, if a planted bug was missed.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING

from tests.kit.mutants import MUTANTS, plant
from tests.kit.walker import Outcome, run, trace

if TYPE_CHECKING:
    from collections.abc import Iterator

ENOUGH = 200
"""Schedules from which on a rare event must have happened."""

PORTION = 250
"""Schedules that a process takes at a time."""


def main(arguments: list[str]) -> int:
    """Simulate as asked; returns the exit code."""
    options = _parse(arguments)
    if options.replay is not None:
        return _replay(options)
    return _mutants(options) if options.mutants else _simulate(options)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tools simulate", description=__doc__)
    parser.add_argument("--seeds", type=_range, default=range(2000), metavar="FROM..TO", help="default: 0..2000")
    parser.add_argument("--steps", type=int, default=500, help="events of each schedule before it calms down")
    parser.add_argument("--jobs", type=int, default=1, help="processes to simulate in")
    parser.add_argument("--mutants", action="store_true", help="plant each bug, and report the seed that finds it")
    parser.add_argument("--only", default="", metavar="TEXT", help="only mutants whose name contains this")
    parser.add_argument("--replay", type=int, metavar="SEED", help="walk one schedule and print its last events")
    parser.add_argument("--last", type=int, default=60, help="events that --replay prints")
    return parser.parse_args(arguments)


def _range(text: str) -> range:
    first, dots, end = text.partition("..")
    return range(int(first), int(end)) if dots else range(int(text), int(text) + 1)


def _simulate(options: argparse.Namespace) -> int:
    began = perf_counter()
    total = Outcome()
    for part in _parts(options):
        total.schedules += part.schedules
        total.steps += part.steps
        total.counts.update(part.counts)
        total.found += part.found
    seconds = perf_counter() - began
    print(
        f"{total.schedules} schedules of {options.steps} steps in {seconds:.1f} s: "
        f"{total.schedules / seconds:.0f} schedules/s, {total.steps / seconds:.0f} steps/s"
    )
    for name, count in sorted(total.counts.items()):
        print(f"  {name:<14} {count}")
    for found in sorted(total.found, key=lambda found: found.seed):
        print(f"FAILED seed {found.seed} at step {found.step}: {found.what}")
        print(f"  replay: python3 -m tools simulate --replay {found.seed} --steps {options.steps}")
    if total.missing and total.schedules >= ENOUGH:
        print(f"FAILED: never happened, so nothing is proven about it: {', '.join(total.missing)}")
        return 1
    return 1 if total.found else 0


def _parts(options: argparse.Namespace) -> Iterator[Outcome]:
    seeds: range = options.seeds
    if options.jobs == 1:
        yield run(seeds, options.steps, stop=False)
        return
    portions = [seeds[at : at + PORTION] for at in range(0, len(seeds), PORTION)]
    with ProcessPoolExecutor(options.jobs) as pool:
        yield from pool.map(_portion, portions, [options.steps] * len(portions))


def _portion(seeds: range, steps: int) -> Outcome:
    return run(seeds, steps, stop=False)


def _mutants(options: argparse.Namespace) -> int:
    chosen = [name for name in MUTANTS if options.only in name]
    missed = 0
    for name in chosen:
        began = perf_counter()
        with plant(name) as world:
            outcome = run(options.seeds, options.steps, world)
        seconds = perf_counter() - began
        if outcome.found:
            found = outcome.found[0]
            print(f"caught  {name}: seed {found.seed}, step {found.step}, {seconds:.1f} s: {found.what}", flush=True)
        else:
            missed += 1
            print(f"MISSED  {name}: {outcome.schedules} schedules, {seconds:.1f} s", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} planted bugs caught")
    return 1 if missed or not chosen else 0


def _replay(options: argparse.Namespace) -> int:
    last: deque[str] = deque(maxlen=options.last)
    found = trace(options.replay, options.steps, last.append)
    print("\n".join(last))
    if found is None:
        print(f"seed {options.replay}: all is well")
        return 0
    print(f"FAILED seed {found.seed} at step {found.step}: {found.what}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
