"""The output of a program at a terminal: the screen works, and nothing reaches beyond it."""

import random

import pytest

from job_orchestra.console.screens import Screen


def shown(*parts: bytes) -> bytes:
    screen = Screen()
    return b"".join(screen.feed(part) for part in parts)


PASSED = [
    b"plain text\r\n\ttab \x08back \x07bell",
    "héllo wörld ✓".encode(),
    b"\x1b[31mred\x1b[0m \x1b[38;2;1;2;3mtrue\x1b[38:5:1m",
    b"\x1b[2J\x1b[H\x1b[10;20H\x1b[K\x1b[1A\x1b[?25l\x1b[?25h\x1b[?1049h\x1b[?1049l\x1b[1;5r\x1b[?2J",
    b"\x1b7\x1b8\x1b=\x1b>\x1bM\x1bD\x1b(0\x1b(B\x0e\x0f\x1b[6n\x1b[c\x1b[2 q",
    b"\x1b[?2004h\x1b[?1000;1006h",
]

DROPPED = {
    "title": b"\x1b]0;evil\x07",
    "title, ended by ST": b"\x1b]2;evil\x1b\\",
    "clipboard": b"\x1b]52;c;ZXZpbA==\x07",
    "link": b"\x1b]8;;http://evil\x1b\\",
    "DCS": b"\x1bP$qm\x1b\\",
    "APC": b"\x1b_evil\x1b\\",
    "PM": b"\x1b^evil\x1b\\",
    "SOS": b"\x1bXevil\x1b\\",
    "report of the title": b"\x1b[21t",
    "window": b"\x1b[8;1;1t",
    "printing": b"\x1b[5i\x1b[?5i",
    "report of modes": b"\x1b[?2026$p",
    "report of parameters": b"\x1b[x",
    "version": b"\x1b[>q\x1b[>c\x1b[=c",
    "keyboard protocol": b"\x1b[>1u\x1b[?u",
    "unknown modes": b"\x1b[?9999h\x1b[?25;9999h",
    "answerback": b"\x05",
    "NUL and DEL": b"\x00\x7f",
    "C1 as UTF-8": b"\xc2\x9b31m\xc2\x9d0;x",
    "odd ones": b"\x1b#8\x1b%G\x1b%@\x1bn",
    "a string in a string": b"\x1b]0;a\x1bPevil\x1b\\",
}


@pytest.mark.parametrize("data", PASSED)
def test_what_a_screen_needs_passes(data: bytes) -> None:
    assert shown(data) == data
    assert shown(*(bytes([one]) for one in data)) == data


@pytest.mark.parametrize("what", DROPPED)
def test_what_reaches_beyond_the_screen_is_taken_out(what: str) -> None:
    data = DROPPED[what]
    rest = {"C1 as UTF-8": b"31m0;x"}.get(what, b"")
    assert shown(b"a" + data + b"b") == b"a" + rest + b"b"
    assert shown(b"a", *(bytes([one]) for one in data), b"b") == b"a" + rest + b"b"


def test_a_string_ends_with_the_next_sequence_and_never_fills_the_memory() -> None:
    screen = Screen()
    assert screen.feed(b"a\x1b]0;title") == b"a"
    for _ in range(100):
        assert screen.feed(b"x" * 10_000) == b""
    assert len(screen._held) <= 1
    assert screen.feed(b"\x1b") == b""
    assert screen.feed(b"[31mred") == b"\x1b[31mred"


def test_however_it_is_cut_the_outcome_is_the_same() -> None:
    chance = random.Random(1)
    pieces = [*PASSED, *DROPPED.values(), b"text", b"\x1b", b"\x1b["]
    for _ in range(300):
        data = b"".join(chance.choice(pieces) for _ in range(12)) + b"end"
        cuts = sorted(chance.randrange(len(data)) for _ in range(6))
        parts = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert shown(*parts) == shown(data)
        assert b"evil" not in shown(data)


SPEAKING = b"\x1b[6n\x1b[c\x1b[?1000;1006h\x1b[?2004h\x1b[?1004h"


def test_where_nobody_reads_keys_the_terminal_is_brought_to_type_nothing() -> None:
    screen = Screen(keys=False)
    assert screen.feed(b"a" + SPEAKING + b"\x1b[?25l\x1b[mb") == b"a\x1b[?25l\x1b[mb"


def test_what_was_written_long_ago_asks_nothing_but_brings_back_the_modes() -> None:
    screen = Screen()
    assert screen.feed(b"a\x1b[6n\x1b[cb\x1b[", live=False) == b"ab"
    screen.feed(b"?1049h\x1b[?1h\x1b[?25l\x1b[?7h\x1b[?2004h\x1b[?2004l\x1b=", live=False)
    assert screen.modes() == b"\x1b[?1h\x1b[?25l\x1b[?1049h\x1b="
    assert screen.feed(b"\x1b[6n") == b"\x1b[6n"
    assert Screen().modes() == b""


def test_the_terminal_is_left_as_it_was() -> None:
    screen = Screen()
    screen.feed(b"\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?2004h\x1b[?2004l\x1b[?7h\x1b=")
    assert screen.restore() == b"\x1b[?25h\x1b[?1000l\x1b[?1049l\x1b>\x1b[0m\x1b(B\x0f"
    assert screen.restore() == b"\x1b[0m"
    calm = Screen()
    calm.feed(b"\x1b[31mred")
    assert calm.restore() == b"\x1b[0m"
