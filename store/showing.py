"""How what a store says looks to clients (core.browsing), whether an agent asks or a reader of the store."""

from ..core.browsing import CollectionView, DurationsView, FailingView, FieldView, StoreView
from ..core.views.builds import build_summary
from .collections import COLLECTIONS, Collection
from .statistics import Description, Durations, Failing


def store_view(found: Description, *, behind: int = 0, problem: str = "") -> StoreView:
    """Return what a store is, and what there is to browse; `behind`: builds that are not in it yet, `problem`: why."""
    sizes = {one.collection: one.rows for one in found.sizes}
    return StoreView(
        url=found.url,
        kind=found.kind,
        schema=found.schema,
        applied=found.applied,
        bytes=found.bytes,
        behind=behind,
        problem=problem,
        collections=[collection_view(one, sizes.get(name, 0)) for name, one in COLLECTIONS.items()],
    )


def collection_view(collection: Collection, rows: int) -> CollectionView:
    """Return a collection with so many records."""
    return CollectionView(
        name=collection.name,
        caption=collection.caption,
        rows=rows,
        key=list(collection.key),
        newest_first=collection.newest_first,
        searched=list(collection.texts),
        fields=[
            FieldView(name, one.kind, one.caption, one.optional, name in collection.ordered, list(one.choices))
            for name, one in collection.fields.items()
        ],
    )


def durations_view(one: Durations) -> DurationsView:
    """Return how long builds of a job took."""
    return DurationsView(one.project, one.job, one.builds, one.p50_s, one.p90_s, one.p99_s, one.longest_s)


def failing_view(one: Failing) -> FailingView:
    """Return a job that fails."""
    return FailingView(one.project, one.job, build_summary(one.since), one.succeeded, one.last)
