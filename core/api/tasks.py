"""Tasks: the audit trail."""

from typing import Any

import msgspec

from ..errors import InvalidInput
from ..views.tasks import TaskView
from .method import READ, Method, Params


class TasksList(Params, frozen=True):
    """Which tasks."""

    where: dict[str, Any] = {}  # as in builds.list
    limit: int = 50  # 1 to 1000
    after: str | None = None  # `next` of the page before
    search: str = ""  # words, each of which begins a word in the kind, target or outcome


class OneTask(msgspec.Struct, frozen=True):
    """The task that records a request."""

    task: TaskView  # with its outcome


class Tasks(msgspec.Struct, frozen=True):
    """A page of the audit trail."""

    tasks: list[TaskView]  # newest first
    next: str | None  # cursor of the next page; null: this was the last


METHODS = (Method("tasks.list", "The audit trail, newest first", TasksList, Tasks, READ, (InvalidInput,)),)
