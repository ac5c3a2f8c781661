"""The master's clockwork: lets schedules fire when their time has come. One timer to the next instant, no polling.

What has fired is in the ledger, so a new master goes on where the one before was, and what both of them do happens
once. A machine that sleeps stops the timer and a clock may be set, so the time of day is looked at once a minute even
if nothing is due. Refuses to know when a schedule fires (timetable) and what firing does to the ledger (timing).
"""

import asyncio
import logging
from contextlib import suppress

from ..core.changes import Changes
from ..core.commands import Fire, Submit
from ..core.definition import Job, Schedule
from ..core.errors import NotFound, OrchestraError
from ..core.ledger import Ledger
from ..core.model import Millis
from ..core.submission import Wish, plan, unresolved
from ..core.timetable import due, following
from ..core.timing import CLOCK
from .agreement import Replica
from .inquiries import Branch, Inquiries, Resolve, Tips
from .master import Master

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""Longest time between two looks at the clock. Larger: later after a sleep, or after the clock was set."""

RETRY_S = 1.0
"""Seconds until what could not be decided is tried again."""


class Clockwork:
    """Watches the clock while this agent leads."""

    def __init__(self, replica: Replica, master: Master, resolve: Resolve) -> None:
        """Fire through the master, by its clock; `resolve` says what branches of repositories are then."""
        self._replica = replica
        self._master = master
        self._next: dict[str, tuple[Schedule, Millis, Millis | None]] = {}  # name -> definition, mark, its next firing
        self._look = asyncio.Event()  # set when there may be something else to wait for
        self._inquiries = Inquiries(resolve, self._look.set)
        self._waiting: set[str] = set()  # names of those that are due, and of which a branch is being asked for
        replica.watch(self._on_changes)
        replica.on_leading(lambda _: self._look.set())

    def _on_changes(self, changes: Changes) -> None:
        if changes.schedules or changes.removed_schedules:
            self._look.set()

    async def run(self) -> None:
        """Let schedules fire until cancelled."""
        try:
            while True:
                self._look.clear()
                wait_s = await self.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._look.wait()
        finally:
            self._inquiries.forget()

    async def look(self) -> float | None:
        """Let fire what is due; return the seconds until the next look, None: until something changes.

        What builds branches of repositories fires at a look after those have said what they are.
        """
        if not self._replica.leading or not self._replica.ledger.schedules:
            self._inquiries.forget()
            return None
        now = self._master.time()
        fires: list[Fire] = []
        asked: set[Branch] = set()  # for those that wait
        self._waiting.clear()
        for schedule in self._due(now):
            branches = unknown(self._replica.ledger, schedule)
            tips = self._inquiries.of(branches)
            if tips is None:
                self._waiting.add(schedule.full_name)
                asked.update(branches)
            else:
                fires += self.firings(schedule, now, tips)
        if fires:
            log.info("clockwork.fires: %s", ", ".join(f"{one.project}/{one.name}" for one in fires))
            try:
                await self._master.propose(*fires)
            except OrchestraError as error:
                log.warning("clockwork.later: %s", error)
                return RETRY_S
        self._inquiries.forget(but=asked)
        return self._until_next()

    def _until_next(self) -> float:
        nexts = [at for name, (_, _, at) in self._next.items() if at is not None and name not in self._waiting]
        now = self._master.time()
        # what came due while the others fired is looked at at once
        return max(0.0, min(LOOK_S, (min(nexts, default=now + 60_000) - now) / 1000))

    def _due(self, now: Millis) -> list[Schedule]:
        """Return the schedules that may have something to do, and take note of when the others have."""
        ledger = self._replica.ledger
        found: dict[str, tuple[Schedule, Millis, Millis | None]] = {}
        for name, schedule in ledger.schedules.items():
            if not ledger.timing.enabled(schedule):
                continue
            mark = ledger.timing.of(name).mark
            known = self._next.get(name)
            if known is None or known[0] is not schedule or known[1] != mark:
                known = (schedule, mark, following(schedule, mark))
            found[name] = known
        self._next = found
        return [schedule for schedule, _, at in found.values() if at is not None and at <= now]

    def firings(self, schedule: Schedule, now: Millis, tips: Tips) -> list[Fire]:
        """Return what a schedule owes at a time, as commands."""
        ledger = self._replica.ledger
        owed = due(schedule, ledger.timing.of(schedule.full_name).mark, now)
        wish, why = submission(ledger, schedule, CLOCK, now, tips=tips)
        fires = [
            Fire(now, schedule.project, schedule.name, minute, wish, owed.missed if place == 0 else 0, why)
            for place, minute in enumerate(owed.minutes)
        ]
        if owed.mark and not fires:
            why = f"{owed.missed} were missed"
            fires = [Fire(now, schedule.project, schedule.name, owed.mark, None, owed.missed, why)]
        return fires


def unknown(ledger: Ledger, schedule: Schedule) -> list[tuple[str, str]]:
    """Return what has to be asked of repositories before a schedule submits; see core's submission.unresolved."""
    try:
        wanted = [_job(ledger, schedule, name) for name in schedule.jobs]
        return unresolved(wanted, _jobs(ledger, schedule), Wish("", parameters=schedule.parameters))
    except OrchestraError:
        return []  # `submission` says why it cannot


def submission(  # noqa: PLR0913 - what is submitted, by whom and when
    ledger: Ledger, schedule: Schedule, requester: str, at: Millis, request: str = "", *, tips: Tips
) -> tuple[Submit | None, str]:
    """Return what a schedule submits; or None, and why it cannot."""
    cause = f"schedule {schedule.full_name}"
    try:
        wanted = [_job(ledger, schedule, name) for name in schedule.jobs]
        wish = Wish(requester, cause, schedule.parameters, tips=tips)
        found = plan(wanted, _jobs(ledger, schedule), wish)
    except OrchestraError as error:
        return None, str(error)
    specs = {one.spec: found.specs.get(one.spec) or ledger.specs[one.spec] for one in found.builds}
    return Submit(at, requester, found.builds, specs, request, cause, "schedules.fire", found.nodes), ""


def _jobs(ledger: Ledger, schedule: Schedule) -> dict[str, Job]:
    return {job.name: job for job in ledger.jobs.values() if job.project == schedule.project}


def _job(ledger: Ledger, schedule: Schedule, name: str) -> Job:
    job = ledger.jobs.get(f"{schedule.project}/{name}")
    if job is None:
        raise NotFound(f"there is no job {schedule.project}/{name} any more; apply its job file again")
    return job
