"""What only a store in MongoDB can do: crash between its steps, be overtaken, lose an index; and its plans."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pymongo
import pymongo.database
import pytest

from job_orchestra.core.errors import NewerSchema, OlderSchema, StorageError
from job_orchestra.core.model import BuildState
from job_orchestra.store.collections import COLLECTIONS
from job_orchestra.store.contract import SCHEMA_VERSION, Batch
from job_orchestra.store.mongo import changing, putting, steps
from job_orchestra.store.mongo import store as storing
from job_orchestra.store.mongo.store import MongoStore
from job_orchestra.store.query import MAX_LIMIT, Filter, Operator, Order, Query
from tests.kit.builders import T0, attempt, batch, build, spec, task
from tests.kit.databases import Server

S = BuildState
Raw: TypeAlias = pymongo.database.Database[dict[str, Any]]


class Crash(BaseException):
    """Ends everything where it is raised."""


BOTH = pytest.mark.parametrize("url", ["mongodb", "mongodb-alone"], indirect=True)


@pytest.fixture(params=["mongodb-alone"])
def url(request: pytest.FixtureRequest, database: Callable[[str], Server]) -> str:
    return database(request.param).new()


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[], MongoStore]]:
    stores: list[MongoStore] = []

    def new() -> MongoStore:
        stores.append(MongoStore(url))
        return stores[-1]

    yield new
    for one in stores:
        one.close()


@pytest.fixture
def raw(url: str) -> Iterator[Raw]:
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        yield client.get_default_database()


@pytest.fixture
def in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "TRANSACTION", 0)


def first() -> Batch:
    builds = tuple(build(serial, state=S.RUNNING, agent="a1") for serial in range(1, 6))
    return batch(1, builds=builds, attempts=tuple(attempt(one, started=T0) for one in builds), specs=(spec(),))


def second() -> Batch:
    ended = tuple(build(serial, state=S.SUCCEEDED, agent="a1") for serial in range(1, 4))
    attempts = tuple(attempt(one, started=T0, finished=T0 + 1000) for one in ended)
    return batch(2, builds=(*ended, build(6)), attempts=attempts, tasks=(task(1),), meta={"serial": "6"})


def third() -> Batch:
    return batch(3, builds=(build(4, state=S.FAILED), build(7)), tasks=(task(2),), meta={"serial": "7"})


def content(store: MongoStore) -> dict[str, object]:
    return {
        **{name: store.find(Query(name, limit=MAX_LIMIT)).rows for name in COLLECTIONS},
        **{f"number of {name}": store.count(Query(name)) for name in COLLECTIONS},
        "words": store.find(Query("builds", search="shop", limit=MAX_LIMIT)).rows,
        "live": store.live(0),
        "tallies": store.tallies(),
        "usage": store.usage(0, T0 * 2),
        "failing": store.failing(),
    }


@pytest.fixture(scope="module")
def undisturbed(database: Callable[[str], Server]) -> dict[int, dict[str, object]]:
    """What a store holds after each batch, if nothing goes wrong."""
    store = MongoStore(database("mongodb").new())
    found: dict[int, dict[str, object]] = {}
    for one in (first(), second(), third()):
        assert store.write(one)
        found[one.index] = content(store)
    store.close()
    return found


# -- crashes


def crash_after(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Crash before the bulk of documents after so many."""
    calls = iter(range(times))
    real: Callable[..., list[int]] = putting.run

    def run(*arguments: object) -> list[int]:
        if next(calls, None) is None:
            raise Crash
        return real(*arguments)

    monkeypatch.setattr(putting, "run", run)


@pytest.mark.usefixtures("in_steps")
@pytest.mark.parametrize("times", range(9))
def test_a_crash_while_putting_in_is_completed_by_whoever_comes_next(
    opened: Callable[[], MongoStore], undisturbed: dict[int, dict[str, object]], times: int
) -> None:
    store = opened()
    store.write(first())
    with pytest.MonkeyPatch.context() as patch:
        crash_after(patch, times)
        with pytest.raises(Crash):
            store.write(second())
    assert content(opened()) == undisturbed[2]
    other = opened()
    assert not other.write(second())
    assert other.write(third())
    assert content(other) == undisturbed[3]


@pytest.mark.usefixtures("in_steps")
@pytest.mark.parametrize(("owner", "step"), [(steps, "write_down"), (MongoStore, "_put_in")])
def test_what_was_not_written_down_to_its_end_never_was(
    opened: Callable[[], MongoStore], undisturbed: dict[int, dict[str, object]], owner: object, step: str
) -> None:
    store = opened()
    store.write(first())
    with pytest.MonkeyPatch.context() as patch:

        def crash(*_: object) -> None:
            raise Crash

        patch.setattr(owner, step, crash)
        with pytest.raises(Crash):
            store.write(second())
    there = content(opened())
    assert there == undisturbed[1 if step == "write_down" else 2]
    assert opened().write(third() if step == "_put_in" else second())


@BOTH
@pytest.mark.parametrize("times", range(3))
def test_a_crash_while_removing_leaves_sums_right(
    opened: Callable[[], MongoStore], monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    store = opened()
    store.write(first())
    store.write(second())
    with monkeypatch.context() as patch:
        crash_after(patch, times)
        with pytest.raises(Crash):
            store.remove("builds", [build(serial).id for serial in range(1, 4)])
    other = opened()
    assert other.write(third())
    builds = other.find(Query("builds", limit=MAX_LIMIT)).rows
    assert other.count(Query("builds")).rows == len(builds)
    assert sum(one.builds for one in other.tallies()) == len(builds)
    assert other.find(Query("builds", search="shop", limit=MAX_LIMIT)).rows == builds


# -- several writers


@pytest.mark.usefixtures("in_steps")
def test_who_claimed_later_overtakes_who_has_not_written_all_down(
    opened: Callable[[], MongoStore], undisturbed: dict[int, dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = opened(), opened()
    old.write(first())
    real: Callable[..., changing.Changes] = changing.changes_of

    def overtaken(*arguments: object) -> changing.Changes:
        monkeypatch.setattr(changing, "changes_of", real)
        assert new.write(second())
        assert new.write(third())
        return real(*arguments)

    monkeypatch.setattr(changing, "changes_of", overtaken)
    with pytest.raises(StorageError, match="being written by another agent; it is tried again"):
        old.write(second())
    assert not old.write(second())
    assert content(new) == undisturbed[3]


@pytest.mark.usefixtures("in_steps")
def test_who_puts_in_too_late_changes_nothing(
    opened: Callable[[], MongoStore], undisturbed: dict[int, dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = opened(), opened()
    old.write(first())
    real: Callable[..., None] = putting.apply

    def late(*arguments: object) -> None:
        monkeypatch.setattr(putting, "apply", real)
        assert new.write(third()), "it completes what was written down, and goes on"
        real(*arguments)

    monkeypatch.setattr(putting, "apply", late)
    old.write(second())
    assert content(new) == undisturbed[3]
    assert new.applied() == 3


@BOTH
def test_an_older_batch_is_refused(opened: Callable[[], MongoStore], undisturbed: dict[int, dict[str, object]]) -> None:
    old, new = opened(), opened()
    for one in (first(), second(), third()):
        assert new.write(one)
    assert not old.write(batch(2, builds=(build(4, state=S.ABORTED),)))
    assert content(old) == undisturbed[3]


# -- opening


@pytest.mark.parametrize(("schema", "kind"), [(SCHEMA_VERSION + 1, NewerSchema), (1, OlderSchema)])
def test_another_schema_is_refused(
    opened: Callable[[], MongoStore], raw: Raw, schema: int, kind: type[StorageError]
) -> None:
    opened()
    raw.meta.update_one({"_id": "state"}, {"$set": {"schema": schema}})
    with pytest.raises(kind, match=f"has schema {schema}"):
        opened()


def test_an_index_that_is_missing_is_made_again(opened: Callable[[], MongoStore], raw: Raw) -> None:
    opened()
    raw.builds.drop_index("state_serial")
    opened()
    assert raw.builds.index_information()["state_serial"]["key"] == [("state", 1), ("_id", 1)]


def test_an_index_that_an_earlier_version_made_otherwise_is_made_anew(
    opened: Callable[[], MongoStore], raw: Raw
) -> None:
    opened()
    raw.attempts.drop_index("key")
    raw.attempts.create_index([("serial", 1), ("number", 1)], name="key", unique=True, sparse=True)
    opened()
    assert not raw.attempts.index_information()["key"].get("sparse")
    assert raw.jobs.index_information()["key"]["sparse"], "where it is to be so, it stays"


def test_an_index_of_another_kind_is_refused(opened: Callable[[], MongoStore], raw: Raw) -> None:
    opened()
    raw.builds.drop_index("state_serial")
    raw.builds.create_index([("state", 1), ("_id", -1)], name="state_serial")
    with pytest.raises(StorageError, match="an index of that name is of another kind; drop it, and it is made anew"):
        opened()


def test_who_reads_may_have_a_damaged_record(opened: Callable[[], MongoStore], raw: Raw) -> None:
    store = opened()
    store.write(first())
    raw.builds.update_one({"_id": 3}, {"$set": {"doc": {"id": 7}}})
    with pytest.raises(StorageError, match="is damaged: a record of builds cannot be read") as told:
        store.find(Query("builds"))
    assert str(told.value).endswith("restore it from a backup")


# -- how it is stored


def test_documents_are_what_people_query(opened: Callable[[], MongoStore], raw: Raw) -> None:
    opened().write(first())
    found = raw.builds.find_one({"project": "shop", "state": "running"}, sort=[("_id", -1)])
    assert found is not None
    assert (found["_id"], found["number"], found["rev"], found["doc"]["id"]) == (5, 5, 1, build(5).id)
    assert round(found["created"].timestamp() * 1000) % 10_000 == build(5).created % 10_000


# -- plans


def where(**fields: str | int) -> tuple[Filter, ...]:
    return tuple(Filter(name, Operator.EQ, value) for name, value in fields.items())


PLANS = {
    "the default listing": (Query("builds"), "_id_"),
    "oldest first": (Query("builds", order=(Order("created"),)), "_id_"),
    "by project": (Query("builds", where(project="shop")), "project_serial"),
    "by job": (Query("builds", where(project="shop", job="test")), "project_job_number"),
    "by label": (Query("builds", where(project="shop", job="test", number=7)), "project_job_number"),
    "by state": (Query("builds", where(state="pending")), "state_serial"),
    "by project and state": (Query("builds", where(project="shop", state="failed")), "project_state_serial"),
    "by agent": (Query("builds", where(agent="a1")), "agent_serial"),
    "by word": (Query("builds", search="shop"), "words"),
    "the attempts of a build": (Query("attempts", where(build=build(2).id), (Order("number"),)), "key"),
    "the attempts of an agent": (Query("attempts", where(agent="a1")), "agent_serial_number"),
    "tasks": (Query("tasks"), "_id_"),
    "tasks by who asked": (Query("tasks", where(requester="ann")), "requester_id"),
}


@pytest.fixture(scope="module")
def filled(database: Callable[[str], Server]) -> Iterator[MongoStore]:
    store = MongoStore(database("mongodb").new())
    states = (S.SUCCEEDED, S.FAILED, S.ABORTED, S.ERROR, S.SUCCEEDED)
    builds = tuple(build(serial, agent=f"a{serial % 9}", state=states[serial % 5]) for serial in range(1, 2001))
    tasks = tuple(task(number) for number in range(1, 1001))
    store.write(batch(1, builds=builds, attempts=tuple(attempt(one) for one in builds), tasks=tasks))
    yield store
    store.close()


@pytest.mark.parametrize("which", PLANS)
def test_rows_come_from_an_index_in_their_order(filled: MongoStore, which: str) -> None:
    query, by = PLANS[which]
    for step in filled.plan(query):
        assert step.endswith(f"IXSCAN {by}")
        assert "SORT" not in step
    after = filled.find(Query(query.collection, query.where, query.order, limit=3, search=query.search)).next
    if after is not None:
        later = Query(query.collection, query.where, query.order, limit=3, search=query.search, after=after)
        for step in filled.plan(later):
            assert "IXSCAN" in step
            assert "SORT" not in step
