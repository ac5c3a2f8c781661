"""Waiting builds x willing workers -> assignments, and why a build waits.

Fed with what changed (builds, workers), asked for assignments; never looks at the whole queue: builds wait in one queue
per requirement class (the set of requirements and nothing else decides who can run them), and only the heads of the
queues are compared. Order: higher priority first, then the order of acceptance; a class that nobody can serve now does
not hold up the others.

Refuses to know about time, networks and how an assignment is carried out.
"""

from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import TypeAlias

import msgspec

from .definition import Spec
from .model import AgentRecord, Build, BuildState
from .requirements import Requirement, matches, parse_requirement, why_not

PREFETCH_S = 0.25
"""Seconds of work a worker may hold beyond its slots. Larger: fewer gaps with tiny builds; smaller: fairer sharing."""

PREFETCH_MAX = 256
"""Builds a worker may hold beyond its slots, however short they are."""


def prefetch(mean_s: float | None, slots: int) -> int:
    """Return how many builds of this mean duration (seconds; None: not known yet) to send ahead to a worker.

    Builds that take milliseconds would leave a worker idle for most of the time if each waited for the end of the one
    before to be recorded; builds that take minutes must stay with the master, where any worker can have them.
    """
    if mean_s is None:
        return 0
    return min(PREFETCH_MAX, int(PREFETCH_S * slots / max(mean_s, 1e-4)))


_PACES = 10_000  # specs whose mean duration is remembered
_QUEUES = 256  # requirement classes beyond which the empty ones are dropped


class Worker(msgspec.Struct, frozen=True):
    """A worker as the scheduler sees it."""

    id: str  # agent id
    name: str  # for people
    labels: dict[str, str]  # what requirements are matched with
    slots: int  # builds it runs at a time
    reachable: bool = True  # whether it answers
    enabled: bool = True  # whether it may take new builds
    draining: bool = False  # whether it only finishes what it has

    @property
    def willing(self) -> bool:
        """Whether it takes new builds at all."""
        return self.reachable and self.enabled and not self.draining

    @classmethod
    def of(cls, record: AgentRecord, *, reachable: bool) -> "Worker":
        """Make the scheduler's view of an agent."""
        return cls(
            id=record.id,
            name=record.name,
            labels=record.labels,
            slots=record.slots,
            reachable=reachable and bool(record.session),
            enabled=record.enabled,
            draining=record.draining or record.leaving,
        )


@dataclass
class _Place:
    """A worker and what it holds."""

    worker: Worker
    held: set[str] = field(default_factory=set[str])  # ids of builds assigned to it or running

    @property
    def free(self) -> int:
        """Slots without a build."""
        return self.worker.slots - len(self.held)


#: A waiting build: (-priority, serial, id, requirement class, spec digest). The serial decides every comparison.
_Entry: TypeAlias = tuple[int, int, str, tuple[str, ...], str]


@dataclass
class _Queue:
    """The builds of one requirement class, in the order they are to be assigned.

    New builds come in the order of acceptance, so a line per priority is already sorted: taking the first costs the
    same however long it is. What workers give back is older than the end of its line and waits in a small heap beside.
    """

    requirements: tuple[Requirement, ...]
    lines: dict[int, deque[_Entry]] = field(default_factory=dict[int, deque[_Entry]])  # priority -> oldest first
    ranks: list[int] = field(default_factory=list[int])  # the priorities in `lines`, highest last
    returned: list[_Entry] = field(default_factory=list[_Entry])  # heap
    able: list[_Place] = field(default_factory=list[_Place])  # willing workers that meet the requirements

    def push(self, entry: _Entry) -> None:
        """Put a build in its place."""
        rank = -entry[0]
        line = self.lines.get(rank)
        if line is None:
            line = self.lines[rank] = deque()
            insort(self.ranks, rank)
        if line and line[-1][1] > entry[1]:
            heappush(self.returned, entry)
        else:
            line.append(entry)

    def head(self, waiting: dict[str, _Entry]) -> _Entry | None:
        """Return the first build, dropping from the front what is not in `waiting` any more."""
        first: _Entry | None = None
        while self.ranks and first is None:
            line = self.lines[self.ranks[-1]]
            while line and waiting.get(line[0][2]) is not line[0]:
                line.popleft()
            if line:
                first = line[0]
            else:
                del self.lines[self.ranks.pop()]
        while self.returned and waiting.get(self.returned[0][2]) is not self.returned[0]:
            heappop(self.returned)
        if self.returned and (first is None or self.returned[0] < first):
            return self.returned[0]
        return first


class Assignment(msgspec.Struct, frozen=True):
    """Builds that one worker should get, in their order."""

    worker: str  # agent id
    builds: tuple[str, ...]  # build ids


class Scheduler:
    """The master's queue."""

    def __init__(self) -> None:
        """Begin with no builds and no workers."""
        self._places: dict[str, _Place] = {}
        self._queues: dict[tuple[str, ...], _Queue] = {}
        self._waiting: dict[str, _Entry] = {}  # build id -> its entry; an entry in a heap but not here has left
        self._holder: dict[str, str] = {}  # build id -> agent id of who holds it
        self._pace: dict[str, float] = {}  # spec digest -> mean duration in seconds, recent builds weigh most

    def __len__(self) -> int:
        """Count the waiting builds."""
        return len(self._waiting)

    # -- facts come in

    def on_worker(self, worker: Worker) -> None:
        """Take note of a worker that is new or changed."""
        place = self._places.get(worker.id)
        if place is None:
            place = self._places[worker.id] = _Place(worker)
            place.held.update(build for build, holder in self._holder.items() if holder == worker.id)
        elif place.worker == worker:
            return
        place.worker = worker
        for queue in self._queues.values():
            self._admit(queue)

    def on_worker_gone(self, worker: str) -> None:
        """Forget a worker that left the network."""
        if self._places.pop(worker, None) is not None:
            for queue in self._queues.values():
                self._admit(queue)

    def on_build(self, build: Build, spec: Spec | None) -> None:
        """Take note of a build that is new or changed; `spec` is needed while it is pending."""
        if build.state is BuildState.PENDING and spec is not None:
            self._release(build.id)
            self._wait(build, spec)
        elif build.state.ended:
            self._waiting.pop(build.id, None)
            self._release(build.id)
            if build.started is not None and build.finished is not None:
                self._learn(build.spec, (build.finished - build.started) / 1000)
        else:
            self._waiting.pop(build.id, None)
            if self._holder.get(build.id) != build.agent:
                self._release(build.id)
                self._hold(build.id, build.agent)

    # -- decisions go out

    def assignments(self) -> list[Assignment]:
        """Take what should be assigned now out of the queue and return it.

        From here on the builds count as held by their workers. `on_build` with a build that is still pending puts it
        back, for when the assignment did not come about.
        """
        if not self._waiting:
            return []
        heads = [head for queue in self._queues.values() if (head := queue.head(self._waiting)) is not None]
        heapify(heads)
        given: dict[str, list[str]] = {}
        while heads:
            _, _, build, key, digest = heappop(heads)
            queue = self._queues[key]
            place = self._choose(queue, digest)
            if place is None:
                continue  # nobody has room for this class now; the other classes are not held up
            del self._waiting[build]
            self._hold(build, place.worker.id)
            given.setdefault(place.worker.id, []).append(build)
            following = queue.head(self._waiting)
            if following is not None:
                heappush(heads, following)
        return [Assignment(worker, tuple(builds)) for worker, builds in given.items()]

    def explain(self, build: str) -> list[str]:
        """Return why a build waits, one line for each worker; empty if it does not wait here."""
        entry = self._waiting.get(build)
        if entry is None:
            return []
        if not self._places:
            return ["no worker has joined this network yet"]
        queue = self._queues[entry[3]]
        return [f"{place.worker.name}: {self._why(queue, place)}" for place in self._places.values()]

    # -- inside

    def _wait(self, build: Build, spec: Spec) -> None:
        if build.id in self._waiting:
            return
        key = spec.runs_on
        queue = self._queues.get(key)
        if queue is None:
            if len(self._queues) >= _QUEUES:
                self._queues = {
                    one: queue for one, queue in self._queues.items() if queue.head(self._waiting) is not None
                }
            queue = self._queues[key] = _Queue(tuple(parse_requirement(text) for text in key))
            self._admit(queue)
        entry = self._waiting[build.id] = (-build.priority, build.serial, build.id, key, build.spec)
        queue.push(entry)

    def _admit(self, queue: _Queue) -> None:
        """Find the workers that a class may use; done when a worker changes, not when a build does."""
        queue.able = [
            place
            for place in self._places.values()
            if place.worker.willing and all(matches(one, place.worker.labels) for one in queue.requirements)
        ]

    def _choose(self, queue: _Queue, digest: str) -> _Place | None:
        """Return the worker with most free slots; where all are full, the one least ahead, if that is allowed."""
        best = max(queue.able, key=lambda place: place.free / place.worker.slots, default=None)
        if best is None or best.free > 0:
            return best
        ahead = prefetch(self._pace.get(digest), best.worker.slots)
        return best if best.free > -ahead else None

    def _why(self, queue: _Queue, place: _Place) -> str:
        worker = place.worker
        if not worker.reachable:
            return "cannot be reached"
        if not worker.enabled:
            return f"is disabled (orchestra enable {worker.name})"
        if worker.draining:
            return "is draining: it finishes what it has and takes nothing new"
        missing = [why_not(one, worker.labels) for one in queue.requirements if not matches(one, worker.labels)]
        if missing:
            return "; ".join(missing)
        if place.free <= 0:
            return f"all {worker.slots} slots are taken"
        return "has room: it is next in line"

    def _hold(self, build: str, agent: str) -> None:
        self._holder[build] = agent
        place = self._places.get(agent)
        if place is not None:
            place.held.add(build)

    def _release(self, build: str) -> None:
        holder = self._holder.pop(build, None)
        place = self._places.get(holder) if holder else None
        if place is not None:
            place.held.discard(build)

    def _learn(self, digest: str, seconds: float) -> None:
        before = self._pace.pop(digest, seconds)
        self._pace[digest] = before + 0.2 * (seconds - before)  # the last dozen builds make up most of it
        if len(self._pace) > _PACES:
            del self._pace[next(iter(self._pace))]  # the spec that has not ended a build for longest
