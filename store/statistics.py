"""What a store can say about many builds at once: the shapes of the answers, and the arithmetic. Pure.

Nothing here is found by looking at all builds. Counts come from sums that are kept while writing (sums.py), durations
from a job's last builds.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ..core.model import Build, BuildState, Millis

LAST_BUILDS = 200
"""Builds of a job that its durations are taken from. More: steadier figures; fewer: they follow a change sooner."""

DAY_MS = 24 * 3600 * 1000
"""Milliseconds of a day (UTC)."""

MAX_DAYS = 366
"""Days of one attempt that are told apart; a start that is longer ago is a clock that was wrong."""

FAILURES = (BuildState.FAILED, BuildState.ERROR, BuildState.LOST)
"""Ends that say that something is wrong. The others, but for success, say nothing."""


class Tally(msgspec.Struct, frozen=True, order=True):
    """How many builds of a job are in one state."""

    project: str  # of the job
    job: str  # its name
    state: str  # see BuildState
    builds: int  # builds in that state now
    last: int = 0  # the highest number of a build that ever ended so; 0: none did, or the state is no end


class Durations(msgspec.Struct, frozen=True):
    """How long a job's last successful builds took, from their start to their end."""

    project: str  # of the job
    job: str  # its name
    builds: int  # how many of the last ones were measured; with 0 the seconds are 0, too
    p50_s: float  # half of them took no longer
    p90_s: float  # nine of ten took no longer
    p99_s: float  # ninety-nine of a hundred took no longer
    longest_s: float  # the longest


class Failing(msgspec.Struct, frozen=True):
    """A job whose last end was no success, and since when."""

    project: str  # of the job
    job: str  # its name
    since: Build  # the first failure after the last success
    succeeded: int  # number of the last success; 0: there was none
    last: int  # number of the last failure


class Usage(msgspec.Struct, frozen=True, order=True):
    """What an agent did on one day (UTC). An attempt is counted on the day on which it ended."""

    agent: str  # its id
    day: Millis  # when the day began
    attempts: int  # that ended on this day
    busy_s: float  # how long attempts ran on this day, all slots together


class Size(msgspec.Struct, frozen=True):
    """How large a collection is."""

    collection: str  # its name
    rows: int  # records


class Description(msgspec.Struct, frozen=True):
    """What a store is and holds."""

    url: str  # how it was opened, without a password
    kind: str  # the database and its version, for people
    schema: int  # version of the stored shape
    applied: int  # index of the log entry that it reflects
    sizes: tuple[Size, ...]  # of each collection
    bytes: int  # what it takes on disk or in memory, as far as the database says


def durations(project: str, job: str, builds: Iterable[Build]) -> Durations:
    """Return how long builds of a job took; those without a start and an end do not count."""
    took = sorted(
        (one.finished - one.started) / 1000 for one in builds if one.started is not None and one.finished is not None
    )
    if not took:
        return Durations(project, job, 0, 0.0, 0.0, 0.0, 0.0)
    return Durations(project, job, len(took), _rank(took, 50), _rank(took, 90), _rank(took, 99), took[-1])


def _rank(ordered: Sequence[float], percent: int) -> float:
    """Return the value that so many percent of the values do not exceed (nearest rank)."""
    return ordered[-(-len(ordered) * percent // 100) - 1]


def suspects(tallies: Iterable[Tally]) -> list[tuple[str, str, int, int]]:
    """Return the jobs whose last end was a failure: project, job, number of the last success and of that failure."""
    succeeded: dict[tuple[str, str], int] = {}
    failed: dict[tuple[str, str], int] = {}
    for one in tallies:
        name = (one.project, one.job)
        if one.state == BuildState.SUCCEEDED:
            succeeded[name] = one.last
        elif one.state in FAILURES:
            failed[name] = max(failed.get(name, 0), one.last)
    return [
        (*name, succeeded.get(name, 0), last) for name, last in sorted(failed.items()) if last > succeeded.get(name, 0)
    ]


def shares(started: Millis | None, finished: Millis | None) -> Iterator[tuple[Millis, int, int]]:
    """Yield the days on which an ended attempt ran: the day's beginning, whether it ended then, milliseconds."""
    if finished is None:
        return
    started = finished if started is None else min(started, finished)
    last = finished - finished % DAY_MS
    first = max(started - started % DAY_MS, last - MAX_DAYS * DAY_MS)
    for day in range(first, last + 1, DAY_MS):
        yield day, int(day == last), min(finished, day + DAY_MS) - max(started, day)
