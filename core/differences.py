"""What a job file changes in its project: which jobs and schedules, and which of their keys. Pure."""

from collections.abc import Iterator, Mapping

import msgspec

from .definition import Job, Schedule

KEYS = {
    # of a job
    "condition": "if",
    "most": "concurrency",
    # of what it executes
    "runs_on": "runs-on",
    "timeout_s": "timeout",
    "waiting_s": "waiting-timeout",
    "locks": "lock",
    "caches": "cache",
}
"""Fields whose names in a job file are other ones."""


class Difference(msgspec.Struct, frozen=True):
    """A job or a schedule that a job file defines, defines in another way, or no more."""

    kind: str  # job or schedule
    name: str  # in the project
    change: str  # new, changed, or gone
    keys: list[str] = []  # what is changed, as job files call it


def differences(
    jobs: Mapping[str, Job],
    schedules: Mapping[str, Schedule],
    new_jobs: Mapping[str, Job],
    new_schedules: Mapping[str, Schedule],
) -> list[Difference]:
    """Return what is different between two states of a project, by name: jobs first, new ones in their order."""
    return [*_between("job", jobs, new_jobs), *_between("schedule", schedules, new_schedules)]


def _between(
    kind: str, before: Mapping[str, Job] | Mapping[str, Schedule], after: Mapping[str, Job] | Mapping[str, Schedule]
) -> Iterator[Difference]:
    for name, new in after.items():
        old = before.get(name)
        if old is None:
            yield Difference(kind, new.name, "new")
        elif old != new:
            yield Difference(kind, new.name, "changed", list(dict.fromkeys(_keys(old, new))))
    for name, old in before.items():
        if name not in after:
            yield Difference(kind, old.name, "gone")


def _keys(old: msgspec.Struct, new: msgspec.Struct) -> Iterator[str]:
    """Yield the keys of a job file whose meaning is another one."""
    for field in new.__struct_fields__:
        mine, other = getattr(new, field), getattr(old, field)
        if mine == other:
            continue
        if field == "spec":
            yield from _keys(other, mine)
        else:
            yield KEYS.get(field, field)
