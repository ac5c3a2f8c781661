"""Every screen of the console in every state it can be in, and what it looks like as text: letters and their styles.

A new main screen is pictured without a line here; another one needs one line in WAYS.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from job_orchestra.console.feed.contract import Link
from job_orchestra.console.terminal.app import Console
from job_orchestra.console.terminal.header import PLACES
from job_orchestra.console.terminal.screens.build import BuildScreen
from job_orchestra.console.terminal.session import Session
from job_orchestra.core.api.network import JoinRequest
from job_orchestra.core.definition import When
from job_orchestra.core.errors import TimedOut
from job_orchestra.core.views.builds import build_summary
from job_orchestra.core.views.jobs import JobView, NeedView, ParameterDefinition, StepDefinition
from job_orchestra.store.query import Query
from tests.kit.consoles import NOW, settled, story
from tests.kit.feeds import FakeFeed
from tests.kit.standing import status

SIZES = ((80, 24), (120, 40), (200, 60))

GONE = "no agent answers at this machine; start it with: orchestra up"


class Still(Console):
    """A console in which no second ever goes by."""

    def _tick(self) -> None:
        pass


# -- states


def filled() -> FakeFeed:
    """There is something of everything."""
    feed = story()
    feed.jobs = [_job("shop", "test"), _job("shop", "package"), _job("site", "lint"), _job("site", "deploy")]
    feed.requests = [JoinRequest("d" * 16, "dora", "10.0.0.7:7713", "5.0.0", 95.0)]
    return feed


def _job(project: str, name: str) -> JobView:
    marker = ParameterDefinition("marker", "which tests, as pytest -m has it", "", False, [])
    target = ParameterDefinition("target", "where to", None, True, ["stage", "live"])
    return JobView(
        project,
        name,
        f"{name}s the {project}",
        0,
        [target] if name == "deploy" else [marker] if name == "test" else [],
        ["linux", "cpus>=4"],
        {"PIP_NO_INPUT": "1"},
        1800.0,
        [],
        [
            StepDefinition("install", "uv sync", {}, When.SUCCESS, None),
            StepDefinition("unit", "uv run pytest", {}, When.SUCCESS, None),
        ],
        [NeedView("lint", When.SUCCESS)] if name == "deploy" else [],
    )


def empty() -> FakeFeed:
    """Nothing was ever done."""
    return FakeFeed(status(queue={"pending": 0, "running": 0}))


def loading() -> FakeFeed:
    """Nothing was answered yet."""
    feed = filled()
    feed.slow = asyncio.Event()
    return feed


def error() -> FakeFeed:
    """What is asked for cannot be had, though somebody answers."""
    feed = filled()
    feed.problem = TimedOut("the store does not answer; orchestra doctor may say why")
    return feed


def no_master() -> FakeFeed:
    """The majority is lost."""
    feed = filled()
    feed.stand(
        status=status(
            master=None,
            quorum=False,
            agents={"ready": 1, "unreachable": 2},
            notices=["2 of 3 voters are silent: nothing new begins; if they are gone for good: orchestra recover"],
        )
    )
    return feed


def nobody() -> FakeFeed:
    """Nobody was reached yet."""
    feed = filled()
    feed.lose(0.0, GONE)
    feed.stand(link=Link.SEEKING, status=None, heard=None, source="this machine")
    return feed


STATES: dict[str, Callable[[], FakeFeed]] = {
    "filled": filled,
    "empty": empty,
    "loading": loading,
    "error": error,
    "no-master": no_master,
    "disconnected": filled,  # lost when everything is on the screen, see `pictured`
    "nobody": nobody,
}

# -- ways to a screen


def main_screen(place: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Return the way to a main screen: the console begins there."""

    async def arrive(_: Pilot[None]) -> None:
        pass

    arrive.__name__ = place
    return arrive


def keys(*pressed: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Return the way that these keys are."""

    async def press(pilot: Pilot[None]) -> None:
        await pilot.press(*pressed)

    return press


def filtered(text: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Return the way that a filter is, pasted: of one that is typed slowly, its beginnings are tried, too."""

    async def paste(pilot: Pilot[None]) -> None:
        await pilot.press("slash")
        pilot.app.screen.query_one("#asking", Input).insert_text_at_cursor(text)
        await pilot.press("enter")

    return paste


async def opened_twice(pilot: Pilot[None]) -> None:
    """Open what is under the cursor, and there once more."""
    await pilot.press("enter")
    await settled(pilot)
    await pilot.press("enter")


def of_build(number: int) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Return the way to the screen of one of the story's builds, by its id, as from a link."""

    async def show(pilot: Pilot[None]) -> None:
        found = [one for one in _builds() if one.number == number]
        cast("Console", pilot.app).show(BuildScreen(build_summary(found[0])))

    return show


def _builds() -> list[Any]:
    return list(story().store.find(Query("builds", (), (), 100, None)).rows)


ONLY_FILLED = ("filled",)
ALL = tuple(STATES)

WAYS: dict[str, tuple[str, Callable[[Pilot[None]], Awaitable[None]], tuple[str, ...]]] = {
    **{place: (place, main_screen(place), ALL) for place in PLACES},
    "build": ("builds", of_build(36), ALL),
    "build-running": ("builds", of_build(37), ONLY_FILLED),
    "build-waiting": ("builds", of_build(39), ONLY_FILLED),
    "help": ("builds", keys("question_mark"), ONLY_FILLED),
    "palette": ("builds", keys("colon"), ONLY_FILLED),
    "confirm": ("builds", keys("r"), ONLY_FILLED),
    "columns": ("builds", keys("C"), ONLY_FILLED),
    "order": ("builds", keys("o"), ONLY_FILLED),
    "filter": ("builds", filtered("state:failed"), ONLY_FILLED),
    "filter-wrong": ("builds", filtered("stat:failed"), ONLY_FILLED),
    "job": ("jobs", keys("enter"), ONLY_FILLED),
    "trigger": ("jobs", keys("down", "down", "t"), ONLY_FILLED),
    "task": ("tasks", keys("enter"), ONLY_FILLED),
    "pipeline": ("pipelines", keys("enter", "right"), ("filled", "disconnected")),
    "artifacts": ("builds", keys("v"), ONLY_FILLED),
    "project": ("jobs", keys("p"), ONLY_FILLED),
    "schedule": ("schedules", keys("enter"), ONLY_FILLED),
    "collection": ("store", keys("enter"), ONLY_FILLED),
    "record": ("store", opened_twice, ONLY_FILLED),
    "approve": ("agents", keys("p"), ONLY_FILLED),
}
"""Name of a picture -> the main screen it begins at, the way from there, the states it is pictured in."""

THEMED = ("overview", "builds", "build", "pipeline", "palette", "confirm", "order")
"""Screens that are pictured in the other themes, too."""

PICTURES = [(name, state) for name, (_, _, states) in WAYS.items() for state in states]


@asynccontextmanager
async def pilot_at(
    name: str,
    feed: FakeFeed,
    size: tuple[int, int],
    theme: str = "",
    **fields: Any,  # noqa: ANN401 - as Console
) -> AsyncIterator[Pilot[None]]:
    """Go to a screen, and wait until nothing changes any more."""
    place, way, _ = WAYS[name]
    session = Session()
    session.state.place = place
    session.state.theme = theme or session.state.theme
    app = Still(feed, session=session, now=lambda: NOW, **fields)
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        await still(pilot, feed)
        await way(pilot)
        await still(pilot, feed)
        yield pilot


async def pictured(name: str, state: str, *sizes: tuple[int, int], theme: str = "") -> list[str]:
    """Return what a screen looks like in a state, first in a terminal of the first size, then made the others."""
    feed = STATES[state]()
    async with pilot_at(name, feed, sizes[0], theme) as pilot:
        if state == "disconnected":
            feed.lose(75.0, GONE)
            await still(pilot, feed)
        pictures = [drawn(pilot.app)]
        for size in sizes[1:]:
            await pilot.resize_terminal(*size)
            await still(pilot, feed)
            pictures.append(drawn(pilot.app))
    return pictures


async def still(pilot: Pilot[None], feed: FakeFeed) -> None:
    """Return when nothing changes any more, no cursor blinks; screens are told of changes at once, not later."""
    cast("Console", pilot.app)._pass_on()
    if feed.slow is None:
        await settled(pilot)
    else:
        for _ in range(3):
            await pilot.pause()
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
    await pilot.pause()


def drawn(app: App[Any]) -> str:
    """Return the letters on the screen, then for each line which style how many cells have, then the styles."""
    names: dict[str, str] = {}
    letters: list[str] = []
    styles: list[str] = []
    for strip in app.screen._compositor.render_strips():
        letters.append(strip.text.rstrip())
        styles.append(_runs(Segment.simplify(strip), names))
    legend = [f"{name} {style}" for style, name in names.items()]
    return "\n".join([*letters, "=" * 20, *_repeated(styles), "=" * 20, *legend, ""])


def _runs(segments: Any, names: dict[str, str]) -> str:  # noqa: ANN401 - of Segments
    runs: list[str] = []
    for text, style, _ in segments:
        look = _look(style)
        name = names.setdefault(look, _name(len(names)))
        runs.append(f"{Segment(text).cell_length}{name}")
    return " ".join(runs)


def _look(style: Style | None) -> str:
    """Return a style in words, without what is not seen."""
    if style is None:
        return "none"
    return str(Style.combine([style]).without_color + Style(color=style.color, bgcolor=style.bgcolor))


def _name(number: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return letters[number] if number < len(letters) else f"{letters[number // 26 - 1]}{letters[number % 26]}"


def _repeated(lines: list[str]) -> list[str]:
    """Return lines, each run of equal ones as one with its count."""
    found: list[str] = []
    place = 0
    while place < len(lines):
        end = place
        while end < len(lines) and lines[end] == lines[place]:
            end += 1
        found.append(f"{lines[place]}{f'  ({end - place} lines)' if end - place > 1 else ''}")
        place = end
    return found
