"""What people read with tools of their own: the reports, in the database's own types; and the plans of its queries."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pymongo
import pytest

from job_orchestra.core.model import BuildState
from job_orchestra.store.opening import open_store
from job_orchestra.store.query import Filter, Operator, Order, Query
from job_orchestra.store.sql.store import SqlStore
from tests.kit.builders import T0, attempt, batch, build, task
from tests.kit.databases import MysqlServer, PostgresqlServer, Server

S = BuildState
DAY_MS = 86_400_000
Rows = list[dict[str, Any]]


def builds() -> tuple[Any, ...]:
    """Return builds of two jobs that ended on two days, and some that say nothing of them."""
    ends = (
        (1, "test", S.SUCCEEDED, 2000, 0),
        (2, "test", S.FAILED, 4000, 0),
        (3, "test", S.SUCCEEDED, 6000, DAY_MS),
        (4, "test", S.LOST, 8000, DAY_MS),
        (5, "lint", S.SUCCEEDED, 500, 0),
        (6, "lint", S.ABORTED, 900, 0),
    )
    ended = [
        build(serial, job=job, state=state, created=T0, started=T0 + 1500, finished=T0 + 1500 + took + later)
        for serial, job, state, took, later in ends
    ]
    return (*ended, build(7, job="lint", state=S.RUNNING, created=T0, started=T0 + 1))


@pytest.fixture(params=["sqlite", "postgresql", "mysql", "mongodb-alone"])
def report(
    request: pytest.FixtureRequest, database: Callable[[str], Server], tmp_path: Path
) -> Callable[[str, str], Rows]:
    """Return a function that reads a view of a filled store, in an order, as people do."""
    name = request.param
    server = None if name == "sqlite" else database(name)
    url = f"sqlite:///{tmp_path}/history.db" if server is None else server.new()
    store = open_store(url)
    store.write(batch(1, builds=builds()))
    store.close()
    place = url.rpartition("/")[2].partition("?")[0]

    def read(view: str, order: str) -> Rows:
        if name == "mongodb-alone":
            with pymongo.MongoClient[dict[str, Any]](url, tz_aware=True) as client:
                return list(client.get_default_database()[view].find().sort([(one, 1) for one in order.split(", ")]))
        names = f"SELECT * FROM {view} ORDER BY {order}"
        if server is None:
            with closing(sqlite3.connect(tmp_path / "history.db")) as file:
                file.row_factory = sqlite3.Row
                return [dict(row) for row in file.execute(names)]
        columns = "project, job, number, state, agent, requester, created, started, finished, waited_s, took_s"
        columns = {"build_times": f"id, {columns}", "failure_rates": "project, job, ended, failed, failure_rate"}.get(
            view, "project, job, day, ended, failed, failure_rate, average_s, longest_s"
        )
        rows = cast("PostgresqlServer | MysqlServer", server).do(names.replace("*", columns), place)
        return [dict(zip(columns.split(", "), row, strict=True)) for row in rows]

    return read


def instant(value: object) -> datetime:
    """Return an instant as any of the databases gives it."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else cast("datetime", value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def day_of(value: object) -> date:
    """Return a day as any of the databases gives it."""
    if isinstance(value, datetime):
        return value.date()
    return date.fromisoformat(value) if isinstance(value, str) else cast("date", value)


def test_how_long_builds_waited_and_took(report: Callable[[str, str], Rows]) -> None:
    found = report("build_times", "id")
    assert {one["id"] for one in found} == {build(serial).id for serial in range(1, 7)}
    (one,) = [row for row in found if row["id"] == build(2).id]
    assert (one["project"], one["job"], one["number"], one["state"]) == ("shop", "test", 2, "failed")
    assert (float(one["waited_s"]), float(one["took_s"])) == (1.5, 4.0)
    assert round(instant(one["created"]).timestamp() * 1000) == T0
    assert round(instant(one["finished"]).timestamp() * 1000) == T0 + 5500


def test_how_many_builds_fail(report: Callable[[str, str], Rows]) -> None:
    found = [
        (one["job"], int(one["ended"]), int(one["failed"]), round(float(one["failure_rate"]), 3))
        for one in report("failure_rates", "project, job")
    ]
    assert found == [("lint", 1, 0, 0.0), ("test", 4, 2, 0.5)]


def test_how_a_job_does_from_day_to_day(report: Callable[[str, str], Rows]) -> None:
    first = datetime.fromtimestamp(T0 / 1000, UTC).date()
    found = [
        (one["job"], (day_of(one["day"]) - first).days, int(one["ended"]), int(one["failed"]), float(one["average_s"]))
        for one in report("job_days", "project, job, day")
    ]
    assert found == [("lint", 0, 1, 0, 0.5), ("test", 0, 2, 1, 3.0), ("test", 1, 2, 1, 7.0 + DAY_MS / 1000)]
    assert max(float(one["longest_s"]) for one in report("job_days", "project, job, day")) == 8.0 + DAY_MS / 1000


# -- plans


def where(**fields: str | int) -> tuple[Filter, ...]:
    return tuple(Filter(name, Operator.EQ, value) for name, value in fields.items())


PLANS = {
    "the default listing": Query("builds"),
    "oldest first": Query("builds", order=(Order("created"),)),
    "by project": Query("builds", where(project="shop")),
    "by job": Query("builds", where(project="shop", job="test")),
    "by label": Query("builds", where(project="shop", job="test", number=7)),
    "by state": Query("builds", where(state="failed")),
    "by project and state": Query("builds", where(project="shop", state="failed")),
    "by agent": Query("builds", where(agent="a1")),
    "by who asked": Query("builds", where(requester="u1")),
    "by the end": Query("builds", order=(Order("finished", descending=True),)),
    "by id": Query("builds", where(id=build(7).id)),
    "the attempts of a build": Query("attempts", where(build=build(2).id), (Order("number"),)),
    "the attempts of an agent": Query("attempts", where(agent="a1")),
    "tasks": Query("tasks"),
    "tasks by who asked": Query("tasks", where(requester="u1")),
}


@pytest.fixture(scope="module", params=["postgresql", "mysql"])
def filled(request: pytest.FixtureRequest, database: Callable[[str], Server]) -> Iterator[SqlStore]:
    server = cast("PostgresqlServer | MysqlServer", database(request.param))
    url = server.new()
    store = open_store(url)
    assert isinstance(store, SqlStore)
    states = (S.SUCCEEDED, S.FAILED, S.ABORTED, S.ERROR, S.LOST)
    many = tuple(
        build(
            serial,
            state=states[serial % 5],
            agent=f"a{serial % 9}",
            requester=f"u{serial % 7}",
            project=f"p{serial % 3}",
            finished=T0 + serial,
        )
        for serial in range(1, 4001)
    )
    one = tuple(build(serial, agent=f"a{serial % 9}", state=states[serial % 5]) for serial in range(4001, 6001))
    tasks = tuple(task(number, requester=f"u{number % 7}") for number in range(1, 3001))
    store.write(batch(1, builds=(*many, *one), attempts=tuple(attempt(each) for each in one), tasks=tasks))
    for table in ("builds", "attempts", "tasks"):
        statement = f"ANALYZE {table}" if request.param == "postgresql" else f"ANALYZE TABLE {table}"
        server.do(statement, url.rpartition("/")[2])
    yield store
    store.close()


@pytest.mark.parametrize("which", PLANS)
def test_rows_come_from_an_index_in_their_order(filled: SqlStore, which: str) -> None:
    query = PLANS[which]
    first = filled.find(Query(query.collection, query.where, query.order, limit=3)).next
    pages = [query] if first is None else [query, Query(query.collection, query.where, query.order, after=first)]
    for page in pages:
        steps = "\n".join(filled.plan(page))
        assert "Sort" not in steps, steps
        assert "filesort" not in steps, steps
        assert "Seq Scan" not in steps, steps
        assert " ALL None" not in steps, steps  # of MySQL: the whole table, by no index


def test_words_come_from_an_index(filled: SqlStore) -> None:
    steps = "\n".join(filled.plan(Query("builds", search="shop")))
    assert "Seq Scan" not in steps, steps
    assert " ALL None" not in steps, steps
