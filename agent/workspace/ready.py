"""The program that stands by for the others of this folder: `python -m job_orchestra.agent.workspace.ready`.

All is imported that they need, in most cases; it is one of them as soon as it is told which (executor.readiness).
"""

import gc
import os
import sys

GARBAGE = 50_000
"""Objects between two looks for garbage: what is read of a directory stays until the end."""


def main() -> int:
    """Stand by; then be what was told."""
    from ..executor import readiness
    from ..repositories import checkout  # noqa: F401 - prepare needs it, and caching, only when it has to do with them
    from . import caching, collect, prepare  # noqa: F401

    gc.set_threshold(GARBAGE)
    words = readiness.told()
    if words is None:
        return 0
    program, *rest = words
    code = {one.__name__: one.main for one in (prepare, collect)}[program](rest)
    sys.stdout.flush()
    os._exit(code)  # what ends with it need not be cleared up


if __name__ == "__main__":
    sys.exit(main())
