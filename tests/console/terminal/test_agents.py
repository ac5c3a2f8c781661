"""The screen Agents, by keys: who works and how busy, taking agents out of work, letting machines in."""

from collections.abc import AsyncIterator

import pytest
from textual.pilot import Pilot

from job_orchestra.core.api.network import JoinRequest
from tests.kit.consoles import ANNA, BERT, opened, press, screen_text, shown, story
from tests.kit.feeds import FakeFeed


def changes(feed: FakeFeed) -> list[tuple[str, dict[str, object]]]:
    """Return what was asked for; who waits for being let in may be asked at any time."""
    return [one for one in feed.asked if one[0] != "network.requests"]


@pytest.fixture
def feed() -> FakeFeed:
    return story()


@pytest.fixture
async def pilot(feed: FakeFeed) -> AsyncIterator[Pilot[None]]:
    async with opened(feed, "agents", size=(120, 24)) as found:
        yield found


async def test_agents_are_listed_with_slots_and_labels(pilot: Pilot[None]) -> None:
    text = screen_text(pilot.app)
    assert "anna   ● ready        2/2 █████" in text
    assert "cora   ✗ unreachable" in text
    assert "os=linux" in text
    await press(pilot, "y")
    assert pilot.app.clipboard == "orchestra agents"


@pytest.mark.parametrize(
    ("key", "verb", "change"),
    [
        ("d", "disable", {"enabled": False}),
        ("D", "drain", {"draining": True}),
        ("e", "enable", {"enabled": True, "draining": False}),
    ],
)
async def test_an_agent_is_taken_out_of_work_and_back(
    pilot: Pilot[None], feed: FakeFeed, key: str, verb: str, change: dict[str, object]
) -> None:
    text = await press(pilot, key)
    assert f"{verb.capitalize()} anna?" in text
    assert f"orchestra {verb} anna" in text
    await press(pilot, "escape")
    assert changes(feed) == []
    await press(pilot, key, "enter")
    assert changes(feed) == [("agents.set", {"agent": ANNA, **change})]


async def test_marked_agents_are_changed_together_and_each_failure_is_told(pilot: Pilot[None], feed: FakeFeed) -> None:
    await press(pilot, "space", "space", "d")
    assert "Disable anna, bert?" in screen_text(pilot.app)
    del feed.agents[0]
    await press(pilot, "enter")
    await shown(pilot, f"no agent {ANNA}")
    assert [asked["agent"] for _, asked in changes(feed)] == [ANNA, BERT]


async def test_slots_are_changed(pilot: Pilot[None], feed: FakeFeed) -> None:
    assert "How many builds at a time may run on anna?" in await press(pilot, "s")
    await press(pilot, "backspace")
    assert "type a number of builds" in await press(pilot, "x", "enter")
    await press(pilot, "backspace", "4", "enter")
    assert changes(feed) == [("agents.offer", {"agent": ANNA, "slots": 4})]


async def test_removing_names_what_is_lost(pilot: Pilot[None], feed: FakeFeed) -> None:
    text = await press(pilot, "j", "X")
    assert "Remove bert from the network?" in text
    assert "What it runs is lost." in text
    await press(pilot, "enter")
    assert changes(feed) == [("agents.remove", {"agent": BERT})]


async def test_machines_that_wait_are_shown_and_let_in_by_their_code(feed: FakeFeed) -> None:
    feed.requests = [
        JoinRequest("d" * 16, "dora", "10.0.0.7:7713", "5.0.0", 95.0),
        JoinRequest("e" * 16, "emil", "10.0.0.8:7713", "5.0.0", 65.0),
    ]
    async with opened(feed, "agents") as pilot:
        assert "dora at 10.0.0.7:7713 and 1 more wants to join" in screen_text(pilot.app)
        text = await press(pilot, "p")
        assert "dora at 10.0.0.7:7713, version 5.0.0, 1m35s left" in text
        assert "emil at 10.0.0.8:7713" in text
        assert "type the code" in await press(pilot, "enter")
        await pilot.press(*"482-913")
        await press(pilot, "enter")
        await shown(pilot, "dora is a member now")
        await press(pilot, "p")
        await pilot.press(*"111-111")
        await press(pilot, "enter")
        await shown(pilot, "no machine that waits shows this code")


async def test_an_invitation_is_made_after_a_warning_and_copied(pilot: Pilot[None], feed: FakeFeed) -> None:
    text = await press(pilot, "I")
    assert "treat it as a password" in text
    await press(pilot, "enter")
    assert [method for method, _ in changes(feed) if method == "network.invite"]
    assert pilot.app.clipboard


async def test_everything_about_an_agent_is_a_page(pilot: Pilot[None]) -> None:
    text = await press(pilot, "j", "enter")
    assert "bert (bert000000000000)" in text
    assert "1 of 2 taken" in text
    assert "round trip   1.3 ms" in text
    assert "os = linux" in text


async def test_it_leads_to_the_builds_of_an_agent(pilot: Pilot[None]) -> None:
    assert "agent:bert" in await press(pilot, "j", "b")
