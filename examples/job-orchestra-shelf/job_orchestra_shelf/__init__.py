"""A store for Job Orchestra in a file that only grows: each change is one line of JSON, appended.

What is there is read once, when the file is opened; answers then come from memory. A line that was not written to its
end, because the process was killed, is cut off: the agent's log has that change, and puts it in again. `reclaim`
writes the file anew, without what is no more.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from job_orchestra.core.errors import Damaged, DiskFull, InvalidInput, NewerSchema, StorageError
from job_orchestra.store.collections import COLLECTIONS
from job_orchestra.store.contract import SCHEMA_VERSION, Batch, Store
from job_orchestra.store.memory import MemoryStore
from job_orchestra.store.statistics import Description


def open_shelf(url: str) -> Store:
    """Open, and create where it is missing, the store that a URL such as `shelf:///home/ann/history.shelf` names."""
    scheme, _, path = url.partition("://")
    if scheme != "shelf" or not path.startswith("/") or path.endswith("/"):
        message = f"{url!r} names no file; write shelf:// and an absolute path, as shelf:///home/ann/history.shelf"
        raise InvalidInput(message)
    return ShelfStore(Path("/" + path.lstrip("/")))


_NOTHING = msgspec.Raw(b"null")


class Line(msgspec.Struct, omit_defaults=True):
    """One change: the method of the store that is called again, with its arguments."""

    does: str  # the method; "begin" for the first line of a file
    schema: int = 0  # of begin: version of the stored shape
    whole: msgspec.Raw = _NOTHING  # of begin: what the file holds from the beginning
    index: int = 0  # of write and finish
    meta: dict[str, str] = {}  # of write and finish
    records: dict[str, msgspec.Raw] = {}  # collection -> list of records; of write and load
    removed: dict[str, list[Any]] = {}  # collection -> keys; of write and remove


class ShelfStore(MemoryStore):
    """See Store: a memory whose changes are written down before they are made."""

    def __init__(self, path: Path) -> None:
        """Read what was written down."""
        super().__init__()
        self.url = f"shelf://{path}"
        self._path = path
        try:
            self._file = path.open("a+b", buffering=0)
        except OSError as problem:
            message = f"cannot open the store {self.url}: {problem.strerror}; check the path and its permissions"
            raise StorageError(message) from None
        try:
            self._replay()
        except BaseException:
            self._file.close()
            raise

    # -- what changes: written down first, then done

    def write(self, batch: Batch) -> bool:
        """See Store."""
        with self._finished():
            if batch.index <= self._applied:
                return False
            removed = {name: list(keys) for name, keys in batch.removed.items()}
            self._append(Line("write", 0, _NOTHING, batch.index, dict(batch.meta), _packed(batch.records), removed))
            return super().write(batch)

    def remove(self, collection: str, keys: Sequence[Any]) -> int:
        """See Store."""
        with self._finished():
            self._append(Line("remove", removed={collection: list(keys)}))
            return super().remove(collection, keys)

    def sweep(self) -> int:
        """See Store."""
        with self._finished():
            self._append(Line("sweep"))
            return super().sweep()

    def clear(self) -> None:
        """See Store."""
        self._append(Line("clear"))
        super().clear()

    def load(self, records: Mapping[str, Sequence[Any]]) -> None:
        """See Store."""
        self._check_unfinished()
        self._append(Line("load", records=_packed(records)))
        super().load(records)

    def finish(self, index: int, meta: Mapping[str, str]) -> None:
        """See Store."""
        self._check_unfinished()
        self._append(Line("finish", index=index, meta=dict(meta)))
        super().finish(index, meta)

    def restore(self, copy: Path) -> None:
        """See Store."""
        super().restore(copy)
        self.reclaim()

    # -- the file

    def flush(self) -> int:
        """See Store."""
        with self._finished():
            os.fsync(self._file.fileno())
            return self._applied

    def reclaim(self) -> int:
        """See Store: begin a new file with what is there, and let it take the place of the old one."""
        with self._finished():
            before = self._path.stat().st_size
            partial = self._path.with_name(f"{self._path.name}.partial")
            partial.write_bytes(_text(Line("begin", SCHEMA_VERSION, msgspec.Raw(self.dump()))))
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(self._path)
            self._file.close()
            self._file = self._path.open("a+b", buffering=0)
            return max(0, before - self._path.stat().st_size)

    def describe(self) -> Description:
        """See Store."""
        taken = self._path.stat().st_size
        return msgspec.structs.replace(super().describe(), url=self.url, kind="a shelf", bytes=taken)

    def close(self) -> None:
        """See Store."""
        self._file.close()

    def _append(self, line: Line) -> None:
        """Write a line down, or nothing of it."""
        try:
            end = self._file.seek(0, os.SEEK_END)
            text = _text(line)
            written = self._file.write(text)
            if written != len(text):
                self._file.truncate(end)
        except (OSError, ValueError) as problem:  # ValueError: it was closed
            message = f"cannot write to the store {self.url}: {problem}; check the disk and {self._path}"
            raise StorageError(message) from None
        if written != len(text):
            raise DiskFull(f"the disk is full: the store {self.url} cannot grow; free some space")

    def _replay(self) -> None:
        """Make all changes that were written down, in the memory alone."""
        end = self._file.seek(0)
        for number, text in enumerate(self._file, 1):
            if not text.endswith(b"\n"):
                break  # it was not written to its end
            try:
                self._make(msgspec.json.decode(text, type=Line))
            except (msgspec.DecodeError, KeyError) as problem:
                message = f"line {number} of {self._path} is damaged ({problem}); restore the store from a backup"
                raise Damaged(message) from None
            end += len(text)
        self._file.truncate(end)
        if not end:
            self._append(Line("begin", SCHEMA_VERSION))

    def _make(self, line: Line) -> None:
        if line.schema > SCHEMA_VERSION or line.does not in _DOES:
            message = f"the store {self.url} was written by a newer version of Job Orchestra; upgrade this machine"
            raise NewerSchema(message)
        memory, records = super(), _unpacked(line.records)
        removed = {
            name: [tuple(key) if isinstance(key, list) else key for key in keys] for name, keys in line.removed.items()
        }
        match line.does:
            case "begin" if line.whole != _NOTHING:
                self.undump(bytes(line.whole))
            case "write":
                memory.write(Batch(line.index, records, removed, line.meta))
            case "remove":
                for name, keys in removed.items():
                    memory.remove(name, keys)
            case "sweep":
                memory.sweep()
            case "clear":
                memory.clear()
            case "load":
                memory.load(records)
            case "finish":
                memory.finish(line.index, line.meta)
            case _:
                pass


_DOES = frozenset({"begin", "write", "remove", "sweep", "clear", "load", "finish"})


def _text(line: Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _packed(records: Mapping[str, Sequence[Any]]) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(msgspec.json.encode(found)) for name, found in records.items()}


def _unpacked(records: Mapping[str, msgspec.Raw]) -> dict[str, list[Any]]:
    return {name: msgspec.json.decode(found, type=list[COLLECTIONS[name].type]) for name, found in records.items()}
