"""What the executor has to say to its log. It has no logging library: it must stay small."""

import sys
import time


def say(text: str) -> None:
    """Write a line; begin it with a stable event key, as `executor.not-removed: ...`."""
    sys.stderr.write(f"{time.strftime('%F %T')} {text}\n")
    sys.stderr.flush()
