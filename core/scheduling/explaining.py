"""Why a build waits, for people: what it waits for itself, who goes before it, and what speaks against each worker.

Reads what the scheduler works with and changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..model import Millis
from ..requirements import matches, why_not
from ..resources import text
from .limits import Limits
from .places import Place
from .queues import Demand, Entry, Line

SHOWN = 5
"""Builds, or requesters, that are named; the others are counted."""


def later(at: Millis, now: Millis) -> str:
    """Return that a build's next attempt has to wait."""
    seconds = max(0.0, (at - now) / 1000)
    return f"its next attempt begins in {seconds:.0f} s at the earliest, as its retry policy has it"


def patience(at: Millis, now: Millis) -> str:
    """Return how long a build goes on waiting."""
    seconds = max(0.0, (at - now) / 1000)
    return f"it ends as error if no worker takes it within {seconds:.0f} s, as its waiting-timeout has it"


def limits(line: Line, known: Limits[Line], label: Callable[[str], str]) -> list[str]:
    """Return which of the things that a build would hold are taken, and by whom."""
    found: list[str] = []
    for hold in line.holds:
        limit = known.of(hold.name)
        if hold.take > limit.size:
            found.append(f"{hold.name}: takes {hold.take}, but there are {limit.size}, as another build says")
        elif not limit.gives(hold.take):
            holders = _some([label(one) for one in limit.holders])
            found.append(f"{hold.name}: {limit.taken} of {limit.size} taken, by {holders}")
    return found


def order(demand: Demand, line: Line, entry: Entry) -> list[str]:
    """Return who goes before a build, of those that wait for the same workers."""
    found: list[str] = []
    higher = sum(len(one) for one in demand.known.values() if one.rank > line.rank)
    if higher:
        found.append(f"{higher} with a higher priority {'goes' if higher == 1 else 'go'} before it")
    same = [one for one in demand.known.values() if one.rank == line.rank]
    own = sum(_before(one, entry) for one in same if one.share is line.share)
    if own:
        found.append(f"{own} of {line.share.requester or 'the same requester'} {'is' if own == 1 else 'are'} before it")
    less = {one.share.requester: one.share.held for one in same if one.share.key < line.share.key}
    if less:
        holding = _some([f"{name or 'nobody'} (holds {text('', held)})" for name, held in sorted(less.items())])
        found.append(f"who holds and used less goes first: {holding}; {line.share.requester} holds {_held(line)}")
    return found


def lingering(line: Line, places: Iterable[Place]) -> str:
    """Return that a build waits a moment for a worker that has at hand what it needs."""
    warm = [one.worker.name for one in places if not one.worker.warm.isdisjoint(line.warm)]
    return f"waits a moment for {_some(sorted(warm))}, which has at hand what it needs"


def workers(demand: Demand, places: Sequence[Place], *, alone: bool) -> list[str]:
    """Return a line for each worker; `alone`: nothing but these keep the build waiting."""
    if not places:
        return ["no worker has joined this network yet"]
    room = "has room: it is next in line" if alone else "has room"
    return [f"{place.worker.name}: {next(_obstacles(demand, place), room)}" for place in places]


def summary(line: Line, known: Limits[Line], places: Iterable[Place]) -> str:
    """Return on one line what keeps a build waiting: the same of many workers once."""
    found = limits(line, known, str)
    against = Counter(next(_obstacles(line.demand, place), "") for place in places)
    found += [f"{why} ({count} agents)" if count > 1 else why for why, count in against.most_common(SHOWN) if why]
    return "; ".join(found) or "no worker is there"


def _obstacles(demand: Demand, place: Place) -> Iterator[str]:
    """Yield what keeps a worker from taking the builds of a demand, what lasts longest first."""
    worker = place.worker
    if not worker.reachable:
        yield "cannot be reached"
    if not worker.enabled:
        yield f"is disabled (orchestra enable {worker.name})"
    if worker.draining:
        yield "is draining: it finishes what it has and takes nothing new"
    missing = [why_not(one, worker.labels) for one in demand.requirements if not matches(one, worker.labels)]
    if missing:
        yield "; ".join(missing)
    if worker.paused:
        yield f"is paused: {worker.paused}"
    lacking = place.lacks(demand.wants)
    if not worker.slots:
        yield f"offers no slots; orchestra offer {worker.name} changes that"
    elif lacking:
        yield lacking
    if not demand.may_use(place):
        yield "what comes free is kept for a build that takes more"


def _before(line: Line, entry: Entry) -> int:
    return sum(one.serial < entry.serial for one in line.entries) + sum(one < entry.serial for one, _ in line.returned)


def _held(line: Line) -> str:
    return text("", line.share.held)


def _some(words: Sequence[str]) -> str:
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more} more" if more > 0 else "")
