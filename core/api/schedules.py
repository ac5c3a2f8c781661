"""Schedules: what is submitted by the clock."""

import msgspec

from ..errors import InvalidInput, LimitReached, NotFound
from ..views.schedules import ScheduleView
from .method import CHANGE, MISSING, OPERATE, READ, SUBMIT, Method, Params
from .submitting import Submitted
from .tasks import OneTask


class SchedulesList(Params, frozen=True):
    """Which schedules."""

    project: str | None = None  # only this project's
    schedule: str | None = None  # only this one: project/name, or its name where only one has it
    next: int = 5  # how many firings ahead to tell of each, at most 100


class ScheduleSet(Params, frozen=True):
    """Switches a schedule on or off; that stays so when its file is applied again."""

    schedule: str  # as in schedules.list
    enabled: bool = True  # whether it fires


class ScheduleFire(Params, frozen=True):
    """Submits now what a schedule submits, whether it is enabled or not; its turns are not touched."""

    schedule: str  # as in schedules.list
    request: str | None = None  # as in builds.submit


class Schedules(msgspec.Struct, frozen=True):
    """Schedules."""

    schedules: list[ScheduleView]  # by project and name


METHODS = (
    Method(
        "schedules.list",
        "What is submitted by the clock, when next, and what came of it last",
        SchedulesList,
        Schedules,
        READ,
        (NotFound, InvalidInput),
    ),
    Method("schedules.set", "Switch a schedule on or off", ScheduleSet, OneTask, OPERATE, MISSING + CHANGE),
    Method(
        "schedules.fire",
        "Submit now what a schedule submits",
        ScheduleFire,
        Submitted,
        SUBMIT,
        (NotFound, InvalidInput, LimitReached, *CHANGE),
    ),
)
