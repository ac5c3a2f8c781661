"""What follows from the history: how long a job usually takes, and since when it fails. Pure, but for asking a feed."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median

import msgspec

from ...core import api
from ...core.model import BuildState
from ...core.views import BuildSummary
from ..format import between
from .contract import Feed

SAMPLE = 20
"""Builds of a job that its usual duration is taken from."""

RECENT = 200
"""Builds that ended last, among which failures are looked for."""

USUAL_FOR_S = 60.0
"""Seconds for which a usual duration is good."""

_BAD = [BuildState.FAILED, BuildState.ERROR, BuildState.LOST]


class Regression(msgspec.Struct, frozen=True):
    """A job whose last build failed."""

    build: BuildSummary  # its last one
    since: int | None  # number of the first build that failed since one succeeded; None: none ever succeeded


def took(builds: Sequence[BuildSummary]) -> float | None:
    """Return the median of how long builds took, seconds; None where none has ended."""
    found = [seconds for one in builds if one.finished and (seconds := _seconds(one)) is not None]
    return median(found) if found else None


def _seconds(build: BuildSummary) -> float | None:
    if build.started is None or build.finished is None:
        return None
    return between(build.started, build.finished, datetime.fromisoformat(build.finished))


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

    async def usual(self, project: str, job: str) -> float | None:
        """Return the usual duration of a job, seconds; None where it is not known."""
        at, known = self._usual.get((project, job), (float("-inf"), None))
        if self._feed.clock() - at < USUAL_FOR_S:
            return known
        where = {"project": project, "job": job, "state": BuildState.SUCCEEDED}
        found: api.Builds = await self._feed.call("builds.list", where=where, order="-number", limit=SAMPLE)
        self._usual[project, job] = (self._feed.clock(), took(found.builds))
        return self._usual[project, job][1]

    async def regressions(self, limit: int = 5) -> list[Regression]:
        """Return jobs whose last build failed, the latest first."""
        recent: api.Builds = await self._feed.call("builds.list", order="-created", limit=RECENT)
        last: dict[tuple[str, str], BuildSummary] = {}
        for build in recent.builds:
            if build.finished and build.state not in {BuildState.CANCELLED, BuildState.ABORTED, BuildState.SKIPPED}:
                last.setdefault((build.project, build.job), build)
        failing = [one for one in last.values() if one.state in _BAD][:limit]
        return [Regression(one, await self._since(one)) for one in failing]

    async def _since(self, build: BuildSummary) -> int | None:
        """Return the number of the first build of a job that failed since one succeeded."""
        job = {"project": build.project, "job": build.job}
        good: api.Builds = await self._feed.call(
            "builds.list", where={**job, "state": BuildState.SUCCEEDED}, order="-number", limit=1
        )
        if not good.builds:
            return None
        after = {**job, "state": _BAD, "number": {"gt": good.builds[0].number}}
        bad: api.Builds = await self._feed.call("builds.list", where=after, order="number", limit=1)
        return bad.builds[0].number if bad.builds else build.number
