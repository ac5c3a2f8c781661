"""The program that fills a workspace: `python -m job_orchestra.agent.workspace.prepare ORDER`, run in the workspace.

Of a checkout it says in one line what it is of, else nothing where all is well. What goes wrong is one line in the
build's log, and the exit code is 1: the build ends as error.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ...core.errors import OrchestraError
from ...core.manifest import Entry, shown
from . import order
from .filling import Filling
from .order import Brought, Order

if TYPE_CHECKING:
    from ...core.caching import Wish
    from ..blobs import Contents

USED_S = 60.0
"""Seconds by which the last use of a directory may be off. Larger: the contents are opened less often."""

BRING_S = 120.0
"""Seconds for a cache to arrive from another agent. Larger: large ones do; smaller: a build is held up for less."""

TOLD = 10
"""Files that several builds left of which the log is told."""


def prepare(wanted: Order, workspace: Path) -> None:
    """Fill a workspace as ordered. Raises OrchestraError, OSError."""
    if wanted.tree:
        _fill(wanted, workspace)
    if wanted.source.git:
        from ..repositories.checkout import check_out  # most builds do without
        from ..repositories.git import Git
        from ..repositories.mirrors import Mirrors

        git = Git(wanted.protocols)
        check_out(git, Mirrors(Path(wanted.mirrors), git), wanted.source, workspace, _tell)
    if wanted.brought:
        from ..blobs import Contents

        with Contents(Path(wanted.contents)) as contents:
            _put_brought(contents, wanted.brought, workspace)
    if wanted.caches:
        _take_caches(wanted, workspace)


def _fill(wanted: Order, workspace: Path) -> None:
    """Make the workspace the directory that was shipped."""
    root = bytes.fromhex(wanted.tree)
    record = Path(wanted.record) if wanted.record else None
    with ExitStack() as stack:

        @cache
        def contents() -> "Contents":
            """Return the contents, which take long to open and are not needed where all is as it should be."""
            from ..blobs import Contents

            found = stack.enter_context(Contents(Path(wanted.contents)))
            found.use(root)
            return found

        Filling(workspace, record, lambda one: contents().stream(one)).fill(root, lambda: contents().entries(root))
        if record is not None and record.stat().st_mtime < time.time() - USED_S:
            contents()  # which takes note that the directory is used
            record.touch()


def _take_caches(wanted: Order, workspace: Path) -> None:
    """Put the caches into the workspace that there are."""
    from ..blobs import Contents
    from .caching import Caches  # most builds do without

    with Contents(Path(wanted.contents)) as contents:
        caches = Caches(wanted.project, wanted.caches, contents, workspace, _tell)
        found = caches.take(lambda wish: _bring(wanted, wish), warm=bool(wanted.record))
    order.write(Path(wanted.taken), found)


def _bring(wanted: Order, wish: "Wish") -> bool:
    """Have the agent bring a cache that others have; return whether it did. Raises OrchestraError."""
    from ..client.blocking import Client

    params: dict[str, object] = {"project": wish.project, "key": wish.key, "restore": list(wish.restore)}
    with Client(Path(wanted.data), Path(wanted.socket)) as agent:
        return agent.call("caches.bring", wait=BRING_S, **params).key is not None


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()  # what comes next may take a while


def _put_brought(contents: "Contents", brought: Sequence[Brought], workspace: Path) -> None:
    """Put what needed builds left into the workspace: where several left a file of one name, that of the last.

    The last in the order of the job's needs, and of a matrix, as it is with results.
    """
    found: dict[bytes, tuple[str, Entry]] = {}
    replaced: dict[bytes, str] = {}
    for one in brought:
        for entry in contents.entries(bytes.fromhex(one.tree)):
            job, other = found.get(entry.path, (one.job, entry))
            if (other.digest, other.mode) != (entry.digest, entry.mode):
                replaced[entry.path] = f"{job} and {one.job}" if job != one.job else f"several builds of {job}"
            found[entry.path] = one.job, entry
    for path, who in sorted(replaced.items())[:TOLD]:
        _tell(f"artifacts: {who} left different files {shown(path)}; the last of them is here")
    entries = [entry for _, (_, entry) in sorted(found.items())]
    Filling(workspace, None, contents.stream, timed=True).fill(b"", lambda: entries)


def main(arguments: list[str]) -> int:
    """Fill the current directory as the file that is named on the command line says."""
    try:
        prepare(order.read(Path(arguments[0])), Path.cwd())
    except (OrchestraError, OSError, msgspec.MsgspecError) as error:
        sys.stdout.write(f"cannot prepare the workspace: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
