"""How builds are accepted: what the ledger does with a submission.

Part of the ledger, and deterministic like it. Refuses to know what a job file or a matrix is: what comes are builds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from .changes import Changes, Outcome
from .errors import Conflict
from .ids import build_id
from .model import Build, BuildState, Context
from .pipeline import pipeline_id

if TYPE_CHECKING:
    from .commands import NewBuild, Submit
    from .ledger import Ledger

NUMBER = "number/"
"""Prefix of the meta rows that hold the number of each job's last build."""


def submit(ledger: Ledger, command: Submit, changes: Changes) -> Outcome:
    """Accept builds, or return those of the first time where the request id is known."""
    at = ledger.advance(command.at)
    if command.request and command.request in ledger.requests:
        return Outcome(builds=ledger.requests[command.request][1], changed=False)
    for new in command.builds:
        if new.spec not in command.specs and new.spec not in ledger.specs:
            target = f"{new.project}/{new.job}"
            error = Conflict(f"{target} was redefined while it was being submitted; submit it again")
            return ledger.refused(command.kind, command.requester, target, error, changes)
    reasons = _waits(command)
    made = [_accept(ledger, command, new, reason, changes) for new, reason in zip(command.builds, reasons, strict=True)]
    ids = tuple(build.id for build in made)
    pipeline = ledger.pipelines.accept(command, made, changes) if command.nodes else ""
    if command.request:
        ledger.requests[command.request] = (at, ids)
    outcome = made[0].label if len(made) == 1 else f"{len(made)} builds, the first is {made[0].label}"
    target = f"{made[0].project}/{made[0].job}"
    task = ledger.task(command.kind, command.requester, target, outcome, ids, changes)
    return Outcome(ids, task, pipeline=pipeline)


def _waits(command: Submit) -> list[str]:
    """Return for each new build what it waits for; empty: nothing of its pipeline."""
    if not command.nodes:
        return [""] * len(command.builds)
    live = {node.job for node in command.nodes if node.count}
    found: list[str] = []
    for node in command.nodes:
        needed = [need.job for need in node.needs if need.job in live]
        found += [f"waits for {', '.join(needed)}" if needed else ""] * node.count
    return found


def _accept(ledger: Ledger, command: Submit, new: NewBuild, waits: str, changes: Changes) -> Build:
    ledger.counters.serial += 1
    name = f"{new.project}/{new.job}"
    number = ledger.numbers[name] = ledger.numbers.get(name, 0) + 1
    changes.meta[NUMBER + name] = str(number)
    build = Build(
        id=build_id(ledger.counters.serial),
        serial=ledger.counters.serial,
        project=new.project,
        job=new.job,
        number=number,
        state=BuildState.PENDING,
        spec=new.spec,
        created=ledger.counters.at,
        requester=command.requester,
        cause=command.cause,
        request=command.request,
        parameters=new.parameters,
        priority=new.priority,
        pipeline=pipeline_id(ledger.counters.pipeline + 1) if command.nodes else "",
        reason=waits,
        context=replace(new.context or Context(), held=True) if waits else new.context,
    )
    if new.spec in command.specs:
        ledger.use(new.spec, command.specs[new.spec], changes)
    else:
        ledger.uses[new.spec] += 1
    ledger.builds[build.id] = changes.builds[build.id] = build
    return build
