"""Schedules fire when Debian's cron would, in any zone, also when clocks change; what was missed is made up as told."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from job_orchestra.core.definition import Missed, Schedule
from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.timetable import (
    MAX_MISSED,
    MINUTE_MS,
    ON_TIME_MS,
    Due,
    check_cron,
    check_timezone,
    due,
    firings,
    following,
)

PARIS, NEW_YORK, LORD_HOWE = "Europe/Paris", "America/New_York", "Australia/Lord_Howe"
HOUR_MS = 60 * MINUTE_MS


def ms(text: str) -> int:
    """Return the instant that an RFC 3339 text names."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def shown(at: int, zone: str) -> str:
    moment = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
    return moment.strftime("%d %H:%M") + f"{moment:%z}"[:6]


def first(cron: str, zone: str, since: str, count: int) -> list[str]:
    return [shown(at, zone) for at in islice(firings(cron, zone, ms(since)), count)]


@pytest.mark.parametrize(
    ("cron", "zone", "since", "expected"),
    [
        # an ordinary week
        ("0 3 * * *", PARIS, "2026-06-01T03:00+02:00", ["02 03:00+0200", "03 03:00+0200"]),
        ("*/20 8 * * MON", "UTC", "2026-06-01T08:20+00:00", ["01 08:40+0000", "08 08:00+0000"]),
        ("30 4 1,15 * 5", "UTC", "2026-05-01T04:30+00:00", ["08 04:30+0000", "15 04:30+0000", "22 04:30+0000"]),
        ("0 0 L * *", "UTC", "2026-02-01T00:00+00:00", ["28 00:00+0000", "31 00:00+0000"]),
        # Paris, 29 March 2026: 02:00 to 02:59 are skipped
        ("30 2 * * *", PARIS, "2026-03-28T12:00+01:00", ["29 03:00+0200", "30 02:30+0200"]),
        ("0,30 2 * * *", PARIS, "2026-03-28T12:00+01:00", ["29 03:00+0200", "30 02:00+0200"]),
        ("30 2,3 * * *", PARIS, "2026-03-28T12:00+01:00", ["29 03:00+0200", "29 03:30+0200", "30 02:30+0200"]),
        ("30 * * * *", PARIS, "2026-03-29T01:00+01:00", ["29 01:30+0100", "29 03:30+0200"]),
        # Paris, 25 October 2026: 02:00 to 02:59 come twice
        ("30 2 * * *", PARIS, "2026-10-24T12:00+02:00", ["25 02:30+0200", "26 02:30+0100"]),
        ("30 2 * * *", PARIS, "2026-10-25T02:10+01:00", ["26 02:30+0100"]),
        ("30 * * * *", PARIS, "2026-10-25T01:00+02:00", ["25 01:30+0200", "25 02:30+0200", "25 02:30+0100"]),
        ("*/30 2 * * *", PARIS, "2026-10-25T02:00+02:00", ["25 02:30+0200", "25 02:00+0100", "25 02:30+0100"]),
        # New York, 8 March and 1 November 2026
        ("15 2 * * *", NEW_YORK, "2026-03-07T12:00-05:00", ["08 03:00-0400", "09 02:15-0400"]),
        ("15 1 * * *", NEW_YORK, "2026-10-31T12:00-04:00", ["01 01:15-0400", "02 01:15-0500"]),
        # Lord Howe Island, half an hour: 4 October 2026 skips 02:00 to 02:29, 5 April repeats 01:30 to 01:59
        ("15 2 * * *", LORD_HOWE, "2026-10-03T12:00+10:30", ["04 02:30+1100", "05 02:15+1100"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04T12:00+11:00", ["05 01:45+1100", "06 01:45+1030"]),
        ("45 * * * *", LORD_HOWE, "2026-04-05T01:00+11:00", ["05 01:45+1100", "05 01:45+1030", "05 02:45+1030"]),
        ("15 */2 * * *", LORD_HOWE, "2026-04-05T01:00+11:00", ["05 02:15+1030", "05 04:15+1030"]),
    ],
)
def test_when_it_fires(cron: str, zone: str, since: str, expected: list[str]) -> None:
    assert first(cron, zone, since, len(expected)) == expected


#: Instants around which clocks are changed.
CHANGES = (
    (PARIS, "2026-03-29T01:00+00:00"),
    (PARIS, "2026-10-25T01:00+00:00"),
    (NEW_YORK, "2026-03-08T07:00+00:00"),
    (NEW_YORK, "2026-11-01T06:00+00:00"),
    (LORD_HOWE, "2026-10-03T15:30+00:00"),
    (LORD_HOWE, "2026-04-04T15:00+00:00"),
    ("UTC", "2026-06-01T00:00+00:00"),
)
MINUTES = {"0": {0}, "15": {15}, "45": {45}, "10,40": {10, 40}, "58-59": {58, 59}, "*/20": {0, 20, 40}}
HOURS = {"*": set(range(24)), "0": {0}, "1": {1}, "2": {2}, "3": {3}, "1-3": {1, 2, 3}, "*/2": set(range(0, 24, 2))}


def scanned(minutes: str, hours: str, zone: str, since: int, until: int) -> Iterator[int]:
    """Yield the firings in an interval by looking at every minute of it and of the day before."""
    whenever = minutes.startswith("*") or hours.startswith("*")
    begin = since - since % MINUTE_MS - 24 * HOUR_MS
    latest: datetime | None = None  # local time that the clock has shown
    for at in range(begin, until + 1, MINUTE_MS):
        local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        passed = [local]
        if not whenever:  # those that were shown, or skipped, for the first time
            step = latest or local - timedelta(minutes=1)
            passed = [step + timedelta(minutes=n) for n in range(1, round((local - step).total_seconds()) // 60 + 1)]
        latest = max(latest or local, local)
        fits = any(one.minute in MINUTES[minutes] and one.hour in HOURS[hours] for one in passed)
        if fits and since < at <= until:
            yield at


@settings(max_examples=150)
@given(
    change=st.sampled_from(CHANGES),
    minutes=st.sampled_from(sorted(MINUTES)),
    hours=st.sampled_from(sorted(HOURS)),
    before=st.integers(0, 6 * 3600),
    after=st.integers(0, 6 * 3600),
)
def test_the_firings_of_an_interval_are_those_that_a_scan_finds(
    change: tuple[str, str], minutes: str, hours: str, before: int, after: int
) -> None:
    zone, at = change[0], ms(change[1])
    since, until = at - before * 1000, at + after * 1000
    found: list[int] = []
    for one in firings(f"{minutes} {hours} * * *", zone, since):
        if one > until:
            break
        found.append(one)
    assert found == list(scanned(minutes, hours, zone, since, until))


# -- what is due


def schedule(cron: str = "0 * * * *", missed: Missed = Missed.ONCE) -> Schedule:
    return Schedule("shop", "nightly", cron, ("test",), missed=missed)


T = ms("2026-06-01T12:00+00:00")


def test_nothing_is_due_before_the_time_and_after_it_was_settled() -> None:
    assert due(schedule(), T - HOUR_MS, T - 1) == Due()
    assert due(schedule(), T, T + HOUR_MS - 1) == Due()


@pytest.mark.parametrize("missed", list(Missed))
def test_a_firing_that_is_on_time_is_due_whatever_is_said_about_missed_ones(missed: Missed) -> None:
    for late in (0, 1, ON_TIME_MS):
        assert due(schedule(missed=missed), T - HOUR_MS, T + late) == Due((T,), 0, T)


@pytest.mark.parametrize(
    ("missed", "minutes", "left_out"),
    [
        (Missed.SKIP, (), 3),
        (Missed.ONCE, (T + 2 * HOUR_MS,), 2),
        (Missed.ALL, (T, T + HOUR_MS, T + 2 * HOUR_MS), 0),
    ],
)
def test_what_becomes_of_missed_firings(missed: Missed, minutes: tuple[int, ...], left_out: int) -> None:
    now = T + 2 * HOUR_MS + ON_TIME_MS + 1
    assert due(schedule(missed=missed), T - 1, now) == Due(minutes, left_out, T + 2 * HOUR_MS)


def test_one_that_is_on_time_comes_beside_those_that_were_missed() -> None:
    now = T + 2 * HOUR_MS + 1
    assert due(schedule(missed=Missed.SKIP), T - 1, now) == Due((now - 1,), 2, now - 1)
    assert due(schedule(missed=Missed.ONCE), T - 1, now) == Due((T + HOUR_MS, now - 1), 1, now - 1)


def test_only_so_many_are_made_up_for() -> None:
    found = due(schedule("* * * * *", Missed.ALL), T, T + 1_000 * MINUTE_MS)
    assert len(found.minutes) == MAX_MISSED + 3  # those of the last two minutes, and of this one, are on time
    assert found.minutes[-1] == found.mark == T + 1_000 * MINUTE_MS
    assert found.missed == MAX_MISSED


def test_a_year_away_costs_no_year_of_minutes() -> None:
    found = due(schedule("* * * * *", Missed.ONCE), T - 366 * 24 * HOUR_MS, T)
    assert found.minutes == (T - 3 * MINUTE_MS, T - 2 * MINUTE_MS, T - MINUTE_MS, T)
    assert (found.missed, found.mark) == (MAX_MISSED, T)


def test_a_clock_that_is_set_back_makes_nothing_due_again() -> None:
    assert due(schedule(), T, T - HOUR_MS) == Due()
    assert following(schedule(), T) == T + HOUR_MS


# -- what is no schedule


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("0 3 * *", "4 fields; write five"),
        ("0 0 3 * * *", "6 fields; write five"),
        ("60 3 * * *", "the minute is wrong"),
        ("0 24 * * *", "the hour is wrong"),
        ("0 3 * * FUN", "the day of week is wrong"),
        ("0 0 30 2 *", "too short for it"),
        ("a b c d e", "the minute is wrong"),
        ("*/0 * * * *", "the minute is wrong"),
    ],
)
def test_a_wrong_expression_is_refused_with_what_is_wrong(cron: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        check_cron(cron)


@pytest.mark.parametrize(
    "cron", ["0 3 * * *", "*/5 8-18/2 * JAN-MAR MON,WED", "0 0 29 2 *", "0 0 LW * *", "0 0 * * 5#2"]
)
def test_a_right_expression_passes(cron: str) -> None:
    check_cron(cron)


def test_a_wrong_time_zone_is_refused_with_the_nearest_right_one() -> None:
    with pytest.raises(InvalidInput, match="did you mean Europe/Paris"):
        check_timezone("Europe/Pariss")
    for name in ("", "nowhere at all", "../../etc/passwd", "Europe"):
        with pytest.raises(InvalidInput, match="no time zone"):
            check_timezone(name)
    check_timezone(LORD_HOWE)
