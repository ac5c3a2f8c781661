"""What is taken of a worker, and what still fits."""

import pytest

from job_orchestra.core.resources import wanted
from job_orchestra.core.scheduling.places import PLAIN, Place, Worker, weight
from tests.kit.builders import agent

G = float(1 << 30)


def place(slots: int = 8, **resources: float) -> Place:
    return Place(Worker("a1", "ant", {}, slots, resources=resources or {"cpus": 8.0, "memory": 16 * G}), 1)


def fill(into: Place, count: int, **resources: float) -> int:
    """Put builds in as long as they fit; return how many did."""
    wants = wanted(resources)
    for number in range(count):
        if not into.fits(wants):
            return number
        into.hold(f"{len(into.held)}", wants)
    return count


def test_plain_builds_take_slots() -> None:
    assert fill(place(), 100) == 8
    assert fill(place(2), 100) == 2
    assert fill(place(slots=3, cpus=8), 100) == 3, "8 cpus do not divide by 3, and that is no matter"
    assert fill(Place(Worker("a1", "ant", {}, 5), 1), 100) == 5, "of a worker that says nothing of cpus, too"


def test_slots_and_cpus_say_the_same_as_long_as_nobody_names_cpus() -> None:
    box = place()
    assert fill(box, 1, cpus=4) == 1
    assert fill(box, 100) == 4
    assert not box.fits(wanted({"cpus": 0.5}))
    assert box.fits(wanted({"cpus": 0})), "it takes a slot and nothing else"


def test_a_slot_of_few_is_worth_more_cpus() -> None:
    box = place(slots=2)
    assert fill(box, 100, cpus=2) == 2, "slots stay the most builds at a time"
    box.release("0")
    assert fill(box, 1) == 1
    box = place(slots=2)
    assert fill(box, 1, cpus=6) == 1
    assert not box.fits(PLAIN), "a slot's part is 4 cpus, and 2 are free"


def test_amounts_come_back_to_the_last_bit() -> None:
    box = place(slots=100, cpus=1, memory=1, licence=0.3)
    for _ in range(3):
        assert fill(box, 100, cpus=0.1, licence=0.03) == 10
        assert box.load(wanted({"licence": 0.03})) == 1
        for one in list(box.held):
            box.release(one)
    assert (box.used("cpus"), box.used("licence"), box.load(PLAIN)) == (0, 0, 0)
    box.release("never held")
    box.hold("1", PLAIN)
    box.hold("1", PLAIN)
    assert box.used("slots") == 1000


def test_what_could_never_fit() -> None:
    box = place()
    assert box.could(wanted({"cpus": 8, "memory": 16 * G}))
    assert not box.could(wanted({"cpus": 8.5}))
    assert not box.could(wanted({"gpus": 1}))
    assert not place(slots=0).could(PLAIN)


def test_a_worker_that_changes_keeps_what_it_holds() -> None:
    box = place()
    fill(box, 4)
    box.change(Worker("a1", "ant", {}, 2, resources={"cpus": 2.0}))
    assert not box.fits(PLAIN)
    assert box.load(PLAIN) == 2
    box.change(Worker("a1", "ant", {}, 5, resources={"cpus": 10.0}))
    assert fill(box, 100) == 1


def test_nothing_is_sent_ahead_where_builds_name_amounts() -> None:
    box = place(slots=1)
    fill(box, 1)
    assert box.ahead(0.01)
    assert not box.ahead(60)
    assert not box.ahead(None)
    box.release("0")
    fill(box, 1, cpus=8)
    assert not box.ahead(0.01), "the executor would start it beside the one that takes all cpus"


@pytest.mark.parametrize(
    ("held", "wants", "why"),
    [
        ({}, {}, ""),
        ({"cpus": 4}, {"cpus": 4}, ""),
        ({"cpus": 4}, {"cpus": 5}, "takes 5 cpus, 4 free"),
        ({"cpus": 8}, {}, "takes 1 cpus, none free"),
        ({"memory": 15 * G, "cpus": 0}, {"memory": 2 * G, "cpus": 0.5}, "takes 2G memory, 1G free"),
        ({}, {"cpus": 9, "gpus": 1}, "takes 9 cpus, has 8; takes 1 gpus, has none"),
    ],
)
def test_what_is_lacking(held: dict[str, float], wants: dict[str, float], why: str) -> None:
    box = place()
    if held:
        box.hold("b", wanted(held))
    assert box.lacks(wanted(wants)) == why


def test_all_slots_are_taken() -> None:
    box = place()
    fill(box, 8)
    assert box.lacks(PLAIN) == "all 8 slots are taken"


def test_what_a_build_counts_in_its_requesters_share() -> None:
    assert [weight(wanted({"cpus": cpus})) for cpus in (0, 0.5, 1, 2.5)] == [1000, 1000, 1000, 2500]
    assert weight(PLAIN) == 1000


def test_a_worker_is_made_of_a_record() -> None:
    record = agent(slots=3, labels={"gpu": ""}, resources={"gpus": 2.0}, leaving=True)
    worker = Worker.of(record, reachable=True, warm=frozenset({"k"}))
    assert (worker.resources, worker.warm, worker.draining, worker.willing) == ({"gpus": 2.0}, {"k"}, True, False)
