"""How schedules look, live and remembered."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from ..definition import Missed, Overlap, Schedule
from ..model import Build, Millis, ScheduleRecord

if TYPE_CHECKING:
    from ..timing import Timed

from ..instants import stamp
from .builds import BuildLine, build_line


class ScheduleView(msgspec.Struct, frozen=True):
    """A schedule, and how it stands."""

    project: str  # of its jobs
    name: str  # unique in its project
    cron: str  # minute, hour, day of the month, month, day of the week
    timezone: str  # in which `cron` is read
    jobs: list[str]  # what it submits
    parameters: dict[str, str]  # values for them
    missed: Missed  # what becomes of firings that no master was there for
    overlap: Overlap  # what becomes of a firing while the one before still runs
    enabled: bool  # whether it fires
    switched: bool  # somebody said so; else its file does
    next: list[str | None]  # RFC 3339: its next firings; none where it is not enabled
    last: str | None  # RFC 3339: its last firing; null: there was none yet
    outcome: str  # what came of that
    builds: list[BuildLine]  # that it submitted last, and those before that had not ended then


def schedule_view(
    found: Schedule,
    stands: "Timed",
    ahead: Iterable[Millis],
    builds: Iterable[Build],
    *,
    enabled: bool,
) -> ScheduleView:
    """Return a schedule that stands so, with its next firings and last builds."""
    return _view(found, stands, ahead, builds, enabled=enabled, switched=stands.enabled is not None)


def recorded_schedule_view(found: ScheduleRecord, ahead: Iterable[Millis], builds: Iterable[Build]) -> ScheduleView:
    """Return a schedule as it is remembered, with its next firings and last builds."""
    return _view(found, found, ahead, builds, enabled=found.enabled, switched=False)


def _view(  # noqa: PLR0913 - what is said of one
    found: Schedule | ScheduleRecord,
    stands: "Timed | ScheduleRecord",
    ahead: Iterable[Millis],
    builds: Iterable[Build],
    *,
    enabled: bool,
    switched: bool,
) -> ScheduleView:
    return ScheduleView(
        project=found.project,
        name=found.name,
        cron=found.cron,
        timezone=found.timezone,
        jobs=list(found.jobs),
        parameters=found.parameters,
        missed=found.missed,
        overlap=found.overlap,
        enabled=enabled,
        switched=switched,
        next=[stamp(one) for one in ahead],
        last=stamp(stands.fired),
        outcome=stands.outcome,
        builds=[build_line(one) for one in builds],
    )
