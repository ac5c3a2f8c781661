"""Answers `schedules.*`: what is submitted by the clock, when next, and what came of it last."""

from itertools import islice
from typing import cast

from ...core.api import schedules as api
from ...core.api.submitting import Submitted
from ...core.api.tasks import OneTask
from ...core.commands import Fire, SetSchedule
from ...core.definition import Schedule
from ...core.errors import InvalidInput, NotFound
from ...core.model import Build
from ...core.nearest import nearest
from ...core.timetable import firings
from ...core.views.schedules import ScheduleView, schedule_view
from ..clockwork import submission, unknown
from .desk import Desk
from .sources import Sources

MAX_NEXT = 100
"""Firings ahead that are told of one schedule."""

_BUILDS = 10  # of the last firing that are told of one schedule


class Schedules:
    """The schedules."""

    def __init__(self, desk: Desk, sources: Sources) -> None:
        """Change them through the desk; what they build is `sources`'s matter."""
        self._desk = desk
        self._sources = sources

    async def schedules_list(self, params: api.SchedulesList) -> api.Schedules:
        """List schedules."""
        if not 0 <= params.next <= MAX_NEXT:
            message = f"next must be 0 to {MAX_NEXT} firings, not {params.next}"
            raise InvalidInput(message)
        ledger = self._desk.replica.ledger
        if params.schedule is not None:
            wanted = [self._find(params.schedule)]
        else:
            wanted = [one for _, one in sorted(ledger.schedules.items()) if params.project in {None, one.project}]
        return api.Schedules([await self._view(one, params.next) for one in wanted])

    async def _view(self, schedule: Schedule, count: int) -> ScheduleView:
        timing = self._desk.replica.ledger.timing
        stands, enabled = timing.of(schedule.full_name), timing.enabled(schedule)
        since = max(stands.mark, self._desk.master.time())
        ahead = islice(firings(schedule.cron, schedule.timezone, since), count) if enabled else ()
        found = [await self._build(one) for one in stands.builds[-_BUILDS:]]
        return schedule_view(schedule, stands, ahead, [one for one in found if one is not None], enabled=enabled)

    async def _build(self, identity: str) -> Build | None:
        live = self._desk.replica.ledger.builds.get(identity)
        if live is not None:
            return live
        return cast("Build | None", await self._desk.history.read(self._desk.history.store.get, "builds", identity))

    async def schedules_set(self, params: api.ScheduleSet) -> OneTask:
        """Switch one on or off."""
        one = self._find(params.schedule)
        at, requester = self._desk.master.time(), self._desk.requester
        return await self._desk.task(SetSchedule(at, requester, one.project, one.name, params.enabled))

    async def schedules_fire(self, params: api.ScheduleFire) -> Submitted:
        """Submit now what one submits; its turns are not touched."""
        one = self._find(params.schedule)
        self._desk.check_room()
        at, requester = self._desk.master.time(), self._desk.requester
        ledger = self._desk.replica.ledger
        tips = await self._sources.tips(unknown(ledger, one))
        wish, why = submission(ledger, one, requester, at, params.request or "", tips=tips)
        if wish is None:
            raise InvalidInput(why)
        outcome = await self._desk.decide(Fire(at, one.project, one.name, 0, wish, requester=requester))
        return await self._desk.submitted(outcome)

    def _find(self, text: str) -> Schedule:
        """Return the schedule that `text` names: project/name, or a name that only one has."""
        schedules = self._desk.replica.ledger.schedules
        found = [one for name, one in schedules.items() if text in {name, one.name}]
        exact = schedules.get(text)
        if exact is not None:
            return exact
        if len(found) == 1:
            return found[0]
        if found:
            message = f"{text!r} is several schedules; say which: {', '.join(one.full_name for one in found[:5])}"
            raise InvalidInput(message)
        guess = nearest(text, schedules)
        hint = f"did you mean {guess}?" if guess else "orchestra schedules lists them"
        message = f"no schedule {text[:60]!r}; {hint}"
        raise NotFound(message)
