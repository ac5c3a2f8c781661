"""All workers, and which of them a build should get. Pure.

The one with most room, but one that has at hand what the build needs rather than any other; for a build that takes more
than ever comes free at a time, one is kept free after a while. Refuses to know in which order builds come.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from ..model import Millis
from .places import Place, Worker
from .queues import Line

KEEP_MS = 60_000
"""Milliseconds that the next in order waits for amounts to come free in bits, before one worker is kept free for it.

Larger: what is free is used meanwhile; smaller: builds that take much begin earlier beside many that take little.
"""

LINGER_MS = 2_000
"""Milliseconds that a build waits for a busy worker which is warm for it although another one has room."""

COLD_MS = 30_000
"""Milliseconds after that in which no other build of its line does."""

LOOK = 64
"""Warm workers that are compared; there may be a thousand."""

_PACES = 10_000  # specs whose mean duration is remembered


class Workforce:
    """The workers."""

    def __init__(self) -> None:
        """Begin without any."""
        self._places: dict[str, Place] = {}
        self._made = 0  # places so far
        self._warm: dict[str, dict[Place, None]] = {}  # key -> workers that are warm for it
        self._kept: dict[Place, Line] = {}  # workers where all that comes free is kept -> for the first of which line
        self._pace: dict[str, float] = {}  # spec digest -> mean duration in seconds, recent builds weigh most

    def __iter__(self) -> Iterator[Place]:
        """Yield the workers, in the order in which they came."""
        return iter(self._places.values())

    def get(self, agent: str) -> Place | None:
        """Return a worker, None where there is none of this id."""
        return self._places.get(agent)

    def put(self, worker: Worker) -> Place | None:
        """Take in a worker that is new or changed; None: nothing about it is different."""
        place = self._places.get(worker.id)
        if place is None:
            self._made += 1
            place = self._places[worker.id] = Place(worker, self._made)
        elif place.worker == worker:
            return None
        else:
            self._cool(place)
            place.change(worker)
        for key in worker.warm:
            self._warm.setdefault(key, {})[place] = None
        return place

    def remove(self, agent: str) -> Place | None:
        """Forget a worker; return what it was."""
        place = self._places.pop(agent, None)
        if place is not None:
            self._cool(place)
        return place

    def _cool(self, place: Place) -> None:
        for key in place.worker.warm:
            places = self._warm[key]
            del places[place]
            if not places:
                del self._warm[key]

    # -- which worker

    def roomy(self, line: Line) -> Place | None:
        """Return the worker that has most room for the first of a line; None: there is none.

        One that is kept for another build may still be had by those that come before that one.
        """
        demand = line.demand
        place = demand.places.first()
        if place is not None and demand.may_use(place) and place.fits(demand.wants):
            return place
        for kept, other in self._kept.items():
            if line.order < other.order and kept in demand.places and kept.fits(demand.wants):
                return kept
        return None

    def warmest(self, line: Line, roomy: Place, now: Millis) -> Place | None:
        """Return the worker with room that is warmest for the first of a line, or `roomy`; None: it should linger."""
        demand = line.demand
        shared: Counter[Place] = Counter()
        for key in line.warm:
            shared.update(place for place in islice(self._warm.get(key, ()), LOOK) if place in demand.places)
        fitting = [place for place in shared if demand.may_use(place) and place.fits(demand.wants)]
        if fitting:
            line.cold_from = None
            return min(fitting, key=lambda place: (-shared[place], place.load(demand.wants), place.number))
        if not shared or now < line.cold_until:
            return roomy
        if line.cold_from is None:
            line.cold_from = now + LINGER_MS
        if now < line.cold_from:
            return None
        line.cold_from, line.cold_until = None, now + COLD_MS
        return roomy

    def ahead(self, line: Line) -> Place | None:
        """Return the worker that a short build is sent to although all slots are taken, if any."""
        demand, entry = line.demand, line.head
        place = demand.places.first()
        if demand.wants or line.holds or place is None or entry is None or not demand.may_use(place):
            return None
        return place if place.ahead(self._pace.get(entry.spec)) else None

    def learn(self, digest: str, seconds: float) -> None:
        """Take note of how long a build took."""
        before = self._pace.pop(digest, seconds)
        self._pace[digest] = before + 0.2 * (seconds - before)  # the last dozen builds make up most of it
        if len(self._pace) > _PACES:
            del self._pace[next(iter(self._pace))]  # the spec that has not ended a build for longest

    # -- keeping one free

    def keep(self, line: Line, now: Millis) -> None:
        """No worker has room for the first of a line: once it waited long enough, keep one free for it."""
        demand = line.demand
        if not demand.wants or demand.kept is not None:
            return
        if demand.stuck_since is None:
            demand.stuck_since = now
        if now - demand.stuck_since < KEEP_MS:
            return
        free = [place for place in demand.places if place.keeper is None]
        if free:
            place = demand.kept = min(free, key=lambda place: (place.load(demand.wants), place.number))
            place.keeper = demand
            self._kept[place] = line

    def free(self, place: Place | None) -> bool:
        """Keep a worker for nobody any more; return whether that is different from before."""
        line = self._kept.pop(place, None) if place is not None else None
        if place is None or line is None:
            return False
        line.demand.kept = None
        place.keeper = None
        return True
