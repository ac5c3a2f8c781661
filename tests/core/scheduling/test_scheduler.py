"""The master's queue: who gets which build, and why one waits."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from job_orchestra.core.affinity import warmth
from job_orchestra.core.definition import Lock, Source, Spec
from job_orchestra.core.model import Build, BuildState, Context
from job_orchestra.core.requirements import matches, parse_requirement
from job_orchestra.core.scheduling import PREFETCH_MAX, PREFETCH_S, Assignment, Scheduler, Worker, prefetch
from job_orchestra.core.scheduling.scheduler import OVERDUE_MS
from tests.kit.builders import T0, agent, build, job, spec

S = BuildState


def worker(identity: str = "a1", slots: int = 1, **fields: object) -> Worker:
    return Worker(**{"id": identity, "name": identity, "labels": {"os": "linux"}, "slots": slots, **fields})  # type: ignore[arg-type]


def waiting(*builds: Build, needs: str | tuple[str, ...] = ()) -> Scheduler:
    scheduler = Scheduler()
    put(scheduler, *builds, needs=needs)
    return scheduler


def put(scheduler: Scheduler, *builds: Build, needs: str | tuple[str, ...] = ()) -> None:
    for one in builds:
        scheduler.on_build(one, spec(runs_on=(needs,) if isinstance(needs, str) else needs))


def ended(one: Build, seconds: float = 60, agent: str = "a1") -> Build:
    return replace(one, state=S.SUCCEEDED, agent=agent, started=T0, finished=T0 + round(seconds * 1000))


def ids(*builds: Build) -> tuple[str, ...]:
    return tuple(one.id for one in builds)


B1, B2, B3, B4 = (build(serial) for serial in range(1, 5))


# -- order


def test_with_nothing_there_is_nothing_to_assign() -> None:
    scheduler = Scheduler()
    scheduler.on_worker(worker())
    assert scheduler.assignments(T0) == []
    assert len(waiting(B1)) == 1
    assert waiting(B1).assignments(T0) == []


def test_the_order_of_acceptance_whatever_the_order_of_arrival() -> None:
    scheduler = waiting(B3, B1, B2)
    scheduler.on_worker(worker(slots=2))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1, B2))]
    assert scheduler.assignments(T0) == []
    assert len(scheduler) == 1


def test_a_higher_priority_first() -> None:
    low, high = build(4, priority=-1), build(5, priority=10)
    scheduler = waiting(low, B1, high, B2)
    scheduler.on_worker(worker(slots=4))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(high, B1, B2, low))]


def test_the_worker_with_most_free_slots_is_chosen() -> None:
    scheduler = waiting(B1, B2, B3, B4)
    scheduler.on_worker(worker("small", 1))
    scheduler.on_worker(worker("big", 3))
    given_out = {one.worker: len(one.builds) for one in scheduler.assignments(T0)}
    assert given_out == {"small": 1, "big": 3}


def test_a_class_that_nobody_can_serve_does_not_hold_up_others() -> None:
    scheduler = waiting(build(1, priority=9), needs="gpu")
    put(scheduler, B2)
    scheduler.on_worker(worker(slots=2))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B2))]
    assert len(scheduler) == 1
    scheduler.on_worker(worker("a2", labels={"gpu": ""}))
    assert scheduler.assignments(T0) == [Assignment("a2", ids(B1))]


def test_all_requirements_count() -> None:
    scheduler = waiting(B1, needs=("gpu", "zone=lab"))
    scheduler.on_worker(worker("a1", labels={"gpu": ""}))
    scheduler.on_worker(worker("a2", labels={"zone": "lab"}))
    assert scheduler.assignments(T0) == []
    scheduler.on_worker(worker("a1", labels={"gpu": "", "zone": "lab"}))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1))]


# -- slots


def test_slots_come_back_when_builds_end() -> None:
    scheduler = waiting(B1, B2)
    scheduler.on_worker(worker())
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1))]
    scheduler.on_build(replace(B1, state=S.ASSIGNED, agent="a1"), spec())
    scheduler.on_build(replace(B1, state=S.RUNNING, agent="a1"), spec())
    assert scheduler.assignments(T0) == []
    scheduler.on_build(ended(B1), spec())
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B2))]


def test_builds_that_others_assigned_count() -> None:
    # a new master: the workers come after the builds that they hold
    scheduler = waiting(B2)
    scheduler.on_build(replace(B1, state=S.RUNNING, agent="a1"), spec())
    scheduler.on_worker(worker())
    assert scheduler.assignments(T0) == []
    assert scheduler.explain(B2.id, T0) == ["a1: all 1 slots are taken"]


def test_a_worker_that_comes_back_still_holds_what_it_had() -> None:
    scheduler = waiting(B1, B2)
    scheduler.on_worker(worker())
    scheduler.assignments(T0)
    scheduler.on_worker_gone("a1")
    scheduler.on_worker_gone("a1")
    assert scheduler.explain(B2.id, T0) == ["no worker has joined this network yet"]
    scheduler.on_worker(worker())
    assert scheduler.assignments(T0) == []
    scheduler.on_worker(worker(slots=2))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B2))]


def test_a_build_that_moved_to_another_worker_frees_the_first() -> None:
    scheduler = waiting(B1, B2)
    scheduler.on_worker(worker())
    scheduler.assignments(T0)
    scheduler.on_build(replace(B1, state=S.ASSIGNED, agent="a2", attempt=2), spec())
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B2))]


def test_fewer_slots_than_it_holds() -> None:
    scheduler = waiting(B1, B2, B3)
    scheduler.on_worker(worker(slots=2))
    scheduler.assignments(T0)
    scheduler.on_worker(worker(slots=1))
    scheduler.on_build(ended(B1), spec())
    assert scheduler.assignments(T0) == []
    scheduler.on_build(ended(B2), None)
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B3))]


# -- put back, withdrawn


def test_what_did_not_come_about_is_put_back_at_its_place() -> None:
    scheduler = waiting(B1, B2)
    scheduler.on_worker(worker())
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1))]
    put(scheduler, B1)
    assert len(scheduler) == 2
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1))]


def test_a_build_is_in_the_queue_once() -> None:
    scheduler = waiting(B1, B1, B1)
    scheduler.on_worker(worker(slots=3))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1))]
    assert scheduler.assignments(T0) == []


@pytest.mark.parametrize("state", [S.CANCELLED, S.ABORTED, S.ASSIGNED, S.RUNNING])
def test_what_left_the_queue_is_not_assigned(state: BuildState) -> None:
    scheduler = waiting(B1, B2)
    scheduler.on_build(replace(B1, state=state, agent="" if state.ended else "a9"), spec())
    scheduler.on_worker(worker(slots=2))
    assert len(scheduler) == 1
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B2))]


def test_left_and_back_again() -> None:
    scheduler = waiting(B1)
    scheduler.on_build(replace(B1, state=S.ASSIGNED, agent="a9"), spec())
    put(scheduler, B1)
    scheduler.on_worker(worker(slots=2))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1))]
    assert len(scheduler) == 0


def test_many_classes_of_requirements_do_not_pile_up() -> None:
    scheduler = Scheduler()
    scheduler.on_worker(worker())
    for serial in range(1, 1001):
        one = build(serial)
        put(scheduler, one, needs=f"label-{serial}")
        if serial != 500:
            scheduler.on_build(replace(one, state=S.CANCELLED), spec())
    assert len(scheduler._demands) < 300
    scheduler.on_worker(worker(labels={"label-500": ""}))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(build(500)))]


# -- whether anybody could, and why it was this one


def test_a_build_is_possible_where_a_worker_could_have_it_however_busy() -> None:
    scheduler = waiting(B1, B2)
    put(scheduler, B3, needs="moon")
    assert not scheduler.possible(B1.id)
    scheduler.on_worker(worker())
    scheduler.assignments(T0)
    assert scheduler.possible(B2.id), "as soon as there is room"
    assert not scheduler.possible(B3.id)
    assert scheduler.possible(B1.id), "it does not wait"
    scheduler.on_worker(worker("a2", labels={"moon": ""}))
    assert scheduler.possible(B3.id)


def test_why_a_worker_has_a_build() -> None:
    scheduler = Scheduler()
    scheduler.on_worker(worker())
    assert scheduler.choice("a1", spec(), "ann") == "no other agent could take it"
    scheduler.on_worker(worker("a2", labels={"os": "linux", "gpu": ""}))
    assert scheduler.choice("a1", spec(), "ann") == "of 2 agents that could take it, it had the most room"
    assert scheduler.choice("a2", spec(runs_on=("gpu",)), "ann") == "no other agent could take it"
    cached = spec(source=Source(git="https://x/y"))
    scheduler.on_worker(worker(warm=frozenset(warmth(cached, "ann"))))
    assert scheduler.choice("a1", cached, "ann") == "it has at hand what the build needs"
    assert scheduler.choice("a2", cached, "ann") == "of 2 agents that could take it, it had the most room"


# -- unwilling workers, explained


UNWILLING = [
    ({"reachable": False}, "cannot be reached"),
    ({"enabled": False}, "is disabled (orchestra enable a1)"),
    ({"draining": True}, "is draining: it finishes what it has and takes nothing new"),
    ({"reachable": False, "enabled": False, "draining": True}, "cannot be reached"),
]


@pytest.mark.parametrize(("fields", "why"), UNWILLING)
def test_an_unwilling_worker_gets_nothing_until_it_is_willing(fields: dict[str, Any], why: str) -> None:
    scheduler = waiting(B1)
    scheduler.on_worker(worker(**fields))
    assert scheduler.assignments(T0) == []
    assert scheduler.explain(B1.id, T0) == [f"a1: {why}"]
    scheduler.on_worker(worker())
    assert scheduler.explain(B1.id, T0) == ["a1: has room: it is next in line"]
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1))]


def test_explain_has_a_line_for_each_worker() -> None:
    scheduler = waiting(B1, needs=("gpu", "os=linux"))
    scheduler.on_worker(worker("a1", labels={"os": "macos"}))
    scheduler.on_worker(worker("a2", labels={"os": "linux"}))
    assert scheduler.explain(B1.id, T0) == [
        "a1: needs gpu, has no label gpu; needs os=linux, has os=macos",
        "a2: needs gpu, has no label gpu",
    ]


def test_explain_says_nothing_of_what_does_not_wait() -> None:
    scheduler = waiting(B1)
    assert scheduler.explain("00000000", T0) == []
    scheduler.on_worker(worker())
    scheduler.assignments(T0)
    assert scheduler.explain(B1.id, T0) == []


@pytest.mark.parametrize(
    ("session", "reachable", "willing"),
    [("s1", True, True), ("", True, False), ("s1", False, False), ("", False, False)],
)
def test_who_has_no_session_does_not_work(session: str, reachable: bool, willing: bool) -> None:
    seen = Worker.of(agent(session=session, slots=3, labels={"gpu": ""}), reachable=reachable)
    assert seen.willing is willing
    assert (seen.id, seen.name, seen.slots, seen.labels) == ("a1", "ant", 3, {"gpu": ""})


# -- who goes next


def test_one_who_submits_much_does_not_hold_up_another() -> None:
    scheduler = waiting(*[build(serial, requester="ann") for serial in range(1, 101)])
    scheduler.on_worker(worker(slots=4))
    first = scheduler.assignments(T0)[0].builds
    assert first == ids(*[build(serial) for serial in range(1, 5)])
    late = [build(serial, requester="ben") for serial in range(101, 111)]
    put(scheduler, *late)
    assert scheduler.explain(build(5).id, T0) == [
        "who holds and used less goes first: ben (holds 0); ann holds 4",
        "a1: all 4 slots are taken",
    ]
    assert scheduler.explain(late[1].id, T0) == ["1 of ben is before it", "a1: all 4 slots are taken"]
    for one in first[:3]:
        scheduler.on_build(ended(build(id=one, serial=build_serial(one), requester="ann")), spec())
    # ann holds 1 and ben 0, then both as many: there ben used less
    assert scheduler.assignments(T0) == [Assignment("a1", ids(late[0], late[1], build(5)))]


def build_serial(identity: str) -> int:
    return next(serial for serial in range(1, 200) if build(serial).id == identity)


def test_of_those_who_hold_as_much_who_used_less_goes_first() -> None:
    ann, ben = build(1, requester="ann"), build(2, requester="ben")
    scheduler = waiting(ann, ben)
    scheduler.on_worker(worker(slots=2))
    scheduler.assignments(T0)
    put(scheduler, build(3, requester="ann"), build(4, requester="ben"), build(5, requester="ann"))
    scheduler.on_build(ended(ann, seconds=600), spec())
    scheduler.on_build(ended(ben, seconds=60), spec())
    assert scheduler.assignments(T0) == [Assignment("a1", ids(build(4), build(3)))]


def test_what_takes_more_cpus_counts_more() -> None:
    big = spec(resources={"cpus": 4.0})
    scheduler = Scheduler()
    scheduler.on_worker(worker(slots=8, resources={"cpus": 8.0}))
    scheduler.on_build(build(1, requester="ann"), big)
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1))]
    put(scheduler, *[build(serial, requester="ann") for serial in range(2, 8)])
    put(scheduler, *[build(serial, requester="ben") for serial in range(8, 14)])
    assert scheduler.assignments(T0) == [Assignment("a1", ids(*[build(serial) for serial in (8, 9, 10, 11)]))]


def test_priority_comes_before_fairness() -> None:
    scheduler = waiting(build(1, requester="ann"), build(2, requester="ann", priority=1), build(3, requester="ben"))
    scheduler.on_worker(worker(slots=2))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B2, B3))]
    assert scheduler.explain(B1.id, T0) == ["a1: all 2 slots are taken"]


# -- what only so many may hold


def test_a_lock_is_held_by_one_whoever_runs_it() -> None:
    deploy = spec(locks=(Lock("release"),))
    scheduler = Scheduler()
    for one in (B1, B2):
        scheduler.on_build(one, deploy)
    put(scheduler, B3)
    scheduler.on_worker(worker("a1", 1))
    scheduler.on_worker(worker("a2", 2))
    assert {one.worker: one.builds for one in scheduler.assignments(T0)} == {"a1": ids(B1), "a2": ids(B3)}
    assert scheduler.explain(B2.id, T0, lambda one: f"<{one}>") == [
        f"lock release: 1 of 1 taken, by <{B1.id}>",
        "a1: all 1 slots are taken",
        "a2: has room",
    ]
    scheduler.on_build(ended(B1), deploy)
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B2))]


def test_a_new_master_finds_locks_as_they_were() -> None:
    deploy = spec(locks=(Lock("release"),))
    scheduler = Scheduler()
    scheduler.on_build(B2, deploy)
    scheduler.on_build(replace(B1, state=S.RUNNING, agent="gone"), deploy)
    scheduler.on_worker(worker(slots=9))
    assert scheduler.assignments(T0) == []
    scheduler.on_build(replace(B1, state=S.LOST), deploy)
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B2))]


def test_counted_locks_and_those_who_disagree() -> None:
    scheduler = Scheduler()
    scheduler.on_worker(worker(slots=9))
    scheduler.on_build(B1, spec(locks=(Lock("db", of=4, take=2),)))
    scheduler.on_build(B2, spec(locks=(Lock("db", of=4, take=3),)))
    scheduler.on_build(B3, spec(locks=(Lock("db", of=4, take=2),)))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1, B3))]
    assert scheduler.explain(B2.id, T0)[0] == f"lock db: 4 of 4 taken, by {B1.id}, {B3.id}"
    scheduler.on_build(B4, spec(locks=(Lock("db", of=2),)))
    assert scheduler.explain(B2.id, T0)[0] == "lock db: takes 3, but there are 2, as another build says"
    scheduler.on_build(replace(B4, state=S.CANCELLED), spec())
    scheduler.on_build(ended(B1), spec())
    scheduler.on_build(ended(B3), spec())
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B2))]


def test_a_jobs_concurrency_follows_its_definition() -> None:
    scheduler = Scheduler()
    scheduler.on_worker(worker(slots=9))
    for one in (B1, B2, B3):
        scheduler.on_build(one, spec(), job(most=1))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1))]
    assert scheduler.explain(B3.id, T0)[:2] == [
        f"concurrency of shop/test: 1 of 1 taken, by {B1.id}",
        "1 of the same requester is before it",
    ]
    for one in (replace(B1, state=S.RUNNING, agent="a1"), B2, B3):
        scheduler.on_build(one, spec(), job(most=2))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B2))]
    for one in (replace(B1, state=S.RUNNING, agent="a1"), replace(B2, state=S.ASSIGNED, agent="a1"), B3):
        scheduler.on_build(one, spec(), job())
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B3))]


def test_what_holds_something_is_not_sent_ahead() -> None:
    scheduler = Scheduler()
    scheduler.on_worker(worker())
    deploy = spec(locks=(Lock("release", of=9),))
    for one in (B1, B2):
        scheduler.on_build(one, deploy)
    scheduler.on_build(replace(ended(build(9), seconds=0.01), spec=B1.spec), spec())
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1))]
    put(scheduler, B3)
    assert scheduler.assignments(T0) == [], "nor what comes behind it"
    scheduler.on_build(replace(B2, state=S.CANCELLED), spec())
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B3))]


# -- later


def test_a_further_attempt_waits_until_it_may_begin() -> None:
    later = replace(B1, ready=T0 + 5_000, retries=1)
    scheduler = waiting(later, B2)
    scheduler.on_worker(worker(slots=5))
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B2))]
    assert scheduler.next_look() == T0 + 5_000
    assert scheduler.explain(B1.id, T0) == [
        "its next attempt begins in 5 s at the earliest, as its retry policy has it"
    ]
    assert len(scheduler) == 1
    assert scheduler.assignments(T0 + 4_999) == []
    assert scheduler.assignments(T0 + 5_000) == [Assignment("a1", ids(B1))]
    assert scheduler.next_look() is None


def test_one_that_is_withdrawn_before_it_may_begin_never_does() -> None:
    scheduler = waiting(replace(B1, ready=T0 + 5_000))
    scheduler.on_worker(worker())
    scheduler.on_build(replace(B1, state=S.CANCELLED), spec())
    assert (len(scheduler), scheduler.next_look(), scheduler.assignments(T0 + 9_000)) == (0, None, [])


def test_who_waits_for_too_long_is_told_of_until_it_ends() -> None:
    patient = spec(waiting_s=10.0)
    scheduler = Scheduler()
    scheduler.on_build(B1, patient)
    scheduler.on_build(replace(B2, ready=T0 + 7_000), patient)
    assert scheduler.next_look() == T0 + 7_000
    assert scheduler.assignments(T0 + 7_000) == []
    assert scheduler.next_look() == B1.created + 10_000
    assert scheduler.explain(B1.id, B1.created + 4_000) == [
        "it ends as error if no worker takes it within 6 s, as its waiting-timeout has it",
        "no worker has joined this network yet",
    ]
    assert scheduler.overdue(B1.created + 9_999) == {}
    assert scheduler.overdue(B1.created + 10_000) == {B1.id: "no worker is there"}
    assert scheduler.overdue(B1.created + 10_000) == {}
    for name in ("a1", "a2", "a3"):
        scheduler.on_worker(worker(name, draining=name == "a3", paused="it is day"))
    why = "is paused: it is day (2 agents); is draining: it finishes what it has and takes nothing new"
    assert scheduler.overdue(B1.created + 10_000 + OVERDUE_MS) == {B1.id: why}, "it came to nothing"
    scheduler.on_build(replace(B1, state=S.ERROR), patient)
    assert scheduler.overdue(T0 + 16_999) == {}
    assert scheduler.overdue(T0 + 17_000) == {B2.id: why}


def test_whoever_got_a_worker_has_not_waited_for_too_long() -> None:
    scheduler = Scheduler()
    scheduler.on_build(B1, spec(waiting_s=10.0))
    scheduler.on_worker(worker())
    scheduler.assignments(T0)
    assert (scheduler.overdue(T0 + 10**6), scheduler.next_look()) == ({}, None)


def test_what_waits_for_others_of_its_pipeline_is_not_in_the_queue() -> None:
    held = replace(B1, context=Context(held=True))
    scheduler = waiting(held)
    scheduler.on_worker(worker())
    assert (len(scheduler), scheduler.assignments(T0), scheduler.explain(B1.id, T0)) == (0, [], [])
    put(scheduler, replace(held, context=None, ready=T0 + 1))
    assert scheduler.assignments(T0 + 1) == [Assignment("a1", ids(B1))]


# -- amounts


def test_amounts_decide_where_a_build_fits() -> None:
    scheduler = Scheduler()
    scheduler.on_worker(worker("small", 8, resources={"cpus": 2.0}))
    scheduler.on_worker(worker("big", 8, resources={"cpus": 8.0}))
    for one in (B1, B2, B3):
        scheduler.on_build(one, spec(resources={"cpus": 4.0}))
    assert scheduler.assignments(T0) == [Assignment("big", ids(B1, B2))]
    assert scheduler.explain(B3.id, T0) == ["small: takes 4 cpus, has 2", "big: takes 4 cpus, none free"]


def test_a_paused_worker_says_why() -> None:
    scheduler = waiting(B1)
    scheduler.on_worker(worker(paused="outside its hours"))
    assert scheduler.assignments(T0) == []
    assert scheduler.explain(B1.id, T0) == ["a1: is paused: outside its hours"]


# -- prefetch


@pytest.mark.parametrize(
    ("mean", "slots", "ahead"),
    [
        (None, 8, 0),
        (60, 8, 0),
        (PREFETCH_S, 1, 1),
        (PREFETCH_S, 4, 4),
        (PREFETCH_S + 0.01, 1, 0),
        (0.05, 2, 10),
        (0.001, 1, 250),
        (0.001, 8, PREFETCH_MAX),
        (0.0, 1, PREFETCH_MAX),
        (-1.0, 1, PREFETCH_MAX),
    ],
)
def test_how_far_ahead(mean: float | None, slots: int, ahead: int) -> None:
    assert prefetch(mean, slots) == ahead


def test_short_builds_are_sent_ahead_and_long_ones_are_not() -> None:
    scheduler = waiting(*[build(serial) for serial in range(1, 10)])
    scheduler.on_worker(worker())
    assert scheduler.assignments(T0) == [Assignment("a1", ids(B1))]
    scheduler.on_build(ended(B1, seconds=0.1), None)
    assert [len(one.builds) for one in scheduler.assignments(T0)] == [1 + 2]
    scheduler.on_build(ended(B2, seconds=600), None)
    assert scheduler.assignments(T0) == []


def test_a_free_slot_comes_before_sending_ahead() -> None:
    scheduler = waiting(*[build(serial) for serial in range(1, 7)])
    scheduler.on_build(ended(build(9), seconds=0.1), None)
    scheduler.on_worker(worker("a1"))
    scheduler.on_worker(worker("a2"))
    held = {one.worker: one.builds for one in scheduler.assignments(T0)}
    assert held == {"a1": ids(B1, B3, build(5)), "a2": ids(B2, B4, build(6))}


# -- properties


LABELS = ({}, {"gpu": ""}, {"zone": "lab"}, {"gpu": "", "zone": "lab"})
NEEDS = ((), ("gpu",), ("zone=lab",), ("gpu", "zone=lab"))
RUNS = ("long", "short")


@dataclass
class Model:
    """A master's life with a scheduler, and what must be true of it."""

    random: Random
    scheduler: Scheduler = field(default_factory=Scheduler)
    workers: dict[str, Worker] = field(default_factory=dict[str, Worker])
    builds: dict[str, Build] = field(default_factory=dict[str, Build])  # live ones
    specs: dict[str, Spec] = field(default_factory=dict[str, Spec])  # build id -> spec

    def step(self) -> None:
        random, scheduler = self.random, self.scheduler
        match random.randrange(8):
            case 0 | 1 | 2:
                wanted = spec(random.choice(RUNS), runs_on=random.choice(NEEDS))
                one = build(len(self.specs) + 1, priority=random.choice((0, 0, 0, 5)), spec=wanted.digest())
                self.specs[one.id] = wanted
                self.set(one)
            case 3 | 4 if self.builds:
                one = random.choice(list(self.builds.values()))
                if one.state is S.PENDING:
                    self.set(replace(one, state=S.CANCELLED))
                else:
                    length = 0.05 if self.specs[one.id].steps[0].run == "short" else 60.0
                    self.set(ended(one, length, one.agent))
            case 5:
                given_out = [one for one in self.builds.values() if one.state is S.ASSIGNED]
                if given_out:  # the worker began a new session meanwhile
                    self.set(replace(random.choice(given_out), state=S.PENDING, agent=""))
            case 6:
                name = random.choice(("a1", "a2", "a3"))
                flags = {flag: random.random() < 0.8 for flag in ("reachable", "enabled")}
                one_worker = worker(name, random.randint(1, 4), labels=random.choice(LABELS), **flags)
                self.workers[name] = one_worker
                scheduler.on_worker(one_worker)
            case 7 if self.workers and random.random() < 0.3:
                gone = random.choice(list(self.workers))
                del self.workers[gone]
                scheduler.on_worker_gone(gone)
            case _:
                pass
        self.assign()

    def set(self, one: Build) -> None:
        self.builds.pop(one.id, None)
        if not one.state.ended:
            self.builds[one.id] = one
        self.scheduler.on_build(one, self.specs[one.id])

    def held(self, name: str) -> int:
        return sum(one.agent == name for one in self.builds.values())

    def can(self, name: str, one: Build) -> bool:
        found = self.workers[name]
        needs = [parse_requirement(text) for text in self.specs[one.id].runs_on]
        return found.willing and all(matches(need, found.labels) for need in needs)

    def assign(self) -> None:
        before = {name: self.held(name) for name in self.workers}
        for given_out in self.scheduler.assignments(T0):
            for identity in given_out.builds:
                one = self.builds[identity]
                assert one.state is S.PENDING
                assert self.can(given_out.worker, one)
                self.set(replace(one, state=S.ASSIGNED, agent=given_out.worker))
        for name, found in self.workers.items():
            most = found.slots + prefetch(0.05, found.slots)
            assert self.held(name) <= max(most, before[name]), "over slots and prefetch"
        waits = [one for one in self.builds.values() if one.state is S.PENDING]
        assert len(self.scheduler) == len(waits), "none forgotten, none twice"
        for one in waits:
            reasons = self.scheduler.explain(one.id, T0)
            assert len(reasons) >= max(1, len(self.workers))
            able = [name for name in self.workers if self.can(name, one)]
            assert all(self.held(name) >= self.workers[name].slots for name in able), "waits although there is room"


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 150))
def test_workers_are_kept_busy_and_never_overfull_and_no_build_is_forgotten(seed: int, steps: int) -> None:
    model = Model(Random(seed))
    for _ in range(steps):
        model.step()
    for one in [one for one in model.builds.values() if one.state is not S.PENDING]:
        model.set(ended(one, agent=one.agent))
    for name in ("a1", "a2", "a3"):
        model.workers[name] = worker(name, 100, labels=LABELS[-1])
        model.scheduler.on_worker(model.workers[name])
    model.assign()
    assert not len(model.scheduler)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(NEEDS), st.sampled_from((0, 1, 2))), max_size=40), st.integers(1, 8))
def test_within_a_class_the_order_is_priority_then_acceptance(
    kinds: list[tuple[tuple[str, ...], int]], slots: int
) -> None:
    builds = [build(serial, priority=priority) for serial, (_, priority) in enumerate(kinds, 1)]
    scheduler = Scheduler()
    for one, (needs, _) in zip(builds, kinds, strict=True):
        put(scheduler, one, needs=needs)
    scheduler.on_worker(worker(slots=slots, labels=LABELS[-1]))
    given_out: list[str] = []
    while len(scheduler):
        (batch,) = scheduler.assignments(T0)
        given_out += batch.builds
        for one in batch.builds:
            scheduler.on_build(ended(next(other for other in builds if other.id == one)), None)
    assert given_out == [one.id for one in sorted(builds, key=lambda one: (-one.priority, one.serial))]
