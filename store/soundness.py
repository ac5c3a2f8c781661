"""Whether the files of a store are what was written: looked at from outside, before anybody works with them.

Only of stores that are files of this machine (SQLite, JSON); a server looks after its own. Refuses to repair anything.
"""

import math
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from ..core.errors import Damaged
from .opening import path_of
from .sql.sqlite import RESTORE

_STEPS = 20_000  # of SQLite's machine between two looks at the clock: some milliseconds


def files_of(url: str) -> tuple[Path, ...]:
    """Return the files, or the folder, that a store of this machine is in, its name first; none for all others."""
    path = path_of(url)
    if path is None:
        return ()
    beside = ("-wal", "-shm") if url.startswith("sqlite:") else ()
    return (path, *(path.with_name(path.name + end) for end in beside))


def check(url: str, patience_s: float = math.inf) -> bool:
    """Look at a store for at most so long; whether all of it was looked at. Raises Damaged where something is wrong.

    That a file cannot be opened at all is for whoever opens the store to say.
    """
    path = path_of(url)
    if path is None or not url.startswith("sqlite:") or not path.exists():
        return True
    deadline = time.monotonic() + patience_s
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as file:
            file.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS)
            (found,) = file.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as problem:
        code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise _damaged(url, str(problem)) from None
        return code != sqlite3.SQLITE_INTERRUPT
    if found != "ok":
        raise _damaged(url, found.replace("\n", " "))
    return True


def _damaged(url: str, what: str) -> Damaged:
    return Damaged(f"the store {url} is damaged ({what[:200]}); {RESTORE}")


__all__ = ["RESTORE", "check", "files_of"]
