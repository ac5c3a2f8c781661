"""From the first published schema to today's: with the very bytes that were written then."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from job_orchestra.core.errors import Damaged, NewerSchema, OlderSchema
from job_orchestra.store import migrate
from job_orchestra.store.contract import SCHEMA_VERSION
from job_orchestra.store.migrate import Found
from job_orchestra.store.opening import open_store
from tests.kit.builders import spec

FIRST = Path(__file__).with_name("schema1.sql")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "history.db"
    made = sqlite3.connect(path)
    made.execute("PRAGMA journal_mode=WAL")
    made.executescript(FIRST.read_text("utf-8"))
    made.close()
    return path


def check(path: Path) -> None:
    """Assert that a store holds what the old one held."""
    store = open_store(f"sqlite:///{path}")
    try:
        first, second, third = store.scan("builds")
        assert (first.state, first.results, first.finished - first.started) == ("succeeded", {"version": "1.2"}, 895)
        assert third.reason == "tried again: its agent was lost"
        live = store.live(0)
        assert live.index == store.applied() == 42
        assert live.builds == (second, third)
        assert [one.build for one in live.attempts] == [second.id]
        assert live.requests == {"r-1": (second.created, (second.id,))}
        assert live.specs == {spec().digest(): spec()}
        assert [one.name for one in live.jobs] == ["lint", "test"]
        assert live.meta["number/shop/test"] == "2"
        assert {one.collection: one.rows for one in store.describe().sizes}["tasks"] == 2
    finally:
        store.close()


def test_an_older_store_is_brought_up_to_date(old: Path) -> None:
    url = f"sqlite:///{old}"
    with pytest.raises(OlderSchema, match="orchestra store migrate"):
        open_store(url)
    assert migrate.look(url) == Found(1, SCHEMA_VERSION, 11)
    told: list[int] = []
    migrate.migrate(url, told.append)
    assert sum(told) == 11
    check(old)
    assert migrate.look(url).schema == SCHEMA_VERSION
    migrate.migrate(url)  # nothing more to do
    check(old)
    assert [one.name for one in old.parent.iterdir()] == [old.name]


class Killed(BaseException):
    """Ends a migration where it stands, as a kill would."""


@pytest.mark.parametrize("place", ["first record", "last record", "before it takes its place"])
def test_killed_at_any_moment_it_is_simply_begun_again(place: str, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{old}"
    before = old.read_bytes()

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as planted:
        at: Callable[[int], None] = {"first record": die, "last record": _at(11, die)}.get(place, lambda _: None)
        if place == "before it takes its place":
            planted.setattr(Path, "replace", die)
        with pytest.raises(Killed):
            migrate.migrate(url, at)
    assert old.read_bytes() == before
    assert migrate.look(url).schema == 1
    migrate.migrate(url)
    check(old)


def _at(count: int, call: Callable[[], None]) -> Callable[[int], None]:
    """Return a progress that calls when so many records are over."""
    seen = 0

    def progress(rows: int) -> None:
        nonlocal seen
        seen += rows
        if seen >= count:
            call()

    return progress


def test_a_damaged_record_is_named_and_nothing_is_changed(old: Path) -> None:
    spoiled = sqlite3.connect(old)
    spoiled.execute("UPDATE builds SET doc = '{' WHERE serial = 2")
    spoiled.commit()
    spoiled.close()
    with pytest.raises(Damaged, match="a record of builds"):
        migrate.migrate(f"sqlite:///{old}")
    assert migrate.look(f"sqlite:///{old}").schema == 1


def test_a_newer_store_and_other_databases(old: Path) -> None:
    newer = sqlite3.connect(old)
    newer.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    newer.commit()
    newer.close()
    with pytest.raises(NewerSchema, match="upgrade"):
        migrate.look(f"sqlite:///{old}")
    assert migrate.look("memory:") == Found(SCHEMA_VERSION, SCHEMA_VERSION)
