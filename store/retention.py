"""How long a history is kept: a policy, which builds it lets go of, and taking those out. Pure but for the store.

Builds go with all of their attempts; what they executed goes when no build refers to it any more. Live builds, and the
newest ones of each job, stay whatever their age; and so do those that somebody pinned.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec

from ..core.accepting import NUMBER
from ..core.errors import InvalidInput
from ..core.model import Build, BuildState, Millis, Pin
from .contract import Reading, Store
from .query import Filter, Operator, Query
from .transfer import Progress

BATCH = 500
"""Builds that are taken out together. More: quicker; fewer: others wait less for the database."""


class Policy(msgspec.Struct, frozen=True):
    """What may go: builds that ended longer ago than an age, or are more than so many of their job."""

    age_s: float | None = None  # how long an ended build is kept, seconds; None: for ever
    failed_age_s: float | None = None  # the same for builds that did not succeed; None: as the others
    keep: int = 1  # newest builds of each job that stay whatever their age
    most: int = 0  # builds of each job that stay at most, but for those that failed and are kept longer; 0: any number

    def check(self) -> None:
        """Raise InvalidInput where it makes no sense."""
        if self.age_s is None and not self.most:
            message = "say what may go: builds older than an age, or more than so many of each job"
            raise InvalidInput(message)
        if self.failed_age_s is not None and self.age_s is not None and self.failed_age_s < self.age_s:
            message = "builds that failed are kept at least as long as the others; raise --keep-failed"
            raise InvalidInput(message)
        if self.keep < 0 or self.most < 0:
            message = f"numbers of builds must be 0 or more, not {min(self.keep, self.most)}"
            raise InvalidInput(message)
        if self.most and self.most < self.keep:
            message = f"of each job {self.keep} builds stay in any case, so at most {self.most} cannot be; raise it"
            raise InvalidInput(message)

    def lets_go(self, build: Build, last: int, now: Millis) -> bool:
        """Whether a build may go; `last` is the number of its job's newest build."""
        if not build.state.ended or build.number > last - self.keep:
            return False
        longer = self.failed_age_s is not None and build.state not in _GOOD
        age_s = self.failed_age_s if longer else self.age_s
        old = age_s is not None and (build.finished or build.created) <= now - age_s * 1000
        return old or (not longer and self.most > 0 and build.number <= last - self.most)

    def spares(self, build: Build, now: Millis) -> bool:
        """Whether this build, and all that were accepted later, are too young to go."""
        return not self.most and (self.age_s is None or build.created > now - self.age_s * 1000)


_GOOD = frozenset({BuildState.SUCCEEDED, BuildState.SKIPPED})


class Pruned(msgspec.Struct, frozen=True):
    """What pruning came to."""

    builds: int  # that are gone, or would be
    kept: int  # that are still there
    specs: int = 0  # definitions of what they executed that are gone with them
    bytes: int = 0  # given back to the disk, as far as the database says


def batches(
    store: Reading, numbers: Mapping[str, str], policy: Policy, now: Millis, progress: Progress = lambda _: None
) -> Iterator[list[str]]:
    """Yield the ids of the builds that may go, the oldest first, some at a time; `numbers` is the store's `meta`.

    They are found while they are yielded: between two batches anything may happen to the store.
    """
    last = _last_numbers(numbers)
    batch: list[str] = []
    for build in store.scan("builds"):
        if policy.spares(build, now):
            break
        progress(1)
        if policy.lets_go(build, last.get(f"{build.project}/{build.job}", 0), now):
            batch.append(build.id)
        if len(batch) >= BATCH:
            yield from _unpinned(store, batch)
            batch = []
    if batch:
        yield from _unpinned(store, batch)


def _unpinned(store: Reading, builds: Sequence[str]) -> Iterator[list[str]]:
    """Yield those of some builds that nobody pinned, as of now; nothing where there are none."""
    query = Query("pins", (Filter("build", Operator.IN, tuple(builds)),), limit=BATCH)
    pinned = {cast("Pin", one).build for one in store.find(query).rows}
    found = [one for one in builds if one not in pinned]
    if found:
        yield found


def prune(
    store: Store,
    policy: Policy,
    now: Millis,
    *,
    simulate: bool = False,
    progress: Progress = lambda _: None,
) -> Pruned:
    """Take out what a policy lets go of, in small batches; with `simulate` only count.

    Each batch is atomic, so that an interrupted run is simply run again. Raises InvalidInput for a policy that makes no
    sense, StorageError where the database refuses.
    """
    policy.check()
    builds = next(one.rows for one in store.describe().sizes if one.collection == "builds")
    gone = 0
    for batch in batches(store, store.meta(), policy, now, progress):
        gone += len(batch) if simulate else store.remove("builds", batch)
    if simulate or not gone:
        return Pruned(gone, builds - gone)
    return Pruned(gone, builds - gone, store.sweep(), store.reclaim())


def _last_numbers(meta: Mapping[str, str]) -> dict[str, int]:
    """Return the number of each job's newest build, as the ledger counts them."""
    return {name.removeprefix(NUMBER): int(text) for name, text in meta.items() if name.startswith(NUMBER)}
