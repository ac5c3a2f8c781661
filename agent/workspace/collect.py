"""The program that takes what is kept: `python -m job_orchestra.agent.workspace.collect ORDER KEPT`, in the workspace.

Runs when the steps are over, however they ended, which ORCHESTRA_OUTCOME says. What is taken is durable on this machine
when it ends; which directory that makes, it writes to the file KEPT. What goes wrong is a line in the build's log.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from ...core import manifest
from ...core.definition import Artifacts, When
from ...core.errors import InvalidInput, OrchestraError
from ...core.globs import Globs
from ...core.manifest import shown
from ..blobs import Contents, Why
from . import order
from .beneath import Beneath
from .gathering import gather
from .order import Kept, Order

OUTCOME = "ORCHESTRA_OUTCOME"
"""Variable that holds the state in which the attempt ends (executor.attempt)."""

WORKSPACE = "ORCHESTRA_WORKSPACE"
"""Variable that holds where the workspace is: a build may have put a link to somewhere else there (executor.rooms)."""

_SUCCEEDED = "succeeded"
_WHENS = {
    _SUCCEEDED: {When.SUCCESS, When.ALWAYS},
    "failed": {When.FAILURE, When.ALWAYS},
    "error": {When.FAILURE, When.ALWAYS},
}


def collect(wanted: Order, workspace: Path, outcome: str) -> Kept:
    """Take what is kept as ordered. Raises OrchestraError, OSError."""
    found = _keep_artifacts(wanted, workspace, outcome)
    if wanted.caches and outcome == _SUCCEEDED:
        _leave_caches(wanted, workspace)
    return found


def _keep_artifacts(wanted: Order, workspace: Path, outcome: str) -> Kept:
    whens = _WHENS.get(outcome, {When.ALWAYS})
    rules = [one for one in wanted.artifacts if one.when in whens]
    if not rules:
        return Kept()
    with Contents(Path(wanted.contents)) as contents, contents.staying(), Beneath(workspace) as top:
        return Kept(_keep(wanted, rules, contents, top))


def _leave_caches(wanted: Order, workspace: Path) -> None:
    """Keep the caches for builds to come."""
    from .caching import Caches  # most builds do without

    with Contents(Path(wanted.contents)) as contents:
        caches = Caches(wanted.project, wanted.caches, contents, workspace, _tell)
        caches.leave(order.taken(Path(wanted.taken)), wanted.cache_limit)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _keep(wanted: Order, rules: Iterable[Artifacts], contents: Contents, top: Beneath) -> str:
    """Return what stands for the files that the rules name; empty: there are none."""
    required = {path for one in rules if one.required for path in one.paths}
    globs = Globs(list(dict.fromkeys(path for one in rules for path in one.paths)))
    with contents.writer() as writer:
        found = gather(top, globs, writer, wanted.limit)
        for path in found.left_out:
            _tell(f"artifacts: {shown(path)} is left out: it leads elsewhere, or is no file")
        lacking = [one for one in found.unmatched if one in required]
        if lacking:
            raise InvalidInput(f"nothing fits {', '.join(lacking)}, and it is required")
        if not found.entries:
            return ""
        root = writer.put_directory(manifest.write(found.entries))
    contents.hold(root, Why.ARTIFACTS, wanted.key)
    return root.hex()


def main(arguments: list[str]) -> int:
    """Take from the workspace what the first file says; write to the second what it was."""
    workspace = Path(os.environ.get(WORKSPACE, "."))
    try:
        found = collect(order.read(Path(arguments[0])), workspace, os.environ.get(OUTCOME, ""))
        order.write(Path(arguments[1]), found)
    except (OrchestraError, OSError, msgspec.MsgspecError) as error:
        _tell(f"cannot keep what the build leaves: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
