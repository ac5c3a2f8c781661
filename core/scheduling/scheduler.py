"""The master's queue: fed with what changed, asked for assignments.

Order: higher priority first, then whose requester holds and used less (fairness), then the order of acceptance. What
cannot go now - no worker has room for it, what it would hold is taken, its retry waits - does not hold up others, and
costs nothing until something happens that may let it go. Refuses to know clocks, networks, and how an assignment is
carried out: instants are arguments, in the master's milliseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import msgspec

from ..affinity import warmth
from ..definition import Job, Spec
from ..model import Build, BuildState, Millis
from ..resources import Units, wanted
from . import explaining
from .deadlines import Deadlines
from .fairness import Share, Shares
from .limits import Hold, Limits, holds_of
from .places import PLAIN, Place, Worker, weight
from .queues import Demand, DemandKey, Entry, Line, LineKey, demand_of
from .workforce import Workforce

OVERDUE_MS = 5_000
"""Milliseconds until a build is told of again that waited for longer than it may, where that came to nothing."""

_DEMANDS = 256  # demands beyond which those without builds are dropped


class Assignment(msgspec.Struct, frozen=True):
    """Builds that one worker should get, in their order."""

    worker: str  # agent id
    builds: tuple[str, ...]  # build ids


@dataclass(slots=True, eq=False)
class _Holding:
    """What a build that is with a worker takes, to be given back."""

    agent: str  # agent id
    wants: Units  # of its worker
    holds: tuple[Hold, ...]  # of the network
    share: Share[Line]  # its requester's


class Scheduler:
    """Who gets which build, and when."""

    def __init__(self) -> None:
        """Begin with no builds and no workers."""
        self._workers = Workforce()
        self._demands: dict[DemandKey, Demand] = {}
        self._waiting: dict[str, Entry] = {}  # build id -> its entry; an entry in a line but not here has left
        self._held: dict[str, _Holding] = {}  # build id -> what it takes
        self._shares: Shares[Line] = Shares()
        self._limits: Limits[Line] = Limits()
        self._later: Deadlines[str] = Deadlines()  # builds that are tried again, but not yet
        self._patience: Deadlines[str] = Deadlines()  # builds that wait for so long only
        self._lingering: Deadlines[Line] = Deadlines()  # lines whose first waits for a warm worker
        self._awake: dict[Demand, None] = {}  # demands of which something may go

    def __len__(self) -> int:
        """Count the waiting builds."""
        return len(self._waiting)

    # -- facts come in

    def on_worker(self, worker: Worker) -> None:
        """Take note of a worker that is new or changed."""
        new = self._workers.get(worker.id) is None
        place = self._workers.put(worker)
        if place is None:
            return
        if new:
            for build, holding in self._held.items():
                if holding.agent == worker.id:
                    place.hold(build, holding.wants)
        self._free(place)
        for demand in self._demands.values():
            demand.admit(place)
        self._look_again()

    def on_worker_gone(self, worker: str) -> None:
        """Forget a worker that left the network."""
        place = self._workers.remove(worker)
        if place is not None:
            self._free(place)
            for demand in self._demands.values():
                demand.places.discard(place)
            self._look_again()

    def on_build(self, build: Build, spec: Spec | None, job: Job | None = None) -> None:
        """Take note of a build that is new or changed; `spec` is needed while it is alive, `job` is its job's now."""
        if build.state.ended or spec is None:
            demand = self._leave(build.id)
            if demand is not None and demand.known:
                self._awake[demand] = None  # another is the first now
            holding = self._release(build.id)
            if build.started is not None and build.finished is not None:
                length = build.finished - build.started
                self._workers.learn(build.spec, length / 1000)
                if holding is not None:
                    holding.share.charge(weight(holding.wants), length, build.finished)
        elif build.state is not BuildState.PENDING:
            self._leave(build.id)
            holds = holds_of(build, spec, job)
            holding = self._held.get(build.id)
            if holding is None or holding.agent != build.agent or holding.holds != holds:
                self._release(build.id)
                wants = wanted(spec.resources) if spec.resources else PLAIN
                self._hold(build.id, _Holding(build.agent, wants, holds, self._shares.of(build.requester)))
        else:
            self._release(build.id)
            if build.held:
                self._leave(build.id)
            else:
                self._wait(build, spec, holds_of(build, spec, job))

    # -- decisions go out

    def assignments(self, now: Millis) -> list[Assignment]:
        """Take what should be assigned now out of the queue and return it.

        From here on the builds count as held by their workers. `on_build` with a build that is still pending puts it
        back, for when the assignment did not come about.
        """
        for build in self._later.due(now):
            self._line_up(self._waiting[build])
        for line in self._lingering.due(now):
            self._offer(line)
        given: dict[str, list[str]] = {}
        while self._awake:
            self._pass(now, given)
        return [Assignment(worker, tuple(builds)) for worker, builds in given.items()]

    def _pass(self, now: Millis, given: dict[str, list[str]]) -> None:
        """Give out what can go of the demands that are awake; each is asleep when it is through."""
        awake, self._awake = self._awake, {}
        heads: list[tuple[Any, int, Demand]] = []  # heap, by the order of their first
        for demand in awake:
            self._put_in(heads, demand)
        while heads:
            key, number, demand = heappop(heads)
            line = self._first(demand)
            if line is None:
                continue
            if (risen := demand.lines.lowest) > key:  # its requester holds more by now
                heappush(heads, (risen, number, demand))
                continue
            place = self._choose(line, now)
            if place is not None:
                given.setdefault(place.worker.id, []).append(self._give(line, place))
            elif line in demand.lines:
                continue  # nobody has room for this demand now; the others are not held up
            self._put_in(heads, demand)

    def overdue(self, now: Millis) -> dict[str, str]:
        """Return the builds that waited for longer than they may, and for what.

        They stay in the queue until `on_build` says otherwise, and are told of again if it does not.
        """
        found = self._patience.due(now)
        lines: dict[LineKey, str] = {}
        for build in found:
            self._patience.set(build, now + OVERDUE_MS)
            key = self._waiting[build].line
            if key not in lines:
                lines[key] = explaining.summary(self._line(key), self._limits, list(self._workers))
        return {build: lines[self._waiting[build].line] for build in found}

    def next_look(self) -> Millis | None:
        """Return the next instant at which `assignments` or `overdue` may have something without anything happening."""
        return min(
            (at for one in (self._later, self._patience, self._lingering) if (at := one.next()) is not None),
            default=None,
        )

    def explain(self, build: str, now: Millis, label: Callable[[str], str] = str) -> list[str]:
        """Return why a build waits: what is about itself, then a line for each worker; empty if it does not wait here.

        `label(id)` is how builds are called that hold what it wants.
        """
        entry = self._waiting.get(build)
        if entry is None:
            return []
        at, until = self._later.at(build), self._patience.at(build)
        patience = [] if until is None else [explaining.patience(until, now)]
        if at is not None:
            return [explaining.later(at, now), *patience]
        demand = self._demands[entry.line[0]]
        line = demand.known[entry.line]
        places = list(self._workers)
        reasons = explaining.limits(line, self._limits, label)
        reasons += explaining.order(demand, line, entry)
        if line in self._lingering:
            reasons.append(explaining.lingering(line, places))
        return reasons + patience + explaining.workers(demand, places, alone=not reasons)

    def possible(self, build: str) -> bool:
        """Whether a worker is there that could run a build as soon as it has room; also where it does not wait here."""
        entry = self._waiting.get(build)
        return entry is None or bool(self._demands[entry.line[0]].places)

    def choice(self, worker: str, spec: Spec, requester: str) -> str:
        """Return why a build with this spec, of this requester, is with a worker, as things are now."""
        demand = Demand(demand_of(spec), {})
        places = [place for place in self._workers if demand.suits(place)]
        mine = next((place for place in places if place.worker.id == worker), None)
        if mine is not None and not mine.worker.warm.isdisjoint(warmth(spec, requester)):
            return "it has at hand what the build needs"
        if len(places) <= 1:
            return "no other agent could take it"
        return f"of {len(places)} agents that could take it, it had the most room"

    # -- builds wait, and wait no more

    def _wait(self, build: Build, spec: Spec, holds: tuple[Hold, ...]) -> None:
        line = (demand_of(spec), build.priority, build.requester, holds, warmth(spec, build.requester))
        before = self._waiting.get(build.id)
        if before is not None and before.line == line:
            return
        self._leave(build.id)
        entry = self._waiting[build.id] = Entry(build.serial, build.id, build.spec, line)
        if holds:
            self._limits.expect(holds)
        if spec.waiting_s is not None:
            self._patience.set(build.id, (build.ready or build.created) + round(spec.waiting_s * 1000))
        if build.ready > build.created:
            self._later.set(build.id, build.ready)  # it may be long over; then the next look lines it up
        else:
            self._line_up(entry)

    def _line_up(self, entry: Entry) -> None:
        """Put a build into its line."""
        line = self._line(entry.line)
        line.push(entry)
        line.demand.lines.touch(line)
        self._offer(line)

    def _line(self, key: LineKey) -> Line:
        demand = self._demand(key[0])
        line = demand.known.get(key)
        if line is None:
            share = self._shares.of(key[2])
            line = demand.known[key] = Line(key, demand, share)
            share.lines[line] = None
        return line

    def _offer(self, line: Line) -> None:
        """Let the first of a line be looked at again."""
        demand = line.demand
        if demand.known.get(line.key) is line:
            demand.lines.add(line)
            self._awake[demand] = None

    def _leave(self, build: str) -> Demand | None:
        """A build does not wait any more; its line drops it when it comes first, and ends with the last.

        Returns where it was in line.
        """
        entry = self._waiting.pop(build, None)
        if entry is None:
            return None
        demand = self._demands.get(entry.line[0])
        line = demand.known.get(entry.line) if demand is not None else None
        if line is not None and line.head is None:
            self._close(line)
        self._later.drop(build)
        self._patience.drop(build)
        for freed in self._limits.forget(entry.line[3]) if entry.line[3] else ():
            self._offer(freed)
        return demand

    def _close(self, line: Line) -> None:
        """A line has no builds any more."""
        demand = line.demand
        demand.lines.discard(line)
        self._lingering.drop(line)
        del demand.known[line.key], line.share.lines[line]
        if not demand.known:
            demand.stuck_since = None
            self._free(demand.kept)

    def _demand(self, key: DemandKey) -> Demand:
        demand = self._demands.get(key)
        if demand is None:
            if len(self._demands) >= _DEMANDS:
                for one in [one for one, idle in self._demands.items() if not idle.known]:
                    self._awake.pop(self._demands.pop(one), None)
            demand = self._demands[key] = Demand(key, self._waiting)
            for place in self._workers:
                demand.admit(place)
        return demand

    def _first(self, demand: Demand) -> Line | None:
        """Return the line whose first build is to go next; what cannot go now is put aside until it may."""
        while (line := demand.lines.first()) is not None:
            if line.holds and (limit := self._limits.lacking(line.holds)) is not None:
                demand.lines.discard(line)
                limit.waiting[line] = None
                continue
            return line
        self._free(demand.kept)
        return None

    def _put_in(self, heads: list[tuple[Any, int, Demand]], demand: Demand) -> None:
        line = self._first(demand)
        if line is not None:
            heappush(heads, (demand.lines.lowest, id(demand), demand))

    # -- builds go to workers, and come from them

    def _give(self, line: Line, place: Place) -> str:
        """Let the first of a line be held by a worker; return its id."""
        entry, demand = line.head, line.demand
        assert entry is not None, "only lines with builds are looked at"  # noqa: S101
        demand.stuck_since = None
        self._lingering.drop(line)
        self._free(demand.kept)
        self._hold(entry.id, _Holding(place.worker.id, demand.wants, line.holds, line.share))
        self._leave(entry.id)
        return entry.id

    def _hold(self, build: str, holding: _Holding) -> None:
        self._held[build] = holding
        holding.share.held += weight(holding.wants)
        if holding.holds:
            self._limits.take(build, holding.holds)
        place = self._workers.get(holding.agent)
        if place is not None:
            place.hold(build, holding.wants)

    def _release(self, build: str) -> _Holding | None:
        """Take back what a build had; return what that was."""
        holding = self._held.pop(build, None)
        if holding is None:
            return None
        holding.share.held -= weight(holding.wants)
        for line in holding.share.lines:
            line.demand.lines.touch(line)
        if holding.holds:
            for line in self._limits.give(build, holding.holds):
                self._offer(line)
        place = self._workers.get(holding.agent)
        if place is not None:
            place.release(build)
            self._relieved(place)
        return holding

    def _choose(self, line: Line, now: Millis) -> Place | None:
        """Return the worker for the first of a line; None: it has to wait, and is put aside if others need not."""
        roomy = self._workers.roomy(line)
        if roomy is not None and line.warm:
            warm = self._workers.warmest(line, roomy, now)
            if warm is None and line.cold_from is not None:
                line.demand.lines.discard(line)
                self._lingering.set(line, line.cold_from)
            return warm
        if roomy is None:
            roomy = self._workers.ahead(line)
        if roomy is None:
            self._workers.keep(line, now)
        return roomy

    def _free(self, place: Place | None) -> None:
        """Keep a worker for nobody any more."""
        if place is not None and self._workers.free(place):
            self._relieved(place)

    def _relieved(self, place: Place) -> None:
        """There may be room at a worker."""
        for demand in self._demands.values():
            if place in demand.places:
                demand.places.touch(place)
                if demand.known:
                    self._awake[demand] = None
        if self._lingering:
            for line in list(self._lingering):
                if not place.worker.warm.isdisjoint(line.warm):
                    self._offer(line)

    def _look_again(self) -> None:
        """A worker came, changed or went: anything may be different."""
        self._awake.update((demand, None) for demand in self._demands.values() if demand.known)
        for line in list(self._lingering):
            self._offer(line)
