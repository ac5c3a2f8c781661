"""Sums that are kept while writing, so that counting never looks at all rows. Pure: what changes when records do.

Kept are: the records of each collection, builds by project, job and state (with the highest number that ever was in
it), what each agent did on each day, and how many records have each word. A store reads, before it writes a record,
what it knew of it (the fields in SUMMED), and adds the difference.
"""

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

from ..core.model import LIVE_STATES, Millis
from .collections import COLLECTIONS, Collection
from .query import Operator, Resolved
from .statistics import Tally, shares
from .words import words

Known: TypeAlias = tuple[Any, ...]
"""What a record holds in the fields of SUMMED, in their order."""

SUMMED: dict[str, tuple[str, ...]] = {
    "builds": ("project", "job", "reason", "state", "number"),
    "attempts": ("agent", "started", "finished"),
    **{name: one.texts for name, one in COLLECTIONS.items() if name not in {"builds", "attempts"}},
}
"""The fields of each collection that sums are made of; those whose words are searched come first."""

_TALLIED = frozenset({"project", "job", "state"})


class Sums:
    """Differences to what is kept."""

    def __init__(self) -> None:
        """Begin with none."""
        self.sizes: Counter[str] = Counter()  # collection -> records
        self.tallies: Counter[tuple[str, str, str]] = Counter()  # project, job, state -> builds
        self.last: dict[tuple[str, str, str], int] = {}  # project, job, state that is an end -> highest number seen
        self.attempts: Counter[tuple[str, Millis]] = Counter()  # agent, day -> attempts that ended
        self.busy: Counter[tuple[str, Millis]] = Counter()  # agent, day -> milliseconds
        self.words: Counter[tuple[str, str]] = Counter()  # collection, word -> records
        self.entering: dict[str, list[tuple[str, int]]] = {}  # large collection -> words with the number of a record
        self.leaving: dict[str, dict[str, list[int]]] = {}  # large collection -> word -> records that have it no more

    def note(self, collection: Collection, number: int, before: Known | None, after: Known | None) -> None:
        """Take in that a record, whose key begins with `number`, changed; None: it was not, or is no more."""
        name = collection.name
        if before == after:
            return
        self.sizes[name] += (after is not None) - (before is not None)
        if name == "builds":
            self._builds(before, -1)
            self._builds(after, 1)
        elif name == "attempts" and after is not None:  # what an agent did stays true when the attempt is forgotten
            self._usage(before, -1)
            self._usage(after, 1)
        if collection.large and collection.texts:
            self._words(collection, number, before, after)

    def _builds(self, known: Known | None, sign: int) -> None:
        if known is None:
            return
        project, job, _, state, number = known
        self.tallies[project, job, state] += sign
        if sign > 0 and state not in LIVE_STATES:
            self.last[project, job, state] = max(self.last.get((project, job, state), 0), number)

    def _usage(self, known: Known | None, sign: int) -> None:
        if known is None:
            return
        agent, started, finished = known
        for day, ended, busy in shares(started, finished):
            self.attempts[agent, day] += sign * ended
            self.busy[agent, day] += sign * busy

    def _words(self, collection: Collection, number: int, before: Known | None, after: Known | None) -> None:
        old, new = (_words(known, len(collection.texts)) for known in (before, after))
        if old == new:
            return
        name = collection.name
        for word in old - new:
            self.words[name, word] -= 1
            self.leaving.setdefault(name, {}).setdefault(word, []).append(number)
        for word in new - old:
            self.words[name, word] += 1
            self.entering.setdefault(name, []).append((word, number))


def _words(known: Known | None, texts: int) -> frozenset[str]:
    return frozenset() if known is None else _words_in(known[:texts])


@lru_cache(maxsize=4096)
def _words_in(texts: tuple[str, ...]) -> frozenset[str]:
    """Return the words of texts; names and reasons repeat themselves."""
    return frozenset(words(" ".join(texts)))


def by_tallies(resolved: Resolved) -> Callable[[Tally], bool] | None:
    """Return which tallies make up the rows of a query; None where they do not tell."""
    if resolved.collection.name != "builds" or resolved.terms:
        return None
    wanted: list[tuple[str, frozenset[Any]]] = []
    for one in resolved.where:
        if one.field not in _TALLIED or one.operator not in {Operator.EQ, Operator.IN}:
            return None
        wanted.append((one.field, frozenset(one.value if one.operator is Operator.IN else (one.value,))))
    return lambda tally: all(getattr(tally, field) in values for field, values in wanted)
