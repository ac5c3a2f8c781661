"""Whatever the faces ask is answered by an index: no table is read whole, nothing is sorted, and the rows are right."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from job_orchestra.store.memory import MemoryStore
from job_orchestra.store.mongo.store import MongoStore
from job_orchestra.store.opening import open_store
from job_orchestra.store.query import Filter, Operator, Order, Query
from job_orchestra.store.sql.store import SqlStore
from tests.kit.builders import T0, batch, build
from tests.kit.databases import Server
from tests.kit.offered import offered
from tools.bench.store import PACE_MS, history

BUILDS = 3_000
OFFERED = offered(BUILDS, T0 + BUILDS // 2 * PACE_MS)
SMALL = {"jobs", "agents"}  # collections that are read whole in any case
FEW = {name for name in OFFERED if "any job" in name and "number" in name}  # at most one row of each job, to be sorted
FEW |= {"by id", "beginning of an id"}  # and of each era as many as are wanted
LISTS = (" sums", " places", " eras", " CONSTANT ROW")  # what there is to look through then


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlStore, MemoryStore]]:
    store, model = SqlStore.sqlite(tmp_path_factory.mktemp("offered") / "history.db"), MemoryStore()
    for one in history(BUILDS):
        assert store.write(one)
        assert model.write(one)
    yield store, model
    store.close()


@pytest.mark.parametrize("which", OFFERED)
def test_an_index_answers_and_as_the_model_does(pair: tuple[SqlStore, MemoryStore], which: str) -> None:
    store, model = pair
    query = OFFERED[which]
    found = store.find(query)
    assert found == model.find(query)
    pages = [query, replace(query, limit=5)]
    if cursor := store.find(pages[1]).next:
        pages.append(replace(query, after=cursor))
        assert store.find(pages[-1]) == model.find(pages[-1])
    for one in pages:
        for step in store.plan(one):
            assert "TEMP B-TREE" not in step or which in FEW
            whole = step.startswith("SCAN") and not (which in FEW and step.endswith(LISTS))
            assert not whole or "USING INDEX" in step or not query.where or query.collection in SMALL, step
    assert store.count(query) == model.count(query)


@pytest.fixture(scope="module", params=["postgresql", "mongodb"])
def explained(
    request: pytest.FixtureRequest, database: Callable[[str], Server]
) -> Iterator[Callable[[Query], Sequence[str]]]:
    """Return a function that tells how a server answers, where it takes an index if there is one that will do."""
    store = open_store(database(request.param).new())
    assert isinstance(store, SqlStore | MongoStore)
    for one in history(BUILDS):
        assert store.write(one)
    if isinstance(store, SqlStore):  # of so few rows it would read all, and sort them
        for way in ("seqscan", "bitmapscan", "sort", "incremental_sort"):
            store._db.execute_sql(f"SET enable_{way} = off")
    yield store.plan
    store.close()


@pytest.mark.parametrize("which", [name for name, query in OFFERED.items() if query.collection not in SMALL])
def test_an_index_answers_on_servers_too(explained: Callable[[Query], Sequence[str]], which: str) -> None:
    for query in (OFFERED[which], replace(OFFERED[which], limit=5)):
        steps = explained(query)
        assert steps or query.search, "nothing is asked for a word that nothing has"
        wrong = r"\b(Seq Scan|COLLSCAN)\b" if which in FEW else r"\b(Seq Scan|Sort|COLLSCAN|SORT)\b"
        assert not [one for one in steps if re.search(wrong, one)]


@pytest.mark.parametrize("since", [T0, T0 + (BUILDS - 10) * PACE_MS])
def test_what_an_agent_starts_from_is_found_by_indexes(pair: tuple[SqlStore, MemoryStore], since: int) -> None:
    store, model = pair
    asked: list[str] = []
    connection = store._db.connection()
    connection.set_trace_callback(asked.append)
    assert store.live(since) == model.live(since)
    connection.set_trace_callback(None)
    for one in asked:
        if one.startswith('SELECT "t1"."doc" FROM "builds"'):
            steps = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {one}")]
            assert not any("SCAN" in step for step in steps), one


def test_numbers_of_a_job_in_a_time_range_end(pair: tuple[SqlStore, MemoryStore]) -> None:
    """Bounds that were added to the list they were made from were once bounded themselves, and so on for ever."""
    job = (Filter("project", Operator.EQ, "project-1"), Filter("job", Operator.EQ, "job-2"))
    times = (
        Filter("created", Operator.GE, T0 + 500 * PACE_MS),
        Filter("created", Operator.LT, T0 + 2_500 * PACE_MS),
        Filter("number", Operator.GT, 3),
    )
    for states in ((), (Filter("state", Operator.IN, ("failed", "lost", "succeeded")),)):
        for order in ((), (Order("number"),), (Order("created", descending=True),)):
            query = Query("builds", (*job, *times, *states), order, limit=7)
            for store_page, model_page in zip(*(_pages(one, query) for one in pair), strict=True):
                assert store_page == model_page


def _pages(store: SqlStore | MemoryStore, query: Query) -> list[object]:
    found: list[object] = []
    after = None
    while True:
        page = store.find(replace(query, after=after))
        found.append(page)
        if page.next is None:
            return found
        after = page.next


def test_a_record_with_several_of_the_words_comes_once(tmp_path: Path) -> None:
    store = SqlStore.sqlite(tmp_path / "words.db")
    builds = [build(1, reason="time timeout timer"), build(2, reason="timer"), build(3), build(4, reason="timeout")]
    assert store.write(batch(1, builds=builds))
    first = store.find(Query("builds", search="tim", limit=2))
    assert [one.serial for one in first.rows] == [4, 2]
    assert [one.serial for one in store.find(Query("builds", search="tim", limit=2, after=first.next)).rows] == [1]
    store.close()
