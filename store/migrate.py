"""From the stored shape of an older version to today's: a new file, which replaces the old one when it is whole.

Of SQLite; other databases came with schema 2 and have had no other. Killed at any moment, the old file is untouched or
the new one is complete, and to begin again is all there is to do.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import Damaged, NewerSchema, StorageError
from .collections import COLLECTIONS
from .contract import SCHEMA_VERSION
from .opening import open_store
from .transfer import BATCH, Progress

_LEDGER = "ledger/"
_ORDER = {
    "builds": "serial",
    "attempts": "build, number",
    "tasks": "id",
    "jobs": "project, name",
    "agents": "id",
    "specs": "digest",
}
"""The collections of schema 1, each with its key."""


class Found(msgspec.Struct, frozen=True):
    """What a store is before it is migrated."""

    schema: int  # that it has
    wanted: int  # that this version needs
    rows: int = 0  # records to bring over


def look(url: str) -> Found:
    """Return which schema a store has. Raises StorageError where it cannot be read."""
    path = _path(url)
    if path is None or not path.exists():
        open_store(url).close()
        return Found(SCHEMA_VERSION, SCHEMA_VERSION)
    with closing(_open(path)) as old:
        schema = int(_meta(old).get("schema", str(SCHEMA_VERSION)))
        if schema > SCHEMA_VERSION:
            message = f"{url} has schema {schema}: a newer version wrote it; upgrade this machine"
            raise NewerSchema(message)
        rows = 0
        if schema < SCHEMA_VERSION:
            rows = sum(old.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in _ORDER)  # noqa: S608 - our words
        return Found(schema, SCHEMA_VERSION, rows)


def migrate(url: str, progress: Progress = lambda _: None) -> None:
    """Bring a store up to date. Nobody else may use it meanwhile. Raises StorageError, and leaves the old one alone."""
    path = _path(url)
    if path is None or look(url).schema == SCHEMA_VERSION:
        return
    target = path.with_name(f"{path.name}.migrating")
    for left in _files(target):
        left.unlink(missing_ok=True)
    new = open_store(f"sqlite:///{target}")
    try:
        with closing(_open(path)) as old:
            meta = _meta(old)
            new.clear()
            for name in _ORDER:
                for batch in _batches(old, name, path):
                    new.load({name: batch})
                    progress(len(batch))
            ledger = {one.removeprefix(_LEDGER): text for one, text in meta.items() if one.startswith(_LEDGER)}
            new.finish(int(meta.get("applied", "0")), ledger)
            new.flush()
            # what the old file's own log still holds would be taken for the new one's
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        new.close()
    for left in _files(path)[1:]:
        left.unlink(missing_ok=True)
    target.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _path(url: str) -> Path | None:
    scheme, _, rest = url.partition(":")
    return Path("/" + rest.lstrip("/")) if scheme == "sqlite" else None


def _files(path: Path) -> tuple[Path, ...]:
    return (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm")))


def _open(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)
    except sqlite3.Error as problem:
        message = f"cannot open {path}: {problem}; check its permissions"
        raise StorageError(message) from None


def _meta(old: sqlite3.Connection) -> dict[str, str]:
    try:
        return dict(old.execute("SELECT name, value FROM meta").fetchall())
    except sqlite3.OperationalError:
        return {}  # a new file, or none of ours: whoever opens it says so


def _batches(old: sqlite3.Connection, name: str, path: Path) -> Iterator[list[Any]]:
    """Yield a collection's records, some at a time."""
    decode: Callable[[str], Any] = msgspec.json.Decoder(COLLECTIONS[name].type).decode
    rows = old.execute(f"SELECT doc FROM {name} ORDER BY {_ORDER[name]}")  # noqa: S608 - our words
    while found := rows.fetchmany(BATCH):
        try:
            yield [decode(doc) for (doc,) in found]
        except msgspec.DecodeError as problem:
            message = f"{path} is damaged: a record of {name} cannot be read ({problem}); restore it from a backup"
            raise Damaged(message) from None
