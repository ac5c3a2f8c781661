"""A worker that behaves as its offer has it, and what people change about that while it runs."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from job_orchestra.agent import manners
from job_orchestra.core.errors import InvalidInput, NotFound
from job_orchestra.core.model import BuildState
from job_orchestra.core.offer import Offer, Usage, pause
from tests.kit.hands import Hand
from tests.kit.machines import FakeMachine, Machine, ToolsOfAMachine
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town


async def seen(one: Citizen, agent: str) -> dict[str, Any]:
    return next(found for found in (await one.ask("agents.list"))["agents"] if found["name"] == agent)


async def test_what_people_change_is_heeded_at_once_and_shown_by_all(town: Town) -> None:
    first, other, _ = await town.grow(3, b=(hand := Hand(slots=4)))
    await hand.joined()
    view = await seen(first, "b")
    assert (view["slots"], view["paused"], view["offer"]["changed"]) == ({"total": 4, "used": 0}, "", [])
    assert (await other.ask("agents.offer", agent="b", slots=1, nice=True))["task"][
        "outcome"
    ] == "b offers 1 slots, nice"
    await until(lambda: hand.manners == (1, True), "the worker knows")
    for one in (first, other):
        view = await seen(one, "b")
        assert (view["slots"]["total"], view["offer"]["nice"]) == (1, True)
        assert view["offer"]["changed"] == ["slots", "nice"]
    one, two = await first.submit(), await first.submit()
    await hand.given(one)
    assert two not in hand.has
    await first.ask("agents.offer", agent="b", reset=True)
    await hand.given(two)
    await until(lambda: hand.manners == (4, False), "the worker knows")


async def test_an_agent_without_a_copy_hears_of_it_with_its_next_sign_of_life(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_orchestra.agent.mastery.LEASE_S", 0.02)
    first = await town.found()
    far = await town.admit("b", hand := Hand(), votes=False)
    await hand.joined()
    await first.ask("agents.offer", agent="b", slots=7)
    await until(lambda: hand.manners == (7, False), "the worker knows")
    assert far.agent.replica.ledger.agents == {} or not far.agent.replica.leading


async def test_an_agent_that_starts_hears_of_it_before_it_offers_itself(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_orchestra.agent.mastery.LEASE_S", 1e6)
    first = await town.found()
    far = await town.admit("b", hand := Hand(), votes=False)
    await hand.joined()
    await first.ask("agents.offer", agent="b", slots=7, pause_when_used=True)
    assert hand.manners == (2, False)
    monkeypatch.setattr(far.agent._manners, "_look", lambda: Usage(0.0))
    await far.agent.way.held(far.id)
    assert (hand.manners, hand.record.paused) == ((7, False), manners.NOT_LOOKED)
    await until(lambda: hand.record.paused.startswith("somebody uses it"), "it has looked")


async def test_a_paused_worker_takes_no_new_builds_and_says_why(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manners, "LOOK_S", 0.02)
    first = await town.found()
    citizen = await town.admit("b", hand := Hand(), votes=False)
    await hand.joined()
    had = await first.submit()
    await hand.given(had)
    machine = FakeMachine()
    machine.used()
    monkeypatch.setattr(citizen.agent._manners, "_look", machine.look)
    await first.ask("agents.offer", agent="b", pause_when_used=True)
    why = "somebody uses it; it takes builds when nobody has for 5m"
    await until(lambda: hand.record.paused == why, "it pauses, and has looked")
    await hand.joined()
    waits = await first.submit()
    assert (await first.ask("builds.explain", id=waits))["reasons"][-1] == f"b: is paused: {why}"
    view = await seen(first, "b")
    assert (view["state"], view["paused"]) == ("paused", why)
    await hand.report(had, BuildState.SUCCEEDED)  # what it has goes on
    assert waits not in hand.has
    machine.left(400)
    await hand.given(waits)


async def test_hours_follow_the_clock_of_the_machine(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manners, "LOOK_S", 0.02)
    first = await town.found("a", hand := Hand())
    await hand.joined()
    clock = [datetime(2026, 11, 23, 12, 0)]  # noqa: DTZ001 - a clock on a wall
    monkeypatch.setattr(first.agent._manners, "_clock", lambda: clock[0])
    await first.ask("agents.offer", agent="a", hours=["18:00-08:00"])
    await until(lambda: hand.record.paused == "it is outside its hours (18:00-08:00)", "it pauses")
    clock[0] = datetime(2026, 11, 23, 18, 0)  # noqa: DTZ001 - a clock on a wall
    await until(lambda: not hand.record.paused, "it goes on")


@pytest.fixture(params=["fake", "real"])
def machine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return FakeMachine() if request.param == "fake" else ToolsOfAMachine(tmp_path, monkeypatch)


def test_what_every_way_of_looking_keeps_to(machine: Machine) -> None:
    assert machine.look() == Usage(None, on_battery=False)  # nobody can be here, as far as it can be told
    machine.used()
    idle = machine.look().idle_s
    assert idle is not None
    assert idle < 60
    machine.left(400)
    idle = machine.look().idle_s
    assert idle is not None
    assert 400 <= idle < 460
    machine.unplugged()
    assert machine.look().on_battery
    machine.used()
    found = machine.look()
    assert found.on_battery
    assert pause(Offer(pause_when_used=True), found, datetime(2026, 1, 1)).startswith("somebody uses it")  # noqa: DTZ001


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"agent": "a"}, InvalidInput),
        ({"agent": "a", "slots": -1}, InvalidInput),
        ({"agent": "a", "hours": ["noon"]}, InvalidInput),
        ({"agent": "nobody", "slots": 1}, NotFound),
    ],
)
async def test_what_cannot_be_offered(town: Town, params: dict[str, Any], error: type[Exception]) -> None:
    first = await town.found()
    with pytest.raises(error):
        await first.ask("agents.offer", **params)
