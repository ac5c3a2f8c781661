"""An index of ids for each era of builds: what is found in all of them, and in which order."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from job_orchestra.store.query import Filter, Operator, Order, Query
from job_orchestra.store.sql import statements
from job_orchestra.store.sql.store import SqlStore
from tests.kit.builders import batch, build


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    made = SqlStore.sqlite(tmp_path / "history.db")
    yield made
    made.close()


BEGINNING = (Filter("id", Operator.PREFIX, "k3"),)


@pytest.mark.parametrize(
    ("query", "bound"),
    [
        (Query("builds", BEGINNING, (Order("id"),), limit=2), " AND id>? AND id<?"),
        (Query("builds", BEGINNING), " AND id>? AND id<?"),
        (Query("builds", (*BEGINNING, Filter("priority", Operator.EQ, 0))), " AND id>? AND id<?"),
        (Query("builds", order=(Order("id", descending=True),)), ""),
    ],
)
def test_ids_are_looked_up_in_each_era(store: SqlStore, query: Query, bound: str) -> None:
    steps = store.plan(query)
    assert f"SEARCH one USING COVERING INDEX builds_id_eras (<expr>=?{bound})" in steps
    assert not [step for step in steps if step.startswith("SCAN") and step.split()[1] not in {"eras", "CONSTANT"}]


def test_ids_of_many_eras_come_in_their_order(store: SqlStore) -> None:
    era = 1 << statements.ERA_BITS
    builds = tuple(build(one + age * era, number=1 + one + age * 10) for age in (0, 1, 3) for one in range(7, 17))
    store.write(batch(1, builds=builds))
    for descending in (False, True):
        wanted = sorted((one.id for one in builds), reverse=descending)
        query = Query("builds", order=(Order("id", descending),), limit=4)
        found: list[str] = []
        while True:
            page = store.find(query)
            found += [one.id for one in page.rows]
            if page.next is None:
                break
            query = replace(query, after=page.next)
        assert found == wanted
    for first in "0123456789abcdefghjkmnpqrstvwxyz":
        where = (Filter("id", Operator.PREFIX, first),)
        alike = sorted(one.id for one in builds if one.id.startswith(first))
        assert [one.id for one in store.find(Query("builds", where, (Order("id"),))).rows] == alike
        assert sorted(one.id for one in store.find(Query("builds", where)).rows) == alike
        assert store.count(Query("builds", where)).rows == len(alike)
        assert [one.id for one in store.find(Query("builds", where, (Order("id"),), search="shop")).rows] == alike
        assert not store.find(Query("builds", where, (Order("id"),), search="nowhere")).rows


def test_the_index_of_ids_becomes_one_of_eras(tmp_path: Path) -> None:
    """A file of the version before is brought up to date as it is opened."""
    path = tmp_path / "history.db"
    builds = (build(1), build(2))
    made = SqlStore.sqlite(path)
    made.write(batch(1, builds=builds))
    made.close()
    with closing(sqlite3.connect(path)) as before:
        before.execute("DROP INDEX builds_id_eras")
        before.execute("CREATE UNIQUE INDEX builds_id ON builds (id)")
        before.execute("UPDATE meta SET value = 'before' WHERE name = 'layout'")
        before.commit()
    made = SqlStore.sqlite(path)
    found = made.find(Query("builds", order=(Order("id"),))).rows
    names = {one.name for one in made._db.get_indexes("builds")}
    made.close()
    assert [one.id for one in found] == sorted(one.id for one in builds)
    assert "builds_id_eras" in names
    assert "builds_id" not in names
