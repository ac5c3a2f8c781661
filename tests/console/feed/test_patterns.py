"""Regular expressions that people type: found line by line, and never for longer than one waits."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.console.feed import patterns
from job_orchestra.console.feed.patterns import Pattern, is_error
from job_orchestra.core.errors import InvalidInput

EXPLODING = "(a|aa)+$"


def test_they_find_capitals_unless_there_are_some() -> None:
    assert Pattern("err").lines(b"ERR") == [(0, b"ERR")]
    assert Pattern("Err").lines(b"ERR") == []
    assert Pattern("err").spans("an ERR, an err", 9) == [(3, 6), (11, 14)]
    assert Pattern("r").spans("errr", 2) == [(1, 2), (2, 3)]


@pytest.mark.parametrize("text", ["(", "a**", "[", "\\1"])
def test_what_is_none_is_told_with_the_remedy(text: str) -> None:
    with pytest.raises(InvalidInput, match="no regular expression"):
        Pattern(text)


@given(
    st.lists(st.sampled_from([b"", b"a", b"b", b"ab", b"a b\r", b"\x1b[1ma\x1b[0mb", b"\r", b"ba"]), max_size=6),
    st.sampled_from(
        ["a", "^a", "b$", "^$", "^ab$", r"\Aa", r"b\Z", "a(?!b)", r"a(?!\s)", "(?<!b)a", "[^b]*+b", r"a\sb", "x", ""]
    ),
)
def test_each_line_is_looked_at_as_if_it_were_alone(found: list[bytes], text: str) -> None:
    data = b"\n".join(found)
    alone = [patterns.plain(line.rstrip(b"\r")) for line in data.split(b"\n")]
    if not found or not found[-1]:  # behind the last line end there is no line
        alone = alone[:-1]
    expected = [line for line in alone if re.search(text.replace("*+", "*").encode(), line, re.IGNORECASE)]
    assert [line for _, line in Pattern(text).lines(data)] == expected


def test_what_would_take_years_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "BOUND_S", 0.05)
    with pytest.raises(InvalidInput, match="too slow; avoid"):
        Pattern(EXPLODING).lines(b"a" * 60 + b"b\n")


def test_lines_on_the_screen_are_no_longer_lit_up_once_that_took_too_long() -> None:
    pattern = Pattern(EXPLODING)
    assert pattern.spans("aaa", 9) == [(0, 3)]
    assert pattern.spans("a" * 60 + "b", 9) == []
    assert pattern.spans("aaa", 9) == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (b"ERROR: no such file", True),
        (b"E   assert 1 == 2", True),
        (b"Traceback (most recent call last):", True),
        (b"1 failed, 3 passed", True),
        (b"0 errors, 0 warnings", False),
        (b"failures: 0", False),
        (b"No errors found", False),
        (b"terror in the mirror", False),
        (b"all is well", False),
    ],
)
def test_errors_are_recognised(line: bytes, wrong: bool) -> None:
    assert is_error(line) is wrong
