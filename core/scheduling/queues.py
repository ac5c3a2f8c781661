"""Builds that wait, sorted so that nobody ever looks through them.

All builds with the same requirements and the same amounts are one *demand*: nothing else decides which workers can have
them. Within it, all of one priority, one requester, and with the same to hold and to find warm, are one *line*, in the
order of acceptance: of these only the first is ever looked at. Pure.
"""

import math
from collections import deque
from collections.abc import Mapping
from heapq import heappop, heappush
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec

from ..definition import Spec
from ..model import Millis
from ..requirements import matches, parse_requirement
from ..resources import Units, wanted
from .fairness import Share
from .limits import Hold
from .places import Place
from .ranking import Ranking

DemandKey: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, float], ...]]
"""Requirements and amounts."""

_LAST = (math.inf,)

LineKey: TypeAlias = tuple[DemandKey, int, str, tuple[Hold, ...], tuple[str, ...]]
"""Demand, priority, requester, what is held, what should be warm."""


class Entry(msgspec.Struct, gc=False):
    """A build that waits. It names its line and does not refer to it: so it is part of no cycle."""

    serial: int  # its place in the order of acceptance
    id: str  # build id
    spec: str  # digest, by which its usual duration is known
    line: LineKey  # where it waits


def demand_of(spec: Spec) -> DemandKey:
    """Return the demand that the builds of a spec belong to."""
    return spec.runs_on, tuple(sorted(spec.resources.items())) if spec.resources else ()


class Line:
    """Builds of which the first is the only one to look at.

    New builds come in the order of acceptance, so they are sorted as they are: taking the first costs the same however
    long the line is. What comes back from workers is older than the end of the line and waits in a small heap beside.
    """

    def __init__(self, key: LineKey, demand: "Demand", share: "Share[Line]") -> None:
        """Begin without builds."""
        _, self.rank, _, self.holds, self.warm = key
        self.key = key
        self.demand = demand
        self.share = share
        self.entries: deque[Entry] = deque()
        self.returned: list[tuple[int, Entry]] = []  # heap, by serial
        self.cold_from: int | None = None  # instant from which on its first goes to a worker that is not warm
        self.cold_until = 0  # instant until which nothing of it waits for a warm worker

    def push(self, entry: Entry) -> None:
        """Put a build in its place."""
        if self.entries and self.entries[-1].serial > entry.serial:
            heappush(self.returned, (entry.serial, entry))
        else:
            self.entries.append(entry)

    @property
    def head(self) -> Entry | None:
        """The first build; what does not wait any more is dropped from the front."""
        entries, returned, waiting = self.entries, self.returned, self.demand.waiting
        while entries and waiting.get(entries[0].id) is not entries[0]:
            entries.popleft()
        while returned and waiting.get(returned[0][1].id) is not returned[0][1]:
            heappop(returned)
        if returned and not (entries and entries[0].serial < returned[0][0]):
            return returned[0][1]
        return entries[0] if entries else None

    @property
    def order(self) -> tuple[Any, ...]:
        """What decides between lines: the lowest goes first. A line without builds comes last."""
        head = self.head
        return (-self.rank, self.share.held, self.share.used, head.serial) if head is not None else _LAST

    def __len__(self) -> int:
        """Count the builds, at most: those that have left from the middle are counted until they are the first."""
        return len(self.entries) + len(self.returned)


class Demand:
    """All that wait with the same requirements and the same amounts, and the workers that can have them."""

    def __init__(self, key: DemandKey, waiting: Mapping[str, Entry]) -> None:
        """Begin without builds and workers; `waiting` says which builds wait."""
        self.requirements = tuple(parse_requirement(text) for text in key[0])
        self.wants: Units = wanted(dict(key[1]))
        self.waiting = waiting
        self.known: dict[LineKey, Line] = {}  # all lines that have builds
        self.lines: Ranking[Line] = Ranking(attrgetter("order"))  # those whose first could go now
        self.places: Ranking[Place] = Ranking(self._order)  # willing workers that meet the requirements
        self.stuck_since: Millis | None = None  # instant since when its first waits for amounts to come free
        self.kept: Place | None = None  # a worker where all that comes free is kept for it

    def may_use(self, place: Place) -> bool:
        """Whether what comes free at a worker is kept for nobody else."""
        return place.keeper is None or place.keeper is self

    def suits(self, place: Place) -> bool:
        """Whether a worker is willing, meets the requirements, and has enough in all."""
        labels = place.worker.labels
        return (
            place.worker.willing and place.could(self.wants) and all(matches(one, labels) for one in self.requirements)
        )

    def admit(self, place: Place) -> None:
        """Let a worker be one that its builds may have, or not: asked when a worker changes, not when a build does."""
        if self.suits(place):
            self.places.add(place)
            self.places.touch(place)
        else:
            self.places.discard(place)

    def _order(self, place: Place) -> tuple[int, int, float, int]:
        """What decides between workers: one with room, that has nothing rare which others may need, with least load."""
        if not self.may_use(place):
            return 2, 0, 0.0, place.number
        if place.fits(self.wants):
            return 0, len(place.scarce.difference(self.wants)), place.load(self.wants), place.number
        return 1, 0, place.load(self.wants), place.number
