"""What follows from the history: how long a job usually takes, and how far a build is."""

from collections.abc import Iterable
from datetime import datetime

from ...core.browsing import DurationsList, FailingList, FailingView
from ...core.views.builds import BuildSummary
from ..format import between
from .contract import Feed

USUAL_FOR_S = 60.0
"""Seconds for which a usual duration is good."""

MAX_JOBS = 100
"""Jobs that are asked for at once."""


def progress(build: BuildSummary, usual: float | None, now: datetime) -> float | None:
    """Return which part of its usual duration a running build has behind it, at most 0.99; None where unknown."""
    running = between(build.started, None, now)
    if not usual or running is None:
        return None
    return min(max(running / usual, 0.0), 0.99)


class Insight:
    """Asks a feed, and keeps what it was told for a while."""

    def __init__(self, feed: Feed) -> None:
        """Ask `feed`."""
        self._feed = feed
        self._usual: dict[tuple[str, str], tuple[float, float | None]] = {}  # job -> when it was asked, seconds

    def known(self, project: str, job: str) -> float | None:
        """Return the usual duration of a job, seconds, as it was told last."""
        return self._usual.get((project, job), (0.0, None))[1]

    async def learn(self, jobs: Iterable[tuple[str, str]]) -> None:
        """Ask for the usual durations of jobs (project, name) that are not known well."""
        now = self._feed.clock()
        old = (now - USUAL_FOR_S, None)
        asked = [one for one in dict.fromkeys(jobs) if now - self._usual.get(one, old)[0] >= USUAL_FOR_S]
        names = [f"{project}/{job}" for project, job in asked[:MAX_JOBS]]
        if not names:
            return
        found: DurationsList = await self._feed.call("jobs.durations", jobs=names)
        for one in found.durations:
            self._usual[one.project, one.job] = (now, one.p50 if one.builds else None)

    async def failing(self) -> list[FailingView]:
        """Return jobs whose last end was a failure, those that have just begun to fail first."""
        found: FailingList = await self._feed.call("jobs.failing")
        return sorted(found.failing, key=lambda one: one.since.created or "", reverse=True)
