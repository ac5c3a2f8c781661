"""What the workspace of a build holds when its steps begin: brought to this machine, then ordered from the programs.

Refuses to know when a build starts (worker) and how a workspace is filled (workspace).
"""

import logging
import math
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from ..core.definition import Spec
from ..core.model import Attempt, Build
from .paths import Paths
from .trees import Trees
from .warm import Warm, name_of
from .workspace import collect, order, prepare, ready
from .workspace.order import Brought, Order

log = logging.getLogger(__name__)

Fetch = Callable[[str], Awaitable[None]]
"""Has a directory (SHA-256, hex) brought to this machine. Raises OrchestraError where it is nowhere."""


class Furnished(NamedTuple):
    """What an attempt's plan says of its workspace."""

    prepare: tuple[str, ...] = ()  # command that fills it; empty: it stays empty
    workspace: str = ""  # where it is; empty: in the room that the executor finds
    collect: tuple[str, ...] = ()  # command that takes from it what is kept; empty: nothing is


class Furnisher:
    """Furnishes the workspaces of one machine."""

    def __init__(  # noqa: PLR0913 - what it stands between
        self,
        paths: Paths,
        trees: Trees,
        warm: Warm,
        fetch: Fetch,
        protocols: Sequence[str] = (),
        *,
        limit: int = 0,
        cache_limit: int = 0,
    ) -> None:
        """Furnish from `trees`, those that stay in `warm`; what is not there is brought by `fetch`.

        Repositories may be reached by `protocols`, too, beside the usual ones. `limit` is in bytes, of the artifacts of
        one build, `cache_limit` of one cache; 0 is none.
        """
        self._protocols = tuple(protocols)
        self._paths = paths
        self._trees = trees
        self.warm = warm
        self._fetch = fetch
        self._limit = limit
        self._cache_limit = cache_limit
        self._orders = self._on_disk()
        """Attempts that something was ordered for: most need nothing, and asking the disk about each takes its time."""

    def lacks(self, build: Build, spec: Spec) -> bool:
        """Whether something has to be brought, or waited for, before a build can start."""
        return any(not self._trees.has(one) for one in _needed(build, spec)) or not self._has_place(build, spec)

    async def bring(self, build: Build, spec: Spec) -> None:
        """Bring what is lacking, so that `furnish` may be called at once. Raises OrchestraError where that fails."""
        for one in _needed(build, spec):
            if not self._trees.has(one):
                await self._fetch(one)
        if not self._has_place(build, spec):
            await self.warm.wait(name_of(build.requester, spec.source.tree))

    def _has_place(self, build: Build, spec: Spec) -> bool:
        return not spec.source.tree or self.warm.available(name_of(build.requester, spec.source.tree))

    def furnish(self, attempt: Attempt, build: Build, spec: Spec) -> Furnished:
        """Order what an attempt needs; return what its plan says of it."""
        fills = bool(spec.source.git or spec.caches or _needed(build, spec))
        takes = bool(spec.artifacts or spec.caches)
        if not fills and not takes:
            return Furnished()
        workspace = record = ""
        if spec.source.tree:
            place = self.warm.take(name_of(build.requester, spec.source.tree), attempt.key)
            workspace, record = str(place.workspace), str(place.record)
        path = self._paths.order(attempt.key)
        wanted = Order(
            contents=str(self._paths.contents),
            tree=spec.source.archive,
            record=record,
            key=attempt.key,
            brought=tuple(Brought(job, root) for job, roots in _brought(build).items() for root in roots),
            artifacts=spec.artifacts,
            limit=self._limit,
        )
        if spec.source.git:
            mirrors = str(self._paths.mirrors)
            wanted = replace(wanted, source=spec.source, mirrors=mirrors, protocols=self._protocols)
        if spec.caches:
            wanted = replace(
                wanted,
                project=build.project,
                caches=spec.caches,
                cache_limit=self._cache_limit,
                taken=str(path.with_suffix(".taken")),
                data=str(self._paths.data),
                socket=str(self._paths.scripting),
            )
        self._orders.add(attempt.key)
        order.write(path, wanted)
        return Furnished(
            prepare=_program(prepare.__name__, str(path)) if fills else (),
            workspace=workspace,
            collect=_program(collect.__name__, str(path), str(self._paths.kept(attempt.key))) if takes else (),
        )

    def kept(self, key: str) -> str:
        """Return what stands for the artifacts of an attempt that has ended; empty: it has none."""
        if key not in self._orders:
            return ""
        try:
            return order.kept(self._paths.kept(key)).artifacts
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("furnisher.lost: what %s kept cannot be read: %s", key, error)
            return ""

    def ordered(self) -> set[str]:
        """Return the directories (hex) that attempts which have not ended are to begin in."""
        found: set[str] = set()
        for path in self._paths.orders.iterdir():
            with suppress(OSError, msgspec.MsgspecError):
                ordered = order.read(path)
                found |= {ordered.tree, *(one.tree for one in ordered.brought)}
        return found - {""}

    def oldest_checkout(self) -> float:
        """Return when the first attempt was ordered that works in a repository and has not ended; infinity: none."""
        found = math.inf
        for path in self._paths.orders.iterdir():
            with suppress(OSError, msgspec.MsgspecError):
                if order.read(path).source.git:
                    found = min(found, path.stat().st_mtime)
        return found

    def clear(self, key: str) -> None:
        """Forget an attempt that has ended."""
        if key in self._orders:
            self._paths.order(key).unlink(missing_ok=True)
            self._paths.order(key).with_suffix(".taken").unlink(missing_ok=True)
            self._paths.kept(key).unlink(missing_ok=True)
            self._orders.discard(key)
        self.warm.release(key)

    def clear_others(self, live: Collection[str]) -> None:
        """Forget all attempts but these: nobody will tell of the end of any other."""
        self._orders |= self._on_disk()  # what an attempt keeps may come after it was forgotten
        for key in self._orders.difference(live):
            self.clear(key)

    def _on_disk(self) -> set[str]:
        return {one.stem for one in self._paths.orders.iterdir()}


def _needed(build: Build, spec: Spec) -> list[str]:
    """Return the directories (SHA-256, hex) that a build's workspace is filled with."""
    source = [spec.source.archive] if spec.source.archive else []
    return [*source, *(root for roots in _brought(build).values() for root in roots)]


def _brought(build: Build) -> Mapping[str, tuple[str, ...]]:
    return build.context.brought if build.context is not None else {}


def _program(module: str, *words: str) -> tuple[str, ...]:
    """Return the command that runs one of our modules, whatever the build's environment says of Python."""
    return (sys.executable, "-E", "-P", "-m", module, *words)


READY = _program(ready.__name__)
"""The command that starts what stands by for the programs that fill workspaces and collect from them."""
