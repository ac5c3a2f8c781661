"""A store that is damaged, or lost, is rebuilt before its agent begins: from its own log, or from another agent.

The log is the truth, and stays as it is: what this voter promised it keeps, and it votes as before. What is rebuilt is
the projection: anew from the log where that is whole; else from a copy of another agent's store, which must reach to
where the log begins. The damaged files are set aside, never deleted. Refuses to touch what other agents share.
"""

import asyncio
import glob
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ..core.errors import Damaged, OrchestraError, StorageError
from ..core.ledger import REQUEST_MEMORY_MS, Remembered
from ..core.model import AgentRecord
from ..store import soundness
from ..store.contract import Store
from ..store.opening import open_store
from . import journal, roster
from .identity import Identity, read_private, write_private
from .mesh.contract import Contact
from .paths import Paths
from .settings import Settings
from .snapshots import fetch_copy, note_install
from .wires import Wires

log = logging.getLogger(__name__)

CHECK_S = 2.0
"""Seconds for which a store is looked at before its agent begins; what is left is looked at while it works.

Larger: more of a large store is known to be sound at once; smaller: a quicker start.
"""

PATIENCE_S = 60.0
"""Seconds in which another agent must give a copy. Larger: more time for machines that start at the same moment."""

RETRY_S = 0.5
"""Seconds between two rounds of asking."""


class SetAside(msgspec.Struct, frozen=True):
    """A store that was damaged, and what became of it."""

    at: str  # when it was set aside, RFC 3339
    why: str  # what was wrong
    files: list[str]  # where its files are now
    rebuilt: str  # what the store was rebuilt from; empty: it was not, yet


@dataclass(frozen=True)
class Opened:
    """A store that can be worked with."""

    store: Store  # open
    remembered: Remembered  # what a ledger is rebuilt from
    whole: bool = True  # whether all of its file was looked at


async def opened(
    paths: Paths, settings: Settings, me: Identity, wires: Callable[[Identity, Settings, Paths], Wires]
) -> Opened:
    """Return an agent's store, rebuilt where it has to be. Raises Damaged or StorageError with the remedy."""
    begins = journal.begins(paths.journal)
    found = _suspicion(paths) if begins == 1 or _others(paths, me) else ""
    found = found or await asyncio.to_thread(_look, paths, settings)
    if isinstance(found, Opened):
        return found
    log.error("store.damaged: %s", found)
    if begins > 1:
        source = await _fetch(paths, settings, me, wires, begins - 1, found)
    else:
        source = "its log"
    set_aside(paths, settings.store_url(paths), found, source)
    if begins > 1:
        await asyncio.to_thread(_install, paths, settings)
    paths.suspected.unlink(missing_ok=True)
    again = await asyncio.to_thread(_look, paths, settings)
    if not isinstance(again, Opened):
        raise Damaged(again)
    log.info("store.rebuilt: from %s, as of entry %d", source, again.remembered.index)
    return again


def suspect(paths: Paths, why: str) -> None:
    """Take note that the store was found to be damaged while it was used: the next start rebuilds it."""
    write_private(paths.suspected, why.encode())


def set_aside(paths: Paths, url: str, why: str, source: str) -> SetAside:
    """Give the files of a store other names, and write down why. Raises StorageError."""
    now = datetime.now(UTC)
    files = soundness.files_of(url)
    moved: list[str] = []
    mark = _unused(files[0].parent, f"{files[0].name}.damaged-{now:%Y%m%dT%H%M%SZ}") if files else ""
    for one in files:
        if one.exists():
            target = one.with_name(mark + one.name.removeprefix(files[0].name))
            try:
                one.rename(target)
            except OSError as problem:
                message = f"cannot set {one} aside: {problem.strerror}; check the permissions of {one.parent}"
                raise StorageError(message) from None
            moved.append(str(target))
    found = SetAside(now.isoformat(timespec="seconds").replace("+00:00", "Z"), why, moved, source)
    if moved:
        write_private(paths.set_aside, msgspec.json.format(msgspec.json.encode([*aside(paths), found])))
        log.warning("store.set-aside: %s", ", ".join(moved))
    return found


def _unused(folder: Path, mark: str) -> str:
    """Return a name with which no file begins yet: several stores may be damaged in one second."""
    found, number = mark, 1
    while any(folder.glob(f"{glob.escape(found)}*")):
        number += 1
        found = f"{mark}-{number}"
    return found


def aside(paths: Paths) -> list[SetAside]:
    """Return the stores that were set aside and are still there, the oldest first."""
    if not paths.set_aside.exists():
        return []
    return [
        one for one in read_private(paths.set_aside, list[SetAside]) if any(Path(file).exists() for file in one.files)
    ]


def _suspicion(paths: Paths) -> str:
    """Return what was found to be wrong while the store was used; empty: nothing."""
    found = paths.suspected.read_text(errors="replace") if paths.suspected.exists() else ""
    return found.removesuffix(f"; {soundness.RESTORE}")


def _others(paths: Paths, me: Identity) -> list[AgentRecord]:
    """Return who may have a copy."""
    return [one for one in roster.load(paths).members if one.id != me.id and one.public]


def _look(paths: Paths, settings: Settings) -> Opened | str:
    """Open the store, or say what is wrong with it."""
    url = settings.store_url(paths)
    files = soundness.files_of(url)
    made = bool(files) and not files[0].exists()
    try:
        whole = soundness.check(url, math.inf if paths.suspected.exists() else CHECK_S)
        store = open_store(url)
        try:
            remembered = store.live(time.time_ns() // 1_000_000 - REQUEST_MEMORY_MS)
        except BaseException:
            store.close()
            raise
    except Damaged as problem:
        if not files:
            raise
        return str(problem).removesuffix(f"; {soundness.RESTORE}")
    begins = journal.begins(paths.journal)
    if remembered.index + 1 < begins and files:
        store.close()
        for one in files if made else ():
            if one.is_file():
                one.unlink()
        return f"the store {url} ends at entry {remembered.index}, and the log begins at entry {begins}"
    return Opened(store, remembered, whole)


async def _fetch(  # noqa: PLR0913, PLR0917 - what an agent has before it begins
    paths: Paths,
    settings: Settings,
    me: Identity,
    wires: Callable[[Identity, Settings, Paths], Wires],
    index: int,
    why: str,
) -> str:
    """Have a copy of another agent's store, as of `index` or later, at `paths.rebuilding`; return who gave it."""
    others = _others(paths, me)
    if not others:
        message = (
            f"{why}. It cannot be rebuilt: the log of this agent begins at entry {index + 1}, and no other agent has a "
            "copy. Restore a backup: orchestra store restore FILE"
        )
        raise Damaged(message)
    between = wires(me, settings, paths)
    between.mesh.know(Contact(one.id, one.public, one.addresses) for one in others)
    running = asyncio.ensure_future(between.mesh.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await _ask(between, others, index, paths.rebuilding)
    except TimeoutError:
        names = ", ".join(one.name for one in others)
        message = (
            f"{why}. It is rebuilt from another agent, and none gave a copy within {PATIENCE_S:.0f} s. Start one of "
            f"{names} and try again; or restore a backup: orchestra store restore FILE"
        )
        raise Damaged(message) from None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await between.close()


async def _ask(between: Wires, others: Sequence[AgentRecord], index: int, target: Path) -> str:
    told: dict[str, str] = {}
    while True:
        for one in others:
            try:
                await fetch_copy(between.mesh, between.bulk, one, index, target)
            except OrchestraError as problem:
                if told.get(one.id) != str(problem):
                    log.info("store.rebuild-later: %s: %s", one.name, problem)
                told[one.id] = str(problem)
            else:
                return one.name
        await asyncio.sleep(RETRY_S)


def _install(paths: Paths, settings: Settings) -> None:
    """Let the copy that was fetched be the store; a crash in between is the same as a store that was lost."""
    store = open_store(settings.store_url(paths))
    try:
        found = store.inspect(paths.rebuilding)
        note_install(paths.installing, found)
        store.restore(paths.rebuilding)
    finally:
        store.close()
