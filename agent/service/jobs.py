"""Answers `jobs.*`: definitions."""

import asyncio

from ...core import jobfile
from ...core.api import jobs as api
from ...core.commands import Apply
from ...core.differences import differences
from ...core.views.jobs import job_view
from .desk import Desk, check_size


class Jobs:
    """The definitions."""

    def __init__(self, desk: Desk) -> None:
        """Define through the desk."""
        self._desk = desk

    async def jobs_apply(self, params: api.JobsApply) -> api.Applied:
        """Define a project's jobs."""
        # a large file takes a second; meanwhile others are answered
        parsed = await asyncio.to_thread(jobfile.parse, params.file, params.filename)
        names = [job.name for job in parsed.jobs]
        for job in parsed.jobs:
            check_size(job.spec, job.full_name)
        ledger = self._desk.replica.ledger
        found = differences(
            {name: job for name, job in ledger.jobs.items() if job.project == parsed.project},
            {name: one for name, one in ledger.schedules.items() if one.project == parsed.project},
            {job.full_name: job for job in parsed.jobs},
            {one.full_name: one for one in parsed.schedules},
        )
        if params.check:
            return api.Applied(parsed.project, names, bool(found), found)
        self._desk.check_space()
        outcome = await self._desk.decide(
            Apply(self._desk.master.time(), self._desk.requester, parsed.project, parsed.jobs, parsed.schedules)
        )
        return api.Applied(parsed.project, names, outcome.changed, found)

    async def jobs_list(self, params: api.JobsList) -> api.Jobs:
        """List definitions."""
        jobs = sorted(self._desk.replica.ledger.jobs.values(), key=lambda job: (job.project, job.name))
        return api.Jobs([job_view(job) for job in jobs if params.project in {None, job.project}])

    async def jobs_get(self, params: api.JobsGet) -> api.OneJob:
        """Return a definition."""
        return api.OneJob(job_view(self._desk.find.job(params.job)))
