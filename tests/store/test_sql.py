"""What only a store on disk can do: be damaged, newer, locked, full, killed; and the plans of its queries."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from job_orchestra.core.errors import Damaged, DiskFull, Exit, NewerSchema, StorageError
from job_orchestra.core.model import BuildState
from job_orchestra.store.contract import SCHEMA_VERSION, Batch
from job_orchestra.store.query import Filter, Operator, Order, Query
from job_orchestra.store.sql.store import SqlStore
from tests.kit.builders import T0, attempt, batch, build, spec, task

S = BuildState
RESTORE = "start its agent anew, which rebuilds it from its log or from another agent; or restore it from a backup"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    opened = SqlStore.sqlite(path)
    yield opened
    opened.close()


def some(index: int = 1, count: int = 50) -> Batch:
    builds = tuple(build(serial) for serial in range(1, count + 1))
    return batch(
        index,
        builds=builds,
        attempts=tuple(attempt(one) for one in builds),
        tasks=tuple(task(number) for number in range(1, count + 1)),
        specs=(spec(),),
    )


def refused(path: Path, kind: type[StorageError]) -> str:
    with pytest.raises(StorageError) as raised:
        SqlStore.sqlite(path)
    assert type(raised.value) is kind
    return str(raised.value)


# -- opening


def test_what_was_written_is_there_after_reopening(path: Path) -> None:
    first = SqlStore.sqlite(path)
    first.write(some())
    remembered = first.live(0)
    assert first.flush() == 1
    first.close()
    second = SqlStore.sqlite(path)
    assert second.applied() == 1
    assert second.live(0) == remembered
    assert not second.write(some())
    second.close()


def test_the_schema_is_written_down(path: Path, store: SqlStore) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() == (str(SCHEMA_VERSION),)
    connection.close()


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    SqlStore.sqlite(path).close()
    change(path, f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE name = 'schema'")
    before = path.read_bytes()
    assert refused(path, NewerSchema) == (
        f"the store sqlite:///{path} has schema {SCHEMA_VERSION + 1}, this version of Job Orchestra knows "
        f"{SCHEMA_VERSION}: a newer one wrote it; upgrade this agent"
    )
    assert path.read_bytes() == before


def test_the_file_of_a_refused_store_is_closed(path: Path) -> None:
    SqlStore.sqlite(path).close()
    change(path, f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE name = 'schema'")
    with pytest.raises(NewerSchema) as raised:
        SqlStore.sqlite(path)
    opened = {one.path for one in psutil.Process().open_files()}
    assert str(path.resolve()) not in opened, raised.value  # which keeps alive what was local when it was raised


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_another_kind_of_file_is_damage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)
    assert refused(path, Damaged) == f"the store sqlite:///{path} is damaged (file is not a database); {RESTORE}"
    assert path.read_bytes().startswith(b"this is no database"), "left for whoever can read it"


def test_overwritten_pages_are_damage(path: Path) -> None:
    store = SqlStore.sqlite(path)
    store.write(some(count=500))
    store.flush()
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\x55" * (len(whole) - 4096))
    assert f"is damaged (database disk image is malformed); {RESTORE}" in refused(path, Damaged)


def test_a_record_that_cannot_be_read_is_damage(path: Path, store: SqlStore) -> None:
    store.write(some())
    for doc in ("'{'", "''", "'{\"id\": 5}'", "'[]'"):
        change(path, f"UPDATE builds SET doc = {doc} WHERE serial = 7")
        for read in (
            lambda: store.live(0),
            lambda: store.get("builds", build(7).id),
            lambda: store.find(Query("builds")),
        ):
            with pytest.raises(Damaged, match="a record of builds cannot be read") as raised:
                read()
            assert str(raised.value).endswith(RESTORE)
    assert store.get("builds", build(8).id) == build(8), "the others are read"


def test_a_spec_that_cannot_be_read_is_damage(path: Path, store: SqlStore) -> None:
    store.write(some())
    change(path, "UPDATE specs SET doc = 'x'")
    with pytest.raises(Damaged, match="a record of specs cannot be read"):
        store.live(0)


def test_a_missing_directory(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "history.db"
    assert refused(path, StorageError) == (
        f"cannot open the store sqlite:///{path}: unable to open database file; "
        f"check the disk and the permissions of {path}"
    )


def test_a_directory_is_no_store(tmp_path: Path) -> None:
    assert "check the disk and the permissions of" in refused(tmp_path, StorageError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o500)
    assert "check the disk and the permissions of" in refused(folder / "history.db", StorageError)


def test_a_store_that_may_only_be_read(path: Path, store: SqlStore) -> None:
    store.write(some())
    store._db.execute_sql("PRAGMA query_only = on")
    with pytest.raises(StorageError) as raised:
        store.write(batch(2))
    assert str(raised.value).startswith(
        f"cannot write to the store sqlite:///{path}: attempt to write a readonly database"
    )
    assert str(raised.value).endswith(f"check the disk and the permissions of {path}")
    assert store.applied() == 1


def test_a_closed_store_says_so(store: SqlStore) -> None:
    store.close()
    with pytest.raises(StorageError, match="closed"):
        store.applied()


# -- all or nothing


def test_a_full_disk_changes_nothing(store: SqlStore) -> None:
    store.write(some())
    before = store.live(0)
    store._db.execute_sql(f"PRAGMA max_page_count = {store._db.execute_sql('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(DiskFull) as raised:
        store.write(some(2, count=5000))
    assert str(raised.value) == f"the disk is full: the store {store.url} cannot grow; free some space"
    assert (raised.value.retryable, raised.value.exit_code) == (True, Exit.UNAVAILABLE)
    assert store.live(0) == before
    store._db.execute_sql("PRAGMA max_page_count = 1000000")
    assert store.write(some(2, count=5000))
    assert len(store.live(0).builds) == 5000


def test_a_batch_with_a_record_that_cannot_be_written_changes_nothing(store: SqlStore) -> None:
    store.write(some(count=2))
    before = store.live(0)
    with pytest.raises(UnicodeEncodeError):
        store.write(batch(2, builds=(build(3), build(4, requester="\ud800"))))
    assert store.live(0) == before
    assert store.write(batch(2, builds=(build(3),)))


def test_a_locked_store_is_told_of_and_works_again(path: Path, store: SqlStore) -> None:
    store._db.execute_sql("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match=r"cannot write to the store .*: database is locked; check"):
        store.write(some())
    assert store.applied() == 0
    other.rollback()
    other.close()
    assert store.write(some())


def test_readers_see_one_state_while_another_writes(path: Path, store: SqlStore) -> None:
    store.write(some(count=3))
    writer = SqlStore.sqlite(path)
    with store._db.atomic():
        before = store.live(0)
        assert writer.write(batch(2, builds=(build(1, state=S.CANCELLED), build(4))))
        assert store.live(0) == before
    assert [one.serial for one in store.live(0).builds] == [2, 3, 4]
    assert store.live(0).index == 2
    writer.close()


def test_two_writers_do_not_undo_each_other(path: Path, store: SqlStore) -> None:
    other = SqlStore.sqlite(path)
    assert other.write(some(7))
    assert not store.write(batch(7, builds=(build(1, state=S.CANCELLED),)))
    assert store.applied() == 7
    assert store.get("builds", build(1).id) == build(1)
    other.close()


DYING = """
import os, sys
from pathlib import Path
from job_orchestra.core.ids import build_id
from job_orchestra.core.definition import Spec, Step
from job_orchestra.core.model import Build, BuildState
from job_orchestra.store.contract import Batch
from job_orchestra.store.sql.sqlite import Sqlite
from job_orchestra.store.sql.store import SqlStore

class Dying(SqlStore):
    def {method}(self, *arguments, **named):
        super().{method}(*arguments, **named)
        if {when}:
            os._exit(9)

def builds(state, serials):
    digest = Spec((Step("run", "make"),)).digest()
    return tuple(
        Build(build_id(one), one, "shop", "test", one, state, digest, 1000 + one) for one in serials
    )

store = Dying(Sqlite(Path(sys.argv[1])))
assert store.write(Batch(1, {{"builds": builds(BuildState.PENDING, range(1, 300))}}, meta={{"counters": "one"}}))
store.write(Batch(2, {{"builds": builds(BuildState.CANCELLED, range(1, 600))}}, meta={{"counters": "two"}}))
"""


@pytest.mark.parametrize(
    ("method", "when"),
    [
        ("_put", "arguments[0].name == 'builds' and len(arguments[1]) == 599"),
        ("_add", "self._applied == 1"),
        ("_put_meta", "'two' in str(arguments[0].get('ledger/counters'))"),
        ("_put_meta", "arguments[0].get('applied') == '2'"),
    ],
)
def test_killed_in_the_middle_of_a_write_it_holds_the_batch_before(path: Path, method: str, when: str) -> None:
    script = DYING.format(method=method, when=when)
    ended = subprocess.run([sys.executable, "-c", script, path], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (9, "")
    store = SqlStore.sqlite(path)
    assert store.applied() == 1
    assert store.live(0).meta == {"counters": "one"}
    page = store.find(Query("builds", limit=1000))
    assert len(page.rows) == 299
    assert {one.state for one in page.rows} == {S.PENDING}
    assert store.write(batch(2, builds=(build(300),)))
    store.close()


def test_a_backup_is_a_store(store: SqlStore, tmp_path: Path) -> None:
    store.write(some())
    store.backup(tmp_path / "copy.db")
    store.write(batch(2, builds=(build(1, state=S.CANCELLED),)))
    copy = SqlStore.sqlite(tmp_path / "copy.db")
    assert copy.applied() == 1
    assert copy.get("builds", build(1).id) == build(1)
    assert len(copy.live(0).builds) == 50
    copy.close()


def test_half_a_backup_is_removed(store: SqlStore, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits are those of POSIX")
    store.write(some(count=2000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(StorageError) as raised:
            store.backup(tmp_path / "copy.db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(raised.value).startswith(f"cannot write the backup {tmp_path}/copy.db: ")
    assert [one.name for one in tmp_path.glob("copy*")] == []
    store.backup(tmp_path / "copy.db")


# -- plans


def where(**fields: str | int) -> tuple[Filter, ...]:
    return tuple(Filter(name, Operator.EQ, value) for name, value in fields.items())


IN_ORDER = {
    "the default listing": (Query("builds"), "SCAN t1"),
    "oldest first": (Query("builds", order=(Order("created"),)), "SCAN t1"),
    "by project": (Query("builds", where(project="shop")), "SEARCH t1 USING INDEX builds_project_serial"),
    "by job": (Query("builds", where(project="shop", job="test")), "SEARCH t1 USING INDEX builds_project_job_number"),
    "by job, oldest first": (
        Query("builds", where(project="shop", job="test"), (Order("created"),)),
        "SEARCH t1 USING INDEX builds_project_job_number",
    ),
    "by label": (
        Query("builds", where(project="shop", job="test", number=7)),
        "SEARCH t1 USING INDEX builds_project_job_number",
    ),
    "by state": (Query("builds", where(state="pending")), "SEARCH t1 USING INDEX builds_state_serial"),
    "by agent": (Query("builds", where(agent="a1")), "SEARCH t1 USING INDEX builds_agent_serial"),
    "by id": (Query("builds", where(id=build(7).id)), "SEARCH t1 USING INTEGER PRIMARY KEY (rowid=?)"),
    "the last": (Query("builds", order=(Order("serial", descending=True),), limit=1), "SCAN t1"),
    "the attempts of a build": (
        Query("attempts", where(build=build(7).id), (Order("number"),), limit=1000),
        "SEARCH t1 USING PRIMARY KEY (serial=?)",
    ),
    "the attempts of a build by key": (
        Query("attempts", where(build=build(7).id)),
        "SEARCH t1 USING PRIMARY KEY (serial=?)",
    ),
    "tasks": (Query("tasks"), "SCAN t1"),
    "jobs": (Query("jobs"), "SCAN t1"),
    "agents": (Query("agents"), "SCAN t1 USING INDEX"),
}


@pytest.mark.parametrize("which", IN_ORDER)
def test_rows_come_from_an_index_in_their_order(store: SqlStore, which: str) -> None:
    query, by = IN_ORDER[which]
    (step,) = store.plan(query)
    assert step == by if by == "SCAN t1" else step.startswith(by)


@pytest.mark.parametrize(
    "which",
    ["the default listing", "oldest first", "by project", "by job", "by job, oldest first", "by state", "by agent"],
)
def test_later_pages_begin_where_the_last_one_ended(store: SqlStore, which: str) -> None:
    builds = tuple(build(serial, agent="a1") for serial in range(1, 6))
    store.write(batch(1, builds=builds))
    query, by = IN_ORDER[which]
    first = store.find(Query(query.collection, query.where, query.order, limit=2))
    assert first.next
    (step,) = store.plan(Query(query.collection, query.where, query.order, limit=2, after=first.next))
    assert step.startswith("SEARCH")
    assert step.startswith(by) or "INTEGER PRIMARY KEY (rowid" in step
    assert "<?)" in step or ">?)" in step, "the cursor bounds the search"


def test_a_later_page_of_an_order_by_two_fields_is_searched_for(store: SqlStore) -> None:
    store.write(batch(1, builds=tuple(build(serial) for serial in range(1, 6))))
    query = Query("builds", order=(Order("state"),), limit=2)
    assert store.plan(query) == ["SCAN t1 USING INDEX builds_state_serial"]
    later = Query("builds", order=(Order("state"),), limit=9, after=store.find(query).next)
    assert store.plan(later) == [
        "SEARCH t1 USING INDEX builds_state_serial (state=? AND serial>?)",
        "SEARCH t1 USING INDEX builds_state_serial (state>?)",
    ]


def test_orders_without_an_index_are_sorted_in_the_database(store: SqlStore) -> None:
    (step, *sorting) = store.plan(Query("builds", order=(Order("log_bytes"),)))
    assert (step, sorting) == ("SCAN t1", ["USE TEMP B-TREE FOR ORDER BY"])
    builds = [build(1, finished=None), build(2, finished=T0), build(3, finished=T0 - 1)]
    store.write(batch(1, builds=tuple(builds)))
    page = store.find(Query("builds", order=(Order("finished"),)))
    assert [one.serial for one in page.rows] == [1, 3, 2]


def test_failures_have_indexes_of_their_own(store: SqlStore) -> None:
    for fields, name in (
        ({"project": "shop"}, "builds_project_state_serial_few"),
        ({"project": "shop", "job": "test"}, "builds_project_job_state_number_few"),
    ):
        failed = (*where(**fields), Filter("state", Operator.IN, ("error", "failed", "lost")))
        assert all(step.startswith(f"SEARCH t1 USING INDEX {name} ") for step in store.plan(Query("builds", failed)))
        for state in ("succeeded", "running"):
            (step,) = store.plan(Query("builds", where(**fields, state=state)))
            assert step.startswith("SEARCH t1 USING INDEX builds_")


def test_indexes_of_versions_before_are_taken_out(path: Path) -> None:
    SqlStore.sqlite(path).close()
    few = "builds_project_state_serial_few"
    change(path, f"DROP INDEX {few}")
    change(path, "CREATE INDEX builds_project_state_serial ON builds (project, state, serial)")
    change(path, "UPDATE meta SET value = 'before' WHERE name = 'layout'")
    SqlStore.sqlite(path).close()
    connection = sqlite3.connect(path)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    connection.close()
    assert few in names
    assert "builds_project_state_serial" not in names


def test_a_record_that_takes_the_place_of_another_one_replaces_all_of_it(store: SqlStore) -> None:
    store.write(batch(1, builds=(build(1, requester="ann"), build(2, requester="ann"))))
    other = build(1, requester="bob", job="lint", number=7, created=T0 + 9)
    store.write(batch(2, builds=(other, build(2, requester="ann", state=S.FAILED))))
    assert store.find(Query("builds", where(requester="bob"))).rows == (other,)
    assert [one.serial for one in store.find(Query("builds", where(requester="ann"))).rows] == [2]
    assert store.find(Query("builds", where(project="shop", job="lint"))).rows == (other,)
    assert store.count(Query("builds", where(job="lint"))).rows == 1


def test_indexes_are_made_when_a_store_is_filled(path: Path, store: SqlStore) -> None:
    def indexes() -> int:
        connection = sqlite3.connect(path)
        (count,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'index' AND sql > ''").fetchone()
        connection.close()
        return count

    before = indexes()
    store.clear()
    store.load({"builds": [build(1), build(2)]})
    assert indexes() == 0
    store.finish(7, {})
    assert indexes() == before
    assert store.plan(Query("builds", where(agent="a1")))[0].startswith("SEARCH t1 USING INDEX builds_agent_serial")
