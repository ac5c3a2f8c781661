"""The files that a build kept, by keys."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from job_orchestra.console.terminal.screens.artifacts import ArtifactsScreen, place_of
from job_orchestra.core.errors import InvalidInput, NoAgent
from tests.kit.consoles import opened, press, screen_text, shown, story
from tests.kit.feeds import FakeFeed

WHEEL = bytes(range(256)) * 3000  # more than one request brings


@pytest.fixture
def feed() -> FakeFeed:
    found = story()
    found.files = {
        "dist/shop-1.0.whl": ("-rw-r--r--", WHEEL),
        "bin/run.sh": ("-rwxr-xr-x", b"#!/bin/sh\necho \x1b[31mred\x1b[0m \x1b]0;title\x07\n"),
        "latest": ("lrwxrwxrwx", b""),
    }
    return found


@pytest.fixture
async def pilot(feed: FakeFeed) -> AsyncIterator[Pilot[None]]:
    async with opened(feed, "builds") as found:
        await press(found, "v")
        assert isinstance(found.app.screen, ArtifactsScreen)
        yield found


async def save(pilot: Pilot[None], folder: Path) -> None:
    await press(pilot, "s")
    pilot.app.screen.query_one(Input).value = str(folder)
    await press(pilot, "enter")


async def test_they_are_listed(pilot: Pilot[None]) -> None:
    text = screen_text(pilot.app)
    assert "bin/run.sh" in text
    assert "750.0 KiB" in text
    assert "-rwxr-xr-x" in text
    assert "Files that shop/test#40 kept" in text
    await press(pilot, "y")
    assert pilot.app.clipboard.startswith("orchestra artifacts list ")


async def test_a_text_is_looked_at_and_harmless(pilot: Pilot[None]) -> None:
    text = await press(pilot, "enter")
    assert "echo red" in text
    assert "\x1b" not in text
    assert "\x07" not in text
    await press(pilot, "y")
    assert pilot.app.clipboard.endswith(" bin/run.sh")


async def test_what_is_no_text_says_so(pilot: Pilot[None]) -> None:
    await press(pilot, "j", "enter")
    assert "750.0 KiB that are no text" in screen_text(pilot.app)


async def test_a_link_is_not_followed(pilot: Pilot[None]) -> None:
    await press(pilot, "G", "enter")
    await shown(pilot, "It is no file")


async def test_marked_ones_are_saved_with_their_directories(pilot: Pilot[None], feed: FakeFeed, tmp_path: Path) -> None:
    await press(pilot, "space", "space", "space")
    assert "Save 2 files under" in await press(pilot, "s")
    await press(pilot, "escape")
    await save(pilot, tmp_path / "new")
    await shown(pilot, "Saved")
    assert (tmp_path / "new/dist/shop-1.0.whl").read_bytes() == WHEEL
    run = tmp_path / "new/bin/run.sh"
    assert run.read_bytes() == feed.files["bin/run.sh"][1]
    assert run.stat().st_mode & 0o100
    assert not (tmp_path / "new/latest").exists()


async def test_a_file_that_is_there_is_left_alone(pilot: Pilot[None], tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/run.sh").write_text("mine")
    await save(pilot, tmp_path)
    await shown(pilot, "cannot write")
    assert (tmp_path / "bin/run.sh").read_text() == "mine"


async def test_half_a_file_is_not_left_behind(pilot: Pilot[None], feed: FakeFeed, tmp_path: Path) -> None:
    answer = feed._artifacts_get

    def gone(wish: object) -> object:
        feed.problem = NoAgent("box is gone")
        return answer(wish)  # type: ignore[arg-type]

    feed._artifacts_get = gone  # type: ignore[method-assign,assignment]
    await press(pilot, "j")
    await save(pilot, tmp_path)
    await shown(pilot, "box is gone")
    assert not (tmp_path / "dist/shop-1.0.whl").exists()


async def test_no_files_says_how_to_keep_some(feed: FakeFeed) -> None:
    feed.files = {}
    async with opened(feed, "builds") as pilot:
        assert "It kept no files." in await press(pilot, "v")


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "", "a\0b"])
def test_names_that_lead_out_of_the_directory_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        place_of(name, tmp_path)


def test_links_that_lead_out_of_the_directory_are_refused(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "out").symlink_to(tmp_path)
    with pytest.raises(InvalidInput, match="by a link"):
        place_of("out/x", inner)
    assert place_of("in/x", inner) == inner / "in/x"
