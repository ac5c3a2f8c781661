"""What a database need not know: how queries and questions are answered from stretches of its indexes, and from sums.

A database brings six primitives; this makes of them what contract.Reading and contract.Summing promise.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from ..core.model import Build, BuildState, Millis
from . import counting, stretches
from .collections import COLLECTIONS, Collection, collection_of
from .query import Count, Filter, Operator, Order, Page, Query, of_key, resolve
from .statistics import FAILURES, LAST_BUILDS, Durations, Failing, Tally, durations, suspects
from .stretches import Stretch
from .sums import by_tallies

_BUILDS = COLLECTIONS["builds"]


class Answers(ABC):
    """Answers from primitives."""

    _merges = False  # whether the database itself merges sorted rows of several values

    # -- what a database brings

    @abstractmethod
    def _read(self) -> AbstractContextManager[None]:
        """Turn the database's errors into ours meanwhile. Raises Unfinished where the store is."""

    @abstractmethod
    def _fetch(self, stretch: Stretch, limit: int) -> list[Any]:
        """Return the first records of a stretch."""

    @abstractmethod
    def _number(self, found: Stretch, rest: Stretch | None, limit: int) -> tuple[int, int]:
        """Look at the records of a stretch, up to a limit; return how many, and of how many of them the rest holds."""

    @abstractmethod
    def _vocabulary(self, collection: Collection, term: str) -> Sequence[tuple[str, int]]:
        """See stretches.Vocabulary."""

    @abstractmethod
    def _tallies(self, project: str | None = None, job: str | None = None) -> list[Tally]:
        """Return tallies, sorted."""

    @abstractmethod
    def _sizes(self) -> dict[str, int]:
        """Return the number of records by collection."""

    # -- what is made of it

    def get(self, collection: str, key: object) -> Any | None:  # noqa: ANN401 - the collection decides the type
        """See Store."""
        found = collection_of(collection)
        with self._read():
            return next(iter(self._fetch(Stretch(found, of_key(found, key), ()), 1)), None)

    def find(self, query: Query) -> Page:
        """See Store."""
        resolved = resolve(query)
        with self._read():
            return stretches.find(resolved, self._fetch, self._vocabulary, merges=self._merges)

    def count(self, query: Query) -> Count:
        """See Store."""
        resolved = resolve(query)
        with self._read():
            if not resolved.where and not resolved.terms:
                return Count(self._sizes().get(resolved.collection.name, 0))
            holds = by_tallies(resolved)
            if holds is not None:
                return Count(sum(one.builds for one in self._tallies() if holds(one)))
            return counting.count(resolved, self._fetch, self._vocabulary, self._number, merges=self._merges)

    def scan(self, collection: str, after: tuple[Any, ...] | None = None) -> Iterator[Any]:
        """See Store."""
        found = collection_of(collection)
        with self._read():
            yield from stretches.scan(found, after, self._fetch)

    def tallies(self, project: str | None = None, job: str | None = None) -> list[Tally]:
        """See Store."""
        with self._read():
            return self._tallies(project, job)

    def durations(self, project: str, job: str) -> Durations:
        """See Store."""
        where = equal(project=project, job=job, state=BuildState.SUCCEEDED)
        stretch = Stretch(_BUILDS, where, (Order("number", descending=True),))
        with self._read():
            return durations(project, job, self._fetch(stretch, LAST_BUILDS))

    def failing(self) -> list[Failing]:
        """See Store."""
        with self._read():
            found = [self._failing(*one) for one in suspects(self._tallies())]
        return [one for one in found if one is not None]

    def _failing(self, project: str, job: str, succeeded: int, last: int) -> Failing | None:
        later = Filter("number", Operator.GT, succeeded)
        first: Build | None = None
        for state in FAILURES:
            where = (*equal(project=project, job=job, state=state), later)
            for one in self._fetch(Stretch(_BUILDS, where, (Order("number"),)), 1):
                first = one if first is None or one.number < first.number else first
        return None if first is None else Failing(project, job, first, succeeded, last)


def equal(**fields: str) -> tuple[Filter, ...]:
    """Return the conditions that fields hold these values."""
    return tuple(Filter(name, Operator.EQ, value) for name, value in fields.items())


def requests_of(builds: Iterable[Build]) -> dict[str, tuple[Millis, tuple[str, ...]]]:
    """Return what a ledger remembers of client requests, from the builds that have one, in the order of acceptance."""
    requests: dict[str, tuple[Millis, tuple[str, ...]]] = {}
    for one in builds:
        before, ids = requests.get(one.request, (0, ()))
        same = before == one.created  # else the id was used again, after a day: its last use counts
        requests[one.request] = (one.created, (*ids, one.id) if same else (one.id,))
    return requests
