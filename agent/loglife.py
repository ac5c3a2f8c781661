"""A log stays as long as its build: what the history knows no more is taken from this machine's disk.

Logs are here in two shapes: files of attempts that ran on this machine, and contents by their digest, which several
attempts may share. Neither is touched until it was left alone for an hour: the history may not know of its build yet.
Memory: eight bytes for each log that the history knows. Refuses to know why a build was forgotten.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from ..core.ids import is_attempt_key, serial_of
from ..core.ledger import Ledger
from ..core.model import Build
from ..store.query import MAX_LIMIT, Filter, Operator, Query
from .blobs import Blobs
from .history import History
from .marks import Marks, marks_of
from .paths import LOGS_IN_FOLDER, Paths

SETTLED_S = 3600.0
"""Seconds for which a log is left alone since its last use. Larger: logs of forgotten builds take room for longer."""


class LogLife:
    """The logs on one machine."""

    def __init__(  # noqa: PLR0913 - what it looks after, and by what
        self,
        paths: Paths,
        blobs: Blobs,
        history: History,
        ledger: Callable[[], Ledger | None],
        *,
        writes: Callable[[str], bool],
        known: Callable[[Collection[str]], Awaitable[set[str]]],
    ) -> None:
        """Look after the logs below `paths` and in `blobs`.

        `ledger` returns the ledger whose builds `history` has, None on an agent that keeps no history; `writes` says
        whether an attempt on this machine may write more to its log; `known` returns those of some builds that the
        network knows.
        """
        self._paths = paths
        self._blobs = blobs
        self._history = history
        self._ledger = ledger
        self._writes = writes
        self._known = known

    async def forget(self) -> int:
        """Let go of logs that belong to no known build; return how many. Raises StorageError, Unavailable."""
        ledger = self._ledger()
        if ledger is None:
            return await self._forget_what_others_forgot()
        if not await self._history.reached(ledger.index):
            return 0
        return await self._forget_files(ledger) + await self._forget_blobs()

    async def _forget_what_others_forgot(self) -> int:
        """Let go of files of builds that the master does not know. Folders stay: a live build may write to one.

        What it kept as a voter stays: it cannot see from here whether those that vote now have all of that.
        """
        gone = 0
        for folder in await asyncio.to_thread(lambda: sorted(self._paths.logs.iterdir())):
            files = await asyncio.to_thread(_settled, folder)
            known = await self._known({_build(one) for one in files}) if files else set[str]()
            lone = [one for one in files if _build(one) not in known and not self._writes(one.stem)]
            await asyncio.to_thread(_unlink, folder, lone, empty=False)
            gone += len(lone)
        return gone

    async def _forget_files(self, ledger: Ledger) -> int:
        gone = 0
        for folder in await asyncio.to_thread(lambda: sorted(self._paths.logs.iterdir())):
            files = await asyncio.to_thread(_settled, folder)
            if not files or not folder.name.isdigit():
                continue
            first = int(folder.name) * LOGS_IN_FOLDER
            within = (Filter("serial", Operator.GE, first), Filter("serial", Operator.LT, first + LOGS_IN_FOLDER))
            page = await self._history.read(self._history.store.find, Query("builds", within, limit=MAX_LIMIT))
            live = ledger.builds.keys()
            known = {cast("Build", one).id for one in page.rows} | live
            lone = [one for one in files if _build(one) not in known and not self._writes(one.stem)]
            await asyncio.to_thread(_unlink, folder, lone, empty=not any(_folder_of(one) == first for one in live))
            gone += len(lone)
        return gone

    async def _forget_blobs(self) -> int:
        if not await asyncio.to_thread(lambda: any(self._blobs.idle(SETTLED_S))):
            return 0
        marks = await marks_of(self._history, lambda one: (one.log,))
        return await asyncio.to_thread(self._remove_blobs, marks)

    def _remove_blobs(self, marks: Marks) -> int:
        gone = 0
        for digest in self._blobs.idle(SETTLED_S):
            if not marks.has(digest):
                self._blobs.remove(digest)
                gone += 1
        return gone


def _build(log: Path) -> str:
    return log.stem.partition(".")[0]


def _settled(folder: Path) -> list[Path]:
    before = time.time() - SETTLED_S
    found = [one for one in folder.glob("*.log") if is_attempt_key(one.stem)]
    return [one for one in found if _mtime(one) < before]


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # it was empty, and is another attempt's log by now
        return math.inf


def _folder_of(build: str) -> int:
    """Return the first serial number whose logs share a folder with those of a build."""
    return serial_of(build) // LOGS_IN_FOLDER * LOGS_IN_FOLDER


def _unlink(folder: Path, files: Sequence[Path], *, empty: bool) -> None:
    """Remove logs, and their folder where it is empty then and nothing more comes into it."""
    for path in files:
        path.unlink(missing_ok=True)
    if files and empty:
        with suppress(OSError):  # others are in it
            folder.rmdir()
