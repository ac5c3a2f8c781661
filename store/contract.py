"""The seam between Job Orchestra and a database: what a store must do, whichever database holds it.

A store is a *projection* of the replicated ledger: rows by key plus the index of the last log entry they reflect. The
ledger and its log are the truth; a store that lost its last batches is filled again by replaying the log. So a store
needs atomicity, not durability at every write; `flush` says up to which index it is safe to forget the log.

Refuses to know what a change means: it gets rows, keeps rows and answers queries (query.py).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ..core.definition import Job, Spec
from ..core.ledger import Remembered
from ..core.model import AgentRecord, Attempt, Build, Millis, Task
from .query import Page, Query

SCHEMA_VERSION = 1
"""Version of the stored shape. A store with a larger one is refused (NewerSchema)."""


class Batch(msgspec.Struct, frozen=True):
    """Everything that changed between two indexes of the log: newest values only, each key at most once."""

    index: int  # the log index that the store reflects once the batch is in
    builds: tuple[Build, ...] = ()  # upserted by id
    attempts: tuple[Attempt, ...] = ()  # upserted by (build, number)
    tasks: tuple[Task, ...] = ()  # upserted by id
    jobs: tuple[Job, ...] = ()  # upserted by (project, name)
    removed_jobs: tuple[tuple[str, str], ...] = ()  # (project, name): no longer defined
    specs: Mapping[str, Spec] = {}  # digest -> spec; inserted if absent, never changed
    agents: tuple[AgentRecord, ...] = ()  # upserted by id
    removed_agents: tuple[str, ...] = ()  # ids that left the network
    meta: Mapping[str, str] = {}  # name -> text: counters and settings of the ledger, upserted


class Store(Protocol):
    """A database that remembers. Methods block; callers use a thread. All raise StorageError with a remedy."""

    url: str  # how it was opened, without a password

    def write(self, batch: Batch) -> bool:
        """Put in a batch atomically and move the applied index.

        Returns False, and changes nothing, when the store already reflects `batch.index` or a later one: the guard
        against writers that were deposed or repeat themselves.
        """
        ...

    def applied(self) -> int:
        """Return the index of the last batch put in; 0 for an empty store."""
        ...

    def flush(self) -> int:
        """Make what was written durable; return the applied index that now survives a power loss."""
        ...

    def live(self, requests_since: Millis) -> Remembered:
        """Return what a starting agent rebuilds its ledger from; client requests only of builds created since then."""
        ...

    def get(self, collection: str, key: object) -> Any | None:  # noqa: ANN401 - the collection decides the type
        """Return one record, None if absent.

        Keys: a build's and a task's and an agent's id, an attempt's (build, number), a job's (project, name), a spec's
        digest.
        """
        ...

    def find(self, query: Query) -> Page:
        """Answer a query with one page of records. Raises InvalidInput for unknown fields or a bad cursor."""
        ...

    def backup(self, target: Path) -> None:
        """Write a consistent copy, made while the store goes on working, into the file `target` (must not exist)."""
        ...

    def inspect(self, copy: Path) -> Remembered:
        """Return what a copy, as `backup` makes it, holds of the ledger. Raises StorageError for what is none."""
        ...

    def restore(self, copy: Path) -> None:
        """Let a copy take the place of everything; the file is used up. Nobody else may use the store meanwhile."""
        ...

    def close(self) -> None:
        """Give back what the store holds open. Further calls are an error."""
        ...
