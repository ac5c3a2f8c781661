"""What every store must do with what is written to it."""

from collections.abc import Callable

import pytest

from ...core.changes import Remembered
from ...core.model import BuildState
from ..collections import COLLECTIONS
from ..contract import Store
from ..query import Filter, Operator, Order, Page, Query
from .everything import EVERYTHING, KEYS_OF, RECORDS, content, every
from .records import T0, agent, attempt, batch, build, job, spec, task

S = BuildState
EQ, IN, PREFIX = Operator.EQ, Operator.IN, Operator.PREFIX


def test_a_new_store_is_empty(make: Callable[[], Store]) -> None:
    store = make()
    assert store.applied() == 0
    assert store.live(0) == Remembered(0)
    assert all(store.find(Query(name)) == Page(()) for name in COLLECTIONS)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_what_is_written_is_found_by_its_key(store: Store, collection: str) -> None:
    assert store.write(EVERYTHING)
    assert store.applied() == 5
    assert [store.get(collection, key) for key in KEYS_OF[collection]] == list(RECORDS[collection])


@pytest.mark.parametrize(
    ("collection", "key"),
    [
        ("builds", "00000000"),
        ("builds", ""),
        ("attempts", (build(2).id, 2)),
        ("tasks", 3),
        ("pipelines", "p-3"),
        ("jobs", ("shop", "nope")),
        ("schedules", ("shop", "nope")),
        ("agents", "a9"),
        ("specs", "0" * 32),
    ],
)
def test_what_is_not_there_is_none(store: Store, collection: str, key: object) -> None:
    store.write(EVERYTHING)
    assert store.get(collection, key) is None


@pytest.mark.parametrize("index", [5, 4, 1, 0, -1])
def test_a_batch_that_is_already_in_changes_nothing(store: Store, index: int) -> None:
    store.write(EVERYTHING)
    before = content(store)
    late = batch(
        index,
        builds=(build(1, state=S.CANCELLED), build(9)),
        removed_jobs=(("shop", "test"),),
        removed_agents=("a1",),
        meta={"counters": "x"},
    )
    assert store.write(late) is False
    assert content(store) == before


def test_indexes_may_leap(store: Store) -> None:
    assert store.write(batch(10))
    assert store.write(batch(1_000_000_000_000))
    assert store.applied() == 1_000_000_000_000


def test_newer_values_replace_older_ones(store: Store) -> None:
    store.write(EVERYTHING)
    later = batch(
        6,
        builds=(build(1, state=S.CANCELLED, reason="x", finished=T0),),
        attempts=(attempt(build(2), state=S.RUNNING, log_bytes=7),),
        tasks=(task(2, outcome="new"),),
        jobs=(job(run="new"),),
        agents=(agent("ant", slots=9),),
        meta={"counters": "new"},
    )
    assert store.write(later)
    assert store.get("builds", build(1).id) == later.records["builds"][0]
    assert store.get("attempts", (build(2).id, 1)) == later.records["attempts"][0]
    assert store.get("tasks", 2) == later.records["tasks"][0]
    assert store.get("jobs", ("shop", "test")) == later.records["jobs"][0]
    assert store.get("agents", "a1") == later.records["agents"][0]
    assert store.live(0).meta == {"counters": "new", "number/shop/test": "3"}
    assert {name: len(every(store, name)) for name in COLLECTIONS} == {
        name: len(keys) for name, keys in KEYS_OF.items()
    }


def test_jobs_and_agents_can_be_removed(store: Store) -> None:
    store.write(EVERYTHING)
    gone = (("shop", "test"), ("other", "lint"), ("shop", "nope"))
    assert store.write(batch(6, removed_jobs=gone, removed_agents=("a2", "a9")))
    assert every(store, "jobs") == [job("lint")]
    assert every(store, "agents") == [agent()]
    assert store.write(batch(7, jobs=(job(),)))
    assert [one.name for one in every(store, "jobs")] == ["lint", "test"]


def test_large_batches(store: Store) -> None:
    builds = tuple(build(serial) for serial in range(1, 2002))
    specs = (spec(), *(spec(f"run {place}") for place in range(449)))
    assert store.write(batch(1, builds=builds, specs=specs, meta={f"number/{place}": "1" for place in range(450)}))
    assert every(store, "builds", limit=500, order=(Order("serial"),)) == list(builds)
    assert len(store.live(0).meta) == 450
    assert len(every(store, "specs")) == 450


def test_texts_come_back_as_they_were(store: Store) -> None:
    strange = "a'b\"c;--\0\n\\ %_ é 😀 \U0010fffd"
    one = build(1, requester=strange, parameters={strange: strange}, reason=strange)
    store.write(batch(1, builds=(one,), jobs=(job(strange),), specs=RECORDS["specs"], meta={strange: strange}))
    assert store.get("builds", one.id) == one
    assert every(store, "builds", where=(Filter("requester", EQ, strange),)) == [one]
    assert every(store, "builds", where=(Filter("requester", PREFIX, strange[:9]),)) == [one]
    assert every(store, "builds", where=(Filter("requester", PREFIX, "a%"),)) == []
    assert store.get("jobs", ("shop", strange)) == job(strange)
    assert store.live(0).meta == {strange: strange}


def test_what_is_flushed_was_applied(store: Store) -> None:
    assert store.flush() == 0
    store.write(EVERYTHING)
    assert store.flush() in {0, 5}
    assert store.applied() == 5


def test_the_url_says_how_it_was_opened(store: Store) -> None:
    scheme, colon, _ = store.url.partition(":")
    assert scheme.isidentifier()
    assert colon
