"""Where attempts work: one directory per slot, used again as long as it is left as it was found.

Making and removing directories for each build costs more than the smallest builds themselves, above all while the
agent syncs the same disk; so an attempt that leaves its room empty hands it on. Any other room is put aside and
removed beside the work, and its place gets a new one. Paths stay the same from build to build, which compilers' caches
like.
"""

import os
import stat
import time
from shutil import rmtree
from threading import Thread

from .saying import say

_PARTS = ("workspace", "tmp")


class Room:
    """An attempt's own directory."""

    def __init__(self, work: str, name: str) -> None:
        """Name what is in the directory `name` below `work`."""
        self.name = name
        """Unique among rooms."""
        self.directory = f"{work}/{name}"
        """Holds all that follows; absolute."""
        self.workspace = f"{self.directory}/workspace"
        """Where the steps begin."""
        self.results = f"{self.directory}/results"
        """The file that steps write results to."""
        self.tmp = f"{self.directory}/tmp"  # noqa: S108 - in a directory of our own
        """Where the steps put what nobody needs any more when they are over."""
        self.variables = {
            "ORCHESTRA_WORKSPACE": self.workspace,
            "ORCHESTRA_TMP": self.tmp,
            "ORCHESTRA_RESULTS": self.results,
            "TMPDIR": self.tmp,
        }
        """What a build's environment says of it."""


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
        room = Room(self._work, str(self._made + 1))
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
