"""Which digests a history names: logs and artifacts of its attempts, at eight bytes each.

Two digests that begin alike are taken for one, so that at worst something stays that could go. Refuses to know what is
done with what the history does not name.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from msgspec.structs import replace

from ..core.ids import is_digest
from ..core.model import Attempt
from ..store.query import MAX_LIMIT, Query
from .history import History

_FOLDERS = 256  # by the first byte


class Marks:
    """Digests, to look some up."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found = [array("Q") for _ in range(_FOLDERS)]
        self._sets: dict[int, set[int]] = {}  # of the folder looked up last

    def add(self, digest: str) -> None:
        """Take note of one; what is no digest is passed over: what a worker told is a text like any other."""
        if is_digest(digest):
            self._found[int(digest[:2], 16)].append(_mark(digest))

    def has(self, digest: str) -> bool:
        """Whether one was noted. Quick for those that begin alike, one after the other."""
        first = int(digest[:2], 16)
        if first not in self._sets:
            self._sets = {first: set(self._found[first])}
        return _mark(digest) in self._sets[first]


async def marks_of(history: History, named: Callable[[Attempt], Iterable[str]]) -> Marks:
    """Return the digests that are `named` by the attempts of a history. Raises StorageError."""
    marks, query = Marks(), Query("attempts", limit=MAX_LIMIT)
    while True:
        page = await history.read(history.store.find, query)
        for one in cast("Sequence[Attempt]", page.rows):
            for digest in named(one):
                marks.add(digest)
        if page.next is None:
            return marks
        query = replace(query, after=page.next)


def _mark(digest: str) -> int:
    return int(digest[2:18], 16)
