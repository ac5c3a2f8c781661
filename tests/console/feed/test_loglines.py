"""Lines of logs: found from any place, the same whichever way one comes, steps folded or not."""

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.console.feed import logbytes, loglines
from job_orchestra.console.feed.logbytes import LogBytes
from job_orchestra.console.feed.loglines import Kind, Lines, Missing, Row
from job_orchestra.core.model import BuildState, StepState
from job_orchestra.core.views.builds import StepView
from tests.kit.builders import build
from tests.kit.feeds import FakeFeed
from tests.kit.standing import status


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterable[None]:
    """Let chunks and pieces be small, so that little text has many."""
    before = logbytes.CHUNK, loglines.CHUNK, loglines.PIECE
    logbytes.CHUNK, loglines.CHUNK, loglines.PIECE = 64, 64, 16
    yield
    logbytes.CHUNK, loglines.CHUNK, loglines.PIECE = before


def steps(*ends: int | None) -> list[StepView]:
    """Return steps that follow each other, each up to one of `ends`."""
    begins = [0, *(end for end in ends[:-1] if end is not None)]
    return [
        StepView(f"s{number}", StepState.SUCCEEDED, 0, None, "2026-01-01T00:00:00.000Z", None, begin, end)
        for number, (begin, end) in enumerate(zip(begins, ends, strict=True))
    ]


def lines_of(data: bytes, *ends: int | None) -> Lines:
    """Return the lines of a log, all of which is in memory."""
    feed = FakeFeed(status())
    one = build(1, state=BuildState.SUCCEEDED, attempt=1)
    feed.put(one)
    feed.logs[f"{one.id}.1"] = data
    source = LogBytes(feed, one.id)

    async def read() -> None:
        await source.open_end()
        for offset in range(0, len(data), 64):
            await source.load(offset)

    asyncio.run(read())
    return Lines(source, steps(*ends) if ends else ())


def down(lines: Lines) -> list[Row]:
    rows: list[Row] = []
    row = lines.first()
    while isinstance(row, Row):
        rows.append(row)
        row = lines.after(row)
    assert row is Missing.END
    return rows


def up(lines: Lines) -> list[Row]:
    rows: list[Row] = []
    row = lines.last()
    while isinstance(row, Row):
        rows.append(row)
        row = lines.before(row)
    assert row is Missing.END
    return rows[::-1]


def shown(lines: Lines) -> list[str]:
    return [
        lines.text(row).decode(errors="replace") if row.kind is Kind.TEXT else f"[{lines.steps[row.step].name}]"
        for row in down(lines)
    ]


def test_lines_under_their_steps() -> None:
    lines = lines_of(b"one\ntwo\nthree\nfour", 4, 4, 14, None)
    assert shown(lines) == ["[s0]", "one", "[s1]", "[s2]", "two", "three", "[s3]", "four"]
    assert up(lines) == down(lines)


def test_folded_steps_are_nothing_but_their_heads() -> None:
    lines = lines_of(b"one\ntwo\nthree\nfour\n", 4, 14, None)
    assert lines.fold(1)
    assert shown(lines) == ["[s0]", "one", "[s1]", "[s2]", "four"]
    assert up(lines) == down(lines)
    assert lines.at(5) == lines.head(1)
    assert lines.fold(2)
    assert shown(lines) == ["[s0]", "one", "[s1]", "[s2]"]
    assert up(lines) == down(lines)
    lines.open_at(5)
    assert shown(lines) == ["[s0]", "one", "[s1]", "two", "three", "[s2]"]


def test_output_before_and_between_steps_belongs_to_none() -> None:
    step = StepView("s", StepState.SUCCEEDED, 0, None, "2026-01-01T00:00:00.000Z", None, 4, 8)
    lines = lines_of(b"pre\nstep\npost\n")
    lines.know([step])
    assert shown(lines) == ["pre", "[s]", "step", "", "post"]
    assert up(lines) == down(lines)


def test_carriage_returns_overwrite_and_escapes_are_shown() -> None:
    lines = lines_of(b"10%\r20%\r100%\r\n\x1b[31mred\x1b[0m\n\x1b]0;title\x07x\nhalf \x1b[3")
    assert shown(lines) == ["100%", "\x1b[31mred\x1b[0m", "^[]0;title^Gx", "half ^[[3"]


def test_colours_go_on_from_line_to_line() -> None:
    lines = lines_of(b"\x1b[31mred\nstill red\n\x1b[0mplain\n")
    rows = down(lines)
    assert lines.colours(rows[0]) == b""
    assert lines.colours(rows[1]) == b"\x1b[31m"


@pytest.mark.parametrize("off", [b"\x1b[0m", b"\x1b[m"])
def test_colours_that_were_all_taken_back_are_not_in_force(off: bytes) -> None:
    lines = lines_of(b"\x1b[31m" + off + b"\x1b[1ma\nb\n")
    assert lines.colours(down(lines)[1]) == off + b"\x1b[1m"


def test_lines_are_numbered_where_all_before_was_read() -> None:
    lines = lines_of(b"x\n" * 200)
    assert lines.source.line_number(down(lines)[150].start) == 150


def test_what_is_not_in_memory_is_told() -> None:
    lines = lines_of(b"x" * 30 + b"\n" + b"y\n" * 100)
    source = lines.source
    source._chunks.pop(0)
    assert lines.first() is Missing.UNREAD
    assert lines.wanted == 0
    asyncio.run(source.load(0))
    assert isinstance(lines.first(), Row)


def test_an_empty_log_has_no_rows() -> None:
    lines = lines_of(b"")
    assert lines.first() is Missing.END
    assert lines.last() is Missing.END
    assert lines.at(0) is Missing.END


texts = st.lists(st.sampled_from([b"\n", b"a", b"word ", b"x" * 17, b"y" * 50, b"\r", b"\xff"]), max_size=40).map(
    b"".join
)


@given(texts, st.lists(st.integers(0, 300), max_size=4), st.sets(st.integers(0, 4)))
def test_both_ways_are_the_same_and_nothing_is_left_out(data: bytes, ends: list[int], folded: set[int]) -> None:
    places = sorted(min(one, len(data)) for one in ends)
    lines = lines_of(data, *places, None) if places else lines_of(data)
    rows = down(lines)
    assert up(lines) == rows
    text = [row for row in rows if row.kind is Kind.TEXT]
    assert b"".join(lines.source.view(row.start, row.stop) or b"" for row in text) == data
    assert all(row.stop - row.start <= 2 * loglines.PIECE for row in text)
    for row in text:
        for offset in (row.start, row.stop - 1):
            assert lines.at(offset) == row
    for step in folded:
        if step < len(lines.steps):
            lines.fold(step)
    assert up(lines) == down(lines)
