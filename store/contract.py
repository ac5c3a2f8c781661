"""The seam between Job Orchestra and a database: what a store must do, whichever database holds it.

A store is a *projection* of the replicated ledger: rows by key plus the index of the last log entry they reflect. The
ledger and its log are the truth; a store that lost its last batches is filled again by replaying the log. So a store
needs atomicity, not durability at every write; `flush` says up to which index it is safe to forget the log.

Refuses to know what a change means: it gets rows, keeps rows and answers queries (query.py). Which collections there
are, and what of them can be asked for, is one table (collections.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ..core.changes import Changes, Remembered
from ..core.model import Millis
from .collections import COLLECTIONS
from .query import Count, Page, Query
from .statistics import Description, Durations, Failing, Tally, Usage

SCHEMA_VERSION = 2
"""Version of the stored shape. A store with a larger one is refused (NewerSchema)."""


class Batch(msgspec.Struct, frozen=True):
    """Everything that changed between two indexes of the log: newest values only, each key at most once."""

    index: int  # the log index that the store reflects once the batch is in
    records: Mapping[str, Sequence[Any]] = {}  # collection -> records, upserted by key; a spec never changes
    removed: Mapping[str, Sequence[Any]] = {}  # collection -> keys, as `get` takes them, of what is no more
    meta: Mapping[str, str] = {}  # name -> text: counters and settings of the ledger, upserted


class Reading(Protocol):
    """What everybody may ask of a store. Methods block; callers use a thread. All raise StorageError with a remedy."""

    url: str  # how it was opened, without a password

    def applied(self) -> int:
        """Return the index of the last batch put in; 0 for an empty store."""
        ...

    def get(self, collection: str, key: object) -> Any | None:  # noqa: ANN401 - the collection decides the type
        """Return one record, None if absent.

        Keys (Collection.names): a build's and a task's and an agent's id, an attempt's (build, number), a job's
        (project, name), a spec's digest.
        """
        ...

    def find(self, query: Query) -> Page:
        """Answer a query with one page of records. Raises InvalidInput for unknown fields or a bad cursor."""
        ...

    def count(self, query: Query) -> Count:
        """Count a query's rows, whatever its limit and cursor.

        Exact where the store keeps a sum: all of a collection, and builds by project, job and state. Otherwise exact up
        to counting.MAX_COUNT rows, if no more than counting.MAX_LOOKED have to be looked at for it; beyond, there are
        `at least` so many. So a count takes no longer than a page.
        """
        ...

    def scan(self, collection: str, after: tuple[Any, ...] | None = None) -> Iterator[Any]:
        """Yield all records of a collection in the order of its key, in constant memory, behind the key `after`.

        `after` is a tuple with the values of Collection.key: of builds (serial,), of attempts (serial, number).
        """
        ...

    def steady(self) -> AbstractContextManager[bool]:
        """Let all reads of this thread within the `with` see one state of the store, whatever is written meanwhile.

        Gives False where the database cannot: then the reads see what is there when they come.
        """
        ...

    def describe(self) -> Description:
        """Return what the store is and how much it holds, without counting row by row."""
        ...


class Summing(Protocol):
    """What a store says about many builds, without looking at all of them."""

    def tallies(self, project: str | None = None, job: str | None = None) -> list[Tally]:
        """Return how many builds are in each state, by job, sorted; of one project or job, or of all."""
        ...

    def durations(self, project: str, job: str) -> Durations:
        """Return how long the last successful builds of a job took (statistics.LAST_BUILDS of them)."""
        ...

    def failing(self) -> list[Failing]:
        """Return the jobs whose last end was a failure, sorted by name."""
        ...

    def usage(self, since: Millis, until: Millis) -> list[Usage]:
        """Return what each agent did on each day that begins at `since` or later and before `until`, sorted."""
        ...


class Writing(Protocol):
    """How the agent keeps a store up to date. One writer at a time."""

    shared: bool  # one database for all agents, of whom the master writes; else each agent has its own

    def write(self, batch: Batch) -> bool:
        """Put in a batch atomically and move the applied index.

        Returns False, and changes nothing, when the store already reflects `batch.index` or a later one: the guard
        against writers that were deposed or repeat themselves.
        """
        ...

    def flush(self) -> int:
        """Make what was written durable; return the applied index that now survives a power loss."""
        ...

    def live(self, requests_since: Millis) -> Remembered:
        """Return what a starting agent rebuilds its ledger from; client requests only of builds created since then."""
        ...

    def close(self) -> None:
        """Give back what the store holds open. Further calls are an error."""
        ...


class Copying(Protocol):
    """How the whole of a store is kept or moved as one file of its own kind."""

    def backup(self, target: Path) -> None:
        """Write a consistent copy, made while the store goes on working, into the file `target` (must not exist)."""
        ...

    def inspect(self, copy: Path) -> Remembered:
        """Return what a copy, as `backup` makes it, holds of the ledger. Raises StorageError for what is none."""
        ...

    def restore(self, copy: Path) -> None:
        """Let a copy take the place of everything; the file is used up. Nobody else may use the store meanwhile."""
        ...


class Upkeep(Protocol):
    """What operations need: filling a store from another one, and taking out what is too old.

    Filling: `clear`, any number of `load`s, `finish`. Between `clear` and `finish` the store is *unfinished*: that is
    stored, and until it is finished or cleared again nothing else can be done with it (StorageError with the remedy),
    also after a crash. So nothing half-done is ever visible, and who finds it unfinished begins again.
    """

    def clear(self) -> None:
        """Remove every record, and mark the store as unfinished."""
        ...

    def load(self, records: Mapping[str, Sequence[Any]]) -> None:
        """Put in records (collection -> records of new keys) of an unfinished store, atomically."""
        ...

    def finish(self, index: int, meta: Mapping[str, str]) -> None:
        """Let a filled store be one that reflects the log up to `index`, with the ledger's counters and settings."""
        ...

    def meta(self) -> dict[str, str]:
        """Return the ledger's counters and settings: what `finish` takes."""
        ...

    def remove(self, collection: str, keys: Sequence[Any]) -> int:
        """Take out records by their keys, as `get` takes them, atomically; builds with all of their attempts.

        Builds that are alive stay. Returns how many were taken out; what is not there is no error. The sums of `count`
        and `tallies` follow, `usage` remembers.
        """
        ...

    def sweep(self) -> int:
        """Take out the specs that no build refers to any more; return how many."""
        ...

    def reclaim(self) -> int:
        """Give space that is not used any more back to the disk; return the bytes, as far as the database says."""
        ...


class Store(Reading, Summing, Writing, Copying, Upkeep, Protocol):
    """A database that remembers."""


def batch_of(changes: Changes) -> Batch:
    """Return changes in the shape that a store takes."""
    records = {name: tuple(getattr(changes, name).values()) for name in COLLECTIONS}
    removed = {
        name: tuple(one.key_of(record) for record in getattr(changes, f"removed_{name}", {}).values())
        for name, one in COLLECTIONS.items()
    }
    return Batch(changes.index, records, {name: keys for name, keys in removed.items() if keys}, changes.meta)
