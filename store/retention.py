"""How long a history is kept: a policy, which builds it lets go of, and taking those out. Pure but for the store.

Builds go with all of their attempts; what they executed goes when no build refers to it any more. Live builds, and the
newest ones of each job, stay whatever their age.
"""

from collections.abc import Iterator, Mapping

import msgspec

from ..core.errors import InvalidInput
from ..core.ledger import NUMBER
from ..core.model import Build, BuildState, Millis
from .contract import Store
from .transfer import Progress

BATCH = 500
"""Builds that are taken out together. More: quicker; fewer: others wait less for the database."""


class Policy(msgspec.Struct, frozen=True):
    """What may go: builds that ended longer ago than an age, but for a number of each job's newest."""

    age_s: float  # how long an ended build is kept, seconds
    failed_age_s: float | None = None  # the same for builds that did not succeed; None: as the others
    keep: int = 1  # newest builds of each job that stay whatever their age

    def check(self) -> None:
        """Raise InvalidInput where it makes no sense."""
        if self.age_s < 0 or (self.failed_age_s is not None and self.failed_age_s < self.age_s):
            message = "builds that failed are kept at least as long as the others; raise --keep-failed"
            raise InvalidInput(message)
        if self.keep < 0:
            message = f"--keep must be 0 or more builds of each job, not {self.keep}"
            raise InvalidInput(message)

    def lets_go(self, build: Build, last: int, now: Millis) -> bool:
        """Whether a build may go; `last` is the number of its job's newest build."""
        if not build.state.ended or build.number > last - self.keep:
            return False
        good = build.state in {BuildState.SUCCEEDED, BuildState.SKIPPED}
        age_s = self.age_s if good or self.failed_age_s is None else self.failed_age_s
        return (build.finished or build.created) <= now - age_s * 1000


class Pruned(msgspec.Struct, frozen=True):
    """What pruning came to."""

    builds: int  # that are gone, or would be
    kept: int  # that are still there
    specs: int = 0  # definitions of what they executed that are gone with them
    bytes: int = 0  # given back to the disk, as far as the database says


def victims(store: Store, policy: Policy, now: Millis) -> Iterator[tuple[Build, bool]]:
    """Yield every build, the oldest first, with whether it may go."""
    last = _last_numbers(store.meta())
    for build in store.scan("builds"):
        yield build, policy.lets_go(build, last.get(f"{build.project}/{build.job}", 0), now)


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
    gone = kept = 0
    batch: list[str] = []

    def take_out() -> None:
        if batch and not simulate:
            store.remove("builds", batch)
        batch.clear()

    for build, goes in victims(store, policy, now):
        progress(1)
        if not goes:
            kept += 1
            continue
        gone += 1
        batch.append(build.id)
        if len(batch) >= BATCH:
            take_out()
    take_out()
    if simulate or not gone:
        return Pruned(gone, kept)
    return Pruned(gone, kept, store.sweep(), store.reclaim())


def _last_numbers(meta: Mapping[str, str]) -> dict[str, int]:
    """Return the number of each job's newest build, as the ledger counts them."""
    return {name.removeprefix(NUMBER): int(text) for name, text in meta.items() if name.startswith(NUMBER)}
