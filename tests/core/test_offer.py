"""What a machine lets builds have, and when."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.commands import SetOffer
from job_orchestra.core.errors import InvalidInput, NotFound
from job_orchestra.core.offer import Offer, OfferChange, Usage, check, describe, parse_hours, pause
from job_orchestra.core.scheduling import Worker
from tests.kit.builders import T0, Network, agent, join

MONDAY = datetime(2026, 11, 23)  # noqa: DTZ001 - a clock on a wall
ALL = frozenset(range(7))


def at(day: int, clock: str) -> datetime:
    hour, minute = clock.split(":")
    return MONDAY + timedelta(days=day, hours=int(hour), minutes=int(minute))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("18:00-08:00", (ALL, 1080, 480)),
        (" 9:05 - 17:30 ", (ALL, 545, 1050)),
        ("00:00-24:00", (ALL, 0, 1440)),
        ("mon-fri 18:00-08:00", (frozenset(range(5)), 1080, 480)),
        ("SAT,sun 00:00-24:00", (frozenset({5, 6}), 0, 1440)),
        ("fri-mon,wed 10:00-11:00", (frozenset({4, 5, 6, 0, 2}), 600, 660)),
        ("wed-wed 10:00-11:00", (frozenset({2}), 600, 660)),
    ],
)
def test_hours_are_read(text: str, found: tuple[frozenset[int], int, int]) -> None:
    assert parse_hours(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "18-8",
        "18:00",
        "25:00-08:00",
        "18:60-08:00",
        "24:00-08:00",
        "24:01-08:00",
        "08:00-08:00",
        "day 1:00-2:00",
        "mon",
    ],
)
def test_what_are_no_hours_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(InvalidInput, match="are no hours; write 18:00-08:00, mon-fri 18:00-08:00 or sat,sun 00:00-24"):
        parse_hours(text)


@pytest.mark.parametrize(
    ("hours", "when", "takes"),
    [
        ("18:00-08:00", at(0, "17:59"), False),
        ("18:00-08:00", at(0, "18:00"), True),
        ("18:00-08:00", at(0, "07:59"), True),
        ("18:00-08:00", at(0, "08:00"), False),
        ("09:00-17:00", at(6, "12:00"), True),
        ("mon-fri 18:00-08:00", at(4, "23:00"), True),
        ("mon-fri 18:00-08:00", at(5, "07:00"), True),  # the night that began on Friday
        ("mon-fri 18:00-08:00", at(5, "23:00"), False),
        ("mon-fri 18:00-08:00", at(0, "07:00"), False),  # the night that began on Sunday
        ("sat,sun 00:00-24:00", at(6, "23:59"), True),
        ("sat,sun 00:00-24:00", at(7, "00:00"), False),
        ("mon 22:00-00:00", at(0, "23:59"), True),
        ("mon 22:00-00:00", at(1, "00:00"), False),
    ],
)
def test_when_it_takes_builds(hours: str, when: datetime, takes: bool) -> None:
    why = pause(Offer(hours=(hours,)), Usage(), when)
    assert why == ("" if takes else f"it is outside its hours ({hours})")


def test_any_of_several_hours_will_do() -> None:
    offer = Offer(hours=("mon-fri 18:00-08:00", "sat,sun 00:00-24:00"))
    assert pause(offer, Usage(), at(5, "12:00")) == ""
    assert pause(offer, Usage(), at(4, "12:00")) == (
        "it is outside its hours (mon-fri 18:00-08:00; sat,sun 00:00-24:00)"
    )


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 7 * 1440 - 1))
def test_hours_and_those_between_them_are_the_whole_day(begin: int, end: int, minute: int) -> None:
    if begin == end:
        return
    clock = [f"{one // 60:02}:{one % 60:02}" for one in (begin, end)]
    when = MONDAY + timedelta(minutes=minute)
    open_in = [not pause(Offer(hours=(f"{one}-{two}",)), Usage(), when) for one, two in (clock, clock[::-1])]
    assert sorted(open_in) == [False, True]


@pytest.mark.parametrize(
    ("offer", "usage", "why"),
    [
        (Offer(), Usage(0.0, on_battery=True), ""),
        (Offer(pause_on_battery=True), Usage(on_battery=True), "it runs on its battery"),
        (Offer(pause_on_battery=True), Usage(0.0), ""),
        (Offer(pause_when_used=True), Usage(299.9), "somebody uses it; it takes builds when nobody has for 5m"),
        (Offer(pause_when_used=True), Usage(300.0), ""),
        (Offer(pause_when_used=True), Usage(None), ""),
        (
            Offer(pause_when_used=True, idle_s=90),
            Usage(0.0),
            "somebody uses it; it takes builds when nobody has for 90s",
        ),
    ],
)
def test_manners(offer: Offer, usage: Usage, why: str) -> None:
    assert pause(offer, usage, MONDAY) == why


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slots": -1}, "slots must be 0 (it takes no builds) or more, not -1"),
        ({"cpus": -0.5}, "cpus must be 0 or more, not -0.5"),
        ({"idle_s": 0}, "idle must be more than 0 seconds, not 0"),
        ({"hours": ("never",)}, "'never' are no hours"),
    ],
)
def test_offers_that_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        OfferChange(**change).check()
    assert str(refused.value).startswith(message)
    check(Offer(hours=("18:00-08:00",)))


def test_what_is_special_about_an_offer() -> None:
    assert describe(Offer()) == []
    offer = Offer(("18:00-08:00",), pause_when_used=True, pause_on_battery=True, nice=True)
    assert describe(offer) == ["18:00-08:00", "pauses when used (idle 5m)", "pauses on battery", "nice"]


# -- in the ledger


@pytest.fixture
def net() -> Network:
    net = Network()
    own = Offer(hours=("18:00-08:00",), nice=True)
    net.do(join(slots=8, resources={"cpus": 8.0, "memory": 1e9}, offer=own))
    return net


def test_changes_lie_over_the_machines_own_offer_until_they_are_reset(net: Network) -> None:
    outcome = net.do(SetOffer(T0, "ann", "a1", OfferChange(slots=2, cpus=3.0)))
    assert net.changes.tasks[outcome.task].outcome == "ant offers 2 slots, 18:00-08:00, nice"
    record = net.ledger.agents["a1"]
    assert (record.slots, record.offered_slots, record.offered_resources) == (8, 2, {"cpus": 3.0, "memory": 1e9})
    net.do(SetOffer(T0, "ann", "a1", OfferChange(hours=(), pause_when_used=True)))
    record = net.ledger.agents["a1"]
    assert record.offered == Offer(pause_when_used=True, nice=True)
    assert record.offered_slots == 2
    # the agent is started anew, with other settings
    net.do(join(slots=4, session="s2", resources={"cpus": 2.0}, offer=Offer(nice=False)))
    record = net.ledger.agents["a1"]
    assert (record.offered_slots, record.offered_resources) == (2, {"cpus": 2.0})
    assert record.offered == Offer(pause_when_used=True)
    net.do(SetOffer(T0, "ann", "a1", OfferChange(nice=True), reset=True))
    record = net.ledger.agents["a1"]
    assert (record.offered_slots, record.offered) == (4, Offer(nice=True))


def test_the_scheduler_sees_what_is_offered() -> None:
    asked = OfferChange(slots=1, cpus=2.0)
    record = agent(slots=8, resources={"cpus": 8.0}, asked=asked, paused="it is day")
    worker = Worker.of(record, reachable=True)
    assert (worker.slots, worker.resources, worker.paused, worker.willing) == (1, {"cpus": 2.0}, "it is day", False)
    assert not Worker.of(agent(asked=OfferChange(slots=0)), reachable=True).willing


def test_an_agent_that_is_none_offers_nothing(net: Network) -> None:
    outcome = net.do(SetOffer(T0, "ann", "a9", OfferChange(slots=1)))
    assert isinstance(outcome.error, NotFound)
