"""What a feed remembers: the last answers, with when they came; and who listens. Shared by all feeds."""

from collections import OrderedDict
from collections.abc import Callable, Mapping

import msgspec

from .contract import Heard, Listener, Remembered

ANSWERS = 64
"""Answers kept. Larger: more screens show something at once when one comes back to them; more memory."""


class Memory:
    """The last answers, the least recently used of which are forgotten."""

    def __init__(self) -> None:
        """Begin with none."""
        self._answers: OrderedDict[bytes, Remembered] = OrderedDict()

    def keep(self, method: str, params: Mapping[str, object], answer: object, at: float) -> None:
        """Keep an answer."""
        key = _key(method, params)
        self._answers[key] = Remembered(answer, at)
        self._answers.move_to_end(key)
        if len(self._answers) > ANSWERS:
            self._answers.popitem(last=False)

    def find(self, method: str, params: Mapping[str, object]) -> Remembered | None:
        """Return the last answer to the same request."""
        return self._answers.get(_key(method, params))

    def forget(self) -> None:
        """Forget all: they are another network's."""
        self._answers.clear()


def _key(method: str, params: Mapping[str, object]) -> bytes:
    return msgspec.json.encode([method, params], order="deterministic")


class Listeners:
    """Who is told of what happens."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._listeners: list[Listener] = []

    def add(self, hear: Listener) -> Callable[[], None]:
        """Tell `hear` from now on; the result ends that."""
        self._listeners.append(hear)
        return lambda: self._listeners.remove(hear)

    def tell(self, heard: Heard) -> None:
        """Tell all."""
        for hear in list(self._listeners):
            hear(heard)
