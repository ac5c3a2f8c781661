"""From a URL to a store."""

from pathlib import Path

import pytest

from job_orchestra.core.errors import InvalidInput, StorageError
from job_orchestra.store.memory import MemoryStore
from job_orchestra.store.opening import open_store
from job_orchestra.store.sql.store import SqlStore

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
        ("", f"'' names no store; there are: sqlite:, memory: {EXAMPLE}"),
        ("/var/x.db", f"'/var/x.db' names no store; there are: sqlite:, memory: {EXAMPLE}"),
        ("mysql://h/x", f"'mysql://h/x' names no store; there are: sqlite:, memory: {EXAMPLE}"),
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


def test_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="unable to open database file"):
        open_store(f"sqlite:///{tmp_path}/missing/history.db")


def test_long_urls_are_shown_shortened() -> None:
    with pytest.raises(InvalidInput) as refused:
        open_store("x" * 10_000)
    assert len(str(refused.value)) < 300
