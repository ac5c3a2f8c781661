"""One process at a time for a data directory: the lock that a running agent holds."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import Conflict


@contextlib.contextmanager
def only_agent(path: Path) -> Iterator[None]:
    """Hold the lock of a data directory. Raises Conflict when another agent has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            message = f"an agent already runs on {path.parent} (process {holder}); orchestra status shows it"
            raise Conflict(message) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
