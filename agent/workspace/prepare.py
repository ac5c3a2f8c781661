"""The program that fills a workspace: `python -m job_orchestra.agent.workspace.prepare ORDER`, run in the workspace.

Of a checkout it says in one line what it is of, else nothing where all is well. What goes wrong is one line in the
build's log, and the exit code is 1: the build ends as error.
"""

import sys
from pathlib import Path

import msgspec

from ...core.errors import OrchestraError
from ..blobs import Contents
from . import order
from .filling import Filling
from .order import Order


def prepare(wanted: Order, workspace: Path) -> None:
    """Fill a workspace as ordered. Raises OrchestraError, OSError."""
    if wanted.tree:
        root = bytes.fromhex(wanted.tree)
        with Contents(Path(wanted.contents)) as contents:
            record = Path(wanted.record) if wanted.record else None
            contents.use(root)
            Filling(workspace, record, contents.stream).fill(root, lambda: contents.entries(root))
    if wanted.source.git:
        from ..repositories.checkout import check_out  # most builds do without
        from ..repositories.git import Git
        from ..repositories.mirrors import Mirrors

        git = Git(wanted.protocols)
        check_out(git, Mirrors(Path(wanted.mirrors), git), wanted.source, workspace, _tell)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")


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
