"""Jobs: their definitions, and how their builds went."""

import msgspec

from ..browsing import DurationsList, FailingList, TalliesView
from ..differences import Difference
from ..errors import InvalidInput, JobFileError
from ..views.jobs import JobView
from .method import CHANGE, MISSING, OPERATE, READ, Method, NoParams, Params


class JobsApply(Params, frozen=True):
    """Defines the jobs of a project."""

    file: str  # the text of a job file
    filename: str = "orchestra.yaml"  # used in error messages
    check: bool = False  # only say whether it is right, and what it would change; change nothing


class JobsList(Params, frozen=True):
    """Which definitions."""

    project: str | None = None  # only this project's


class JobsGet(Params, frozen=True):
    """Which definition."""

    job: str  # project/name


class JobsTallies(Params, frozen=True):
    """Of which jobs."""

    project: str | None = None  # only this project's


class JobsDurations(Params, frozen=True):
    """Of which jobs."""

    jobs: list[str] = []  # project/name of each, at most 100


class Applied(msgspec.Struct, frozen=True):
    """What came of a job file."""

    project: str  # of the file
    jobs: list[str]  # names of all its jobs
    changed: bool  # whether anything is different now
    changes: list[Difference] = []  # what is


class Jobs(msgspec.Struct, frozen=True):
    """Definitions."""

    jobs: list[JobView]  # by project and name


class OneJob(msgspec.Struct, frozen=True):
    """A definition."""

    job: JobView  # the one asked for


METHODS = (
    Method("jobs.apply", "Define a project's jobs", JobsApply, Applied, OPERATE, (JobFileError, *CHANGE)),
    Method("jobs.list", "All definitions", JobsList, Jobs, READ),
    Method("jobs.get", "One definition", JobsGet, OneJob, READ, MISSING),
    Method("jobs.tallies", "How many builds of each job are in each state", JobsTallies, TalliesView, READ),
    Method("jobs.durations", "How long builds usually take", JobsDurations, DurationsList, READ, (InvalidInput,)),
    Method("jobs.failing", "The jobs that fail, and since which build", NoParams, FailingList, READ),
)
