"""The scheduler held against a slow and obvious one: after whatever happens, both give out the same, in the same order.

The obvious one looks at every waiting build and every worker for each assignment. Durations are long here, so nothing
is sent ahead, nobody is warm, and nothing is kept free.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from job_orchestra.core.definition import Lock, Spec
from job_orchestra.core.model import Build, BuildState, Context
from job_orchestra.core.requirements import matches, parse_requirement
from job_orchestra.core.scheduling import Scheduler, Worker, workforce
from job_orchestra.core.scheduling.fairness import Share
from tests.kit.builders import T0, build, job, spec

S = BuildState
G = float(1 << 30)

SPECS = (
    spec(),
    spec(),
    spec(runs_on=("gpu",)),
    spec(runs_on=("zone=lab",), locks=(Lock("db", of=2),)),
    spec(resources={"cpus": 2.0}),
    spec(resources={"cpus": 0.0, "memory": 2 * G}),
    spec(resources={"licence": 1.0}),
    spec(locks=(Lock("release"),)),
    spec(locks=(Lock("db", of=3, take=2), Lock("release"))),
)
WORKERS = (
    {"slots": 1},
    {"slots": 3, "labels": {"gpu": ""}},
    {"slots": 2, "labels": {"zone": "lab"}, "resources": {"cpus": 4.0, "memory": 4 * G}},
    {"slots": 4, "labels": {"zone": "lab", "gpu": ""}, "resources": {"cpus": 2.0, "memory": 8 * G, "licence": 2.0}},
    {"slots": 0},
    {"slots": 2, "draining": True},
    {"slots": 2, "paused": "it is day"},
)
JOBS = {"test": job("test"), "few": job("few", most=2)}


@dataclass
class Obvious:
    """What a scheduler should do, said as directly as possible."""

    workers: dict[str, Worker] = field(default_factory=dict[str, Worker])  # in the order in which they came
    builds: dict[str, Build] = field(default_factory=dict[str, Build])  # live ones
    specs: dict[str, Spec] = field(default_factory=dict[str, Spec])  # build id -> spec
    used: dict[str, Share[str]] = field(default_factory=dict[str, Share[str]])  # requester -> what it used

    def assign(self, now: int) -> dict[str, list[str]]:
        given: dict[str, list[str]] = {}
        while (found := self.next(now)) is not None:
            one, agent = found
            self.builds[one.id] = replace(one, state=S.ASSIGNED, agent=agent)
            given.setdefault(agent, []).append(one.id)
        return given

    def next(self, now: int) -> tuple[Build, str] | None:
        held = Counter[str]()
        for one in self.given():
            held[one.requester] += max(1000, round(1000 * self.specs[one.id].resources.get("cpus", 0)))
        waiting = [one for one in self.builds.values() if one.state is S.PENDING and one.ready <= now]
        waiting = [one for one in waiting if one.context is None]
        for one in sorted(
            waiting, key=lambda one: (-one.priority, held[one.requester], self.use(one.requester), one.serial)
        ):
            places = [name for name in self.workers if self.has_room(name, one)]
            if places and self.free(one):
                return one, min(places, key=lambda name: self.order(name, one))
        return None

    def use(self, requester: str) -> float:
        return self.share(requester).used

    def share(self, requester: str) -> Share[str]:
        return self.used.setdefault(requester, Share(requester))

    def given(self) -> list[Build]:
        return [one for one in self.builds.values() if one.state is not S.PENDING]

    def takes(self, worker: Worker, one: Build) -> dict[str, float]:
        resources = self.specs[one.id].resources
        takes = {"slots": 1.0, **resources}
        if "cpus" in worker.resources and "cpus" not in resources:
            takes["cpus"] = worker.resources["cpus"] / worker.slots
        return takes

    def taken(self, name: str) -> Counter[str]:
        taken: Counter[str] = Counter()
        for one in self.given():
            if one.agent == name and self.workers[name].slots:
                taken.update(self.takes(self.workers[name], one))  # type: ignore[arg-type] - fractions count, too
        return taken

    def has_room(self, name: str, one: Build) -> bool:
        worker = self.workers[name]
        if not worker.willing or not all(
            matches(parse_requirement(text), worker.labels) for text in self.specs[one.id].runs_on
        ):
            return False
        total, taken = {"slots": worker.slots, **worker.resources}, self.taken(name)
        return all(
            taken[what] + amount <= total.get(what, 0) + 1e-6 for what, amount in self.takes(worker, one).items()
        )

    def order(self, name: str, one: Build) -> tuple[float, ...]:
        worker = self.workers[name]
        total, taken = {"slots": worker.slots, **worker.resources}, self.taken(name)
        takes = self.takes(worker, one)
        rare = sum(what not in {"cpus", "memory", *self.specs[one.id].resources} for what in worker.resources)
        load = max(taken[what] / (total[what] or 1) for what in takes if what in total)
        return rare, round(load, 9), list(self.workers).index(name)

    def free(self, one: Build) -> bool:
        """Whether what a build would hold is free."""
        live = list(self.builds.values())
        for lock in self.specs[one.id].locks:
            uses = [
                (two, two_lock) for two in live for two_lock in self.specs[two.id].locks if two_lock.name == lock.name
            ]
            uses = [(two, two_lock) for two, two_lock in uses if two.context is None]
            taken = sum(two_lock.take for two, two_lock in uses if two.state is not S.PENDING)
            if taken + lock.take > min(two_lock.of for _, two_lock in uses):
                return False
        most = JOBS[one.job].most
        return not most or sum(two.job == one.job for two in self.given()) < most


@dataclass
class Life:
    """The same happens to both."""

    random: Random
    obvious: Obvious = field(default_factory=Obvious)
    scheduler: Scheduler = field(default_factory=Scheduler)
    now: int = T0
    made: int = 0

    def step(self) -> None:
        random = self.random
        self.now += random.choice((0, 1, 500, 20_000))
        match random.randrange(10):
            case 0 | 1 | 2 | 3:
                self.submit()
            case 4 | 5 | 6:
                self.end()
            case 7:
                self.give_back()
            case 8:
                name = random.choice(("a1", "a2", "a3"))
                fields = random.choice(WORKERS)
                worker = Worker(**{"id": name, "name": name, "labels": {}, **fields})  # type: ignore[arg-type]
                self.obvious.workers[name] = worker
                self.scheduler.on_worker(worker)
            case _:
                gone = [name for name in self.obvious.workers if random.random() < 0.1]
                for name in gone:  # what it had is lost with it
                    del self.obvious.workers[name]
                    self.scheduler.on_worker_gone(name)
                    for one in [one for one in self.obvious.given() if one.agent == name]:
                        self.set(replace(one, state=S.PENDING, agent="", ready=self.now + random.choice((0, 30_000))))

    def submit(self) -> None:
        random = self.random
        wanted = random.choice(SPECS)
        self.made += 1
        one = build(
            self.made,
            job=random.choice(("test", "test", "few")),
            spec=wanted.digest(),
            priority=random.choice((0, 0, 0, 5)),
            requester=random.choice(("ann", "ben", "cas")),
            context=Context(held=True) if random.random() < 0.1 else None,
        )
        self.obvious.specs[one.id] = wanted
        self.set(one)

    def end(self) -> None:
        random = self.random
        if not self.obvious.builds:
            return
        one = random.choice(list(self.obvious.builds.values()))
        if one.state is S.PENDING and one.context is not None:
            self.set(replace(one, context=None))
        elif one.state is S.PENDING:
            self.set(replace(one, state=S.CANCELLED))
        elif one.state is S.ASSIGNED:
            self.set(replace(one, state=S.RUNNING))
        else:
            length = random.randint(10_000, 10**6)
            wanted = self.obvious.specs[one.id]
            weight = max(1000, round(1000 * wanted.resources.get("cpus", 0)))
            self.obvious.share(one.requester).charge(weight, length, self.now)
            self.set(replace(one, state=S.SUCCEEDED, started=self.now - length, finished=self.now))

    def give_back(self) -> None:
        given = self.obvious.given()
        if given:
            ready = self.now + self.random.choice((-1, 0, 1, 600, 40_000))
            self.set(replace(self.random.choice(given), state=S.PENDING, agent="", ready=ready))

    def set(self, one: Build) -> None:
        self.obvious.builds.pop(one.id, None)
        if not one.state.ended:
            self.obvious.builds[one.id] = one
        self.scheduler.on_build(one, self.obvious.specs[one.id], JOBS[one.job])

    def compare(self) -> None:
        expected = self.obvious.assign(self.now)
        given = {one.worker: list(one.builds) for one in self.scheduler.assignments(self.now)}
        assert given == expected
        waiting = [one for one in self.obvious.builds.values() if one.state is S.PENDING and one.context is None]
        assert len(self.scheduler) == len(waiting), "none forgotten, none twice"
        later = [one.ready for one in waiting if one.ready > self.now]
        assert self.scheduler.next_look() == min(later, default=None)
        for one in waiting:
            assert self.scheduler.explain(one.id, self.now), "each has a reason"

    def leave(self) -> None:
        for one in list(self.obvious.builds.values()):
            self.set(replace(one, state=S.ABORTED))
        scheduler = self.scheduler
        assert scheduler.assignments(self.now) == []
        assert (len(scheduler), scheduler._held, scheduler._limits._limits) == (0, {}, {})
        assert all(not demand.known and not len(demand.lines) for demand in scheduler._demands.values())
        assert all(not share.lines and not share.held for share in scheduler._shares._shares.values())
        assert all(not place.held and not any(place._used.values()) for place in scheduler._workers)


@pytest.fixture(autouse=True, scope="module")
def _nothing_is_kept() -> Iterator[None]:
    """Let no worker be kept free for a build that waits for long: the obvious one does not know of that."""
    before, workforce.KEEP_MS = workforce.KEEP_MS, 10**12
    yield
    workforce.KEEP_MS = before


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 120))
def test_it_does_what_the_obvious_one_does(seed: int, steps: int) -> None:
    life = Life(Random(seed))
    for _ in range(steps):
        life.step()
        life.compare()
    life.leave()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 120))
def test_a_new_master_goes_on_as_the_old_one_would(seed: int, steps: int) -> None:
    life = Life(Random(seed))
    for _ in range(steps):
        life.step()
        life.compare()
    life.scheduler = Scheduler()
    life.obvious.used = {name: Share(name) for name in life.obvious.used}  # it knows what is held, not what was used
    for worker in life.obvious.workers.values():
        life.scheduler.on_worker(worker)
    for one in life.obvious.builds.values():
        life.scheduler.on_build(one, life.obvious.specs[one.id], JOBS[one.job])
    for _ in range(10):
        life.compare()
        life.step()
    life.leave()
