"""Each firing happens once: over failovers, wrong clocks, sleep and downtime. A clock of our own, no waiting."""

import asyncio
from collections import Counter
from collections.abc import Collection

import pytest
from msgspec.structs import replace

from job_orchestra.agent.clockwork import LOOK_S, RETRY_S, Clockwork
from job_orchestra.agent.master import Master
from job_orchestra.core.commands import Apply, SetSchedule
from job_orchestra.core.definition import Missed, Need, Overlap, Parameter, Schedule, Source
from job_orchestra.core.errors import Conflict
from job_orchestra.core.repository import Tip
from job_orchestra.core.timetable import MINUTE_MS
from tests.kit.builders import job, spec
from tests.kit.council import Council
from tests.kit.meshes import until

HOUR_MS = 60 * MINUTE_MS
NOON = 1_780_315_200_000  # 2026-06-01T12:00:00Z
HOURLY = Schedule("shop", "hourly", "0 * * * *", ("test",), overlap=Overlap.ALLOW)


class Tower:
    """A council whose voters have clockworks, and one time of day that a test sets."""

    def __init__(self) -> None:
        self.now = NOON + 1_000
        self.council = Council()
        self.tips: dict[tuple[str, str], Tip] = {}
        self.asked: list[tuple[str, str]] = []
        self.slow: set[tuple[str, str]] = set()  # those that say nothing until `answer` is set
        self.answer = asyncio.Event()
        self.works = [Clockwork(one, Master(one, clock=lambda: self.now), self.resolve) for one in self.council.voters]

    async def resolve(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], Tip]:
        """Say what branches are: those of repositories that are known."""
        self.asked += wanted
        if self.slow.intersection(wanted):
            await self.answer.wait()
        if any(one not in self.tips for one in wanted):
            raise Conflict("it cannot be reached")
        return {one: self.tips[one] for one in wanted}

    async def define(self, *schedules: Schedule) -> None:
        jobs = (job("test"), job("lint", parameters=(Parameter("level", default="1"),)))
        await self.master.propose([Apply(self.now, "ann", "shop", jobs, schedules)])

    @property
    def master(self):  # noqa: ANN201 - the voter that leads
        return next(one for one in self.council.voters if one.leading)

    async def look(self) -> list[float | None]:
        """Let all clockworks look at the clock."""
        return [await one.look() for one in self.works]

    async def at(self, now: int) -> None:
        self.now = now
        await self.look()

    @property
    def fired(self) -> list[str]:
        """Return the builds that were submitted, by what made them."""
        return [one.cause for one in self.council.voters[0].ledger.builds.values()]

    @property
    def stands(self):  # noqa: ANN201 - a Timed
        return self.council.voters[0].ledger.timing.of("shop/hourly")


@pytest.fixture
async def tower() -> Tower:
    one = Tower()
    await one.define(HOURLY)
    return one


async def test_it_fires_when_its_time_has_come_and_not_before(tower: Tower) -> None:
    await tower.at(NOON + HOUR_MS - 1)
    assert tower.fired == []
    await tower.at(NOON + HOUR_MS)
    assert tower.fired == ["schedule shop/hourly"]
    await tower.at(NOON + HOUR_MS + 1)
    await tower.at(NOON + 2 * HOUR_MS - 1)
    assert len(tower.fired) == 1
    await tower.at(NOON + 2 * HOUR_MS + 3)
    assert len(tower.fired) == 2
    assert tower.stands.mark == NOON + 2 * HOUR_MS


async def test_only_the_master_looks_and_it_waits_for_the_next_instant_a_minute_at_most(tower: Tower) -> None:
    assert await tower.look() == [LOOK_S, None, None]
    tower.now = NOON + HOUR_MS - 2_500
    assert await tower.look() == [2.5, None, None]
    await tower.define()
    assert await tower.look() == [None, None, None]


async def test_a_master_that_died_before_the_firing_was_agreed_on_leaves_it_to_the_next(tower: Tower) -> None:
    tower.now = NOON + HOUR_MS
    tower.council.fail_before = 1
    assert (await tower.look())[0] == RETRY_S
    assert tower.fired == []
    tower.council.elect(tower.council.voters[1])
    await tower.at(NOON + HOUR_MS + 2_000)
    assert len(tower.fired) == 1


async def test_a_master_that_died_before_it_learned_that_it_fired_fires_once(tower: Tower) -> None:
    tower.now = NOON + HOUR_MS
    tower.council.fail_after = 1
    await tower.look()
    assert len(tower.fired) == 1
    for voter in (1, 2, 0):
        tower.council.elect(tower.council.voters[voter])
        await tower.at(tower.now + 2_000)
    assert len(tower.fired) == 1


async def test_two_that_take_themselves_for_master_fire_once(tower: Tower) -> None:
    tower.now = NOON + HOUR_MS
    fires = tower.works[0].firings(HOURLY, tower.now, {})  # decided, and still on its way ...
    tower.council.elect(tower.council.voters[1])
    await tower.look()  # ... when the next master fires
    tower.council.elect(tower.council.voters[0])
    outcomes = await tower.council.voters[0].propose(fires)
    assert [one.changed for one in outcomes] == [False]
    assert len(tower.fired) == 1


async def test_every_hour_of_a_day_fires_once_with_masters_dying_at_each(tower: Tower) -> None:
    for hour in range(1, 25):
        tower.now = NOON + hour * HOUR_MS
        tower.council.fail_before, tower.council.fail_after = (1, 0) if hour % 2 else (0, 1)
        await tower.look()
        tower.council.elect(tower.council.voters[hour % 3])
        await tower.at(tower.now + 1_500)
    assert Counter(tower.fired) == {"schedule shop/hourly": 24}


@pytest.mark.parametrize(("missed", "expected"), [(Missed.SKIP, 0), (Missed.ONCE, 1), (Missed.ALL, 3)])
async def test_what_was_missed_while_nobody_led(missed: Missed, expected: int) -> None:
    tower = Tower()
    await tower.define(replace(HOURLY, missed=missed))
    await tower.at(NOON + 3 * HOUR_MS + 30 * MINUTE_MS)
    assert len(tower.fired) == expected
    assert tower.stands.mark == NOON + 3 * HOUR_MS
    if missed is Missed.SKIP:
        assert tower.stands.outcome == "left out: 3 were missed"
    await tower.at(NOON + 4 * HOUR_MS)
    assert len(tower.fired) == expected + 1


async def test_a_clock_that_jumps_ahead_and_back_fires_each_once(tower: Tower) -> None:
    await tower.at(NOON + 30 * MINUTE_MS)
    await tower.at(NOON + 90 * MINUTE_MS)  # an hour ahead: 13:00 is due
    assert len(tower.fired) == 1
    await tower.at(NOON + 31 * MINUTE_MS)  # and back
    await tower.at(NOON + HOUR_MS)  # 13:00 again
    await tower.at(NOON + HOUR_MS + MINUTE_MS)
    assert len(tower.fired) == 1
    await tower.at(NOON + 2 * HOUR_MS)
    assert len(tower.fired) == 2


async def test_a_clock_that_is_set_back_fires_nothing_again(tower: Tower) -> None:
    await tower.at(NOON + HOUR_MS)
    await tower.at(NOON + 5)
    await tower.at(NOON + HOUR_MS + 5)
    assert len(tower.fired) == 1
    await tower.at(NOON + 2 * HOUR_MS)
    assert len(tower.fired) == 2


async def test_a_machine_that_slept_fires_what_came_due_when_it_looks_again(tower: Tower) -> None:
    assert (await tower.look())[0] == LOOK_S  # the timer stood still; the clock did not
    await tower.at(NOON + HOUR_MS + 45_000)
    assert len(tower.fired) == 1


async def test_a_schedule_that_is_switched_off_does_not_fire_and_nobody_waits_for_it(tower: Tower) -> None:
    await tower.master.propose([SetSchedule(tower.now, "ann", "shop", "hourly", enabled=False)])
    tower.now = NOON + HOUR_MS
    assert (await tower.look())[0] == LOOK_S
    assert tower.fired == []


async def test_jobs_get_the_values_they_have_parameters_for() -> None:
    tower = Tower()
    await tower.define(replace(HOURLY, jobs=("test", "lint"), parameters={"level": "7"}))
    await tower.at(NOON + HOUR_MS)
    found = {one.job: one.parameters for one in tower.council.voters[0].ledger.builds.values()}
    assert found == {"test": {}, "lint": {"level": "7"}}


async def test_it_submits_jobs_with_what_they_need_as_one_pipeline() -> None:
    tower = Tower()
    lint, test = job("lint"), job("test", needs=(Need("lint"),))
    await tower.master.propose([Apply(tower.now, "ann", "shop", (lint, test), (HOURLY,))])
    await tower.at(NOON + HOUR_MS)
    builds = list(tower.council.voters[0].ledger.builds.values())
    assert [one.job for one in builds] == ["lint", "test"]
    assert len({one.pipeline for one in builds} - {""}) == 1
    assert tower.stands.builds == tuple(one.id for one in builds)


async def test_a_firing_that_cannot_be_submitted_says_why_and_the_next_one_is_tried() -> None:
    tower = Tower()
    await tower.define(replace(HOURLY, jobs=("gone",)))
    await tower.at(NOON + HOUR_MS)
    assert tower.fired == []
    assert tower.stands.outcome == "left out: there is no job shop/gone any more; apply its job file again"
    await tower.at(NOON + HOUR_MS + 1)
    assert tower.stands.mark == NOON + HOUR_MS


async def test_it_runs_by_itself_and_wakes_when_schedules_change() -> None:
    tower = Tower()
    running = asyncio.create_task(tower.works[0].run())
    await asyncio.sleep(0)
    tower.now = NOON + HOUR_MS
    await tower.define(HOURLY)
    tower.now = NOON + 2 * HOUR_MS
    await tower.define(HOURLY, replace(HOURLY, name="other"))  # whatever changes, it looks again
    await until(lambda: bool(tower.fired), "it fired")
    assert tower.fired == ["schedule shop/hourly"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_builds_of_a_firing_begin_with_what_their_branch_is_then(tower: Tower) -> None:
    known, unknown = ("https://host/known", "main"), ("https://host/unknown", "main")
    sources = {"lint": Source(git=known[0], branch="main"), "test": Source(git=unknown[0], branch="main")}
    jobs = tuple(job(name, spec=replace(spec(), source=source)) for name, source in sources.items())
    schedule = replace(HOURLY, jobs=("lint", "test"))
    await tower.master.propose([Apply(tower.now, "ann", "shop", jobs, (schedule,))])
    tower.tips = {known: Tip("1" * 40, "main")}
    await tower.at(NOON + HOUR_MS)
    assert tower.fired == [], "it is asked first"
    await until(lambda: len(tower.asked) == 2, "both were asked")
    await tower.look()
    ledger = tower.council.voters[0].ledger
    found = [ledger.specs[one.spec].source for one in ledger.builds.values()]
    assert [(one.git, one.revision) for one in found] == [(known[0], "1" * 40), (unknown[0], "")]
    assert sorted(tower.asked) == [known, unknown], "only who leads asks, once for each branch"


async def test_a_remote_that_says_nothing_holds_up_no_other_schedule(tower: Tower) -> None:
    slow, quick = ("https://host/slow", "main"), ("https://host/quick", "main")
    sources = {"lint": Source(git=slow[0], branch="main"), "test": Source(git=quick[0], branch="main")}
    jobs = (*(job(name, spec=replace(spec(), source=source)) for name, source in sources.items()), job("plain"))
    schedules = [replace(HOURLY, name=f"h-{name}", jobs=(name,)) for name in ("lint", "test", "plain")]
    await tower.master.propose([Apply(tower.now, "ann", "shop", jobs, tuple(schedules))])
    tower.tips, tower.slow = {quick: Tip("1" * 40, "main"), slow: Tip("2" * 40, "main")}, {slow}
    running = asyncio.create_task(tower.works[0].run())
    tower.now = NOON + HOUR_MS
    await until(lambda: len(tower.fired) == 2, "the others fire")
    assert sorted(tower.fired) == ["schedule shop/h-plain", "schedule shop/h-test"]
    tower.now += HOUR_MS
    tower.works[0]._look.set()
    await until(lambda: len(tower.fired) == 4, "the others fire again, although the first is still asked for")
    tower.answer.set()
    await until(lambda: "schedule shop/h-lint" in tower.fired, "it fires when it was answered")
    built = [one for one in tower.council.voters[0].ledger.builds.values() if one.job == "lint"]
    assert {tower.council.voters[0].ledger.specs[one.spec].source.revision for one in built} == {"2" * 40}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
