"""How values look to people."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.console import format as look

NOW = datetime(2026, 11, 23, 20, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-3, "0.0s"),
        (0, "0.0s"),
        (0.44, "0.4s"),
        (9.9, "9.9s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (10, "10s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (185, "3m05s"),
        (3599.4, "59m59s"),
        (3599.6, "1h00m"),
        (7620, "2h07m"),
        (86_399, "23h59m"),
        (86_400, "1d00h"),
        (356_400, "4d03h"),
        (86_400 * 1000, "1000d00h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert look.duration(seconds) == text


@given(st.floats(0, 10**8))
def test_durations_have_two_units_at_most(seconds: float) -> None:
    assert sum(one.isalpha() for one in look.duration(seconds)) <= 2


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        (None, None, None),
        (None, "2026-11-23T20:00:00.000Z", None),
        ("2026-11-23T19:59:00.000Z", None, 60),
        ("2026-11-23T19:59:00.000Z", "2026-11-23T19:59:01.500Z", 1.5),
        ("2026-11-23T20:00:01.000Z", None, -1),
    ],
)
def test_between(start: str | None, end: str | None, seconds: float | None) -> None:
    assert look.between(start, end, NOW) == seconds


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, "-"),
        ("2026-11-23T20:00:05.000Z", "0s"),
        ("2026-11-23T19:59:55.100Z", "4s"),
        ("2026-11-23T19:59:00.000Z", "1m"),
        ("2026-11-23T19:00:01.000Z", "59m"),
        ("2026-11-23T17:52:20.000Z", "2h07m"),
        ("2026-11-19T16:30:00.000Z", "4d03h"),
    ],
)
def test_an_age_is_as_coarse_as_it_is_old(at: str | None, text: str) -> None:
    assert look.age(at, NOW) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [(None, "-"), ("2026-11-23T19:59:48.000Z", "12s ago"), ("2026-11-23T20:00:05.000Z", "0s ago")],
)
def test_ago(at: str | None, text: str) -> None:
    assert look.ago(at, NOW) == text


def test_now_is_in_utc() -> None:
    assert look.now().utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (312, "312 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (4300, "4.2 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**2, "1.0 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (1024**3, "1.0 GiB"),
        (1024**4, "1.0 TiB"),
        (5000 * 1024**4, "5000.0 TiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert look.size(count) == text


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("", 0),
        ("abc", 3),
        ("é", 1),
        ("e\N{COMBINING ACUTE ACCENT}", 1),
        ("日本", 4),
        ("\N{GRINNING FACE}", 2),
        ("a\N{ZERO WIDTH JOINER}b", 2),
    ],
)
def test_widths(text: str, cells: int) -> None:
    assert look.width(text) == cells


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b", "a b"),
        ("a\nb\tc", "a b c"),
        ("\x1b[31m\x07\x00\x9b\r\x7f", "?[31m?????"),
        ("日本\N{GRINNING FACE}", "日本\N{GRINNING FACE}"),
        ("ab\u202edc\u2066\u200f", "abdc"),
        (
            "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}\N{HEAVY BLACK HEART}\ufe0f",
            "\N{WOMAN}\N{PERSONAL COMPUTER}\N{HEAVY BLACK HEART}",
        ),
    ],
)
def test_plain(text: str, shown: str) -> None:
    assert look.plain(text) == shown


@given(st.text())
def test_plain_texts_hold_no_control(text: str) -> None:
    shown = look.plain(text)
    assert len(shown) <= len(text)
    assert not any(ord(one) < 0x20 or 0x7F <= ord(one) < 0xA0 for one in shown)


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", 1, "…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("", 1, ""),
    ],
)
def test_cut(text: str, cells: int, shown: str) -> None:
    assert look.cut(text, cells) == shown


@given(st.text(st.sampled_from("ab日\N{COMBINING ACUTE ACCENT}")), st.integers(1, 12))
def test_what_is_cut_fits(text: str, cells: int) -> None:
    shown = look.cut(text, cells)
    assert look.width(shown) <= cells
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]))


def test_a_table() -> None:
    rows = [["k3x9", "日本", "ok"], ["k", "a\nb", ""]]
    assert look.table(["ID", "NAME", "STATE"], rows) == [
        "ID    NAME  STATE",
        "k3x9  日本  ok",
        "k     a b",
    ]
    assert look.table(["ID", "NAME"], []) == ["ID  NAME"]


def test_a_table_that_is_too_wide_loses_the_end_of_its_last_column() -> None:
    rows = [["k3x9", "a long reason"], ["k", "short"]]
    assert look.table(["ID", "WHY"], rows, cells=14) == ["ID    WHY", "k3x9  a long …", "k     short"]
    assert look.table(["ID", "WHY"], rows, cells=1) == ["ID    WHY", "k3x9  a l…", "k     sho…"], "four cells are left"


def test_a_row_of_another_length_is_our_defect() -> None:
    with pytest.raises(ValueError, match="zip"):
        look.table(["ID", "NAME"], [["only one"]])


words = st.text(st.sampled_from("ab 日\N{COMBINING ACUTE ACCENT}\n\x1b"), max_size=8)


@given(st.lists(st.tuples(words, words), min_size=1, max_size=5), st.integers(20, 40))
def test_columns_are_aligned_and_fit(rows: list[tuple[str, str]], cells: int) -> None:
    lines = look.table(["ID", "WHY"], rows, cells)
    assert len(lines) == len(rows) + 1
    assert all(look.width(line) <= cells for line in lines)
    first = max(2, *(look.width(look.plain(one)) for one, _ in rows))
    for line, (one, _) in zip(lines[1:], rows, strict=True):
        assert line == look.plain(one).rstrip() or line.startswith(
            look.plain(one) + " " * (first - look.width(look.plain(one)))
        )
