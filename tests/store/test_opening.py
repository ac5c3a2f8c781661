"""From a URL to a store."""

import sys
from pathlib import Path

import pytest

from job_orchestra.core.errors import InvalidInput, StorageError
from job_orchestra.store.memory import MemoryStore
from job_orchestra.store.opening import open_store
from job_orchestra.store.sql.store import SqlStore

OPTIONS = "ssl_ca, ssl_cert, ssl_key, ssl_verify_cert, ssl_verify_identity, unix_socket"
ALL = "sqlite:, postgresql:, mysql:, mongodb:, mongodb+srv:, json:, memory:"
EXAMPLE = "(for example sqlite:///var/lib/orchestra/history.db)"


@pytest.mark.parametrize("slashes", ["sqlite:///", "sqlite://"])
def test_sqlite(tmp_path: Path, slashes: str) -> None:
    path = tmp_path / "history.db"
    store = open_store(f"{slashes}{path}")
    assert isinstance(store, SqlStore)
    assert store.url == f"sqlite:///{path}"
    assert path.exists()
    store.close()
    again = open_store(store.url)
    assert again.url == store.url
    again.close()


def test_memory() -> None:
    store = open_store("memory:")
    assert isinstance(store, MemoryStore)
    assert store.url == "memory:"
    assert store is not open_store("memory:")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", f"'' names no store; there are: {ALL} {EXAMPLE}"),
        ("/var/x.db", f"'/var/x.db' names no store; there are: {ALL} {EXAMPLE}"),
        ("mysq://ann:secret@h/x", f"'mysq://h/x' names no store; did you mean mysql:? {EXAMPLE}"),
        ("mysql:x", "'mysql:x' names no database; write mysql://user:password@host/database"),
        (
            "postgresql://ann:secret@h",
            "'postgresql://h' names no database; write postgresql://user:password@host/database",
        ),
        (
            "mysql://h/x?tls=1",
            f"the store's URL has an unknown option 'tls'; there are: {OPTIONS}",
        ),
        (
            "oracle://ann:secret@h/x",
            (
                f"'oracle://h/x' names no store; there are: {ALL}; for oracle: install a package that provides it "
                f"(entry point group job_orchestra.stores) {EXAMPLE}"
            ),
        ),
        ("json:x", "'json:x' names no folder; write json:/// and the path, as json:////home/ann/history"),
        ("sqlit:///x", f"'sqlit:///x' names no store; did you mean sqlite:? {EXAMPLE}"),
        ("memory", f"'memory' names no store; did you mean memory:? {EXAMPLE}"),
        ("sqlite", f"'sqlite' names no store; did you mean sqlite:? {EXAMPLE}"),
        ("memory:x", "write just memory: (it has no path; what it holds ends with the agent)"),
        *[
            (
                f"sqlite:{rest}",
                f"'sqlite:{rest}' names no file; write sqlite:/// and the path, as sqlite:////home/ann/history.db",
            )
            for rest in ("", "x.db", "/x.db", "//host/x.db", "///", "////", "///folder/")
        ],
    ],
)
def test_urls_that_name_none(url: str, told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        open_store(url)
    assert str(refused.value) == told


@pytest.mark.parametrize(
    ("scheme", "driver", "module"),
    [
        ("postgresql", "psycopg", "sql.postgresql"),
        ("mysql", "pymysql", "sql.mysql"),
        ("mongodb", "pymongo", "mongo.deployment"),
    ],
)
def test_a_missing_driver_is_told_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, scheme: str, driver: str, module: str
) -> None:
    for one in [one for one in sys.modules if one.startswith(f"job_orchestra.store.{module.partition('.')[0]}.")]:
        monkeypatch.delitem(sys.modules, one)
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(StorageError) as refused:
        open_store(f"{scheme}://ann:secret@localhost/history")
    assert str(refused.value) == (
        f"a store at {scheme}: needs a driver that is not installed ({driver}); install it with: "
        f"pipx install --force 'job-orchestra[{scheme}]' (or: pip install 'job-orchestra[{scheme}]')"
    )


def test_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="unable to open database file"):
        open_store(f"sqlite:///{tmp_path}/missing/history.db")


def test_long_urls_are_shown_shortened() -> None:
    with pytest.raises(InvalidInput) as refused:
        open_store("x" * 10_000)
    assert len(str(refused.value)) < 300
