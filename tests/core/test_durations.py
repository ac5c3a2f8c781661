"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_orchestra.core.durations import parse_duration

FORM = "is no duration; write one such as 90s, 30m or 1h30m"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5", 1.5),
        (" 45s ", 45),
        ("250ms", 0.25),
        ("30m", 1800),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1d2h3m4s5ms", 93_784.005),
        ("0.5h", 1800),
        ("1m1m", 120),
        ("0m1s", 1),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", FORM),
        ("soon", FORM),
        ("-5", FORM),
        ("5 s", FORM),
        ("1h 30m", FORM),
        ("1,5", FORM),
        (".5", FORM),
        ("5.", FORM),
        ("1e3", FORM),
        ("5S", FORM),
        ("m", FORM),
        ("inf", FORM),
        ("nan", FORM),
        ("1_000", FORM),
        ("\N{ARABIC-INDIC DIGIT ONE}s", FORM),
        ("5s!", FORM),
        ("!5s", FORM),
        ("1m\n", None),
        ("0", "must be longer than nothing"),
        ("0s", "must be longer than nothing"),
        ("9" * 400, "is too long"),
        ("9" * 400 + "d", "is too long"),
    ],
)
def test_what_is_none(text: str, why: str | None) -> None:
    if why is None:
        assert parse_duration(text) > 0  # blanks around it are not counted
        return
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared
        parse_duration(text)
    assert str(refused.value) == why


@given(st.text())
def test_any_text_is_a_finite_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 < seconds < float("inf")


@given(*[st.integers(0, 1000)] * 5)
def test_units_add_up(days: int, hours: int, minutes: int, seconds: int, millis: int) -> None:
    whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds + millis / 1000
    text = f"{days}d{hours}h{minutes}m{seconds}s{millis}ms"
    if whole:
        assert parse_duration(text) == pytest.approx(whole)
