"""What a measurement yields: figures with their targets; printed as a table or as JSON."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Figure:
    """One measured value."""

    what: str  # what was measured
    value: float  # the value
    unit: str  # of the value
    target: str = ""  # such as `>= 1000`; empty: none, it is here for comparison
    note: str = ""  # how it was measured, where that is not obvious

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if not self.target:
            return None
        sign, limit = self.target.split()
        return self.value >= float(limit) if sign == ">=" else self.value <= float(limit)


@dataclass(frozen=True)
class Missing:
    """What could not be measured here."""

    what: str  # what was to be measured
    why: str  # and what would help


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the value below which `percent` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def show(results: dict[str, list[Figure | Missing]], *, as_json: bool) -> None:
    """Print all that was measured."""
    if as_json:
        shown = {
            name: [asdict(one) | ({"met": one.met} if isinstance(one, Figure) else {}) for one in found]
            for name, found in results.items()
        }
        machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
        json.dump({"machine": machine, "results": shown}, sys.stdout, indent=2)
        print()
        return
    for name, found in results.items():
        print(f"\n{name}")
        for one in found:
            if isinstance(one, Missing):
                print(f"  {one.what:<58} not measured: {one.why}")
                continue
            mark = {True: "met", False: "MISSED", None: ""}[one.met]
            target = f"target {one.target}" if one.target else ""
            print(f"  {one.what:<58} {one.value:>10.2f} {one.unit:<9} {target:<15} {mark:<6} {one.note}".rstrip())
