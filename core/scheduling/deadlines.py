"""Instants at which something has to be looked at again: the next is found without looking at the others. Pure."""

from collections.abc import Hashable, Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from ..model import Millis

T = TypeVar("T", bound=Hashable)

_SLACK = 64  # instants that are over, beyond as many as there are, before the heap is made anew


class Deadlines(Generic[T]):
    """At most one instant for each item."""

    def __init__(self) -> None:
        """Begin without any."""
        self._heap: list[tuple[Millis, int, T]] = []  # with a number, so that items are never compared
        self._known: dict[T, tuple[Millis, int, T]] = {}  # item -> its entry in the heap
        self._pushed = 0

    def __len__(self) -> int:
        """Count the items."""
        return len(self._known)

    def __contains__(self, item: T) -> bool:
        """Whether an item has an instant."""
        return item in self._known

    def __iter__(self) -> Iterator[T]:
        """Yield the items, in no order."""
        return iter(self._known)

    def set(self, item: T, at: Millis) -> None:
        """Have an item looked at again at an instant, instead of any other that was set."""
        self._pushed += 1
        entry = self._known[item] = (at, self._pushed, item)
        heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._known) + _SLACK:
            self._heap = list(self._known.values())
            heapify(self._heap)

    def drop(self, item: T) -> None:
        """Have an item not looked at any more."""
        self._known.pop(item, None)

    def at(self, item: T) -> Millis | None:
        """Return an item's instant; None: it has none."""
        entry = self._known.get(item)
        return entry[0] if entry is not None else None

    def next(self) -> Millis | None:
        """Return the earliest instant; None: there is none."""
        heap, known = self._heap, self._known
        while heap and known.get(heap[0][2]) is not heap[0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now: Millis) -> list[T]:
        """Take out, and return in their order, the items whose instant has come."""
        found: list[T] = []
        while (at := self.next()) is not None and at <= now:
            item = heappop(self._heap)[2]
            del self._known[item]
            found.append(item)
        return found
