"""What a store does not have yet: of each record the newest value, so that it grows with what changed, not with time.

Whoever writes takes all of it. Who only follows what another agent writes (sharing.py) learns how far that came; as a
part of what was gathered cannot be told from the rest, it is kept in two generations and dropped by these.
"""

from typing import Any

from ..core.ledger import Changes


class Gathered:
    """Changes since the last one that is known to be in the store."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._older: Changes | None = None
        self._newer: Changes | None = None

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return self._older is not None or self._newer is not None

    @property
    def builds(self) -> int:
        """Count the builds that the store does not know yet, or not as they are."""
        newer = {} if self._newer is None else self._newer.builds
        return len(newer) if self._older is None else len(self._older.builds.keys() | newer.keys())

    def find(self, kind: str, key: object) -> Any | None:  # noqa: ANN401 - the kind decides the type
        """Return a record of one of the dictionaries of Changes, as it is now; None where nothing of it is here."""
        for changes in (self._newer, self._older):
            if changes is not None and (found := getattr(changes, kind).get(key)) is not None:
                return found
        return None

    def add(self, changes: Changes) -> None:
        """Take in what a further entry changed."""
        if self._newer is None:
            self._newer = Changes()
        self._newer.merge(changes)

    def take(self) -> Changes:
        """Give away everything."""
        taken = self._older or Changes()
        if self._newer is not None:
            taken.merge(self._newer)
        self.clear()
        return taken

    def put_back(self, changes: Changes) -> None:
        """Take back what was given away, and could not be written."""
        if self:
            changes.merge(self.take())
        self._older = changes

    def settle(self, index: int) -> None:
        """Learn that the store reflects `index`."""
        if self._newer is not None and self._newer.index <= index:
            self.clear()
        elif self._older is None or self._older.index <= index:
            self._older, self._newer = self._newer, None

    def clear(self) -> None:
        """Forget everything."""
        self._older = self._newer = None
