"""Workers, what they have, and what the builds that are with them take of it. Pure.

Every build takes a slot. One that names no cpus also takes the cpus that are a slot's part of its worker's, so slots
and cpus say the same as long as nobody names any: on 8 cpus with 8 slots, eight plain builds run beside each other, or
one with `cpus: 4` and four plain ones. Slots stay the most builds at a time, whatever these take.
"""

from collections.abc import Mapping

import msgspec

from ..model import AgentRecord
from ..resources import CPUS, MEMORY, ONE, SLOTS, Units, text, units

PREFETCH_S = 0.25
"""Seconds of work a worker may hold beyond its slots. Larger: fewer gaps with tiny builds; smaller: fairer sharing."""

PREFETCH_MAX = 256
"""Builds a worker may hold beyond its slots, however short they are."""

PLAIN: Units = {}
"""What a build wants that names nothing: one slot with all that belongs to it."""

_COMMON = frozenset({CPUS, MEMORY})  # what every machine has: nothing that others should be kept for


def prefetch(mean_s: float | None, slots: int) -> int:
    """Return how many builds of this mean duration (seconds; None: not known yet) to send ahead to a worker.

    Builds that take milliseconds would leave a worker idle for most of the time if each waited for the end of the one
    before to be recorded; builds that take minutes must stay with the master, where any worker can have them.
    """
    if mean_s is None:
        return 0
    return min(PREFETCH_MAX, int(PREFETCH_S * slots / max(mean_s, 1e-4)))


class Worker(msgspec.Struct, frozen=True):
    """A worker as the scheduler sees it."""

    id: str  # agent id
    name: str  # for people
    labels: dict[str, str]  # what requirements are matched with
    slots: int  # builds it runs at a time
    reachable: bool = True  # whether it answers
    enabled: bool = True  # whether it may take new builds
    draining: bool = False  # whether it only finishes what it has
    resources: dict[str, float] = {}  # amounts that builds may take
    warm: frozenset[str] = frozenset()  # keys of what it has at hand already, see affinity
    paused: str = ""  # why it takes no new builds just now, as its offer has it; empty: it does

    @property
    def willing(self) -> bool:
        """Whether it takes new builds at all."""
        return self.reachable and self.enabled and not self.draining and not self.paused and self.slots > 0

    @classmethod
    def of(cls, record: AgentRecord, *, reachable: bool, warm: frozenset[str] = frozenset()) -> "Worker":
        """Make the scheduler's view of an agent."""
        return cls(
            id=record.id,
            name=record.name,
            labels=record.labels,
            slots=record.offered_slots,
            reachable=reachable and bool(record.session),
            enabled=record.enabled,
            draining=record.draining or record.leaving,
            resources=record.offered_resources,
            warm=warm,
            paused=record.paused,
        )


class Place:
    """A worker and what it holds."""

    def __init__(self, worker: Worker, number: int) -> None:
        """Begin with nothing held; `number` tells which worker came first."""
        self.number = number
        self.held: dict[str, Units] = {}  # build id -> what it wants of the worker
        self.keeper: object = None  # for whom all that comes free is kept at the moment; None: for everybody
        self.change(worker)

    def change(self, worker: Worker) -> None:
        """Take note of what the worker is now."""
        self.worker = worker
        self._slots = worker.slots
        self.total: Units = {SLOTS: worker.slots * ONE, **units(worker.resources)}
        self.scarce = frozenset(name for name, most in self.total.items() if most) - _COMMON - {SLOTS}
        self._plain: Units = {SLOTS: ONE}
        if CPUS in self.total and worker.slots:
            self._plain = {SLOTS: ONE, CPUS: self.total[CPUS] // worker.slots}
        self._used = dict.fromkeys(self.total, 0)
        self._particular = 0  # builds held that name amounts
        for wants in self.held.values():
            self._count(wants, 1)

    def takes(self, wants: Units) -> Units:
        """Return what a build that wants this takes here."""
        return {**self._plain, **wants} if wants else self._plain

    def hold(self, build: str, wants: Units) -> None:
        """A build is with this worker."""
        if build not in self.held:
            self.held[build] = wants
            self._count(wants, 1)

    def release(self, build: str) -> None:
        """A build is not with this worker any more."""
        wants = self.held.pop(build, None)
        if wants is not None:
            self._count(wants, -1)

    def _count(self, wants: Units, sign: int) -> None:
        used = self._used
        for name, amount in self.takes(wants).items():
            used[name] = used.get(name, 0) + sign * amount
        if wants:
            self._particular += sign

    def used(self, name: str) -> int:
        """Return how much of something is taken."""
        return self._used.get(name, 0)

    def could(self, wants: Units) -> bool:
        """Whether a build that wants this would fit if nothing else were here."""
        return self.worker.slots > 0 and all(self.total.get(name, 0) >= amount for name, amount in wants.items())

    def fits(self, wants: Units) -> bool:
        """Whether a build that wants this fits beside what is here."""
        if not wants and not self._particular:
            return len(self.held) < self._slots  # the cpus of a slot are a part of the worker's
        used, total = self._used, self.total
        return all(used.get(name, 0) + amount <= total.get(name, 0) for name, amount in self.takes(wants).items())

    def load(self, wants: Units) -> float:
        """Return how much is taken here of what a build wants most of, as a part of one; more when builds are ahead."""
        if not wants and not self._particular:
            return len(self.held) / (self._slots or 1)
        used, total = self._used, self.total
        return max(used[name] / (total[name] or 1) for name in self.takes(wants) if name in total)

    def ahead(self, mean_s: float | None) -> bool:
        """Whether one more plain build may be sent although all slots are taken, to wait here for its turn.

        Not where builds are that name amounts: the executor counts slots only, and would start it beside them.
        """
        if self._particular:
            return False
        return len(self.held) - self.worker.slots < prefetch(mean_s, self.worker.slots)

    def lacks(self, wants: Units) -> str:
        """Return, for people, what a build that wants this can never have here, or not now; empty: nothing."""
        never = [name for name, amount in wants.items() if self.total.get(name, 0) < amount]
        if never:
            return "; ".join(_never(name, wants[name], self.total.get(name, 0)) for name in sorted(never))
        if self.used(SLOTS) + ONE > self.total[SLOTS]:
            return f"all {self.worker.slots} slots are taken"
        short = {
            name: amount
            for name, amount in self.takes(wants).items()
            if self.used(name) + amount > self.total.get(name, 0)
        }
        return "; ".join(_short(name, amount, self.total[name] - self.used(name)) for name, amount in short.items())


def _never(name: str, amount: int, total: int) -> str:
    return f"takes {text(name, amount)} {name}, has {text(name, total) if total else 'none'}"


def _short(name: str, amount: int, free: int) -> str:
    return f"takes {text(name, amount)} {name}, {text(name, free) if free > 0 else 'none'} free"


def weight(wants: Mapping[str, int]) -> int:
    """Return how much a build counts in its requester's share: its cpus, or one for its slot."""
    return max(ONE, wants.get(CPUS, 0))
