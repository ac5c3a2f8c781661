"""What comes in many rows at once goes other ways into servers than single rows: it is the same behind them."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from msgspec.structs import replace

from job_orchestra.core.model import BuildState
from job_orchestra.store.contract import Batch, Store
from job_orchestra.store.opening import open_store
from job_orchestra.store.query import Filter, Operator, Query
from tests.kit.builders import attempt, build, spec
from tests.kit.databases import SERVERS, MysqlServer, PostgresqlServer, Server

STRANGE = (
    "\\N",
    "\\",
    "a\tb",
    "two\nlines",
    "cr\r\nlf",
    "\\.",
    "%s $1 {}",
    "na\u00efve \U0001f600",
    "nul\0",
    "",
    "' \"",
)
COUNT = 300


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, database: Callable[[str], Server]) -> Server:
    return database(request.param)


@pytest.fixture
def url(server: Server) -> str:
    return server.new()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


Made: TypeAlias = dict[str, list[Any]]


def made(first: int = 1) -> Made:
    builds = [
        replace(build(serial, state=BuildState.PENDING), reason=STRANGE[serial % len(STRANGE)])
        for serial in range(first, first + COUNT)
    ]
    return {"builds": builds, "attempts": [attempt(one) for one in builds], "specs": [spec()]}


def test_texts_of_any_kind_are_what_they_were(store: Store) -> None:
    records = made()
    store.write(Batch(1, records))
    assert list(store.scan("builds")) == records["builds"]
    assert list(store.scan("attempts")) == records["attempts"]
    for text in STRANGE:
        found = store.count(Query("builds", (Filter("reason", Operator.EQ, text),))).rows
        assert found == sum(one.reason == text for one in records["builds"])


def test_what_is_new_and_what_is_there_come_together(store: Store) -> None:
    before, after = made(), made(first=COUNT // 2)
    store.write(Batch(1, before))
    after["builds"] = [replace(one, state=BuildState.FAILED, reason="other") for one in after["builds"]]
    store.write(Batch(2, after))
    assert list(store.scan("builds")) == [*before["builds"][: COUNT // 2 - 1], *after["builds"]]
    assert store.count(Query("builds")).rows == COUNT + COUNT // 2 - 1
    assert store.count(Query("builds", search="other")).rows == COUNT
    assert {(one.state, one.builds) for one in store.tallies() if one.builds} == {
        (BuildState.PENDING, COUNT // 2 - 1),
        (BuildState.FAILED, COUNT),
    }


def test_after_it_was_filled_a_server_knows_what_it_holds(server: Server, url: str, store: Store) -> None:
    store.clear()
    store.load(made())
    store.finish(1, {})
    database = url.rpartition("/")[2]
    match server:
        case PostgresqlServer():
            assert server.do("SELECT reltuples FROM pg_class WHERE relname = 'builds'", database) == [(COUNT,)]
        case MysqlServer():
            known = f"SELECT n_rows FROM mysql.innodb_table_stats WHERE database_name = '{database}'"
            assert server.do(f"{known} AND table_name = 'builds'") == ((COUNT,),)
        case _:  # it looks at what it holds when it is asked
            assert store.count(Query("builds")).rows == COUNT
