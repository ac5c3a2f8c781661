"""What the executor has to say, to its log and to people. It has no logging library: it must stay small."""

import errno
import sys
import time


def say(text: str) -> None:
    """Write a line; begin it with a stable event key, as `executor.not-removed: ...`."""
    sys.stderr.write(f"{time.strftime('%F %T')} {text}\n")
    sys.stderr.flush()


def cannot(what: str, error: OSError | ValueError) -> str:
    """Return, for people, why something could not be done."""
    if isinstance(error, FileNotFoundError) and what.startswith("start"):
        return f"cannot {what}: there is no such program on the PATH of this agent"
    number = getattr(error, "errno", None)
    if number in {errno.ENOSPC, errno.EDQUOT}:
        return f"cannot {what}: the disk is full"
    if number == errno.ENOEXEC:
        return f"cannot {what}: it is no program; a script begins with a line such as #!/bin/sh"
    if number == errno.E2BIG:
        return f"cannot {what}: its arguments and environment are too long"
    return f"cannot {what}: {getattr(error, 'strerror', None) or error}"
