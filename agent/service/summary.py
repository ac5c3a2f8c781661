"""Answers what is asked of many builds at once: how many, how long, since when they fail, and what agents did."""

import time
from datetime import UTC, datetime

from ...core.api.agents import AgentsUsage
from ...core.api.jobs import JobsDurations, JobsTallies
from ...core.api.method import NoParams
from ...core.browsing import (
    DurationsList,
    DurationsView,
    FailingList,
    TalliesView,
    TallyView,
    UsageList,
    UsageView,
)
from ...core.errors import InvalidInput
from ...core.instants import instant
from ...core.model import Millis
from ...store.showing import durations_view, failing_view
from .desk import Desk

MAX_JOBS = 100
"""Jobs whose durations are told in one answer."""


class Summary:
    """Sums that the store keeps."""

    def __init__(self, desk: Desk) -> None:
        """Read from the desk's store."""
        self._desk = desk

    async def jobs_tallies(self, params: JobsTallies) -> TalliesView:
        """Return how many builds of each job are in each state."""
        found = await self._desk.read("tallies", params.project)
        return TalliesView([TallyView(one.project, one.job, one.state, one.builds, one.last) for one in found])

    async def jobs_durations(self, params: JobsDurations) -> DurationsList:
        """Return how long builds of some jobs usually take."""
        if len(params.jobs) > MAX_JOBS:
            message = f"`jobs` takes up to {MAX_JOBS} names, not {len(params.jobs)}; ask for the others separately"
            raise InvalidInput(message)
        found: list[DurationsView] = []
        for name in params.jobs:
            project, slash, job = name.partition("/")
            if not slash:
                message = f"{name[:60]!r} names no job; write project/name"
                raise InvalidInput(message)
            one = await self._desk.read("durations", project, job)
            found.append(durations_view(one))
        return DurationsList(found)

    async def jobs_failing(self, _: NoParams) -> FailingList:
        """Return the jobs that fail, and since when."""
        found = await self._desk.read("failing")
        return FailingList([failing_view(one) for one in found])

    async def agents_usage(self, params: AgentsUsage) -> UsageList:
        """Return what agents did, by day."""
        since = _instant(params.since)
        until = time.time_ns() // 1_000_000 if params.until is None else _instant(params.until)
        found = await self._desk.read("usage", since, until)
        return UsageList([UsageView(one.agent, _day(one.day), one.attempts, one.busy_s) for one in found])


def _instant(text: str) -> Millis:
    try:
        return instant(text)
    except ValueError:
        message = f"{text[:60]!r} is no instant; write it as 2026-01-31T09:30:00Z"
        raise InvalidInput(message) from None


def _day(begins: Millis) -> str:
    return f"{datetime.fromtimestamp(begins // 1000, UTC):%Y-%m-%d}"
