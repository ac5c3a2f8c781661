"""Being told when a build ends: here, by the terminal, on the desktop, and also after one was away."""

import subprocess
import sys
from pathlib import Path

import pytest

from job_orchestra.console.terminal import desktop
from job_orchestra.console.terminal.session import Session
from job_orchestra.console.terminal.watching import Watcher
from job_orchestra.core.errors import NoAgent
from job_orchestra.core.model import BuildState
from tests.kit.builders import build
from tests.kit.consoles import opened, press, shown, story
from tests.kit.feeds import FakeFeed


@pytest.fixture
def feed() -> FakeFeed:
    return story()


def watcher(feed: FakeFeed, *builds: str) -> tuple[Watcher, list[tuple[str, str]]]:
    session = Session()
    session.state.watched = list(builds)
    told: list[tuple[str, str]] = []
    return Watcher(feed, session, lambda label, state: told.append((label, state))), told


def event(state: str) -> dict[str, object]:
    return {"id": "x", "project": "shop", "job": "test", "number": 7, "state": state}


def test_the_end_is_told_once(feed: FakeFeed) -> None:
    watching, told = watcher(feed, "x")
    for state in ("assigned", "running", "failed", "failed"):
        watching.on_build(event(state))
    assert told == [("shop/test#7", "failed")]
    assert watching.builds == []


def test_of_others_nothing_is_told(feed: FakeFeed) -> None:
    watching, told = watcher(feed, "y")
    watching.on_build(event("failed"))
    assert told == []
    assert watching.builds == ["y"]


async def test_what_ended_while_one_was_away_is_told(feed: FakeFeed) -> None:
    ended, live = build(900, state=BuildState.SUCCEEDED, number=9), build(901)
    feed.put(ended, live)
    watching, told = watcher(feed, ended.id, live.id, "never-there")
    await watching.catch_up()
    assert told == [("shop/test#9", "succeeded")]
    assert watching.builds == [live.id]


async def test_while_nobody_answers_nothing_is_forgotten(feed: FakeFeed) -> None:
    watching, told = watcher(feed, "x")
    feed.problem = NoAgent("gone")
    await watching.catch_up()
    assert watching.builds == ["x"]
    assert told == []


async def test_a_build_is_watched_from_the_list_and_its_end_shown(feed: FakeFeed) -> None:
    session = Session()
    async with opened(feed, "builds", session=session) as pilot:
        await press(pilot, "W")
        await shown(pilot, "you will be told when it ends")
        (identity,) = session.state.watched
        feed.put(build(40, id=identity, number=40, state=BuildState.FAILED))
        await shown(pilot, "shop/test#40 failed")
        assert session.state.watched == []


async def test_one_that_ended_cannot_be_watched_and_one_that_is_can_be_left(feed: FakeFeed) -> None:
    session = Session()
    async with opened(feed, "builds", session=session) as pilot:
        await press(pilot, "W", "W")
        assert session.state.watched == []
        await press(pilot, "f", "W")
        await shown(pilot, "has ended already")
        assert session.state.watched == []


# -- outside of the window


def test_a_terminal_is_told_by_a_sequence() -> None:
    assert desktop.sequence("shop/test#7 failed") == "\x1b]9;shop/test#7 failed\x1b\\\a"


def tool(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {folder}/told\n")
    path.chmod(0o755)


@pytest.mark.skipif(sys.platform != "linux", reason="a desktop of Linux")
def test_the_desktop_is_told_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert desktop.program("a", "b", {"DISPLAY": ":0"}) == ()
    tool(tmp_path, "notify-send")
    assert desktop.program("a", "b", {}) == ()
    assert desktop.program("a", "b", {"DISPLAY": ":0", "SSH_CONNECTION": "x"}) == ()
    words = desktop.program("Job Orchestra", "-x $(id)", {"WAYLAND_DISPLAY": "w"})
    subprocess.run(words, check=True)
    assert (tmp_path / "told").read_text().split("\n")[-3:] == ["Job Orchestra", "-x $(id)", ""]
