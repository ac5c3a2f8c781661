"""The collections of a store, as a table: what they hold, what of it can be asked for, and how it is found.

Every database makes its tables, its indexes and its queries from this table, and the browse API shows it. So a further
collection is one entry in COLLECTIONS; and in core.changes a dictionary `Changes.NAME`, where its records come from
(`Changes.removed_NAME`, if any are removed), and with Part.ALL or Part.LIVE a tuple `Remembered.NAME`, to which they
go back.

A record is kept whole, as a document. Beside it are the *fields*: typed columns, by which one filters and orders. What
a field holds is taken from the record, never the other way round, and of a text it is the beginning (`comparable`).
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from ..core.definition import Job, Spec
from ..core.errors import InvalidInput
from ..core.ids import serial_of
from ..core.model import (
    LIVE_STATES,
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
from ..core.nearest import nearest

MAX_LENGTH = 255
"""Characters of a text that are compared. More do not fit into the indexes of every database."""


def comparable(text: str) -> str:
    """Return what a field holds of a text: its beginning, without the one character that not every database takes."""
    return text[:MAX_LENGTH].replace("\0", "\u2400")


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"  # any text, of which the first 255 characters count
    INTEGER = "integer"  # a whole number
    INSTANT = "instant"  # milliseconds since the epoch; the database's own type where it has one


class Field(msgspec.Struct, frozen=True):
    """A column."""

    kind: Kind  # what it holds
    caption: str  # what it means, for people
    optional: bool = False  # may be without a value; such rows come first in ascending order
    fixed: bool = False  # a record of the same key never has another value
    choices: tuple[str, ...] = ()  # the only values there are; empty: any
    derive: Callable[[Any], Any] | None = None  # from the record to the value; None: the attribute of the same name


class Index(msgspec.Struct, frozen=True):
    """What a database keeps sorted, so that rows are found without looking at others."""

    fields: tuple[str, ...]  # in this order
    unique: bool = False  # no two rows agree in all of them
    given: str = ""  # a text field: only rows where it is not empty are in the index; empty: all are
    among: tuple[str, tuple[str, ...]] | None = None  # a field and its values: only such rows, where a database can
    scattered: bool = False  # values of neighbours have nothing in common: each new row is put in another place

    @property
    def whole(self) -> bool:
        """Whether all rows are in it, in every database."""
        return not self.given and self.among is None


class Part(StrEnum):
    """What of a collection a starting agent needs for its ledger."""

    ALL = "all"  # every record
    LIVE = "live"  # records whose `state` is alive
    OF_LIVE = "of-live"  # what belongs to live builds
    NONE = "none"  # nothing: it is history


class Collection(msgspec.Struct, frozen=True):
    """Records of one type."""

    name: str  # of the table
    caption: str  # what is in it, for people
    type: type[Any]  # of a record
    key: tuple[str, ...]  # fields that make a record unique and order it; an instant never goes against them
    fields: Mapping[str, Field]  # by name
    indexes: tuple[Index, ...] = ()  # beside that of the key
    identity: tuple[str, ...] = ()  # fields that `get` takes; empty: the key
    newest_first: bool = False  # how it is listed where nothing else is asked for
    same_order: Mapping[str, str] = {}  # an instant that grows with the key's number -> that number
    within: Mapping[tuple[str, ...], str] = {}  # fields -> a number that grows with the key's where all those are equal
    implied: Mapping[str, tuple[str, Callable[[Any], int]]] = {}  # field -> what the key's number is where it is known
    origin: tuple[str, ...] = ()  # fixed fields that tell a record from another one that has its key after a recovery
    texts: tuple[str, ...] = ()  # fields whose words are searched
    part: Part = Part.NONE  # what a ledger needs of it
    alive: tuple[str, ...] = ()  # with Part.LIVE: the states that are meant
    large: bool = False  # may have millions of records: its words have a table of their own

    @property
    def names(self) -> tuple[str, ...]:
        """What `get` takes."""
        return self.identity or self.key

    @property
    def ordered(self) -> frozenset[str]:
        """Fields by which rows are ordered, and found, without sorting all of them."""
        return frozenset({self.key[0], *self.same_order, *(one.fields[0] for one in self.indexes if one.whole)})

    def values(self, record: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a record of this type
        """Return what a record's columns hold, in their order."""
        return tuple(self.value(record, name) for name in self.fields)

    def value(self, record: Any, field: str) -> Any:  # noqa: ANN401 - a record of this type, and what its field holds
        """Return what one of a record's columns holds."""
        derive = self.fields[field].derive
        value = getattr(record, field) if derive is None else derive(record)
        return comparable(value) if self.fields[field].kind is Kind.TEXT else value

    def key_of(self, record: Any) -> Any:  # noqa: ANN401 - a record of this type; a key
        """Return what `get` finds a record by: a value, or a tuple of several."""
        first, *others = [self.value(record, name) for name in self.names]
        return (first, *others) if others else first


_TEXT, _INTEGER, _INSTANT = Kind.TEXT, Kind.INTEGER, Kind.INSTANT
_STATES = tuple(BuildState)
_UNUSUAL = ("state", tuple(sorted(one for one in BuildState if one.ended and one is not BuildState.SUCCEEDED)))
"""Ends that few builds have. Successes are found among all builds of a job; none of these changes while it lives."""


def _serial(identity: object) -> int:
    """Return the serial number of the build with an id; -1, which no build has, for what is none."""
    try:
        return serial_of(identity) if isinstance(identity, str) else -1
    except ValueError:
        return -1


def _serial_of_build(attempt: Attempt) -> int:
    return _serial(attempt.build)


_BUILDS = Collection(
    name="builds",
    caption="Executions of jobs",
    type=Build,
    key=("serial",),
    identity=("id",),
    fields={
        "serial": Field(_INTEGER, "Place in the order of acceptance, from 1"),
        "id": Field(_TEXT, "Eight characters, unique in the network", fixed=True),
        "project": Field(_TEXT, "Project of its job", fixed=True),
        "job": Field(_TEXT, "Name of its job", fixed=True),
        "number": Field(_INTEGER, "Counts the builds of its job from 1", fixed=True),
        "state": Field(_TEXT, "Where it is in its life", choices=_STATES),
        "reason": Field(_TEXT, "Why it is in this state"),
        "requester": Field(_TEXT, "Who asked for it", fixed=True),
        "cause": Field(_TEXT, "What made it: submit, run, rerun of ID ...", fixed=True),
        "request": Field(_TEXT, "The client's request id; empty: none", fixed=True),
        "priority": Field(_INTEGER, "Higher is assigned earlier"),
        "pipeline": Field(_TEXT, "Id of its pipeline; empty: none", fixed=True),
        "spec": Field(_TEXT, "Digest of what it runs", fixed=True),
        "agent": Field(_TEXT, "Agent of the current or last attempt; empty: none yet"),
        "attempt": Field(_INTEGER, "Number of the current or last attempt; 0: none yet"),
        "created": Field(_INSTANT, "When it was accepted", fixed=True),
        "started": Field(_INSTANT, "When the current or last attempt started", optional=True),
        "finished": Field(_INSTANT, "When it ended", optional=True),
        "log_bytes": Field(_INTEGER, "Length of the last attempt's log"),
    },
    indexes=(
        Index(("id",), unique=True, scattered=True),
        Index(("project", "job", "number"), unique=True),
        Index(("project", "job", "state", "number"), among=_UNUSUAL),
        Index(("project", "serial")),
        Index(("job", "serial")),
        Index(("project", "state", "serial"), among=_UNUSUAL),
        Index(("state", "serial")),
        Index(("agent", "serial")),
        Index(("requester", "serial")),
        Index(("cause", "serial")),
        Index(("finished", "serial")),
        Index(("created", "serial")),
        Index(("pipeline", "serial"), given="pipeline"),
        Index(("request", "serial"), given="request"),
    ),
    newest_first=True,
    same_order={"created": "serial"},
    within={("project", "job"): "number"},
    implied={"id": ("serial", _serial)},
    origin=("project", "job", "number", "created"),
    texts=("project", "job", "reason"),
    part=Part.LIVE,
    alive=tuple(sorted(LIVE_STATES)),
    large=True,
)

_ATTEMPTS = Collection(
    name="attempts",
    caption="Tries of builds on workers",
    type=Attempt,
    key=("serial", "number"),
    identity=("build", "number"),
    fields={
        "serial": Field(_INTEGER, "Place of its build in the order of acceptance", derive=_serial_of_build),
        "build": Field(_TEXT, "Id of its build", fixed=True),
        "number": Field(_INTEGER, "1 for the first of its build"),
        "agent": Field(_TEXT, "Agent that it was given to", fixed=True),
        "session": Field(_TEXT, "Worker session it belongs to", fixed=True),
        "state": Field(_TEXT, "How it stands, or how it ended", choices=_STATES),
        "reason": Field(_TEXT, "Why it ended so"),
        "assigned": Field(_INSTANT, "When it was given to the worker", fixed=True),
        "started": Field(_INSTANT, "When its first process was started", optional=True),
        "finished": Field(_INSTANT, "When all its processes had ended", optional=True),
        "log_bytes": Field(_INTEGER, "Length of its log"),
    },
    indexes=(Index(("agent", "serial", "number")),),
    newest_first=True,
    implied={"build": ("serial", _serial)},
    origin=("agent", "assigned"),
    part=Part.OF_LIVE,
    large=True,
)

_TASKS = Collection(
    name="tasks",
    caption="Requests that changed something, or were refused: the audit trail",
    type=Task,
    key=("id",),
    fields={
        "id": Field(_INTEGER, "Counts all tasks of the network from 1"),
        "kind": Field(_TEXT, "The method that asked for it"),
        "requester": Field(_TEXT, "Who asked"),
        "at": Field(_INSTANT, "When the master took it"),
        "state": Field(_TEXT, "What came of it", choices=tuple(TaskState)),
        "target": Field(_TEXT, "What it was about: a job, a build id"),
        "outcome": Field(_TEXT, "What happened, or why it was refused"),
    },
    indexes=(
        Index(("kind", "id")),
        Index(("requester", "id")),
        Index(("state", "id")),
        Index(("target", "id"), given="target"),
        Index(("at", "id")),
    ),
    newest_first=True,
    same_order={"at": "id"},
    texts=("kind", "target", "outcome"),
    large=True,
)

_PIPELINES = Collection(
    name="pipelines",
    caption="Builds that were submitted together and wait for each other",
    type=Pipeline,
    key=("serial",),
    identity=("id",),
    fields={
        "serial": Field(_INTEGER, "Counts the pipelines of the network from 1"),
        "id": Field(_TEXT, "p- and the serial number", fixed=True),
        "project": Field(_TEXT, "Project of its jobs", fixed=True),
        "state": Field(_TEXT, "Running, or how it ended", choices=tuple(PipelineState)),
        "reason": Field(_TEXT, "Why it is in this state"),
        "requester": Field(_TEXT, "Who asked for it", fixed=True),
        "cause": Field(_TEXT, "What made it: submit, rerun of ID, schedule ...", fixed=True),
        "created": Field(_INSTANT, "When it was accepted", fixed=True),
        "finished": Field(_INSTANT, "When its last build ended", optional=True),
    },
    indexes=(
        Index(("id",), unique=True),
        Index(("project", "serial")),
        Index(("state", "serial")),
        Index(("requester", "serial")),
    ),
    newest_first=True,
    same_order={"created": "serial"},
    origin=("project", "created"),
    texts=("project", "reason"),
    part=Part.LIVE,
    alive=(PipelineState.RUNNING,),
)

_JOBS = Collection(
    name="jobs",
    caption="Definitions, as applied last",
    type=Job,
    key=("project", "name"),
    fields={
        "project": Field(_TEXT, "The set of jobs it belongs to"),
        "name": Field(_TEXT, "Unique in its project"),
        "description": Field(_TEXT, "One line for people"),
        "priority": Field(_INTEGER, "Higher is assigned earlier"),
    },
    texts=("project", "name", "description"),
    part=Part.ALL,
)

_SCHEDULES = Collection(
    name="schedules",
    caption="What is submitted by the clock, and what came of it last",
    type=ScheduleRecord,
    key=("project", "name"),
    fields={
        "project": Field(_TEXT, "Project of its jobs"),
        "name": Field(_TEXT, "Unique in its project"),
        "cron": Field(_TEXT, "When it fires"),
        "timezone": Field(_TEXT, "In which that is read"),
        "state": Field(_TEXT, "Whether it fires", choices=("enabled", "disabled")),
        "fired": Field(_INSTANT, "When it fired last", optional=True),
        "outcome": Field(_TEXT, "What came of that"),
    },
    texts=("project", "name", "outcome"),
)

_PINS = Collection(
    name="pins",
    caption="Builds that are kept, whatever their age, until somebody unpins them",
    type=Pin,
    key=("build",),
    fields={
        "build": Field(_TEXT, "Id of the build"),
        "label": Field(_TEXT, "project/job#number"),
        "at": Field(_INSTANT, "When it was pinned"),
        "requester": Field(_TEXT, "Who did it"),
        "note": Field(_TEXT, "Why"),
    },
    indexes=(Index(("at", "build")),),
    texts=("label", "note"),
    part=Part.ALL,
)

_AGENTS = Collection(
    name="agents",
    caption="Members of the network",
    type=AgentRecord,
    key=("id",),
    fields={
        "id": Field(_TEXT, "Fingerprint of its key"),
        "name": Field(_TEXT, "For people"),
        "version": Field(_TEXT, "Of Job Orchestra"),
        "slots": Field(_INTEGER, "Builds it runs at a time"),
        "joined": Field(_INSTANT, "When it became a member"),
        "seen": Field(_INSTANT, "When this record last changed"),
    },
    indexes=(Index(("name", "id")),),
    texts=("name",),
    part=Part.ALL,
)

_SPECS = Collection(
    name="specs",
    caption="What builds execute, by digest; never changed",
    type=Spec,
    key=("digest",),
    fields={"digest": Field(_TEXT, "The first 32 hex digits of its SHA-256", derive=Spec.digest)},
    part=Part.OF_LIVE,
)

COLLECTIONS: Mapping[str, Collection] = {
    one.name: one for one in (_BUILDS, _ATTEMPTS, _PIPELINES, _TASKS, _JOBS, _SCHEDULES, _PINS, _AGENTS, _SPECS)
}
"""All collections, by name."""


def collection_of(name: str) -> Collection:
    """Return the collection of a name. Raises InvalidInput where there is none, with the nearest."""
    found = COLLECTIONS.get(name)
    if found is None:
        guess = nearest(name, COLLECTIONS)
        hint = f"did you mean {guess}?" if guess else f"there are: {', '.join(COLLECTIONS)}"
        message = f"no collection {name[:60]!r}; {hint}"
        raise InvalidInput(message)
    return found


def field_of(collection: Collection, name: str) -> Field:
    """Return a field of a collection. Raises InvalidInput where there is none, with the nearest."""
    found = collection.fields.get(name)
    if found is None:
        guess = nearest(name, collection.fields)
        hint = f"did you mean {guess}?" if guess else f"there are: {', '.join(collection.fields)}"
        message = f"{collection.name} have no field {name[:60]!r}; {hint}"
        raise InvalidInput(message)
    return found
