"""Looking through logs: every line that matches is found, in either direction, whatever the ranges are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.console.feed import logfilter, logsearch, patterns
from job_orchestra.console.feed.logbytes import LogBytes
from job_orchestra.console.feed.logfilter import Matching
from job_orchestra.console.feed.loglines import Missing, Row
from job_orchestra.console.feed.logsearch import backward, forward
from job_orchestra.console.feed.patterns import Pattern
from job_orchestra.core.model import BuildState
from tests.kit.builders import build
from tests.kit.feeds import FakeFeed
from tests.kit.standing import status


def log_of(data: bytes, *, ended: bool = True) -> LogBytes:
    feed = FakeFeed(status())
    one = build(1, state=BuildState.SUCCEEDED if ended else BuildState.RUNNING, attempt=1)
    feed.put(one)
    feed.logs[f"{one.id}.1"] = data
    return LogBytes(feed, one.id)


lines = st.lists(
    st.sampled_from([b"", b"a", b"match", b"x match y", b"\x1b[1mma\x1b[0mtch", b"long " * 9]), max_size=30
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logsearch, "BLOCK", 37)


@given(lines)
@pytest.mark.parametrize("end", [b"", b"\n"])
async def test_both_ways_find_the_same(end: bytes, found: list[bytes]) -> None:
    before = logsearch.BLOCK
    logsearch.BLOCK = 37
    try:
        data = b"\n".join(found) + end
        expected: list[int] = []
        place = 0
        for line in data.split(b"\n"):
            if b"match" in patterns.plain(line):
                expected.append(place)
            place += len(line) + 1
        pattern = Pattern("match")
        there = [one.start async for one in forward(log_of(data), pattern, 0, len(data)) if one.start is not None]
        back = [one.start async for one in backward(log_of(data), pattern, len(data)) if one.start is not None]
        assert there == expected
        assert back == expected[::-1]
    finally:
        logsearch.BLOCK = before


async def test_it_tells_how_far_it_looked(small: None) -> None:
    data = b"nothing\n" * 20
    ways = [one.at async for one in forward(log_of(data), Pattern("match"), 0, len(data))]
    assert ways == sorted(ways)
    assert ways[-1] == len(data)
    back = [one.at async for one in backward(log_of(data), Pattern("match"), len(data))]
    assert back == sorted(back, reverse=True)
    assert back[-1] == 0


async def test_only_matching_lines_are_shown_newest_first_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfilter, "MOST", 5)
    data = b"".join(b"line %d\nother\n" % number for number in range(20))
    log = log_of(data)
    await log.open_end()
    matching = Matching(log, Pattern("line"))
    counts = [count async for count in matching.look_back()]
    assert counts[-1] == 5
    assert matching.full
    row = matching.last()
    texts: list[bytes] = []
    while isinstance(row, Row):
        texts.append(matching.text(row))
        row = matching.before(row)
    assert texts == [b"line 19", b"line 18", b"line 17", b"line 16", b"line 15"]
    first = matching.first()
    assert isinstance(first, Row)
    assert matching.after(first) == matching.at(first.start + 1)
    assert matching.at(10**9) == matching.last()


async def test_a_filter_goes_on_with_what_comes() -> None:
    log = log_of(b"line 1\nother\nline", ended=False)
    await log.open_end()
    matching = Matching(log, Pattern("line"))
    async for _ in matching.look_back():
        pass
    assert matching.count == 1
    feed = log._feed
    assert isinstance(feed, FakeFeed)
    feed.logs[f"{log.build}.1"] += b" 2\nline 3\n"
    await log.follow(1.0, 0.0)
    assert await matching.look_on()
    assert matching.count == 3
    assert not await matching.look_on()


async def test_nothing_matches() -> None:
    log = log_of(b"")
    await log.open_end()
    matching = Matching(log, Pattern("x"))
    assert [count async for count in matching.look_back()] == [0]
    assert matching.first() is matching.last() is matching.at(0) is Missing.END
