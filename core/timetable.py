"""Cron expressions in time zones: when a schedule fires, what is due, and what was missed. Pure.

Five fields as Debian's cron reads them (cronsim does that part), and as it treats changes of the clock:

- An expression with fixed minutes and hours fires once for each local time that it names. A time that is skipped when
  the clock is set forward fires at the first minute that exists behind the gap; one that comes twice when the clock is
  set back fires the first time only.
- An expression whose minute or hour begins with `*` fires whenever the local clock shows a time that fits: nothing is
  made up for an hour that is skipped, and an hour that comes twice fires twice.

Refuses to know what a firing does (timing), and what time it is (clockwork).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import heappop, heappush
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec
from cronsim import CronSim, CronSimError

from .definition import Missed, Schedule
from .errors import InvalidInput
from .model import Millis
from .nearest import nearest

MINUTE_MS = 60_000
"""Milliseconds of a minute: schedules fire at whole ones."""

ON_TIME_MS = 2 * MINUTE_MS
"""How late a firing may be and still count as on time: a master may have been elected meanwhile, a machine restarted.

Larger: fewer count as missed; smaller: `missed` decides sooner.
"""

MAX_MISSED = 100
"""Missed firings that `missed: all` makes up for, the newest; and how many are counted."""

_MANY = 2_000  # more than MAX_MISSED: firings that are looked at one by one
_FIELDS = 5
_EPOCH = datetime.fromtimestamp(0, UTC)
_LONGEST_CHANGE = timedelta(hours=3)  # of a clock that is set back


class Due(msgspec.Struct, frozen=True):
    """What a schedule owes."""

    minutes: tuple[Millis, ...] = ()  # firings to carry out now, oldest first
    missed: int = 0  # firings before these that were missed and are not carried out; MAX_MISSED stands for more
    mark: Millis = 0  # up to which nothing is owed any more once these are carried out; 0: nothing is due


def check_cron(text: str) -> None:
    """Raise InvalidInput where a text is no cron expression, or one that never fires."""
    fields = len(text.split())
    if fields != _FIELDS:
        message = (
            f"{text[:60]!r} has {fields} fields; write five: minute, hour, day of the month, month, day of the week, "
            "as 0 3 * * *"
        )
        raise InvalidInput(message)
    try:
        next(CronSim(text, _EPOCH.replace(year=2024)))
    except CronSimError as error:
        where = str(error).removeprefix("Bad ").replace("-", " ")
        if where == "day of month":
            where += " (or the month, which may be too short for it)"
        message = (
            f"{text[:60]!r}: the {where} is wrong; minute 0-59, hour 0-23, day 1-31, month 1-12 or JAN, day of the "
            "week 0-7 or SUN, each also as *, a-b, a,b or */n"
        )
        raise InvalidInput(message) from None
    except StopIteration:
        message = f"{text[:60]!r} never fires: there is no such day; change the day or the month"
        raise InvalidInput(message) from None


def check_timezone(name: str) -> None:
    """Raise InvalidInput where a name is none of a time zone."""
    try:
        _zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found = nearest(name, available_timezones())
        hint = f"did you mean {found}?" if found else "write it as in the IANA database: Europe/Paris, UTC"
        message = f"there is no time zone {name[:60]!r}; {hint}"
        raise InvalidInput(message) from None


def firings(cron: str, timezone: str, since: Millis) -> Iterator[Millis]:
    """Yield the instants at which an expression fires after `since`, in order, each once."""
    zone = _zone(timezone)
    whenever = any(field.startswith("*") for field in cron.split()[:2])
    last = since
    ahead: list[Millis] = []  # a heap: the second of two alike local times comes behind others
    for shown in CronSim(cron, _beginning(since, zone)):
        reached = _instant(shown, zone)
        if _shown(reached, zone) == shown:
            heappush(ahead, reached)
            if whenever:
                heappush(ahead, _instant(shown.replace(fold=1), zone))
        elif not whenever:
            heappush(ahead, _behind_gap(shown, zone))
        while ahead and ahead[0] <= reached:
            at = heappop(ahead)
            if at > last:
                last = at
                yield at


def following(schedule: Schedule, since: Millis) -> Millis | None:
    """Return the instant at which a schedule fires next after `since`; None: never within fifty years."""
    return next(firings(schedule.cron, schedule.timezone, since), None)


def due(schedule: Schedule, mark: Millis, now: Millis) -> Due:
    """Return what a schedule owes at `now`, where everything up to `mark` is settled."""
    found: list[Millis] = []
    for at in firings(schedule.cron, schedule.timezone, mark):
        if at > now:
            break
        found.append(at)
        if len(found) > _MANY:  # those that matter are at the end
            return due(schedule, now - (found[-1] - found[0]) // 2, now)
    if not found:
        return Due()
    late = [at for at in found if at < now - ON_TIME_MS]
    timely = found[len(late) :]
    wanted: list[Millis] = []
    match schedule.missed:
        case Missed.ONCE:
            wanted = late[-1:]
        case Missed.ALL:
            wanted = late[-MAX_MISSED:]
        case Missed.SKIP:
            pass
    return Due((*wanted, *timely), min(len(late) - len(wanted), MAX_MISSED), found[-1])


def _beginning(since: Millis, zone: ZoneInfo) -> datetime:
    """Return a local time behind which all are that a clock in a zone shows, or skips, after `since`."""
    moment = (_EPOCH + timedelta(milliseconds=since)).astimezone(zone)
    calm = (moment - _LONGEST_CHANGE).utcoffset() == (moment + _LONGEST_CHANGE).utcoffset()
    return moment.replace(tzinfo=None, fold=0) - (timedelta() if calm else _LONGEST_CHANGE)


def _instant(shown: datetime, zone: ZoneInfo) -> Millis:
    """Return when a clock in a zone shows a local time (the first time it does, unless its `fold` is 1)."""
    return (shown.replace(tzinfo=zone).astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


def _shown(at: Millis, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(zone).replace(tzinfo=None, fold=0)


def _behind_gap(shown: datetime, zone: ZoneInfo) -> Millis:
    """Return the first whole minute behind a gap in which a local time is skipped."""
    while _shown(_instant(shown, zone), zone) != shown:
        shown += timedelta(minutes=1)
    return _instant(shown, zone)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
