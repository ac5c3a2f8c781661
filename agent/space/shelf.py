"""The way to the blob space and back: opened when it is first needed, asked in threads, and never believed.

What comes from there is taken only if its digest is right. A space that fails is left alone for a moment, so that who
reads is not kept waiting again and again. Refuses to know when something is put, and when it is removed.
"""

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ...core.errors import DiskFull, InvalidInput, NotFound, StorageError
from ...core.ids import is_digest
from ...core.manifest import Digest, Tree
from ...core.model import Attempt
from ...store.space.contract import BlobSpace, Kept
from ..blobs import Blobs, Contents, seekable
from ..blobs.seekable import FRAME
from ..paths import Paths
from . import bundle

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Calls that are under way at a time. More: it catches up sooner; fewer: it gives way to what else the space does."""

LEFT_ALONE_S = 10.0
"""Seconds for which a space that failed to open is not tried again. Larger: it is back later; smaller: readers wait."""

ANSWER_S = 60.0
"""Seconds for it to say what it lacks. A share whose server is gone may keep a call for ever."""

_LISTED = 1000
_SCRATCH = "space-"
_T = TypeVar("_T")


class Shelf:
    """A blob space, as this agent has it."""

    def __init__(self, open_space: Callable[[], BlobSpace], paths: Paths, blobs: Blobs, contents: Contents) -> None:
        """Use what `open_space` opens, for logs that are in `blobs` and directories that are in `contents`."""
        self._open = open_space
        self._paths = paths
        self._blobs = blobs
        self._contents = contents
        self._opening = threading.Lock()
        self._space: BlobSpace | None = None
        self._failed = -LEFT_ALONE_S, ""  # when opening it failed last, and why
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="space")
        for left in paths.incoming(_SCRATCH).parent.glob(f"{_SCRATCH}*"):  # by an agent that was killed
            left.unlink(missing_ok=True)

    # -- to the space

    async def lacking(self, names: Sequence[str]) -> list[str]:
        """Return those of some names that it does not hold. Raises StorageError, also where no answer comes."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._call(lambda space: space.lacking(names))
        except TimeoutError:
            message = f"the blob space did not answer for {ANSWER_S:g} s; check that it is mounted and answers"
            raise StorageError(message) from None

    async def put_log(self, attempt: Attempt) -> None:
        """Put the log of an attempt, which is on this machine. Raises NotFound where it is not; StorageError."""
        await self._call(lambda space: self._put_log(space, attempt))

    async def put_tree(self, root: str) -> None:
        """Put a directory (hex) that is on this machine. Raises NotFound where it is not; StorageError."""
        digest = bytes.fromhex(root)
        await self._call(lambda space: space.put(tree_name(root), bundle.parts_of(self._contents, digest)))

    async def remove_unless(self, known: Callable[[Kept], bool]) -> int:
        """Remove all that is not `known`; return how much. Raises StorageError."""
        return await self._call(lambda space: _remove_unless(space, known))

    def _put_log(self, space: BlobSpace, attempt: Attempt) -> None:
        name = log_name(attempt.log)
        if self._blobs.has(attempt.log):
            space.put(name, _file(self._blobs.file(attempt.log)))
            return
        scratch = self._scratch()
        try:
            if self._pack(self._paths.log(attempt.key), scratch) != attempt.log:
                raise NotFound(f"the log of {attempt.key} is not on this machine")
            space.put(name, _file(scratch))
        finally:
            scratch.unlink(missing_ok=True)

    @staticmethod
    def _pack(path: Path, target: Path) -> str:
        """Write the form of a log at rest; return its digest, an empty one where there is no log."""
        try:
            with path.open("rb") as file, target.open("wb") as packed:
                return seekable.pack(iter(lambda: file.read(FRAME), b""), packed.write).digest
        except FileNotFoundError:
            return ""

    # -- from the space

    async def fetch_log(self, digest: str) -> bool:
        """Have a log among this machine's blobs; whether the space could give it. Raises DiskFull, LimitReached."""
        return is_digest(digest) and await self._fetch(lambda space: self._take_log(space, digest))

    async def fetch_tree(self, root: Digest, check_room: Callable[[Tree], None]) -> bool:
        """See Trees.last_resort."""
        return await self._fetch(lambda space: self._take_tree(space, root, check_room))

    async def _fetch(self, take: Callable[[BlobSpace], None]) -> bool:
        try:
            await self._call(take)
        except DiskFull:  # this machine's
            raise
        except NotFound:
            return False
        except (StorageError, InvalidInput) as problem:
            log.warning("space.not-had: %s", problem)
            return False
        return True

    def _take_log(self, space: BlobSpace, digest: str) -> None:
        scratch = self._scratch()
        try:
            with scratch.open("wb") as file:
                for part in space.get(log_name(digest)):
                    file.write(part)
            self._blobs.adopt(scratch, digest)
        finally:
            scratch.unlink(missing_ok=True)

    def _take_tree(self, space: BlobSpace, root: Digest, check_room: Callable[[Tree], None]) -> None:
        scratch = self._scratch()
        try:
            bundle.take(self._contents, root, space.get(tree_name(root.hex())), scratch, check_room)
        finally:
            scratch.unlink(missing_ok=True)

    def _scratch(self) -> Path:
        return self._paths.incoming(_SCRATCH + secrets.token_hex(8))

    # -- the space itself

    async def _call(self, work: Callable[[BlobSpace], _T]) -> _T:
        """Do something with the space in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(self._opened()))

    def _opened(self) -> BlobSpace:
        with self._opening:
            if self._space is None:
                at, why = self._failed
                if time.monotonic() - at < LEFT_ALONE_S:
                    raise StorageError(why)
                try:
                    self._space = self._open()
                except (StorageError, InvalidInput) as problem:
                    self._failed = time.monotonic(), str(problem)
                    raise
            return self._space

    def close(self) -> None:
        """Give the space back. What is under way is waited for."""
        self._threads.shutdown(cancel_futures=True)
        if self._space is not None:
            self._space.close()


def log_name(digest: str) -> str:
    """Return the name of a log."""
    return f"log/{digest}"


def tree_name(root: str) -> str:
    """Return the name of a directory."""
    return f"tree/{root}"


def _file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(FRAME):
            yield part


def _remove_unless(space: BlobSpace, known: Callable[[Kept], bool]) -> int:
    gone = 0
    batch: list[str] = []
    for one in space.names():
        if not known(one):
            batch.append(one.name)
        if len(batch) >= _LISTED:
            space.remove(batch)
            gone, batch = gone + len(batch), []
    space.remove(batch)
    return gone + len(batch)
