"""The executor as a program: `python -m job_orchestra.agent.executor SOCKET STATE WORK`; the agent starts it (link)."""

import fcntl
import os
import sys
from pathlib import Path

BUSY = 75
"""Exit code when another executor holds the lock of this data directory."""


def main(arguments: list[str]) -> int:
    """Run the executor; one at a time per state directory."""
    socket_path, state, work = (Path(one) for one in arguments)
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return BUSY
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    from .server import Server  # after the lock: whoever comes second is soon gone

    os.chdir("/")
    Server(socket_path, state, work).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
