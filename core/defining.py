"""What a project's jobs and schedules are: what the ledger does with a job file that is applied.

Part of the ledger, and deterministic like it. Builds keep the definition that they were accepted with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .changes import Changes, Outcome

if TYPE_CHECKING:
    from .commands import Apply
    from .ledger import Ledger

SCHEDULES = "schedules/"
"""Prefix of the meta rows that hold the schedules of each project, as JSON."""


def apply(ledger: Ledger, command: Apply, changes: Changes) -> Outcome:
    """Define the jobs and schedules of a project, in place of those that it had."""
    ledger.advance(command.at)
    before = {name: job for name, job in ledger.jobs.items() if job.project == command.project}
    after = {job.full_name: job for job in command.jobs}
    new = {name: job for name, job in after.items() if before.get(name) != job}
    gone = {name: job for name, job in before.items() if name not in after}
    for name, job in new.items():
        ledger.use(job.spec.digest(), job.spec, changes)
        ledger.jobs[name] = changes.jobs[name] = job
        changes.removed_jobs.pop(name, None)
        if name in before:
            ledger.release(before[name].spec.digest())
    for name, job in gone.items():
        del ledger.jobs[name]
        changes.jobs.pop(name, None)
        changes.removed_jobs[name] = job
        ledger.release(job.spec.digest())
    planned, dropped = _schedules(ledger, command, changes)
    parts = [f"defined {', '.join([*sorted(new), *planned])}"] if new or planned else []
    parts += [f"removed {', '.join([*sorted(gone), *dropped])}"] if gone or dropped else []
    outcome = "; ".join(parts) or "nothing to change"
    task = ledger.task("jobs.apply", command.requester, command.project, outcome, (), changes)
    return Outcome(task=task, changed=bool(parts))


def _schedules(ledger: Ledger, command: Apply, changes: Changes) -> tuple[list[str], list[str]]:
    """Define the schedules of a project; return the names of those that are new or changed, and that are gone."""
    before = {name: one for name, one in ledger.schedules.items() if one.project == command.project}
    after = {one.full_name: one for one in command.schedules}
    if before == after:
        return [], []
    new = sorted(name for name, one in after.items() if before.get(name) != one)
    gone = sorted(set(before).difference(after))
    for name in gone:
        changes.schedules.pop(name, None)
        changes.removed_schedules[name] = ledger.timing.record(ledger.schedules.pop(name))
    ledger.timing.on_defined(command, before, after, changes)
    for name in new:
        ledger.schedules[name] = after[name]
        changes.schedules[name] = ledger.timing.record(after[name])
        changes.removed_schedules.pop(name, None)
    changes.meta[SCHEDULES + command.project] = msgspec.json.encode(command.schedules).decode()
    return new, gone
