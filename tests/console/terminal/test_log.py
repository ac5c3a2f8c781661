"""The log of a build, by keys: following, moving, searching, filtering, folding, taking away."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual import events
from textual.pilot import Pilot

from job_orchestra.console.feed import logbytes, patterns
from job_orchestra.console.terminal.app import Console
from job_orchestra.console.terminal.cells import Tone
from job_orchestra.console.terminal.dialogs import Line
from job_orchestra.console.terminal.logview import LogView
from job_orchestra.console.terminal.screens.build import BuildScreen
from job_orchestra.core.errors import NoAgent
from job_orchestra.core.model import Attempt, Build, BuildState, StepResult, StepState
from tests.kit.builders import build
from tests.kit.consoles import NOW_MS, opened, press, screen_text, settled, shown, story
from tests.kit.feeds import FakeFeed
from tests.kit.waiting import until

LINES = 400

CUT_LEFT, CUT_RIGHT = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"


def text(last: int = LINES) -> bytes:
    return b"".join(b"line %d of the log\n" % number for number in range(1, last + 1))


def put(
    feed: FakeFeed, log: bytes, state: BuildState = BuildState.SUCCEEDED, steps: tuple[StepResult, ...] = ()
) -> Build:
    """Put a build in that wrote this."""
    live = not state.ended
    one = build(
        777,
        number=777,
        state=state,
        attempt=1,
        agent="a1",
        started=NOW_MS - 9_000,
        finished=None if live else NOW_MS,
        log_bytes=len(log),
    )
    tried = Attempt(one.id, 1, "a1", "s1", state, "", one.created, one.started, one.finished, steps, len(log))
    feed.put(one, attempts=[tried])
    feed.logs[f"{one.id}.1"] = log
    return one


def step(name: str, begin: int, end: int | None, state: StepState = StepState.SUCCEEDED) -> StepResult:
    code = None if end is None else 1 if state is StepState.FAILED else 0
    return StepResult(name, state, code, None, NOW_MS - 9_000, NOW_MS - 4_000, begin, end)


@pytest.fixture
def feed() -> FakeFeed:
    return story()


@pytest.fixture
async def pilot(feed: FakeFeed) -> AsyncIterator[Pilot[None]]:
    async with opened(feed, "builds", size=(80, 24)) as found:
        yield found


def view(pilot: Pilot[None]) -> LogView:
    return pilot.app.screen.query_one(LogView)


async def show(pilot: Pilot[None], one: Build) -> str:
    """Go to the log of a build, and wait until its end is shown."""
    assert isinstance(pilot.app, Console)
    pilot.app.show(BuildScreen(one.id))
    await until(
        lambda: any(log.rows_shown for log in pilot.app.screen.query(LogView)), "the log is shown", deadline_s=20
    )
    await settled(pilot)
    return screen_text(pilot.app)


# -- following


async def test_it_opens_at_the_end_and_follows(pilot: Pilot[None], feed: FakeFeed) -> None:
    one = put(feed, text(), BuildState.RUNNING)
    assert f"line {LINES} of the log" in await show(pilot, one)
    assert "● following" in screen_text(pilot.app)
    feed.write(one, b"and one more\n")
    await shown(pilot, "and one more")


async def test_who_scrolls_up_is_left_alone_and_the_end_follows_again(pilot: Pilot[None], feed: FakeFeed) -> None:
    one = put(feed, text(), BuildState.RUNNING)
    await show(pilot, one)
    await press(pilot, "pageup", "pageup")
    before = [row.start for row in view(pilot).rows_shown]
    assert "paused" in await shown(pilot, "G follows again")
    feed.write(one, text(50))
    await settled(pilot)
    assert [row.start for row in view(pilot).rows_shown] == before
    await press(pilot, "G")
    await shown(pilot, "● following")
    feed.write(one, b"the very last\n")
    await shown(pilot, "the very last")


async def test_moving_down_to_the_end_follows_again(pilot: Pilot[None], feed: FakeFeed) -> None:
    one = put(feed, text(), BuildState.RUNNING)
    await show(pilot, one)
    await press(pilot, "k", "k")
    assert not view(pilot).follow
    await press(pilot, "j", "j")
    assert view(pilot).follow


async def test_the_wheel_releases_and_takes_up_again(pilot: Pilot[None], feed: FakeFeed) -> None:
    one = put(feed, text(), BuildState.RUNNING)
    await show(pilot, one)
    await pilot._post_mouse_events([events.MouseScrollUp], LogView, offset=(5, 5))
    assert not view(pilot).follow
    for _ in range(9):
        await pilot._post_mouse_events([events.MouseScrollDown], LogView, offset=(5, 5))
    assert view(pilot).follow


async def test_following_ends_with_the_build(pilot: Pilot[None], feed: FakeFeed) -> None:
    one = put(feed, text(), BuildState.RUNNING)
    await show(pilot, one)
    feed.put(replace(one, state=BuildState.FAILED, finished=NOW_MS))
    await until(lambda: "following" not in screen_text(pilot.app), "it no longer follows")
    assert "✗ failed" in await shown(pilot, "✗ failed")


# -- only what is looked at is in memory


async def test_of_a_long_log_only_what_is_looked_at_is_read(
    pilot: Pilot[None], feed: FakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbytes, "HELD", 4)
    log = text(200_000)  # 4.5 MB
    asked: list[int] = []
    answer = feed._builds_log
    feed._builds_log = lambda wish: (asked.append(wish.limit), answer(wish))[1]  # type: ignore[method-assign]
    await show(pilot, put(feed, log))
    await press(pilot, "g")
    await shown(pilot, "line 1 of the log")
    for _ in range(5):
        await press(pilot, "ctrl+f")
    await press(pilot, "G")
    await shown(pilot, "line 200000 of the log")
    assert sum(asked) < len(log) // 4
    kept = view(pilot).bytes
    assert kept is not None
    assert len(kept._chunks) <= 4


# -- searching


def lit(pilot: Pilot[None], tone: Tone) -> list[str]:
    """Return what is lit up so."""
    log = view(pilot)
    wanted = log.tone(tone)
    parts = [one for y in range(log.size.height) for one in log.render_line(y)]
    return [one.text for one in parts if one.style and (one.style + wanted) == one.style]


async def test_a_regular_expression_is_searched_both_ways_and_lit_up(pilot: Pilot[None], feed: FakeFeed) -> None:
    await show(pilot, put(feed, text()))
    await press(pilot, "g")
    await pilot.press("slash", *"line .*[1-3]50 of")
    assert "line 150 of the log" in await press(pilot, "enter")
    assert lit(pilot, Tone.HERE) == ["line 150 of"]
    await press(pilot, "k")
    assert lit(pilot, Tone.MATCH) == ["line 150 of"]
    await press(pilot, "j")
    assert "line 250 of the log" in await press(pilot, "n")
    assert "line 350 of the log" in await press(pilot, "n")
    text_ = await press(pilot, "n")
    assert "line 150 of the log" in text_
    assert "from the other end" in text_
    assert "line 350 of the log" in await press(pilot, "N")
    assert "line 250 of the log" in await press(pilot, "N")
    assert "/ line" not in await press(pilot, "escape")


async def test_no_match_and_a_wrong_expression_are_told(pilot: Pilot[None], feed: FakeFeed) -> None:
    await show(pilot, put(feed, text()))
    await pilot.press("slash", *"nowhere")
    assert "no match" in await press(pilot, "enter")
    await press(pilot, "slash")
    await pilot.press("ctrl+u", *"a(")
    assert "is no regular expression" in await press(pilot, "enter")


@pytest.mark.parametrize("way", ["slash", "ampersand"])
async def test_an_expression_that_would_take_years_is_given_up_while_keys_are_answered(
    pilot: Pilot[None], feed: FakeFeed, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(patterns, "BOUND_S", 0.3)
    await show(pilot, put(feed, text(5) + b"a" * 60 + b"b\n"))
    await pilot.press(way, *"(a|aa)+$", "enter")
    assert "2 Builds" in await press(pilot, "w")
    await shown(pilot, "too slow; avoid a repetition")
    assert "line 5" in await press(pilot, "escape")


async def test_colours_do_not_hide_what_is_searched(pilot: Pilot[None], feed: FakeFeed) -> None:
    await show(pilot, put(feed, text(100) + b"a \x1b[31mr\x1b[32med\x1b[0m word\n" + text(100)))
    await press(pilot, "g")
    await pilot.press("slash", *"red word")
    assert "a red word" in await press(pilot, "enter")


async def test_only_lines_that_match_are_shown(pilot: Pilot[None], feed: FakeFeed) -> None:
    one = put(feed, text(), BuildState.RUNNING)
    await show(pilot, one)
    await pilot.press("ampersand", *"7 of")
    found = await press(pilot, "enter")
    assert "line 397 of the log" in found
    assert "line 396 of the log" not in found
    assert "& 7 of: 40 lines" in found
    feed.write(one, b"line 8 of x\nline 407 of x\n")
    assert "line 8 of x" not in await shown(pilot, "line 407 of x")
    assert "line 396 of the log" in await press(pilot, "k", "escape")


async def test_the_first_error_is_found_and_then_the_next(pilot: Pilot[None], feed: FakeFeed) -> None:
    log = (
        b"0 errors so far\n"
        + text(100)
        + b"ERROR: it broke\n"
        + text(100)
        + b"Traceback (most recent call last):\n"
        + text(60)
    )
    await show(pilot, put(feed, log))
    assert "ERROR: it broke" in await press(pilot, "exclamation_mark")
    assert "Traceback" in await press(pilot, "exclamation_mark")


async def test_the_first_error_is_looked_for_in_the_step_that_failed(pilot: Pilot[None], feed: FakeFeed) -> None:
    one, two = b"error: was handled\n" + text(50), text(50) + b"fatal: not handled\n" + text(50)
    steps = (step("one", 0, len(one)), step("two", len(one), len(one + two), StepState.FAILED))
    await show(pilot, put(feed, one + two, BuildState.FAILED, steps))
    assert "fatal: not handled" in await press(pilot, "exclamation_mark")


# -- how it is shown


async def test_long_lines_are_cut_with_a_sign_moved_sideways_and_wrapped(pilot: Pilot[None], feed: FakeFeed) -> None:
    await show(pilot, put(feed, b"begin " + b"x" * 100 + b" end\n"))
    assert CUT_RIGHT in screen_text(pilot.app)
    assert " end" not in screen_text(pilot.app)
    found = await press(pilot, "l", "l", "l", "l", "l")
    assert " end" in found
    assert CUT_LEFT in found
    await press(pilot, "h", "h", "h", "h", "h")
    found = await press(pilot, "w")
    assert "begin" in found
    assert " end" in found
    await press(pilot, "escape")
    await show(pilot, put(feed, b"y" * 100 + b" end\n"))
    assert " end" in screen_text(pilot.app)  # remembered


async def test_numbers_and_times_are_shown(pilot: Pilot[None], feed: FakeFeed) -> None:
    one = put(feed, text(), BuildState.RUNNING)
    await show(pilot, one)
    await press(pilot, "g")
    assert "      1 line 1 of the log" in await press(pilot, "number_sign")
    await press(pilot, "number_sign", "G", "t")
    feed.write(one, b"just now\n")
    found = await shown(pilot, "just now")
    (line,) = [one for one in found.split("\n") if "just now" in one]
    assert line.split()[0].count(":") == 2


async def test_heads_say_when_steps_began(pilot: Pilot[None], feed: FakeFeed) -> None:
    await show(pilot, put(feed, text(5), steps=(step("install", 0, len(text(5))),)))
    began = datetime.fromtimestamp((NOW_MS - 9_000) / 1000).astimezone()
    assert f"{began:%H:%M:%S} ▾ install" in await press(pilot, "t")


async def test_steps_are_folded_and_opened(pilot: Pilot[None], feed: FakeFeed) -> None:
    one, two = text(30), text(30)
    steps = (step("install", 0, len(one)), step("unit tests", len(one), len(one + two), StepState.FAILED))
    found = await show(pilot, put(feed, one + two, BuildState.FAILED, steps))
    assert "line 30 of the log" in found
    found = await press(pilot, "Z")
    assert "▸ install  ✓ succeeded  5.0s" in found
    assert "▸ unit tests  ✗ failed" in found
    assert "of the log" not in found
    found = await press(pilot, "j", "z")
    assert "▾ unit tests" in found
    assert "line 1 of the log" in found
    assert "▸ install" in found
    assert "▾ install" in await press(pilot, "Z", "Z")
    line = next(y for y in range(20) if "▾ install" in view(pilot).render_line(y).text)
    await pilot.click(LogView, offset=(4, line))
    await settled(pilot)
    assert "▸ install" in screen_text(pilot.app)


async def test_what_is_found_in_a_folded_step_opens_it(pilot: Pilot[None], feed: FakeFeed) -> None:
    one = text(30) + b"needle\n"
    await show(pilot, put(feed, one, steps=(step("install", 0, len(one)),)))
    await press(pilot, "Z")
    await pilot.press("slash", *"needle")
    await press(pilot, "enter")
    assert "needle" in await press(pilot, "n")


async def test_colours_are_kept_and_everything_else_is_harmless(pilot: Pilot[None], feed: FakeFeed) -> None:
    hostile = b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07 \x1b[2J \x9b5n \xc2\x9b6n \x00 \x08 \n10%\r20%\n\xff\xfe\n"
    found = await show(pilot, put(feed, hostile))
    assert "\x1b" not in found
    assert "20%" in found
    assert "10%" not in found  # it was overwritten
    styles = [segment.style for segment in view(pilot).render_line(0) if "red" in segment.text]
    assert styles
    assert styles[0] is not None
    assert styles[0].bold
    await press(pilot, "g", "Y")
    assert not set(pilot.app.clipboard) & {"\x1b", "\x07", "\x00", "\x08", "\x9b"}
    await press(pilot, "A")
    assert not set(pilot.app.clipboard) & {"\x1b", "\x07", "\x00", "\x08", "\x9b"}
    assert "red" in pilot.app.clipboard


# -- taking away


async def test_a_line_a_selection_and_all_are_copied(pilot: Pilot[None], feed: FakeFeed) -> None:
    await show(pilot, put(feed, text(50)))
    await press(pilot, "g", "j", "Y")
    assert pilot.app.clipboard == "line 2 of the log"
    await press(pilot, "V", "j", "j", "Y")
    assert pilot.app.clipboard == "line 2 of the log\nline 3 of the log\nline 4 of the log"
    await press(pilot, "A")
    assert pilot.app.clipboard == text(50).decode()
    await press(pilot, "y")
    assert pilot.app.clipboard.startswith("orchestra logs ")


async def test_a_selection_reaches_over_more_than_is_visible(pilot: Pilot[None], feed: FakeFeed) -> None:
    await show(pilot, put(feed, text(200)))
    await press(pilot, "g", "V", "ctrl+f", "ctrl+f", "ctrl+f", "Y")
    assert pilot.app.clipboard.startswith("line 1 of the log\nline 2 of the log\n")
    assert pilot.app.clipboard.count("\n") > 40


async def test_the_whole_log_is_saved_and_it_is_said_where(pilot: Pilot[None], feed: FakeFeed, tmp_path: Path) -> None:
    log = text(100_000)
    await show(pilot, put(feed, log))
    path = tmp_path / "whole.log"
    await press(pilot, "s")
    assert isinstance(pilot.app.screen, Line)
    pilot.app.screen.query_one("Input").value = str(path)  # type: ignore[attr-defined]
    await pilot.press("enter")
    await shown(pilot, "Saved")
    assert "whole.log" in screen_text(pilot.app).replace("\n", "")
    assert path.read_bytes() == log


@pytest.mark.parametrize(("name", "says"), [("there", "exists"), ("no/such", "there is no directory")])
async def test_where_it_cannot_be_saved_is_told_before(
    pilot: Pilot[None], feed: FakeFeed, tmp_path: Path, name: str, says: str
) -> None:
    (tmp_path / "there").write_text("")
    await show(pilot, put(feed, text(5)))
    await press(pilot, "s")
    pilot.app.screen.query_one("Input").value = str(tmp_path / name)  # type: ignore[attr-defined]
    assert says in await press(pilot, "enter")
    await press(pilot, "escape")
    assert (tmp_path / "there").read_text() == ""


async def test_half_a_log_is_not_left_behind(pilot: Pilot[None], feed: FakeFeed, tmp_path: Path) -> None:
    one = put(feed, text(100_000))
    await show(pilot, one)
    answer = feed._builds_log

    async def gone(wish: object) -> object:
        feed.problem = NoAgent("box is gone")
        return await answer(wish)  # type: ignore[arg-type]

    feed._builds_log = gone  # type: ignore[method-assign,assignment]
    await press(pilot, "s")
    pilot.app.screen.query_one("Input").value = str(tmp_path / "half.log")  # type: ignore[attr-defined]
    await press(pilot, "enter")
    await shown(pilot, "box is gone")
    assert not (tmp_path / "half.log").exists()
