"""Pipelines: builds that were submitted together."""

import msgspec

from ..errors import Conflict, InvalidInput, LimitReached, NotFound, TimedOut
from ..views.pipelines import PipelineSummary, PipelineView
from .builds import BuildsList
from .method import CHANGE, MISSING, OPERATE, READ, SUBMIT, Method, Params
from .submitting import Submitted
from .tasks import OneTask


class ByPipeline(Params, frozen=True):
    """Names a pipeline."""

    id: str  # p-NUMBER, or `last`


class PipelineRerun(ByPipeline, frozen=True):
    """Runs a pipeline once more."""

    failed: bool = False  # only what failed, and what hangs on it; the rest is taken over


class PipelinesWait(ByPipeline, frozen=True):
    """Which pipeline to wait for."""

    timeout: float | None = None  # seconds; then error -32001, kind timeout


class PinPipeline(ByPipeline, frozen=True):
    """Pins all builds of a pipeline."""

    note: str = ""  # why, for people; at most 1000 characters


class OnePipeline(msgspec.Struct, frozen=True):
    """A pipeline."""

    pipeline: PipelineView  # with its jobs


class Pipelines(msgspec.Struct, frozen=True):
    """A page of pipelines."""

    pipelines: list[PipelineSummary]  # in the asked order
    next: str | None  # cursor of the next page; null: this was the last


METHODS = (
    Method("pipelines.get", "One pipeline with its jobs", ByPipeline, OnePipeline, READ, MISSING),
    Method("pipelines.list", "A page of pipelines", BuildsList, Pipelines, READ, (InvalidInput,)),
    Method("pipelines.wait", "Answered when the pipeline has ended", PipelinesWait, OnePipeline, READ, (TimedOut,)),
    Method("pipelines.abort", "Stop all builds of a pipeline", ByPipeline, OneTask, OPERATE, (Conflict, *CHANGE)),
    Method(
        "pipelines.cancel",
        "Withdraw the builds of a pipeline that have not started",
        ByPipeline,
        OneTask,
        OPERATE,
        (Conflict, *CHANGE),
    ),
    Method(
        "pipelines.rerun",
        "Run a pipeline once more, or only what failed of it",
        PipelineRerun,
        Submitted,
        SUBMIT,
        (NotFound, Conflict, *CHANGE),
    ),
    Method(
        "pipelines.pin",
        "Keep all builds of a pipeline, whatever their age, until they are unpinned",
        PinPipeline,
        OneTask,
        OPERATE,
        (NotFound, InvalidInput, LimitReached, *CHANGE),
    ),
    Method(
        "pipelines.unpin",
        "Let the builds of a pipeline go when their time has come",
        ByPipeline,
        OneTask,
        OPERATE,
        MISSING + CHANGE,
    ),
)
