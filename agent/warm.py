"""Workspaces that stay: one for each user and directory that is shipped from, with what builds left in it.

    NAME/0/workspace    where builds work; its path never changes, because build systems write down absolute ones
    NAME/0/record       what of it was put there (workspace.filling)
    NAME/0/holder       the attempt that has it
    NAME/1/...          another copy, for who comes while the first is in use

A copy is one build's at a time. Who holds it is written down beside it, so that an agent which starts anew knows; it is
free when that attempt is over, and removed when room is wanted that was unused for longest. Refuses to know what is in
them, and which attempts live.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..core.affinity import key
from .workspace.beneath import Beneath

log = logging.getLogger(__name__)

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
    return key("tree", requester, tree).partition(":")[2]


class Warm:
    """The warm workspaces of one machine."""

    def __init__(self, folder: Path, most: int, live: Callable[[str], bool]) -> None:
        """Keep them in `folder`; of each at most so many copies are in use, by attempts that are `live`."""
        self._folder = folder
        self._most = most
        self._held: dict[str, Copy] = {}  # by attempt
        self._freed = asyncio.Event()  # set, and made anew, when one becomes free
        self._live = live
        self._aside = folder.with_name(f"{folder.name}-gone")  # what is about to be removed
        self._sizes: dict[Copy, tuple[float, int]] = {}  # when a copy was used last, and its bytes then
        self.sure: Callable[[], bool] = lambda: True
        """Says whether it is known which attempts live: an agent that starts anew has yet to ask its executor."""
        if self._aside.exists():
            for left in self._aside.iterdir():
                _remove(left)

    def keys(self) -> set[str]:
        """Return by which keys this machine is warm (affinity)."""
        return {f"tree:{one.name}" for one in self._folder.iterdir()}

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

    async def tidy(self, most: float, short: int) -> int:
        """Remove copies that nobody has, the longest unused first; return how many went.

        Until all that are here take at most `most` bytes, and `short` bytes came free.
        """
        if not self.sure():
            return 0
        copies = [Copy(one) for name in self._folder.iterdir() for one in name.iterdir()]
        sizes = await asyncio.to_thread(self._measure, copies)
        total = sum(sizes.values())
        gone = 0
        for one in sorted(copies, key=lambda one: _used(one.directory)):
            if total <= most and short <= 0:
                break
            if not self._taken(one):  # nor will it be: that is decided here, in the event loop
                total -= sizes[one]
                short -= sizes[one] if await asyncio.to_thread(_remove, self._set_aside(one)) else 0
                gone += 1
        return gone

    def _measure(self, copies: Sequence[Copy]) -> dict[Copy, int]:
        """Return the bytes of copies; of one that was not used since it was measured last, those of then."""
        now = {one: _used(one.directory) for one in copies}
        known = self._sizes
        self._sizes = {
            one: known[one] if one in known and known[one][0] == used else (used, _size(one.directory))
            for one, used in now.items()
        }
        return {one: size for one, (_, size) in self._sizes.items()}

    def _set_aside(self, copy: Copy) -> Path:
        """Move a copy to where nobody takes it from; return where it is then."""
        aside = self._aside / f"{copy.directory.parent.name}-{copy.directory.name}-{time.time_ns()}"
        self._aside.mkdir(mode=0o700, exist_ok=True)
        copy.directory.rename(aside)
        with suppress(OSError):  # there are others
            copy.directory.parent.rmdir()
        return aside

    def _free(self, name: str) -> Copy | None:
        copies = (Copy(self._folder / name / str(number)) for number in range(self._most))
        return next((one for one in copies if not self._taken(one)), None)

    def _taken(self, copy: Copy) -> bool:
        holder = copy.holder
        return bool(holder) and self._live(holder)


def _remove(directory: Path) -> bool:
    """Remove a directory; return whether all of it went. A build may have left files of another user: of containers."""
    try:
        with Beneath(directory.parent) as folder:
            folder.remove(os.fsencode(directory.name))
    except OSError as problem:
        log.warning("warm.stays: %s cannot be removed: %s; remove it as root", directory, problem)
        return False
    return True


def _size(directory: Path) -> int:
    """Return the bytes that the files in a directory take; what vanishes meanwhile counts as none."""
    size = 0
    waiting = [directory]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for one in entries:
                if one.is_dir(follow_symlinks=False):
                    waiting.append(Path(one.path))
                else:
                    with suppress(FileNotFoundError):
                        size += one.stat(follow_symlinks=False).st_blocks * 512
    return size


def _used(directory: Path) -> float:
    try:
        return directory.stat().st_mtime
    except FileNotFoundError:
        return 0.0
