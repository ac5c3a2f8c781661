"""What all attempts of one executor share, and the clock that each has for itself."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ...core.model import Millis
from .attempt import Course
from .blanks import Blanks
from .groups import Groups
from .journal import Journal
from .outlets import Tools
from .processes import Processes, Track
from .rooms import Rooms
from .standby import Standby


class Owner(Protocol):
    """Who waits for a process."""

    course: Course
    """The attempt that it is a process of."""

    def on_exit(self, pid: int, status: int) -> None:
        """The process has ended."""
        ...


@dataclass(frozen=True, eq=False)
class Site:
    """What all attempts of one executor share."""

    processes: Processes
    groups: Groups
    rooms: Rooms
    blanks: Blanks
    journal: Journal
    tools: Tools
    standby: Standby
    tracks: dict[str, Track]  # of those that run
    owners: dict[int, Owner]  # process id -> whose it is, of processes that are waited for
    on_news: Callable[[str], None]  # told the key when there is something to report
    on_over: Callable[[Course], None]  # told when nothing of an attempt is left


class Clock:
    """The wall clock as it was when an attempt began, going on like the monotonic one: it never runs backwards."""

    def __init__(self, now: float) -> None:
        """Begin at `now` of the monotonic clock; the wall clock is not looked at again."""
        self._wall = time.time_ns() // 1_000_000
        self._began = now

    def at(self, now: float) -> Millis:
        """Return the instant at a monotonic time."""
        return self._wall + int((now - self._began) * 1000)
