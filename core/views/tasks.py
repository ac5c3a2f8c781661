"""How the audit trail looks."""

import msgspec

from ..instants import stamp
from ..model import Task, TaskState


class TaskView(msgspec.Struct, frozen=True):
    """A line of the audit trail."""

    id: int  # counts from 1
    kind: str  # the method
    requester: str  # who asked
    at: str | None  # RFC 3339
    state: TaskState  # done or refused
    target: str  # what it was about
    outcome: str  # what came of it
    builds: list[str]  # ids it created or touched


def task_view(found: Task) -> TaskView:
    """Return a line of the audit trail."""
    return TaskView(
        id=found.id,
        kind=found.kind,
        requester=found.requester,
        at=stamp(found.at),
        state=found.state,
        target=found.target,
        outcome=found.outcome,
        builds=list(found.builds),
    )
