"""What is submitted by the clock, as it is written."""

from collections.abc import Mapping
from typing import Any

from ..definition import Job, Missed, Overlap, Schedule
from ..names import hint, wrong_name
from ..shapes import (
    LINE,
    TEXT,
    TRUTH,
    Key,
    Placed,
    Problems,
    Shape,
    checked,
    choice,
    mapping,
    one_or_many,
    placed,
    table,
)
from ..timetable import check_cron, check_timezone

_SCHEDULE = mapping(
    {
        "cron": Key(
            checked(LINE, check_cron),
            "when: minute, hour, day of the month, month, day of the week, as 0 3 * * *",
            required=True,
        ),
        "timezone": Key(
            checked(LINE, check_timezone), "the time zone that cron is read in, as Europe/Paris; UTC by default"
        ),
        "jobs": Key(
            one_or_many(placed(LINE), "jobs"), "the jobs it submits, together with what they need", required=True
        ),
        "missed": Key(choice(*Missed), "firings that no master was there for: once (default), skip or all"),
        "overlap": Key(choice(*Overlap), "while the one before still runs: skip (default), allow or cancel that"),
        "parameters": Key(table(lambda _: None, TEXT, "parameters"), "values for the jobs' parameters"),
        "enabled": Key(TRUTH, "whether it fires; true by default"),
    },
    {"schedule": "cron", "job": "jobs", "tz": "timezone"},
)

SCHEDULES: Shape[dict[str, Placed[dict[str, Any]]]] = table(
    wrong_name, placed(Shape(_SCHEDULE.read, _SCHEDULE.schema)), "schedules"
)


def schedules(
    project: str, found: Mapping[str, Placed[dict[str, Any]]], jobs: Mapping[str, Job], problems: Problems
) -> tuple[Schedule, ...]:
    """Return the schedules that were read, in the order of the file; `jobs` are those of the project by name."""
    made: list[Schedule] = []
    for name, one in found.items():
        wanted: tuple[Placed[str], ...] = one.value.get("jobs") or ()
        for job in wanted:
            if job.value not in jobs:
                problems.add(job.node, job.key, f"there is no job {job.value[:60]!r}; {hint(job.value, [*jobs], '')}")
        parameters: dict[str, str] = one.value.get("parameters") or {}
        known = [two.name for job in wanted if job.value in jobs for two in jobs[job.value].parameters]
        for parameter in parameters:
            if parameter not in known:
                rest = hint(parameter, known, "they have none: remove it")
                problems.add(
                    one.node, f"{one.key}.parameters", f"none of its jobs has a parameter {parameter[:60]!r}; {rest}"
                )
        made.append(
            Schedule(
                project=project,
                name=name,
                cron=one.value.get("cron") or "",
                jobs=tuple(job.value for job in wanted),
                timezone=one.value.get("timezone") or "UTC",
                missed=Missed(one.value.get("missed") or Missed.ONCE),
                overlap=Overlap(one.value.get("overlap") or Overlap.SKIP),
                parameters=parameters,
                enabled=one.value.get("enabled") is not False,
            )
        )
    return tuple(made)
