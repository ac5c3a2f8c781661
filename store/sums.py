"""Sums that are kept while writing, so that counting never looks at all rows. Pure: what changes when records do.

Kept are: the records of each collection, builds by project, job and state (with the highest number that ever was in
it), what each agent did on each day, and how many records have each word. A store reads, before it writes a record,
what it knew of it (the fields in SUMMED), and adds the difference.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec

from ..core.model import LIVE_STATES, Millis
from .collections import COLLECTIONS, Collection
from .query import Operator, Resolved
from .statistics import DAY_MS, Tally, shares
from .words import words

Known: TypeAlias = tuple[Any, ...]
"""What a record holds in the fields of SUMMED, in their order."""

SUMMED: dict[str, tuple[str, ...]] = {
    "builds": ("project", "job", "reason", "state", "number"),
    "attempts": ("agent", "started", "finished"),
    **{name: one.texts for name, one in COLLECTIONS.items() if name not in {"builds", "attempts"}},
}
"""The fields of each collection that sums are made of; those whose words are searched come first."""

_TALLY = itemgetter(*(SUMMED["builds"].index(one) for one in ("project", "job", "state")))
_NUMBER = itemgetter(SUMMED["builds"].index("number"))

_Texts: TypeAlias = tuple[str, ...]
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
        # large collection -> texts before and after -> records; most records have the texts of many others
        self._texts: dict[str, dict[tuple[_Texts | None, _Texts | None], list[int]]] = {}

    def note(self, collection: Collection, number: int, before: Known | None, after: Known | None) -> None:
        """Take in that a record, whose key begins with `number`, changed; None: it was not, or is no more."""
        if before == after:
            return
        name = collection.name
        if before is None:
            self.sizes[name] += 1
        elif after is None:
            self.sizes[name] -= 1
        if name == "builds":
            if before is not None:
                self.tallies[before[0], before[1], before[3]] -= 1
            if after is not None:
                self._build(after)
        elif name == "attempts":
            if after is not None:  # what an agent did stays true when the attempt is forgotten
                self._usage(before, -1)
                self._usage(after, 1)
            return
        if collection.large:
            self._reworded(collection, number, before, after)

    def enter(self, collection: Collection, numbers: Sequence[int], known: Sequence[Known]) -> None:
        """Take in many new records: the same as `note` does of each, with less work for one."""
        name = collection.name
        self.sizes[name] += len(known)
        if name == "attempts":
            self._ended(known)
            return
        if name == "builds":
            keys = list(map(_TALLY, known))
            self.tallies.update(keys)
            last: dict[tuple[str, str, str], int] = {}
            for key, number in zip(keys, map(_NUMBER, known), strict=True):
                if last.get(key, 0) < number:
                    last[key] = number
            for key, number in last.items():
                if key[2] not in LIVE_STATES and self.last.get(key, 0) < number:
                    self.last[key] = number
        if collection.large:
            groups = self._texts.setdefault(name, {})
            count = len(collection.texts)
            for number, one in zip(numbers, known, strict=True):
                groups.setdefault((None, one[:count]), []).append(number)

    def words(self) -> dict[str, dict[str, "Worded"]]:
        """Return what changes in large collections, by name, of each word that more or fewer records have."""
        found: dict[str, dict[str, Worded]] = {}
        for name, groups in self._texts.items():
            changes = found.setdefault(name, {})
            for (old, new), numbers in groups.items():
                before, after = (frozenset[str]() if one is None else _words_in(one) for one in (old, new))
                for word in before - after:
                    changes.setdefault(word, Worded()).leaving.extend(numbers)
                for word in after - before:
                    changes.setdefault(word, Worded()).entering.extend(numbers)
        return found

    def _reworded(self, collection: Collection, number: int, before: Known | None, after: Known | None) -> None:
        count = len(collection.texts)
        texts = (None if before is None else before[:count], None if after is None else after[:count])
        if texts[0] != texts[1]:
            self._texts.setdefault(collection.name, {}).setdefault(texts, []).append(number)

    def _build(self, known: Known) -> None:
        project, job, _, state, number = known
        key = (project, job, state)
        self.tallies[key] += 1
        if state not in LIVE_STATES and self.last.get(key, 0) < number:
            self.last[key] = number

    def _ended(self, known: Sequence[Known]) -> None:
        """Take in new attempts; most end on the day on which they started."""
        for one in known:
            agent, started, finished = one
            if finished is None:
                continue
            day = finished - finished % DAY_MS
            if started is not None and day <= started <= finished:
                self.attempts[agent, day] += 1
                self.busy[agent, day] += finished - started
            else:
                self._usage(one, 1)

    def _usage(self, known: Known | None, sign: int) -> None:
        if known is None or known[2] is None:
            return
        agent, started, finished = known
        for day, ended, busy in shares(started, finished):
            self.attempts[agent, day] += sign * ended
            self.busy[agent, day] += sign * busy


class Worded(msgspec.Struct):
    """What changes of one word."""

    entering: list[int] = []  # numbers of the records that have it from now on
    leaving: list[int] = []  # and of those that have it no more

    @property
    def more(self) -> int:
        """How many records more have it."""
        return len(self.entering) - len(self.leaving)


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
