"""What a client is told of the history: any collection of the store, and sums over many builds. Shapes of `api`."""

from typing import Any

import msgspec

from .views.builds import BuildSummary


class Rows(msgspec.Struct, frozen=True):
    """A page of a collection."""

    collection: str  # as asked
    rows: list[dict[str, Any]]  # records as they are stored
    next: str | None  # cursor of the next page; null: this was the last


class Counting(msgspec.Struct, frozen=True):
    """How many rows there are."""

    rows: int  # their number
    exact: bool  # false: so many were found, and there may be more: looking at all would take too long


class FieldView(msgspec.Struct, frozen=True):
    """What one may filter and order a collection by."""

    name: str  # as `where` and `order` take it
    kind: str  # text, integer, instant
    caption: str  # what it means
    optional: bool  # may be without a value
    indexed: bool  # rows are found and ordered by it without looking at all of them
    choices: list[str]  # the only values there are; empty: any


class CollectionView(msgspec.Struct, frozen=True):
    """A collection of the store."""

    name: str  # as store.query takes it
    caption: str  # what is in it
    rows: int  # how many records it has
    key: list[str]  # the fields that make a record unique, and order it
    newest_first: bool  # how it is listed where nothing else is asked for
    searched: list[str]  # the fields whose words `search` finds; empty: it cannot be searched
    fields: list[FieldView]  # what one may filter and order by


class StoreView(msgspec.Struct, frozen=True):
    """The store, and what there is to browse."""

    url: str  # how it was opened, without a password
    kind: str  # the database and its version
    schema: int  # version of the stored shape
    applied: int  # index of the log entry that it reflects
    bytes: int  # what it takes on disk, as far as the database says
    behind: int  # builds that are not in it yet
    problem: str  # why it does not follow at the moment; empty: it does
    collections: list[CollectionView]  # what may be queried


class TallyView(msgspec.Struct, frozen=True):
    """How many builds of a job are in one state."""

    project: str  # of the job
    job: str  # its name
    state: str  # of the builds
    builds: int  # how many are in it now
    last: int  # the highest number of a build that ever ended so; 0: none did, or the state is no end


class TalliesView(msgspec.Struct, frozen=True):
    """Builds by job and state."""

    tallies: list[TallyView]  # sorted by job and state


class DurationsView(msgspec.Struct, frozen=True):
    """How long the last successful builds of a job took, in seconds."""

    project: str  # of the job
    job: str  # its name
    builds: int  # how many of the last ones were measured; with 0 the rest is 0
    p50: float  # half of them took no longer
    p90: float  # nine of ten took no longer
    p99: float  # ninety-nine of a hundred took no longer
    longest: float  # the longest


class DurationsList(msgspec.Struct, frozen=True):
    """How long builds usually take."""

    durations: list[DurationsView]  # in the order that was asked for


class FailingView(msgspec.Struct, frozen=True):
    """A job whose last end was a failure."""

    project: str  # of the job
    job: str  # its name
    since: BuildSummary  # the first failure after the last success
    succeeded: int  # number of the last success; 0: there was none
    last: int  # number of the last failure


class FailingList(msgspec.Struct, frozen=True):
    """Jobs that fail, and since when."""

    failing: list[FailingView]  # sorted by name


class UsageView(msgspec.Struct, frozen=True):
    """What an agent did on one day."""

    agent: str  # its id
    day: str  # 2026-01-31, UTC
    attempts: int  # that ended on it
    busy: float  # seconds that attempts ran on it, all slots together


class UsageList(msgspec.Struct, frozen=True):
    """What agents did, by day."""

    usage: list[UsageView]  # sorted by agent and day
