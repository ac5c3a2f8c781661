"""Which of many items comes first by a key that changes, without looking at the others.

A key may rise unnoticed, which is seen when its item comes first; where one may have fallen, `touch` has to be told. So
what rises and falls thousands of times between two questions costs nothing meanwhile. Pure.
"""

from collections.abc import Callable, Hashable, Iterator
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any, Generic, TypeVar

T = TypeVar("T", bound=Hashable)

_SLACK = 64  # entries of the heap that are over, beyond as many as there are items, before it is made anew


class Ranking(Generic[T]):
    """Items in the order of their keys. Keys of different items should never be equal."""

    def __init__(self, key: Callable[[T], Any]) -> None:
        """Begin empty; `key(item)` is its key now."""
        self._key = key
        self._heap: list[tuple[Any, int, T]] = []  # with a number, so that items are never compared
        self._known: dict[
            T, tuple[Any, int, T]
        ] = {}  # item -> its entry in the heap, whose key is never above the true
        self._touched: dict[T, None] = {}
        self._pushed = 0

    def __len__(self) -> int:
        """Count the items."""
        return len(self._known)

    def __contains__(self, item: T) -> bool:
        """Whether an item is among them."""
        return item in self._known

    def __iter__(self) -> Iterator[T]:
        """Yield the items, in no order."""
        return iter(self._known)

    def add(self, item: T) -> None:
        """Put an item in; one that is there stays."""
        if item not in self._known:
            self._push(item, self._key(item))

    def discard(self, item: T) -> None:
        """Take an item out, if it is there."""
        if self._known.pop(item, None) is not None:
            self._touched.pop(item, None)

    def touch(self, item: T) -> None:
        """The key of an item may have fallen."""
        self._touched[item] = None

    def first(self) -> T | None:
        """Return the item with the lowest key; None where there is none."""
        if self._touched:
            self._look_at_touched()
        heap, known = self._heap, self._known
        while heap:
            entry = heap[0]
            item = entry[2]
            if known.get(item) is not entry:
                heappop(heap)
                continue
            key = self._key(item)
            if key == entry[0]:
                return item
            self._pushed += 1
            known[item] = risen = (key, self._pushed, item)
            heapreplace(heap, risen)
            if heap[0] is risen:
                return item
        return None

    @property
    def lowest(self) -> Any:  # noqa: ANN401 - whatever compares
        """The key of the item that `first` has just returned."""
        return self._heap[0][0]

    def _look_at_touched(self) -> None:
        for item in self._touched:
            entry = self._known.get(item)
            if entry is not None and (key := self._key(item)) < entry[0]:
                self._push(item, key)
        self._touched.clear()

    def _push(self, item: T, key: Any) -> None:  # noqa: ANN401 - whatever compares
        self._pushed += 1
        entry = self._known[item] = (key, self._pushed, item)
        heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._known) + _SLACK:
            self._heap = list(self._known.values())
            heapify(self._heap)
