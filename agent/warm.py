"""Workspaces that stay: one for each user and directory that is shipped from, with what builds left in it.

    NAME/0/workspace    where builds work; its path never changes, because build systems write down absolute ones
    NAME/0/record       what of it was put there (workspace.filling)
    NAME/0/holder       the attempt that has it
    NAME/1/...          another copy, for who comes while the first is in use

A copy is one build's at a time. Who holds it is written down beside it, so that an agent which starts anew knows; it is
free when that attempt is over. Refuses to know what is in them, and which attempts live.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

_HOLDER = "holder"


class Copy(NamedTuple):
    """A warm workspace."""

    directory: Path  # its own, which holds all the rest

    @property
    def workspace(self) -> Path:
        """Where builds work."""
        return self.directory / "workspace"

    @property
    def record(self) -> Path:
        """What remembers what was put there."""
        return self.directory / "record"

    @property
    def holder(self) -> str:
        """The attempt that has it, or had it last; empty: none."""
        try:
            return (self.directory / _HOLDER).read_text()
        except OSError:
            return ""


def name_of(requester: str, tree: str) -> str:
    """Return the name of the warm workspaces of one user and directory. Nobody else's builds ever get these."""
    return sha256(f"{requester}\0{tree}".encode()).hexdigest()[:16]


class Warm:
    """The warm workspaces of one machine."""

    def __init__(self, folder: Path, most: int, live: Callable[[str], bool]) -> None:
        """Keep them in `folder`; of each at most so many copies are in use, by attempts that are `live`."""
        self._folder = folder
        self._most = most
        self._held: dict[str, Copy] = {}  # by attempt
        self._freed = asyncio.Event()  # set, and made anew, when one becomes free
        self._live = live

    def names(self) -> list[str]:
        """Return the names of those that are here, the last used first."""
        return [one.name for one in sorted(self._folder.iterdir(), key=_used, reverse=True)]

    def available(self, name: str) -> bool:
        """Whether `take` would return a copy now."""
        return self._free(name) is not None

    async def wait(self, name: str) -> None:
        """Return when `available`."""
        while not self.available(name):
            freed = self._freed
            await freed.wait()

    def take(self, name: str, attempt: str) -> Copy:
        """Give a copy to an attempt, until it is over. There must be one `available`. Raises OSError."""
        found = self._held.get(attempt) or self._free(name)
        if found is None:
            message = f"all copies of {name} are in use"
            raise ValueError(message)
        found.workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        (found.directory / _HOLDER).write_text(attempt)
        os.utime(found.directory.parent)
        self._held[attempt] = found
        return found

    def release(self, attempt: str) -> None:
        """An attempt is over."""
        found = self._held.pop(attempt, None)
        if found is not None:
            with suppress(FileNotFoundError):
                (found.directory / _HOLDER).unlink()
            self._freed.set()
            self._freed = asyncio.Event()

    def idle(self) -> list[Copy]:
        """Return the copies that nobody has, the last used last."""
        copies = [Copy(one) for name in self._folder.iterdir() for one in name.iterdir()]
        return sorted((one for one in copies if not self._taken(one)), key=lambda one: _used(one.directory))

    def _free(self, name: str) -> Copy | None:
        copies = (Copy(self._folder / name / str(number)) for number in range(self._most))
        return next((one for one in copies if not self._taken(one)), None)

    def _taken(self, copy: Copy) -> bool:
        holder = copy.holder
        return bool(holder) and self._live(holder)


def _used(directory: Path) -> float:
    try:
        return directory.stat().st_mtime
    except FileNotFoundError:
        return 0.0
