"""Each firing is carried out once; what is switched off stays so; overlaps go as the schedule says."""

import pytest
from msgspec.structs import replace

from job_orchestra.core.commands import Apply, Fire, SetSchedule, Submit
from job_orchestra.core.definition import Overlap, Schedule
from job_orchestra.core.errors import NotFound
from job_orchestra.core.ledger import Ledger, Outcome
from job_orchestra.core.model import BuildState, ScheduleRecord, Stop
from tests.kit.builders import T0, Network, assign, job, join, submit

NIGHTLY = Schedule("shop", "nightly", "0 3 * * *", ("test",))
NAME = "shop/nightly"
M1, M2, M3 = T0 + 60_000, T0 + 120_000, T0 + 180_000


def define(net: Network, *schedules: Schedule, at: int = T0) -> Outcome:
    return net.do(Apply(at, "ann", "shop", (job(),), schedules))


@pytest.fixture
def net() -> Network:
    """Give a network with a schedule."""
    one = Network()
    define(one, NIGHTLY)
    return one


def fire(net: Network, minute: int, wish: Submit | None = None, **fields: object) -> Outcome:
    given: dict[str, object] = {"submit": wish or submit(at=minute, requester="schedule"), **fields}
    return net.do(Fire(minute or M3, "shop", "nightly", minute, **given))  # type: ignore[arg-type]


def switch(net: Network, enabled: bool, at: int = T0) -> Outcome:
    return net.do(SetSchedule(at, "ann", "shop", "nightly", enabled))


def test_a_new_schedule_owes_nothing_of_the_past(net: Network) -> None:
    assert net.ledger.timing.states[NAME].mark == T0


def test_a_firing_submits_and_moves_the_mark_in_one_step(net: Network) -> None:
    outcome = fire(net, M1)
    (build,) = outcome.builds
    assert net.ledger.builds[build].requester == "schedule"
    stands = net.ledger.timing.states[NAME]
    assert (stands.mark, stands.fired, stands.builds, stands.outcome) == (M1, M1, (build,), "shop/test#1")
    assert list(net.changes.schedules) == [NAME]


def test_a_schedule_is_remembered_as_it_stands(net: Network) -> None:
    def kept() -> ScheduleRecord:
        found = net.store.get("schedules", ("shop", "nightly"))
        assert isinstance(found, ScheduleRecord)
        return found

    assert (kept().state, kept().fired) == ("enabled", None)
    (build,) = fire(net, M1).builds
    assert (kept().fired, kept().outcome, kept().builds) == (M1, "shop/test#1", (build,))
    switch(net, False)
    assert (kept().state, kept().fired) == ("disabled", M1)
    define(net, replace(NIGHTLY, cron="0 4 * * *"))
    assert (kept().cron, kept().state, kept().fired) == ("0 4 * * *", "disabled", M1)
    define(net)
    assert net.store.get("schedules", ("shop", "nightly")) is None


def test_the_same_firing_again_changes_nothing(net: Network) -> None:
    fire(net, M1)
    before = net.ledger.timing.states[NAME]
    for minute in (M1, M1 - 60_000):
        outcome = fire(net, minute)
        assert (outcome.builds, outcome.changed, outcome.task) == ((), False, 0)
    assert net.ledger.timing.states[NAME] == before
    assert len(net.ledger.builds) == 1
    assert net.kinds() == {}


def test_how_schedules_stand_survives_a_restart(net: Network) -> None:
    fire(net, M1)
    switch(net, False)
    again = Ledger(net.store.live(0))
    assert again.timing.states == net.ledger.timing.states
    assert again.digest() == net.ledger.digest()
    assert not again.timing.enabled(NIGHTLY)


def test_what_is_switched_off_does_not_fire_and_stays_off_when_the_file_is_applied_again(net: Network) -> None:
    switch(net, False)
    assert not fire(net, M1).changed
    define(net, replace(NIGHTLY, overlap=Overlap.ALLOW), at=M2)
    assert not net.ledger.timing.enabled(net.ledger.schedules[NAME])
    assert not fire(net, M3).changed
    assert net.ledger.builds == {}


def test_what_would_have_fired_while_it_was_off_is_no_debt(net: Network) -> None:
    switch(net, False)
    assert switch(net, True, at=M2).error is None
    assert net.ledger.timing.states[NAME].mark == M2
    switch(net, True, at=M3)
    assert net.ledger.timing.states[NAME].mark == M2


def test_enabling_brings_a_mark_back_that_a_wrong_clock_moved_far_ahead(net: Network) -> None:
    fire(net, M3)
    switch(net, True, at=M2)
    assert net.ledger.timing.states[NAME].mark == M2


def test_a_file_says_whether_a_schedule_fires_until_somebody_else_does(net: Network) -> None:
    off = replace(NIGHTLY, enabled=False)
    define(net, off)
    assert not net.ledger.timing.enabled(off)
    switch(net, True)
    assert net.ledger.timing.enabled(off)


def test_a_new_clock_owes_nothing_of_the_past_and_the_rest_may_change_freely(net: Network) -> None:
    define(net, replace(NIGHTLY, jobs=("test", "test")), at=M1)
    assert net.ledger.timing.states[NAME].mark == T0
    define(net, replace(NIGHTLY, cron="* * * * *"), at=M2)
    assert net.ledger.timing.states[NAME].mark == M2
    define(net, replace(NIGHTLY, cron="* * * * *", timezone="Europe/Paris"), at=M3)
    assert net.ledger.timing.states[NAME].mark == M3


def test_a_schedule_that_is_removed_is_forgotten(net: Network) -> None:
    switch(net, False)
    define(net, at=M1)
    assert net.ledger.timing.states == Ledger(net.store.live(0)).timing.states == {}
    assert not fire(net, M2).changed
    define(net, NIGHTLY, at=M3)
    assert net.ledger.timing.enabled(NIGHTLY)
    assert net.ledger.timing.states[NAME].mark == M3


# -- the one before still runs


def overlapping(overlap: Overlap) -> tuple[Network, str]:
    net = Network()
    define(net, replace(NIGHTLY, overlap=overlap))
    net.do(join())
    (one,) = fire(net, M1).builds
    net.do(assign(one))
    return net, one


def test_it_is_left_out_while_the_one_before_runs() -> None:
    net, one = overlapping(Overlap.SKIP)
    assert fire(net, M2).builds == ()
    stands = net.ledger.timing.states[NAME]
    assert (stands.mark, stands.outcome) == (M2, "left out: shop/test#1 of the one before has not ended")
    assert [task.outcome for task in net.changes.tasks.values()] == [stands.outcome]
    net.report(one, BuildState.SUCCEEDED)
    assert len(fire(net, M3).builds) == 1


def test_it_runs_beside_the_one_before() -> None:
    net, one = overlapping(Overlap.ALLOW)
    (two,) = fire(net, M2).builds
    assert net.ledger.timing.states[NAME].builds == (one, two)
    assert net.ledger.builds[one].stop is None
    net.report(one, BuildState.SUCCEEDED)
    (three,) = fire(net, M3).builds
    assert net.ledger.timing.states[NAME].builds == (two, three)


def test_it_aborts_the_one_before() -> None:
    net, one = overlapping(Overlap.CANCEL)
    (two,) = fire(net, M2).builds
    assert net.ledger.builds[one].stop is Stop.ABORT
    (three,) = fire(net, M3).builds
    assert net.stored(two).state is BuildState.ABORTED  # it waited still
    assert net.ledger.timing.states[NAME].builds == (one, three)


# -- out of turn, and left out


def test_somebody_lets_it_fire_now_even_if_it_is_off_or_runs_and_its_turns_are_not_touched(net: Network) -> None:
    fire(net, M1)
    switch(net, False)
    wish = submit(at=M3, requester="ann", request="r")
    (build,) = fire(net, 0, wish, requester="ann").builds
    stands = net.ledger.timing.states[NAME]
    assert (stands.mark, stands.fired) == (M1, M3)
    assert fire(net, 0, wish, requester="ann").builds == (build,)
    assert len(net.ledger.builds) == 2


def test_a_firing_that_cannot_be_submitted_is_told_and_settled(net: Network) -> None:
    outcome = net.do(Fire(M1, "shop", "nightly", M1, why="there is no job test any more"))
    assert outcome.builds == ()
    stands = net.ledger.timing.states[NAME]
    assert (stands.mark, stands.outcome) == (M1, "left out: there is no job test any more")


def test_a_firing_tells_how_many_were_missed_before(net: Network) -> None:
    fire(net, M1, missed=3)
    assert net.ledger.timing.states[NAME].outcome == "shop/test#1 (3 missed before)"


def test_an_unknown_schedule_is_not_found(net: Network) -> None:
    assert isinstance(net.do(SetSchedule(T0, "ann", "shop", "other", True)).error, NotFound)
    assert isinstance(net.do(Fire(T0, "shop", "other", 0, submit())).error, NotFound)


def test_a_life_of_firings_in_any_order_carries_out_each_once(net: Network) -> None:
    minutes = [M1, M1, M2, M1, M3, M2, M3, M3 + 60_000]
    define(net, replace(NIGHTLY, overlap=Overlap.ALLOW))
    for minute in minutes:
        fire(net, minute)
    assert len(net.ledger.builds) == len(set(minutes))
