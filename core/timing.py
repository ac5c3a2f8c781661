"""How schedules stand, and what their firings do to the ledger: each is carried out once, whoever is master.

Part of the ledger, and deterministic like it. A firing is known by its schedule and its minute; what was settled once,
up to the schedule's mark, is settled for good. Refuses to know when a schedule fires (timetable), and who watches the
clock (clockwork).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from . import accepting
from .changes import Changes, Outcome
from .commands import Fire, SetSchedule, StopBuild
from .definition import Overlap, Schedule
from .errors import NotFound
from .model import Millis, ScheduleRecord, Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .commands import Apply
    from .ledger import Ledger

TIMED = "timed/"
"""Prefix of the meta rows that hold how each schedule stands, as JSON; an empty row: it is gone."""

CLOCK = "schedule"
"""Who asks for what the clock submits."""


class Timed(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How a schedule stands."""

    mark: Millis  # all its firings up to then are settled
    enabled: bool | None = None  # as somebody switched it; None: as its file says
    fired: Millis | None = None  # the minute of its last firing, or when somebody let it fire
    outcome: str = ""  # what came of that
    builds: tuple[str, ...] = ()  # ids of builds that it submitted: the last ones, and those before that had not ended


_UNKNOWN = Timed(0)


class Timing:
    """The state of all schedules."""

    def __init__(self, meta: Mapping[str, str]) -> None:
        """Begin with what a store remembers."""
        self.states: dict[str, Timed] = {}  # by the schedule's full name
        for name in sorted(meta):
            if name.startswith(TIMED) and meta[name]:
                self.states[name.removeprefix(TIMED)] = msgspec.json.decode(meta[name], type=Timed)

    def of(self, name: str) -> Timed:
        """Return how the schedule of this full name stands."""
        return self.states.get(name, _UNKNOWN)

    def enabled(self, schedule: Schedule) -> bool:
        """Whether a schedule fires: as somebody said, else as its file says."""
        switched = self.of(schedule.full_name).enabled
        return schedule.enabled if switched is None else switched

    def record(self, schedule: Schedule) -> ScheduleRecord:
        """Return a schedule with how it stands, to be remembered."""
        timed = self.of(schedule.full_name)
        return ScheduleRecord(
            project=schedule.project,
            name=schedule.name,
            cron=schedule.cron,
            timezone=schedule.timezone,
            jobs=schedule.jobs,
            enabled=self.enabled(schedule),
            missed=schedule.missed,
            overlap=schedule.overlap,
            parameters=schedule.parameters,
            fired=timed.fired,
            outcome=timed.outcome,
            builds=timed.builds,
        )

    def on_defined(
        self, command: Apply, before: Mapping[str, Schedule], after: Mapping[str, Schedule], changes: Changes
    ) -> None:
        """Let new schedules fire from now on; what was switched off stays so. Past times of a new clock are no debt."""
        for name, one in after.items():
            known, timed = before.get(name), self.states.get(name)
            if timed is None or known is None:
                self._keep(name, Timed(command.at), changes)
            elif (known.cron, known.timezone) != (one.cron, one.timezone):
                self._keep(name, replace(timed, mark=command.at), changes)
        for name in before:
            if name not in after and self.states.pop(name, None) is not None:
                changes.meta[TIMED + name] = ""

    def set(self, ledger: Ledger, command: SetSchedule, changes: Changes) -> Outcome:
        """Switch a schedule on or off. What it would have done while it was off is no debt."""
        ledger.advance(command.at)
        name = f"{command.project}/{command.name}"
        schedule = ledger.schedules.get(name)
        if schedule is None:
            error = NotFound(f"no schedule {name}; orchestra schedules lists them")
            return ledger.refused(command.kind, command.requester, name, error, changes)
        timed = self.of(name)
        if command.enabled and (not self.enabled(schedule) or timed.mark > command.at):
            timed = replace(timed, mark=command.at)
        self._keep(name, replace(timed, enabled=command.enabled), changes)
        changes.schedules[name] = self.record(schedule)
        outcome = "enabled" if command.enabled else "disabled"
        return Outcome(task=ledger.task(command.kind, command.requester, name, outcome, (), changes))

    def fire(self, ledger: Ledger, command: Fire, changes: Changes) -> Outcome:
        """Submit what a schedule submits, unless that was done; its mark and the builds move in one step."""
        ledger.advance(command.at)
        name = f"{command.project}/{command.name}"
        schedule = ledger.schedules.get(name)
        by_hand = not command.minute
        if schedule is None:
            if not by_hand:
                return Outcome(changed=False)  # it was removed while this was on its way
            error = NotFound(f"no schedule {name}; orchestra schedules lists them")
            return ledger.refused(command.kind, command.requester, name, error, changes)
        timed = self.of(name)
        if by_hand:
            if command.submit is not None and command.submit.request in ledger.requests:
                return accepting.submit(ledger, command.submit, changes)
            timed = replace(timed, fired=command.at)
        elif command.minute <= timed.mark or not self.enabled(schedule):
            return Outcome(changed=False)  # another master did it, or it was switched off meanwhile
        else:
            timed = replace(timed, fired=command.minute, mark=command.minute)
        live = tuple(one for one in timed.builds if one in ledger.builds)
        outcome, told = self._carry_out(ledger, schedule, command, live, changes)
        builds = tuple(one for one in live if one in ledger.builds) + outcome.builds
        self._keep(name, replace(timed, outcome=told, builds=builds), changes)
        changes.schedules[name] = self.record(schedule)
        return outcome

    def _carry_out(
        self, ledger: Ledger, schedule: Schedule, command: Fire, live: tuple[str, ...], changes: Changes
    ) -> tuple[Outcome, str]:
        """Return what a firing came to, also in words for people."""
        wish = command.submit
        skipped = live and schedule.overlap is Overlap.SKIP and command.minute
        if wish is None or skipped:
            why = command.why if wish is None else f"{ledger.builds[live[0]].label} of the one before has not ended"
            told = f"left out: {why}"
            task = ledger.task(command.kind, command.requester, schedule.full_name, told, (), changes)
            return Outcome(task=task), told
        if schedule.overlap is Overlap.CANCEL:
            for one in live:
                ledger.stop(StopBuild(command.at, schedule.full_name, one, Stop.ABORT), changes)
        made = accepting.submit(ledger, wish, changes)
        told = str(made.error) if made.error is not None else changes.tasks[made.task].outcome
        return made, f"{told} ({command.missed} missed before)" if command.missed else told

    def _keep(self, name: str, timed: Timed, changes: Changes) -> None:
        self.states[name] = timed
        changes.meta[TIMED + name] = msgspec.json.encode(timed).decode()
