"""A job file's text to what it says, or to all that is wrong with it."""

from typing import Any

import msgspec

from ..definition import Job, Schedule
from ..errors import JobFileError
from ..names import check_project
from ..shapes import LINE, Key, Problems, checked, mapping
from ..yamltree import Malformed, read
from .assembling import jobs
from .jobs import COMMON, FOREIGN, JOBS
from .ordering import check_order
from .schedules import SCHEDULES, schedules
from .sources import SOURCE
from .steps import ENV
from .templates import check_expressions


class JobFile(msgspec.Struct, frozen=True):
    """What a job file says."""

    project: str  # name of the project
    jobs: tuple[Job, ...]  # in the order of the file, at least one
    schedules: tuple[Schedule, ...] = ()  # in the order of the file


_FILE = mapping(
    {
        "project": Key(checked(LINE, check_project), "the name that the jobs are listed under", required=True),
        "source": Key(SOURCE, "what workspaces hold at the start; nothing, or what `run` ships, by default"),
        "env": Key(ENV, "variables for all jobs"),
        "defaults": Key(mapping(COMMON, FOREIGN), "what jobs have that do not say otherwise"),
        "jobs": Key(JOBS, "the jobs by name; a text is a whole job", required=True),
        "schedules": Key(SCHEDULES, "what is submitted by the clock, by name"),
    },
    {"name": "project", "on": "schedules, or orchestra submit", "variables": "env", "default": "defaults"},
)


def parse(text: str, filename: str = "orchestra.yaml") -> JobFile:
    """Return what a job file says. Raises JobFileError with one line per problem, `filename` in front."""
    problems = Problems(filename)
    try:
        tree = read(text)
    except Malformed as problem:
        message = f"{filename}:{problem.line}:{problem.column}: {problem}"
        raise JobFileError(message) from None
    found = _FILE.read(tree, "", problems) or {}
    made = jobs(found, problems, tree) if found else ()
    check_order(found.get("jobs") or {}, problems)
    check_expressions(tree, {job.name: job for job in made}, problems)
    planned = schedules(
        found.get("project") or "", found.get("schedules") or {}, {job.name: job for job in made}, problems
    )
    if problems.found:
        raise JobFileError(str(problems))
    return JobFile(found["project"], made, planned)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of job files."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Job Orchestra job file",
        **_FILE.schema,
    }
