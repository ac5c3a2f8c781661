"""Who goes next of those who wait: whoever holds least of the network now, then whoever used least of it lately. Pure.

So one who submits a hundred thousand builds does not hold up another's ten: these begin as soon as room comes free, and
then both have the same share, whatever is in line behind. What is held counts in thousandths of a processor, or of a
slot where a build names none; what was used is the same by time, and counts half after HALF_LIFE_MS.
"""

import math
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..model import Millis

T = TypeVar("T")

HALF_LIFE_MS = 600_000
"""After which past use counts half. Larger: who used much waits for longer; smaller: only the last minutes count."""

REMEMBERED = 10_000
"""Requesters beyond which those who hold nothing and wait for nothing are forgotten."""


@dataclass(eq=False)
class Share(Generic[T]):
    """One requester's."""

    requester: str  # who asked
    held: int = 0  # thousandths with workers now
    used: float = -math.inf  # logarithm (base 2) of what was used lately, as if all of it was used at the epoch
    lines: dict[T, None] = field(default_factory=dict[T, None])  # where builds of it wait

    @property
    def key(self) -> tuple[int, float]:
        """What decides between requesters: the lower goes first."""
        return self.held, self.used

    def charge(self, units: int, length: Millis, at: Millis) -> None:
        """Add what was used for `length` until `at`.

        What is used later weighs more, by a factor that is the same for all, instead of all earlier weighing less: so
        time changes no order. The logarithm is what keeps that within the range of numbers.
        """
        if units > 0 and length > 0:
            more = math.log2(units * length) + at / HALF_LIFE_MS
            high, low = max(self.used, more), min(self.used, more)
            self.used = high + math.log2(1 + 2.0 ** max(low - high, -1000.0))


class Shares(Generic[T]):
    """Those of all requesters."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._shares: dict[str, Share[T]] = {}

    def of(self, requester: str) -> Share[T]:
        """Return a requester's share."""
        found = self._shares.get(requester)
        if found is None:
            if len(self._shares) >= REMEMBERED:
                self._shares = {name: one for name, one in self._shares.items() if one.held or one.lines}
            found = self._shares[requester] = Share(requester)
        return found
