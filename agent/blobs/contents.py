"""The contents of directories by their SHA-256, of any size, and which directories they are kept for.

    small.db    contents of up to SMALL bytes, compressed: rows of an SQLite file, because a source tree has thousands
                of them, and a file with a sync for each would take a minute
    large/      the others, as blobs
    lock        held (shared) by whoever is about to put a directory together, and (alone) by whoever forgets contents

Used by several processes at a time: the agent, a client that packs a directory, the programs that fill a workspace and
collect from it. A directory (core/manifest.py) is *held* for a reason; contents that no held directory needs are
forgotten at the next sweep (forgetting). Methods block. Refuses to know what directories mean, and where else they are.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import zstandard

from ...core import manifest
from ...core.errors import Conflict, Damaged, DiskFull, NewerSchema, NotFound, StorageError
from ...core.manifest import Digest, Entry, Tree, Written
from .seekable import FRAME
from .store import Blobs

SMALL = FRAME - 1
"""Bytes up to which contents are rows. Larger: fewer files; smaller: less memory for one content."""

LEVEL = 1
"""Zstandard's level, as for blobs."""

BATCH = 8 << 20
"""Bytes at rest that are written in one transaction. Larger: fewer syncs; smaller: others who write wait less."""

BUSY_S = 60.0
"""Seconds to wait for another process that writes."""

USED_GRAIN_S = 60
"""Seconds by which a last use may be off; see blobs."""

_HELD = """
    SELECT root, why, name, size, used FROM held WHERE (?1 IS NULL OR why = ?1) AND (?2 IS NULL OR name = ?2)
    ORDER BY used DESC
"""
_LAST_USE = "SELECT max(used) FROM held WHERE root = ?1 AND NOT EXISTS (SELECT 1 FROM torn WHERE root = ?1)"
_FORMAT = 1
_DELETED = 5000  # contents forgotten in one transaction
_FRAME_LIMIT = SMALL + (SMALL >> 8) + 64  # Zstandard's bound
_SHAPE = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS content (digest BLOB PRIMARY KEY, frame BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS held (
        root BLOB NOT NULL, why TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, used INTEGER NOT NULL,
        PRIMARY KEY (why, name, root)
    ) WITHOUT ROWID;
    PRAGMA user_version = {_FORMAT};
    COMMIT;
"""
_TORN = "CREATE TABLE IF NOT EXISTS torn (root BLOB PRIMARY KEY) WITHOUT ROWID"  # others pass it over


class Why(StrEnum):
    """What a directory is held for."""

    SOURCE = "source"  # builds run in it, or did; or somebody here asked for it
    ARTIFACTS = "artifacts"  # a build left it; the name is the attempt's key
    CACHE = "cache"  # builds left it for later ones; the name is the project and the key


class Held(NamedTuple):
    """A directory that is held."""

    root: Digest  # which
    why: Why  # for what
    name: str  # for what, more closely
    size: int  # bytes of its files
    used: int  # when it was last used, seconds since the epoch


class Contents:
    """The contents on one machine."""

    def __init__(self, folder: Path) -> None:
        """Open or make the folder (0700). Raises StorageError with the remedy."""
        self.folder = folder
        self.large = Blobs(folder / "large")
        self._lock = threading.RLock()
        self._look_lock = threading.Lock()
        with self._guard("open"):
            # the agent uses it from several threads, one at a time
            self._db = self._connect()
            self._prepare()
            # whoever only asks whether a directory is here, as the event loop does, never waits for those who write
            self._looking = self._connect()

    def _connect(self) -> sqlite3.Connection:
        path = self.folder / "small.db"
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)

    def _prepare(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > _FORMAT:
            message = f"{self.folder} was written by a newer version of Job Orchestra; upgrade this agent"
            raise NewerSchema(message)
        if version < _FORMAT:
            self._db.execute("PRAGMA page_size=16384")  # most contents fit into one
            self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(_SHAPE)
        self._db.execute(_TORN)
        self._db.execute("PRAGMA synchronous=FULL")

    def close(self) -> None:
        """Give the file back."""
        self._looking.close()
        self._db.close()

    def __enter__(self) -> Self:
        """Use as a context manager: give the file back at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the file back."""
        self.close()

    # -- contents

    def lacking(self, digests: Iterable[Digest]) -> list[Digest]:
        """Return those of which the content is not here, in their order, each once."""
        with self._guard("read"), self._lock:
            has = self._db.execute
            return [
                one
                for one in dict.fromkeys(digests)
                if has("SELECT 1 FROM content WHERE digest = ?", (one,)).fetchone() is None
                and not self.large.has(one.hex())
            ]

    def read(self, digest: Digest) -> bytes:
        """Return a content of up to SMALL bytes. Raises NotFound, Damaged."""
        return content_of(self.frame(digest), digest)

    def frame(self, digest: Digest) -> bytes:
        """Return a content of up to SMALL bytes as it is at rest. Raises NotFound."""
        with self._guard("read"), self._lock:
            found = self._db.execute("SELECT frame FROM content WHERE digest = ?", (digest,)).fetchone()
        if found is None:
            message = f"the content {digest.hex()[:12]} is not on this machine (any more)"
            raise NotFound(message)
        return found[0]

    def stream(self, entry: Entry) -> Iterator[bytes]:
        """Yield the content of a file in parts of at most 1 MiB. Raises NotFound, Damaged."""
        if entry.size <= SMALL:
            yield self.read(entry.digest)
        else:
            yield from self.large.stream(entry.digest.hex())

    def part(self, entry: Entry, offset: int, limit: int) -> bytes:
        """Return at most `limit` bytes of a file from `offset` on. Raises NotFound, Damaged."""
        if entry.size <= SMALL:
            return self.read(entry.digest)[offset : offset + limit]
        return self.large.read(entry.digest.hex(), offset, limit)

    def writer(self) -> "Writer":
        """Return what puts many contents for far less than one by one."""
        return Writer(self)

    def put_frames(self, frames: Sequence[tuple[Digest, bytes]]) -> None:
        """Put contents that are at rest already and were checked; durable on return. Raises DiskFull, StorageError."""
        with self.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO content VALUES (?, ?)", frames)

    # -- directories

    def tree(self, root: Digest) -> Tree:
        """Return a directory's head. Raises NotFound, PeerError."""
        return manifest.read_tree(self.read(root))

    def entries(self, root: Digest) -> list[Entry]:
        """Return what is in a directory. Raises NotFound, PeerError."""
        tree = self.tree(root)
        return manifest.read_all(tree, (self.read(leaf) for leaf in tree.digests()))

    def hold(self, root: Digest, why: Why, name: str = "") -> None:
        """Keep a directory, all contents of which are here; it counts as a use. Durable on return."""
        size = self.tree(root).size
        with self.transaction() as db:
            db.execute("REPLACE INTO held VALUES (?, ?, ?, ?, ?)", (root, why.value, name, size, int(time.time())))
            db.execute("DELETE FROM torn WHERE root = ?", (root,))

    def holds(self, root: Digest) -> bool:
        """Whether a directory is here, with all contents as far as is known."""
        return self._last_use(root) is not None

    def tear(self, root: Digest) -> None:
        """Take note that contents of a directory are lost: it counts as not here until it is held anew."""
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO torn VALUES (?)", (root,))

    def torn(self, root: Digest) -> bool:
        """Whether a directory is known to lack contents, while what is left of it is held."""
        with self._guard("read"), self._look_lock:
            return self._looking.execute("SELECT 1 FROM torn WHERE root = ?", (root,)).fetchone() is not None

    def use(self, root: Digest) -> bool:
        """Take note that a directory is used; False when it is not here."""
        now, last = int(time.time()), self._last_use(root)
        if last is not None and not 0 <= now - last < USED_GRAIN_S:
            with self.transaction() as db:
                return bool(db.execute("UPDATE held SET used = ? WHERE root = ?", (now, root)).rowcount)
        return last is not None

    def _last_use(self, root: Digest) -> int | None:
        with self._guard("read"), self._look_lock:
            return self._looking.execute(_LAST_USE, (root,)).fetchone()[0]

    def held(self, why: Why | None = None, name: str | None = None) -> list[Held]:
        """Return the directories that are held (None: for whatever), the last used first."""
        with self._guard("read"), self._lock:
            found = self._db.execute(_HELD, (why and why.value, name)).fetchall()
        return [Held(root, Why(reason), text, size, used) for root, reason, text, size, used in found]

    def release(self, root: Digest, why: Why, name: str = "", *, unused_since: int | None = None) -> bool:
        """Let a directory go: what only it needed is forgotten at the next sweep. Return whether it went.

        With `unused_since`, only if that is still its last use.
        """
        query = "DELETE FROM held WHERE root = ?1 AND why = ?2 AND name = ?3 AND (?4 IS NULL OR used = ?4)"
        with self.transaction() as db:
            return bool(db.execute(query, (root, why.value, name, unused_since)).rowcount)

    # -- forgetting

    @contextmanager
    def staying(self) -> Iterator[None]:
        """Let no content be forgotten meanwhile: for who looks what is here, and is about to hold it."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @property
    def total(self) -> int:
        """The bytes that all contents take on the disk."""
        with self._guard("read"), self._lock:
            pages, free, size = (
                self._db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return (pages - free) * size + self.large.recount()

    def sizes(self) -> dict[Digest, int]:
        """Return the bytes that each content takes at rest."""
        with self._guard("read"), self._lock:
            found = dict(self._db.execute("SELECT digest, length(frame) FROM content"))
        for digest, size in self.large.sizes():
            found[bytes.fromhex(digest)] = size
        return found

    def forget(self, digests: Sequence[Digest]) -> None:
        """Remove contents, and give the space back. Nothing that is held may need them."""
        for at in range(0, len(digests), _DELETED):
            with self.transaction() as db:
                db.executemany("DELETE FROM content WHERE digest = ?", [(one,) for one in digests[at : at + _DELETED]])
        with self._guard("write to"), self._lock:
            self._db.execute("DELETE FROM torn WHERE root NOT IN (SELECT root FROM held)")
            # as a script: `execute` would take but the first of its steps, each of which gives back one page
            self._db.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")
        for digest in digests:
            self.large.remove(digest.hex())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody put a directory together meanwhile: for who forgets. Raises Conflict where somebody just does."""
        try:
            with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield
        except BlockingIOError:
            message = f"a directory is just being put together in {self.folder}; try again in a moment"
            raise Conflict(message) from None

    # -- inside

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside, or nothing of it."""
        with self._guard("write to"), self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _guard(self, doing: str) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as problem:
            code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_FULL:
                message = f"the disk is full: cannot {doing} {self.folder}; free some space and try again"
                raise DiskFull(message) from None
            if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                message = f"{self.folder} is damaged ({problem}); stop the agent and move it away: it is filled anew"
                raise Damaged(message) from None
            message = f"cannot {doing} {self.folder}: {problem}; check the disk and the permissions"
            raise StorageError(message) from None


class Writer:
    """Puts contents in batches. A context manager: at its end all are durable, unless something went wrong."""

    def __init__(self, contents: Contents) -> None:
        """Put into `contents`."""
        self._contents = contents
        self._compress = zstandard.ZstdCompressor(level=LEVEL).compress
        self._frames: dict[Digest, bytes] = {}
        self._size = 0

    def put(self, content: bytes) -> Digest:
        """Put a content of up to SMALL bytes; return its digest."""
        digest = sha256(content).digest()
        if digest not in self._frames:
            frame = self._frames[digest] = self._compress(content)
            self._size += len(frame)
            if self._size > BATCH:
                self.flush()
        return digest

    def put_file(self, file: BinaryIO) -> tuple[Digest, int]:
        """Put what is left of a file, whatever its size; return digest and bytes. Raises OSError where it fails."""
        size = 0

        def frames() -> Iterator[bytes]:
            nonlocal size
            part = first
            while part:
                size += len(part)
                yield part
                part = file.read(FRAME)

        first = file.read(FRAME)
        if len(first) < FRAME:
            return self.put(first), len(first)
        return bytes.fromhex(self._contents.large.put_frames(frames())), size

    def put_directory(self, written: Written) -> Digest:
        """Put the list of a directory whose files are here; return the digest that stands for it."""
        for one in written.contents:
            self.put(one)
        return written.root

    def flush(self) -> None:
        """Write what was put. Durable on return."""
        self._contents.put_frames(list(self._frames.items()))
        self._frames.clear()
        self._size = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Write the rest."""
        if kind is None and self._frames:
            self.flush()


def content_of(frame: bytes, digest: Digest) -> bytes:
    """Return what a frame holds. Raises Damaged where that is not what its digest says, or more than SMALL bytes."""
    try:
        if len(frame) > _FRAME_LIMIT or not 0 <= zstandard.frame_content_size(frame) <= SMALL:
            raise Damaged(f"the content {digest.hex()[:12]} is not packed as it should be")
        content = zstandard.ZstdDecompressor(max_window_size=SMALL).decompress(
            frame, max_output_size=SMALL, allow_extra_data=False
        )
    except zstandard.ZstdError as problem:
        raise Damaged(f"the content {digest.hex()[:12]} cannot be unpacked ({problem})") from None
    if sha256(content).digest() != digest:
        raise Damaged(f"the content {digest.hex()[:12]} is something else; it has to be fetched again")
    return content
