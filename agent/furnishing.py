"""What the workspace of a build holds when its steps begin: brought to this machine, then ordered from the programs.

Refuses to know when a build starts (worker) and how a workspace is filled (workspace).
"""

import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from ..core.definition import Spec
from ..core.model import Attempt, Build
from .paths import Paths
from .trees import Trees
from .warm import Warm, name_of
from .workspace import order, prepare
from .workspace.order import Order

Fetch = Callable[[str], Awaitable[None]]
"""Has a directory (SHA-256, hex) brought to this machine. Raises OrchestraError where it is nowhere."""


class Furnished(NamedTuple):
    """What an attempt's plan says of its workspace."""

    prepare: tuple[str, ...] = ()  # command that fills it; empty: it stays empty
    workspace: str = ""  # where it is; empty: in the room that the executor finds


class Furnisher:
    """Furnishes the workspaces of one machine."""

    def __init__(self, paths: Paths, trees: Trees, warm: Warm, fetch: Fetch, protocols: Sequence[str] = ()) -> None:
        """Furnish from `trees`, those that stay in `warm`; what is not there is brought by `fetch`.

        Repositories may be reached by `protocols`, too, beside the usual ones.
        """
        self._protocols = tuple(protocols)
        self._paths = paths
        self._trees = trees
        self._warm = warm
        self._fetch = fetch

    def lacks(self, build: Build, spec: Spec) -> bool:
        """Whether something has to be brought, or waited for, before a build can start."""
        if not spec.source.archive:
            return False
        return not self._trees.has(spec.source.archive) or not self._has_place(build, spec)

    async def bring(self, build: Build, spec: Spec) -> None:
        """Bring what is lacking, so that `furnish` may be called at once. Raises OrchestraError where that fails."""
        if spec.source.archive and not self._trees.has(spec.source.archive):
            await self._fetch(spec.source.archive)
        if not self._has_place(build, spec):
            await self._warm.wait(name_of(build.requester, spec.source.tree))

    def _has_place(self, build: Build, spec: Spec) -> bool:
        return not spec.source.tree or self._warm.available(name_of(build.requester, spec.source.tree))

    def furnish(self, attempt: Attempt, build: Build, spec: Spec) -> Furnished:
        """Order what an attempt needs; return what its plan says of it."""
        if not spec.source.archive and not spec.source.git:
            return Furnished()
        workspace = record = ""
        if spec.source.tree:
            place = self._warm.take(name_of(build.requester, spec.source.tree), attempt.key)
            workspace, record = str(place.workspace), str(place.record)
        path = self._paths.order(attempt.key)
        wanted = Order(str(self._paths.contents), spec.source.archive, record)
        if spec.source.git:
            mirrors = str(self._paths.mirrors)
            wanted = replace(wanted, source=spec.source, mirrors=mirrors, protocols=self._protocols)
        order.write(path, wanted)
        return Furnished(_program(prepare.__name__, str(path)), workspace)

    def ordered(self) -> set[str]:
        """Return the directories (hex) that attempts which have not ended are to begin in."""
        found: set[str] = set()
        for path in self._paths.orders.iterdir():
            with suppress(OSError, msgspec.MsgspecError):
                found.add(order.read(path).tree)
        return found - {""}

    def clear(self, key: str) -> None:
        """Forget an attempt that has ended."""
        self._paths.order(key).unlink(missing_ok=True)
        self._warm.release(key)


def _program(module: str, *words: str) -> tuple[str, ...]:
    """Return the command that runs one of our modules, whatever the build's environment says of Python."""
    return (sys.executable, "-E", "-P", "-m", module, *words)
