"""Questions: what is lit up is what enter does, and escape always leaves them."""

from collections.abc import AsyncIterator

import pytest
from textual.pilot import Pilot

from job_orchestra.console.terminal.dialogs import Confirm
from tests.kit.consoles import opened, press, story
from tests.kit.feeds import FakeFeed


@pytest.fixture
def feed() -> FakeFeed:
    return story()


@pytest.fixture
async def pilot(feed: FakeFeed) -> AsyncIterator[Pilot[None]]:
    async with opened(feed, "builds") as found:
        await press(found, "r")
        assert isinstance(found.app.screen, Confirm)
        yield found


@pytest.mark.parametrize(
    ("keys", "lit", "done"),
    [
        ((), "yes", True),
        (("left",), "no", False),
        (("left", "right"), "yes", True),
        (("right",), "copy", False),
        (("tab", "tab"), "no", False),
    ],
)
async def test_enter_does_what_is_lit_up(
    pilot: Pilot[None], feed: FakeFeed, keys: tuple[str, ...], lit: str, done: bool
) -> None:
    await press(pilot, *keys)
    assert pilot.app.focused is not None
    assert pilot.app.focused.id == lit
    await press(pilot, "enter")
    assert bool(feed.asked) is done
    assert pilot.app.clipboard.startswith("orchestra rerun") is (lit == "copy")


@pytest.mark.parametrize("key", ["escape", "n", "q"])
async def test_it_is_left(pilot: Pilot[None], feed: FakeFeed, key: str) -> None:
    await press(pilot, key)
    assert not isinstance(pilot.app.screen, Confirm)
    assert feed.asked == []


async def test_a_button_is_clicked(pilot: Pilot[None], feed: FakeFeed) -> None:
    await pilot.click("#yes")
    await press(pilot)
    assert [method for method, _ in feed.asked] == ["builds.rerun"]
