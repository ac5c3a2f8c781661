"""Where attempts work: one directory per slot, used again as long as it is left as it was found.

Making and removing directories for each build costs more than the smallest builds themselves, above all while the
agent syncs the same disk; so an attempt that leaves its room empty hands it on. Any other room is put aside and
removed beside the work, and its place gets a new one. Paths stay the same from build to build, which compilers' caches
like.
"""

import os
import stat
import time
from dataclasses import dataclass
from shutil import rmtree
from threading import Thread

from .saying import say

_PARTS = ("workspace", "tmp")


@dataclass(frozen=True)
class Room:
    """An attempt's own directory."""

    directory: str  # absolute; holds workspace/, tmp/ and the file that steps write results to

    @property
    def workspace(self) -> str:
        """Where the steps begin."""
        return f"{self.directory}/workspace"

    @property
    def results(self) -> str:
        """The file that steps write results to."""
        return f"{self.directory}/results"

    @property
    def tmp(self) -> str:
        """Where the steps put what nobody needs any more when they are over."""
        return f"{self.directory}/tmp"  # noqa: S108 - in a directory of our own

    def variables(self, workspace: str) -> dict[str, str]:
        """Return what the environment of a build says of its room; it works in `workspace`, which may be elsewhere."""
        return {
            "ORCHESTRA_WORKSPACE": workspace,
            "ORCHESTRA_TMP": self.tmp,
            "ORCHESTRA_RESULTS": self.results,
            "TMPDIR": self.tmp,
        }


class Rooms:
    """All rooms below one directory."""

    def __init__(self, work: str) -> None:
        """Begin without rooms; what is left of earlier ones is removed."""
        self._work = work
        self._free: list[Room] = []
        self._made = 0
        self._put_aside = 0
        self._rubbish: list[str] = []
        self._cleaner: Thread | None = None
        for left in os.listdir(work):
            self._put_away(f"{work}/{left}")

    def take(self) -> Room:
        """Return a room that nobody is in and nothing is in. Raises OSError where none can be made."""
        if self._free:
            return self._free.pop()
        room = Room(f"{self._work}/{self._made + 1}")
        self._furnish(room)
        self._made += 1
        return room

    def give_back(self, room: Room) -> None:
        """Take a room back from an attempt that has ended."""
        if _untouched(room):
            self._free.append(room)
            return
        self._put_away(room.directory)
        try:
            self._furnish(room)
        except OSError as error:
            say(f"executor.room-not-made: {room.directory}: {error.strerror}")
        else:
            self._free.append(room)

    def wait(self) -> None:
        """Return when all that was put aside is removed."""
        if self._cleaner is not None:
            self._cleaner.join()

    @staticmethod
    def _furnish(room: Room) -> None:
        os.mkdir(room.directory, 0o700)
        for part in _PARTS:
            os.mkdir(f"{room.directory}/{part}", 0o700)

    def _put_away(self, path: str) -> None:
        self._put_aside += 1
        aside = f"{self._work}/old-{time.time_ns()}-{self._put_aside}"
        try:
            os.rename(path, aside)
        except OSError as error:
            say(f"executor.room-not-moved: {path}: {error.strerror}")
            return
        self._rubbish.append(aside)
        if self._cleaner is None or not self._cleaner.is_alive():
            self._cleaner = Thread(target=self._clean, name="cleaner")
            self._cleaner.start()

    def _clean(self) -> None:
        while self._rubbish:
            rmtree(self._rubbish.pop(), onerror=_make_writable)


def _untouched(room: Room) -> bool:
    """Whether a room is as it was made."""
    try:
        if len(os.listdir(room.directory)) != len(_PARTS):
            return False
        for part in _PARTS:
            found = os.lstat(f"{room.directory}/{part}")
            if found.st_mode != stat.S_IFDIR | 0o700 or os.listdir(f"{room.directory}/{part}"):
                return False
    except OSError:
        return False
    return True


def _make_writable(_: object, path: str, __: object) -> None:
    """Remove what a build made read-only; what cannot be removed even so is left, and tried again at the next start."""
    try:
        os.chmod(os.path.dirname(path), 0o700)
        if os.path.isdir(path) and not os.path.islink(path):
            os.chmod(path, 0o700)
            rmtree(path)
        else:
            os.unlink(path)
    except OSError as error:
        say(f"executor.not-removed: {path}: {error.strerror}")
