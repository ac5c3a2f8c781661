"""What only so many builds may hold at a time: locks, the concurrency of a job, that of a matrix. All one thing. Pure.

Held by builds that are with workers, which the ledger knows: a new master finds every lock as it was. Builds that
disagree about how many there are are held to the smallest.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from ..definition import Job, Spec
from ..model import Build

T = TypeVar("T")


class Hold(msgspec.Struct, frozen=True, order=True, gc=False):
    """Some of something that a build holds while it is with a worker."""

    name: str  # what it is, for people
    of: int  # how many there are, as this build says
    take: int = 1  # how many it takes


def holds_of(build: Build, spec: Spec, job: Job | None) -> tuple[Hold, ...]:
    """Return what a build holds while it is with a worker, in the order of names.

    `job` is its job's definition now, which counts rather than that of its submission, as long as there is one.
    """
    found = [Hold(f"lock {one.name}", one.of, one.take) for one in spec.locks]
    most, together = _most(build, job)
    if most:
        found.append(Hold(f"concurrency of {build.project}/{build.job}", most))
    if together and build.pipeline:
        found.append(Hold(f"concurrency of {build.project}/{build.job}'s matrix in {build.pipeline}", together))
    return tuple(sorted(found)) if len(found) > 1 else tuple(found)


def _most(build: Build, job: Job | None) -> tuple[int, int]:
    """Return how many builds of its job, and of its matrix, may be with workers at a time; 0: no limit."""
    if job is not None:
        return job.most, 0 if job.matrix is None else job.matrix.most
    return (0, 0) if build.context is None else (build.context.most, build.context.most_of_node)


@dataclass(eq=False)
class Limit(Generic[T]):
    """One thing of which there are only so many."""

    sizes: Counter[int] = field(default_factory=Counter[int])  # how many there are -> builds that say so
    holders: dict[str, int] = field(default_factory=dict[str, int])  # build id -> how many it holds
    taken: int = 0  # sum of the holders'
    waiting: dict[T, None] = field(default_factory=dict[T, None])  # who is to be told when some come free

    @property
    def size(self) -> int:
        """How many there are."""
        return min(self.sizes)

    def gives(self, take: int) -> bool:
        """Whether so many are free."""
        return self.taken + take <= self.size


class Limits(Generic[T]):
    """All limits that live builds know of."""

    def __init__(self) -> None:
        """Begin without any."""
        self._limits: dict[str, Limit[T]] = {}

    def expect(self, holds: Iterable[Hold]) -> None:
        """A build waits that will hold these."""
        for one in holds:
            self._limits.setdefault(one.name, Limit()).sizes[one.of] += 1

    def forget(self, holds: Iterable[Hold]) -> list[T]:
        """A build does not wait any more; return who can look again, for there may be more of something now."""
        return [told for one in holds for told in self._drop(one, freed=False)]

    def take(self, build: str, holds: Iterable[Hold]) -> None:
        """A build goes to a worker, however many there are."""
        self.expect(holds)
        for one in holds:
            limit = self._limits[one.name]
            limit.holders[build] = limit.holders.get(build, 0) + one.take
            limit.taken += one.take

    def give(self, build: str, holds: Iterable[Hold]) -> list[T]:
        """A build is not with a worker any more; return who can look again."""
        for one in holds:
            limit = self._limits[one.name]
            limit.taken -= limit.holders.pop(build, 0)
        return [told for one in holds for told in self._drop(one, freed=True)]

    def lacking(self, holds: Iterable[Hold]) -> Limit[T] | None:
        """Return the first limit that keeps a build from a worker; None: nothing does."""
        for one in holds:
            limit = self._limits[one.name]
            if not limit.gives(one.take):
                return limit
        return None

    def of(self, name: str) -> Limit[T]:
        """Return a limit that some live build knows of."""
        return self._limits[name]

    def _drop(self, hold: Hold, *, freed: bool) -> list[T]:
        limit = self._limits[hold.name]
        before = limit.size
        limit.sizes[hold.of] -= 1
        if not limit.sizes[hold.of]:
            del limit.sizes[hold.of]
        if not limit.sizes:
            del self._limits[hold.name]
        elif not freed and limit.size == before:
            return []
        told, limit.waiting = list(limit.waiting), {}
        return told
