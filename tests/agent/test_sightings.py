"""What is remembered of strangers, and in which order it is forgotten."""

import random

from job_orchestra.agent.sightings import Backlog, Sightings
from tests.kit.announcements import NETWORK, announced, seen

OTHER = "f" * 16


def ids(*numbers: int) -> set[str]:
    return {announced(number).id for number in numbers}


def held(sightings: Sightings) -> set[str]:
    return {one.announcement.id for one in sightings.all()}


def test_one_of_each_the_newest() -> None:
    table = Sightings(NETWORK)
    assert table.add(seen(1), 1.0)
    assert not table.add(seen(1), 2.0)
    assert table.add(seen(1, "192.0.2.9"), 3.0)
    assert table.add(seen(1, "192.0.2.9", name="renamed"), 4.0)
    assert table.add(seen(1, "192.0.2.9", network=OTHER), 5.0)
    assert table.all() == [seen(1, "192.0.2.9", network=OTHER)]
    assert len(table) == 1


def test_strangers_go_first_and_the_longest_unseen() -> None:
    table = Sightings(NETWORK, limit=4)
    for number, network in enumerate((NETWORK, OTHER, OTHER, NETWORK)):
        table.add(seen(number, network=network), number)
    table.add(seen(1, network=OTHER), 4.0)
    assert table.add(seen(4), 5.0)
    assert held(table) == ids(0, 1, 3, 4)
    assert table.add(seen(5), 6.0)
    assert held(table) == ids(0, 3, 4, 5)
    assert not table.add(seen(6, network=OTHER), 7.0)
    assert table.add(seen(7), 8.0)
    assert held(table) == ids(3, 4, 5, 7)


def test_another_network_can_be_preferred() -> None:
    table = Sightings(limit=3)
    for number, network in enumerate((OTHER, NETWORK, OTHER)):
        table.add(seen(number, network=network), number)
    table.prefer(OTHER)
    table.add(seen(3, network=OTHER), 4.0)
    assert held(table) == ids(0, 2, 3)
    table.prefer(NETWORK)
    table.add(seen(4), 5.0)
    assert held(table) == ids(2, 3, 4)


def test_who_was_seen_since() -> None:
    table = Sightings(NETWORK)
    for number in range(4):
        table.add(seen(number, network=NETWORK if number % 2 else OTHER), number)
    assert set(table.since(1.0)) == ids(2, 3)


def test_thousands_of_made_up_ones_stay_within_the_limit() -> None:
    table = Sightings(NETWORK)
    for number in range(5_000):
        table.add(seen(number), number)
    assert len(table) == 1_024
    assert held(table) == ids(*range(5_000 - 1_024, 5_000))


def test_a_backlog_holds_each_name_once_and_gives_back_what_came_last() -> None:
    backlog: Backlog[int] = Backlog(3, random.Random(1))
    assert all(backlog.put(name, place) for place, name in enumerate("abcab"))
    assert len(backlog) == 3
    assert not backlog.put("d", 9)
    assert len(backlog) == 3
    assert {backlog.draw() for _ in range(3)} <= {3, 4, 2, 9}
    assert not backlog


def test_a_true_one_has_its_chance_in_a_flood() -> None:
    """Ten made-up names come for each that is read: the true one is read after a while, having come again and again."""
    backlog: Backlog[str] = Backlog(100, random.Random(1))
    read: list[str] = []
    for turn in range(2_000):
        if turn % 100 == 0:
            backlog.put("true", "true")
        for place in range(10):
            backlog.put(f"{turn}-{place}", "made up")
        read.append(backlog.draw())
    assert "true" in read
    assert len(backlog) == 99
