"""Saying the same thing at most once a minute, so that no peer can fill the log."""

from collections.abc import Hashable

EVERY_S = 60.0
"""Seconds between two lines about the same thing."""

_KEPT = 1_000  # things remembered; beyond that they are forgotten, and may be said again


class Seldom:
    """What was said when."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._said: dict[Hashable, float] = {}

    def __call__(self, what: Hashable, now: float) -> bool:
        """Return whether it is time to say this; if so, it counts as said at `now` (seconds)."""
        if now - self._said.get(what, now - EVERY_S) < EVERY_S:
            return False
        if len(self._said) >= _KEPT:
            self._said.clear()
        self._said[what] = now
        return True
