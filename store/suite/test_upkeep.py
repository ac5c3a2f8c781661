"""What every store must do for operations: be filled, pruned and described."""

from collections.abc import Callable

import pytest

from ...core.errors import StorageError, Unfinished
from ...core.model import BuildState
from ..collections import COLLECTIONS
from ..contract import Store
from ..query import Query
from .everything import EVERYTHING, RECORDS, content
from .records import batch, build, job, spec

S = BuildState


@pytest.fixture
def stored(store: Store) -> Store:
    """Return a store that holds something of everything."""
    assert store.write(EVERYTHING)
    return store


# -- scanning, describing


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_all_records_are_scanned_in_the_order_of_their_key(stored: Store, collection: str) -> None:
    found = COLLECTIONS[collection]
    keys = [tuple(found.value(one, name) for name in found.key) for one in stored.scan(collection)]
    assert keys == sorted(keys)
    assert len(keys) == len(RECORDS[collection])
    for place, key in enumerate(keys):
        assert [tuple(found.value(one, name) for name in found.key) for one in stored.scan(collection, key)] == keys[
            place + 1 :
        ]


def test_a_store_says_how_much_it_holds(stored: Store) -> None:
    found = stored.describe()
    assert {one.collection: one.rows for one in found.sizes} == {name: len(rows) for name, rows in RECORDS.items()}
    assert (found.url, found.applied) == (stored.url, 5)
    assert found.bytes > 0
    assert found.kind


def test_what_is_read_steadily_is_of_one_moment(stored: Store) -> None:
    with stored.steady():
        assert [one.serial for one in stored.scan("builds")] == [1, 2, 3]
        assert stored.applied() == 5


# -- filling


def test_a_store_is_filled_and_then_is_as_if_it_had_always_been_so(make: Callable[[], Store]) -> None:
    written, filled = make(), make()
    written.write(EVERYTHING)
    filled.write(batch(99, jobs=[job("old")], builds=[build(7)], specs=[spec()], meta={"old": "1"}))
    filled.clear()
    for name, records in RECORDS.items():
        filled.load({name: records[:1]})
        filled.load({name: records[1:]})
    filled.finish(5, dict(EVERYTHING.meta))
    assert content(filled) == content(written)
    assert filled.meta() == written.meta() == dict(EVERYTHING.meta)
    assert filled.tallies() == written.tallies()
    assert filled.describe().sizes == written.describe().sizes


def test_an_unfinished_store_shows_nothing(store: Store) -> None:
    store.write(EVERYTHING)
    store.clear()
    store.load({"jobs": [job()]})
    asked: list[Callable[[], object]] = [
        lambda: store.get("jobs", ("shop", "test")),
        lambda: store.find(Query("jobs")),
        lambda: store.count(Query("jobs")),
        lambda: list(store.scan("jobs")),
        lambda: store.live(0),
        lambda: store.write(batch(6)),
        store.tallies,
        store.failing,
        store.describe,
        store.meta,
        store.sweep,
        lambda: store.remove("jobs", [("shop", "test")]),
    ]
    for one in asked:
        with pytest.raises(Unfinished, match="begin that again"):
            one()
    store.clear()
    store.finish(0, {})
    assert store.find(Query("jobs")).rows == ()


def test_only_a_cleared_store_is_filled(stored: Store) -> None:
    with pytest.raises(StorageError, match="only after it was cleared"):
        stored.load({"jobs": [job("other")]})
    with pytest.raises(StorageError, match="only after it was cleared"):
        stored.finish(9, {})
    assert stored.applied() == 5


# -- taking out


def test_builds_go_with_their_attempts_and_live_ones_stay(stored: Store) -> None:
    ids = [one.id for one in RECORDS["builds"]]
    assert stored.remove("builds", [*ids, "00000000"]) == 1
    assert [one.serial for one in stored.scan("builds")] == [1, 2]
    assert [one.build for one in stored.scan("attempts")] == [ids[1]]
    assert stored.remove("builds", ids) == 0
    assert stored.applied() == 5


def test_other_records_are_taken_out_by_their_keys(stored: Store) -> None:
    assert stored.remove("tasks", [1, 9]) == 1
    assert stored.remove("jobs", [("shop", "lint"), ("shop", "nope")]) == 1
    assert [one.id for one in stored.scan("tasks")] == [2]
    assert [one.name for one in stored.scan("jobs")] == ["test"]


def test_specs_go_when_no_build_refers_to_them(store: Store) -> None:
    other = spec("other")
    ended = build(1, state=S.SUCCEEDED, spec=other.digest())
    store.write(batch(1, builds=[ended, build(2)], specs=[spec(), other]))
    assert store.sweep() == 0
    store.remove("builds", [ended.id])
    assert store.sweep() == 1
    assert [one.digest() for one in store.scan("specs")] == [spec().digest()]
    assert store.reclaim() >= 0
