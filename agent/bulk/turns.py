"""Whose request is served next, and how many bytes may be on their way: what keeps a server's memory flat.

Requests are small and wait in a line per member; a file is read for one only when there is room for its bytes. Members
take turns, so that one with many requests, or a slow one, does not hold up the others. Pure: refuses to know what a
request asks for, but its bytes.
"""

from collections import OrderedDict, deque
from typing import Generic, NamedTuple, TypeVar

EACH = 4 << 20
"""Bytes on their way to one member. Larger: faster over long ways; smaller: a fairer share for others."""

ALL = 48 << 20
"""Bytes on their way to all: the memory that answers take. Larger: more slow members are served beside fast ones."""

LINE = 256
"""Requests of one member that may wait: those of its fetches, and more."""

_T = TypeVar("_T")


class Turn(NamedTuple, Generic[_T]):
    """One request, whose time has come."""

    member: str  # whose
    request: _T  # what
    length: int  # bytes of its answer


class Turns(Generic[_T]):
    """The lines."""

    def __init__(self, each: int = EACH, all_: int = ALL, line: int = LINE) -> None:
        """Begin with nobody waiting; an answer of more than `each` bytes is never due."""
        self._each = each
        self._all = all_
        self._line = line
        self._lines: OrderedDict[str, deque[Turn[_T]]] = OrderedDict()  # who was served last stands last
        self._under_way: dict[str, int] = {}  # bytes by member
        self._sum = 0  # of those

    @property
    def waiting(self) -> bool:
        """Whether a request waits."""
        return bool(self._lines)

    def add(self, member: str, request: _T, length: int) -> bool:
        """Let a request wait; False, and it does not, where too many of this member's do."""
        line = self._lines.setdefault(member, deque())
        if len(line) >= self._line:
            return False
        line.append(Turn(member, request, length))
        return True

    def next(self) -> Turn[_T] | None:
        """Return a request whose answer there is room for, which it takes until `done`; None: there is none now."""
        for member, line in self._lines.items():
            length = line[0].length
            under_way = self._under_way.get(member, 0)
            if under_way + length > self._each or self._sum + length > self._all:
                continue
            self._under_way[member] = under_way + length
            self._sum += length
            turn = line.popleft()
            if line:
                self._lines.move_to_end(member)
            else:
                del self._lines[member]
            return turn
        return None

    def done(self, turn: Turn[_T]) -> None:
        """Free the room of an answer that has left, or was given up."""
        self._sum -= turn.length
        self._under_way[turn.member] -= turn.length
        if not self._under_way[turn.member]:
            del self._under_way[turn.member]
