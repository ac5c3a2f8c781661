"""Builds: submitted, looked at, waited for, typed for, stopped and kept."""

from typing import Any

import msgspec

from ..errors import Conflict, InvalidInput, LimitReached, NotAllowed, NotFound, TimedOut
from ..views.builds import BuildSummary, BuildView
from ..views.jobs import DefinitionView
from .method import CHANGE, MISSING, OPERATE, READ, SUBMIT, Method, Params
from .submitting import Submit, Submitted
from .tasks import OneTask


class ById(Params, frozen=True):
    """Names a build."""

    id: str  # id, unique prefix of one, project/job#number, or `last`


class PinBuild(ById, frozen=True):
    """Pins a build."""

    note: str = ""  # why, for people; at most 1000 characters


class BuildsInput(Params, frozen=True):
    """What somebody types for a build that was submitted with `input`."""

    id: str  # as in builds.get
    stream: str  # any text that is unique to this sitting at a keyboard
    offset: int  # bytes of this stream that were sent before
    data: str  # what comes then, at most 65536 bytes, see encoding
    encoding: str = "utf-8"  # of `data`: utf-8, or base64
    over: bool = False  # nothing comes behind it: the end of the input, where that is no terminal
    wait: float = 10.0  # seconds to wait until there is room for some of it, at most 60
    bound: bool = False  # the input ends when nothing comes for 30 s, not even empty data: whoever sends it is gone


class BuildsResize(Params, frozen=True):
    """The size of the window in which a build's terminal is shown."""

    id: str  # as in builds.get
    columns: int  # width, 1 to 10000
    rows: int  # height, 1 to 10000


class BuildsList(Params, frozen=True):
    """Which builds, in which order."""

    where: dict[str, Any] = {}  # field -> value, list of values, or {operator: value}
    order: str = "-created"  # field, `-` before it for descending; several with commas
    limit: int = 50  # 1 to 1000
    after: str | None = None  # `next` of the page before
    search: str = ""  # words, each of which begins a word in the project's or job's name or the reason


class BuildsLog(Params, frozen=True):
    """Which part of a build's log."""

    id: str  # as in builds.get
    offset: int = 0  # first byte wanted; negative: so many bytes before the end
    limit: int = 65536  # most bytes wanted, 1 to 1048576
    step: str | None = None  # only this step's output; offsets then count from its beginning
    line: int | None = None  # begin at this line instead of `offset`: 0 is the first, -10 the tenth before the end
    attempt: int | None = None  # which attempt; the last by default
    wait: float = 0.0  # seconds to wait for bytes beyond `offset` when there are none yet, at most 60


class BuildsWait(Params, frozen=True):
    """Which build to wait for."""

    id: str  # as in builds.get
    timeout: float | None = None  # seconds; then error -32001, kind timeout


class OneDefinition(msgspec.Struct, frozen=True):
    """What a build executes."""

    definition: DefinitionView  # as it was when the build was submitted


class OneBuild(msgspec.Struct, frozen=True):
    """A build."""

    build: BuildView  # with its attempts and steps


class Builds(msgspec.Struct, frozen=True):
    """A page of builds."""

    builds: list[BuildSummary]  # in the asked order
    next: str | None  # cursor of the next page; null: this was the last


class LogPart(msgspec.Struct, frozen=True):
    """A range of a log."""

    offset: int  # of the first byte returned
    data: str  # the bytes, see encoding
    encoding: str  # `utf-8`, or `base64` where the bytes are no UTF-8
    next: int  # offset of the byte behind the last one returned
    complete: bool  # nothing will ever follow `next`


class InputTaken(msgspec.Struct, frozen=True):
    """How much of what was typed is taken: it will be read, once."""

    next: int  # offset in the stream behind the last byte that is taken; what comes behind it is to be sent again


class WindowResized(msgspec.Struct, frozen=True):
    """The build's terminal has this size now."""

    columns: int  # width
    rows: int  # height


class Why(msgspec.Struct, frozen=True):
    """Why a build is in its state."""

    id: str  # of the build
    state: str  # of the build
    reasons: list[str]  # one line each; for a waiting build one per agent
    possible: bool = True  # whether an agent is there that could run it as soon as it has room
    agent: str = ""  # name of the agent that it is with
    choice: str = ""  # why it is there


METHODS = (
    Method(
        "builds.submit",
        "Run a job or a command; answered when the builds cannot be lost any more",
        Submit,
        Submitted,
        SUBMIT,
        (NotFound, InvalidInput, LimitReached, *CHANGE),
    ),
    Method("builds.get", "One build with its attempts and steps", ById, OneBuild, READ, MISSING),
    Method(
        "builds.definition",
        "What a build executes, as it was defined when it was submitted",
        ById,
        OneDefinition,
        READ,
        MISSING,
    ),
    Method("builds.list", "A page of builds", BuildsList, Builds, READ, (InvalidInput,)),
    Method("builds.log", "A range of a build's log, waiting for it if asked", BuildsLog, LogPart, READ, MISSING),
    Method(
        "builds.input",
        "Type for a build, which reads it in order and at most once; only who submitted it may",
        BuildsInput,
        InputTaken,
        SUBMIT,
        (NotFound, NotAllowed, Conflict, InvalidInput),
    ),
    Method(
        "builds.resize",
        "Tell a build's terminal the size of its window; only who submitted it may",
        BuildsResize,
        WindowResized,
        SUBMIT,
        (NotFound, Conflict, InvalidInput),
    ),
    Method("builds.wait", "Answered when the build has ended", BuildsWait, OneBuild, READ, (TimedOut,)),
    Method("builds.abort", "Stop a build wherever it is", ById, OneTask, OPERATE, (Conflict, *CHANGE)),
    Method("builds.cancel", "Withdraw a build that waits", ById, OneTask, OPERATE, (Conflict, *CHANGE)),
    Method("builds.rerun", "Run the same again", ById, Submitted, SUBMIT, MISSING + CHANGE),
    Method(
        "builds.pin",
        "Keep a build, with its log and artifacts, whatever its age, until it is unpinned",
        PinBuild,
        OneTask,
        OPERATE,
        (NotFound, InvalidInput, LimitReached, *CHANGE),
    ),
    Method("builds.unpin", "Let a build go when its time has come", ById, OneTask, OPERATE, MISSING + CHANGE),
    Method("builds.explain", "Why a build is in its state", ById, Why, READ, MISSING),
)
