"""The queue as clients see it, with a master, workers, and another master after it: whole agents in one process."""

import re
from typing import Any

import pytest

from job_orchestra.core.errors import InvalidInput
from job_orchestra.core.model import BuildState, StepResult, StepState
from tests.kit.hands import Hand
from tests.kit.meshes import until
from tests.kit.towns import Citizen, Town

S = BuildState
EXIT_75 = (StepResult("run", StepState.FAILED, 75),)


async def why(one: Citizen, build: str) -> list[str]:
    found: list[str] = (await one.ask("builds.explain", id=build))["reasons"]
    return found


async def shown(one: Citizen, build: str) -> dict[str, Any]:
    found: dict[str, Any] = (await one.ask("builds.get", id=build))["build"]
    return found


async def test_a_failed_build_is_tried_again_after_its_wait_and_its_attempts_are_shown(town: Town) -> None:
    first = await town.found()
    await town.admit("b", hand := Hand(), votes=False)
    build = await first.submit("flaky", retry=2, retry_when=["exit-75"], retry_wait=0.2, backoff="exponential")
    for number in (1, 2):
        await hand.given(build)
        assert hand.has[build].number == number
        await hand.report(build, S.FAILED, steps=EXIT_75, reason="step run failed with exit code 75")
    await hand.given(build)  # nothing else happens: a timer lets it go
    await hand.report(build, S.SUCCEEDED)
    ended = await shown(first, build)
    assert [one["state"] for one in ended["attempts"]] == ["failed", "failed", "succeeded"]
    assert (ended["state"], ended["attempt"]) == ("succeeded", 3)


async def test_a_build_that_waits_for_its_next_attempt_says_why_and_for_how_long(town: Town) -> None:
    first = await town.found()
    await town.admit("b", hand := Hand(), votes=False)
    build = await first.submit("flaky", retry=1, retry_when=["exit-75"], retry_wait=9_000)
    await hand.given(build)
    await hand.report(build, S.FAILED, steps=EXIT_75, reason="step run failed with exit code 75")
    again, later = await why(first, build)
    assert again == "tried again: step run failed with exit code 75"
    assert re.fullmatch(r"its next attempt begins in (8...|9000) s at the earliest, as its retry policy has it", later)


async def test_who_waits_for_too_long_is_told_for_what(town: Town) -> None:
    first = await town.found()
    build = await first.submit("true", waiting=0.1, runs_on=["moon"])
    view = (await first.ask("builds.wait", id=build, timeout=20))["build"]
    assert (view["state"], view["attempts"]) == ("error", [])
    assert view["reason"].startswith("waited for a worker for longer than 0.1 s, as it may: ")


async def test_a_lock_is_held_across_a_failover_and_explained_by_every_agent(town: Town) -> None:
    first, other, third = await town.grow(3, c=(hand := Hand(slots=4)))
    lock = [{"name": "release"}]
    holds, waits = await first.submit(locks=lock), await first.submit(locks=lock)
    await hand.given(holds)
    label = "run/true#1"
    expected = [f"lock release: 1 of 1 taken, by {label} ({holds})", "a: cannot be reached", "b: cannot be reached"]
    for one in (first, other, third):
        assert await why(one, waits) == [*expected, "c: has room"]
    town.cut(first)
    master = await town.elected([other, third])
    free = await master.submit()
    await hand.given(free)
    assert waits not in hand.has
    assert (await why(master, waits))[0] == expected[0]
    await hand.report(holds, S.SUCCEEDED)
    await hand.given(waits)


async def test_a_jobs_concurrency_can_be_changed_while_its_builds_wait(town: Town) -> None:
    first = await town.found()
    await town.admit("b", hand := Hand(slots=9), votes=False)
    text = "project: demo\njobs:\n  one: {{run: make, concurrency: {most}}}\n"
    await first.ask("jobs.apply", file=text.format(most=1))
    builds = [(await first.ask("builds.submit", job="demo/one"))["builds"][0]["id"] for _ in range(3)]
    await hand.given(builds[0])
    assert (await why(first, builds[2]))[0].startswith("concurrency of demo/one: 1 of 1 taken, by demo/one#1")
    assert list(hand.has) == builds[:1]
    await first.ask("jobs.apply", file=text.format(most=2))
    await hand.given(builds[1])
    assert list(hand.has) == builds[:2]
    await first.ask("jobs.apply", file=text.format(most=9))
    await hand.given(builds[2])


async def test_without_a_master_nobody_knows_why_a_build_waits(town: Town) -> None:
    first, other, third = await town.grow(3)
    build = await first.submit(runs_on=["moon"])
    await until(lambda: build in other.agent.replica.ledger.builds, "b has it")
    town.cut(other)
    await until(lambda: not other.agent.peers.master, "b knows no master")
    assert await why(other, build) == ["it waits; why is known to the master only, which cannot be asked now"]
    assert len(await why(third, build)) == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"resources": {"gpus": 1.5}}, "gpus must be a whole number"),
        ({"resources": {"slots": 1}}, "every build takes one slot"),
        ({"locks": [{"name": "a b"}]}, "'a b'"),
        (
            {"locks": [{"name": "a", "of": 2, "take": 3}]},
            "the lock a is taken 3 of 2, which can never be had; take 1 to 2",
        ),
        ({"locks": [{"name": "a"}, {"name": "a"}]}, "a lock is named twice"),
        ({"waiting": 0}, "waiting must be more than 0 seconds"),
        ({"retry": 1, "retry_when": ["rain"]}, "'rain' is no reason"),
        ({"retry": 1, "retry_wait": -1}, "retry_wait must be 0 to 1000000 seconds"),
    ],
)
async def test_what_a_command_cannot_ask_for(town: Town, params: dict[str, Any], message: str) -> None:
    first = await town.found()
    with pytest.raises(InvalidInput, match=f"^{message}"):
        await first.submit("true", **params)
