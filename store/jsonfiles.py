"""A store in JSON files, for development: a folder that people read, search and compare with their own tools.

    store.json        what the store reflects, the ledger's settings, and which file holds which collection
    builds.17.json    a collection: one record per line, in the order of its key
    lock              held by who writes

Everything is in memory, and answers come from there (memory.py). A change writes the collections that it touched into
new files and then replaces `store.json`, so that a reader, and a crash, sees all of it or nothing. For some thousand
builds; a history that grows belongs into a database. Whoever else changes the folder is noticed before each call.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import Damaged, NewerSchema, StorageError
from ..core.model import Millis
from .collections import COLLECTIONS
from .contract import SCHEMA_VERSION, Batch
from .memory import MemoryStore
from .statistics import Description

HEAD = "store.json"
"""The file that says what counts."""

_UNREAD = (-1, -1, -1)  # in place of the mark of a `store.json`: the files are to be read
_ATTEMPTS = 20  # times that a reader begins again because the files were replaced while it read them


class _Head(msgspec.Struct):
    """What `store.json` holds."""

    schema: int = SCHEMA_VERSION  # version of the stored shape
    applied: int = 0  # index of the log entry that is reflected
    unfinished: bool = False  # whether it is being filled from another store
    files: dict[str, str] = {}  # collection -> file; none: it is empty
    meta: dict[str, str] = {}  # the ledger's counters and settings
    last: list[tuple[str, str, str, int]] = []  # project, job, state, highest number of a build that ever ended so
    days: list[tuple[str, Millis, int, int]] = []  # agent, day, attempts and milliseconds of what was taken out


class JsonStore(MemoryStore):
    """A folder of JSON files behind the contract."""

    def __init__(self, folder: Path) -> None:
        """Open, and create where it is missing, the store in a folder. Raises NewerSchema, Damaged or StorageError."""
        super().__init__()
        self.url = f"json:///{folder}"
        self._folder = folder
        self._seen: tuple[int, int, int] | None = _UNREAD  # which `store.json` the memory is of
        self._files: dict[str, str] = {}
        self._depth = 0  # calls of this thread that are under way: what they see does not change
        self._closed = False
        with self._files_guard("open"):
            folder.mkdir(parents=True, exist_ok=True)
        with self._current():
            pass

    # -- the contract: as in memory, between reading and writing files

    def write(self, batch: Batch) -> bool:
        """See Store."""
        return self._changing(lambda: super(JsonStore, self).write(batch), {*batch.records, *batch.removed})

    def flush(self) -> int:
        """See Store: but for the last name, what was written is durable already."""
        with self._current(), self._files_guard("flush"):
            self._sync_folder()
            return self._applied

    def applied(self) -> int:
        """See Store."""
        with self._current():
            return self._applied

    def describe(self) -> Description:
        """See Store."""
        with self._current():
            found = super().describe()
            taken = sum(one.stat().st_size for one in self._folder.iterdir() if one.is_file())
        return msgspec.structs.replace(found, url=self.url, kind="JSON files", bytes=taken)

    @contextmanager
    def steady(self) -> Iterator[bool]:
        """See Store."""
        with self._current():
            yield True

    def restore(self, copy: Path) -> None:
        """See Store."""
        self._changing(lambda: self._load(copy), set(COLLECTIONS))
        copy.unlink()

    def clear(self) -> None:
        """See Store."""
        self._changing(lambda: super(JsonStore, self).clear(), set(COLLECTIONS))

    def load(self, records: Mapping[str, Sequence[Any]]) -> None:
        """See Store: it is in the files once the store is finished; until then nobody can see it."""
        super().load(records)

    def finish(self, index: int, meta: Mapping[str, str]) -> None:
        """See Store."""
        self._changing(lambda: super(JsonStore, self).finish(index, meta), set(COLLECTIONS))

    def remove(self, collection: str, keys: Sequence[Any]) -> int:
        """See Store."""
        return self._changing(lambda: super(JsonStore, self).remove(collection, keys), {collection, "attempts"})

    def sweep(self) -> int:
        """See Store."""
        return self._changing(lambda: super(JsonStore, self).sweep(), {"specs"})

    def close(self) -> None:
        """See Store."""
        self._closed = True

    @contextmanager
    def _finished(self) -> Iterator[None]:
        with self._current(), super()._finished():
            yield

    # -- files

    def _changing(self, change: Callable[[], Any], touched: set[str]) -> Any:  # noqa: ANN401 - what the change returns
        """Let a change of the memory be one of the files, or of neither."""
        with self._lock, self._files_guard("write to"), (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self._current():
                try:
                    result = change()
                    if result is None or result:  # else nothing was changed
                        self._save(touched)
                except BaseException:
                    self._seen = _UNREAD  # the files count: they are read again
                    raise
                return result

    @contextmanager
    def _current(self) -> Iterator[None]:
        """Let the memory be what the files say, for as long as this thread looks at it."""
        with self._lock:
            if self._closed:
                message = f"the store {self.url} was closed; open it again"
                raise StorageError(message)
            if not self._depth:
                self._read()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    def _read(self) -> None:
        """Read the files if they are others than those that were read."""
        with self._files_guard("read"):
            for _ in range(_ATTEMPTS):
                seen = self._stamp()
                if seen == self._seen:
                    return
                try:
                    self._take(_Head() if seen is None else self._head())
                except FileNotFoundError:
                    continue  # somebody replaced them meanwhile
                if self._stamp() == seen:
                    self._seen = seen
                    return
        message = f"the store {self.url} lacks files that its {HEAD} names; restore it from a backup"
        raise Damaged(message)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            about = (self._folder / HEAD).stat()
        except FileNotFoundError:
            return None
        return (about.st_ino, about.st_mtime_ns, about.st_size)

    def _head(self) -> _Head:
        found: _Head = _decoded(self._folder / HEAD, _Head)
        if found.schema > SCHEMA_VERSION:
            message = (
                f"the store {self.url} has schema {found.schema}, this version of Job Orchestra knows "
                f"{SCHEMA_VERSION}: a newer one wrote it; upgrade this agent"
            )
            raise NewerSchema(message)
        return found

    def _take(self, head: _Head) -> None:
        rows = {name: _decoded(self._folder / file, list[COLLECTIONS[name].type]) for name, file in head.files.items()}
        self._forget()
        self._put(rows)
        self._applied, self._meta, self._unfinished, self._files = head.applied, head.meta, head.unfinished, head.files
        self._last = {(project, job, state): number for project, job, state, number in head.last}
        self._days.update({(agent, day): attempts for agent, day, attempts, _ in head.days})
        self._busy.update({(agent, day): busy for agent, day, _, busy in head.days})

    def _save(self, touched: set[str]) -> None:
        files, made = dict(self._files), 1 + max((int(one.split(".")[1]) for one in self._files.values()), default=0)
        for name in touched:
            files.pop(name, None)
            if self._rows[name] and not self._unfinished:
                files[name] = f"{name}.{made}.json"
                lines = [msgspec.json.encode(one) for one in self._sorted(COLLECTIONS[name])]
                self._put_file(files[name], b"[\n" + b",\n".join(lines) + b"\n]\n")
        self._sync_folder()
        head = _Head(
            applied=self._applied,
            unfinished=self._unfinished,
            files=dict(sorted(files.items())),
            meta=self._meta,
            last=[(*key, number) for key, number in sorted(self._last.items())],
            days=[(*key, self._days[key], busy) for key, busy in sorted(self._busy.items())],
        )
        self._put_file(HEAD, msgspec.json.format(msgspec.json.encode(head), indent=2) + b"\n")
        self._files, self._seen = files, self._stamp()
        for left in self._folder.glob("*.json"):  # also what a killed process left
            if left.name != HEAD and left.name not in files.values():
                with suppress(FileNotFoundError):
                    left.unlink()

    def _put_file(self, name: str, content: bytes) -> None:
        """Write a file, durable before it gets its name."""
        partial = self._folder / f".{name}.partial"
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._folder / name)

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _files_guard(self, doing: str) -> Iterator[None]:
        """Turn the system's errors into ours."""
        try:
            yield
        except OSError as error:
            message = (
                f"cannot {doing} the store {self.url}: {error.strerror}; check the disk and the permissions of "
                f"{self._folder}"
            )
            raise StorageError(message) from None


def _decoded(path: Path, shape: Any) -> Any:  # noqa: ANN401 - the type that is asked for
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except msgspec.DecodeError as problem:
        message = f"{path} is damaged ({problem}); correct it, or restore the store from a backup"
        raise Damaged(message) from None
