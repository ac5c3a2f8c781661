"""Small records for the suite: a test says what matters to it, the rest has a default."""

from collections.abc import Iterable, Mapping
from typing import Any

from ...core.definition import Job, Spec, Step
from ...core.ids import build_id
from ...core.model import (
    AgentRecord,
    Attempt,
    Build,
    BuildState,
    Pin,
    Pipeline,
    PipelineState,
    ScheduleRecord,
    Task,
    TaskState,
)
from ...core.pipeline import pipeline_id
from ..contract import Batch

T0 = 1_763_900_000_000
"""The instant at which stories begin."""


def spec(run: str = "make", **fields: Any) -> Spec:  # noqa: ANN401 - any field of Spec
    return Spec((Step("run", run),), **fields)


def job(name: str = "test", project: str = "shop", run: str = "make", **fields: Any) -> Job:  # noqa: ANN401 - any field of Job
    return Job(project, name, fields.pop("spec", None) or spec(run), **fields)


def build(serial: int = 1, **fields: Any) -> Build:  # noqa: ANN401 - any field of Build
    return Build(
        **{
            "id": build_id(serial),
            "serial": serial,
            "project": "shop",
            "job": "test",
            "number": serial,
            "state": BuildState.PENDING,
            "spec": spec().digest(),
            "created": T0 + serial,
            **fields,
        }
    )


def attempt(of: str | Build = "", number: int = 1, **fields: Any) -> Attempt:  # noqa: ANN401 - any field of Attempt
    identity = of.id if isinstance(of, Build) else of or build_id(1)
    return Attempt(identity, number, **{"agent": "a1", "session": "s1", "state": BuildState.ASSIGNED, **fields})


def agent(name: str = "ant", **fields: Any) -> AgentRecord:  # noqa: ANN401 - any field of AgentRecord
    return AgentRecord(**{"id": "a1", "session": "s1", **fields}, name=name)


def task(number: int = 1, **fields: Any) -> Task:  # noqa: ANN401 - any field of Task
    given = {"kind": "builds.submit", "requester": "ann", "at": T0 + number, "state": TaskState.DONE, **fields}
    return Task(number, **given)


def schedule(name: str = "nightly", **fields: Any) -> ScheduleRecord:  # noqa: ANN401 - any field of ScheduleRecord
    given = {"project": "shop", "cron": "0 3 * * *", "timezone": "UTC", "jobs": ("test",), "enabled": True, **fields}
    return ScheduleRecord(name=name, **given)


def pin(of: str | Build = "", **fields: Any) -> Pin:  # noqa: ANN401 - any field of Pin
    identity = of.id if isinstance(of, Build) else of or build_id(1)
    return Pin(**{"build": identity, "label": "shop/test#1", "at": T0, "requester": "ann", **fields})


def batch(index: int, *, meta: Mapping[str, str] | None = None, **given: Iterable[Any]) -> Batch:
    """Return a batch of records, as in `builds=[...]`, and of keys that are removed, as in `removed_jobs=[...]`."""
    records = {name: tuple(rows) for name, rows in given.items() if not name.startswith("removed_")}
    removed = {name.removeprefix("removed_"): tuple(keys) for name, keys in given.items() if name not in records}
    return Batch(index, records, removed, meta or {})


def pipeline_record(serial: int = 1, **fields: Any) -> Pipeline:  # noqa: ANN401 - any field of Pipeline
    given = {"project": "shop", "state": PipelineState.RUNNING, "created": T0 + serial, "nodes": (), **fields}
    return Pipeline(pipeline_id(serial), serial, **given)
