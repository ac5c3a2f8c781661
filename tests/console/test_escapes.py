"""The output of builds, made harmless for a terminal."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from job_orchestra.console.escapes import Neutraliser

SGR = re.compile(rb"\x1b\[[0-9;:]*m")


def shown(*parts: bytes) -> bytes:
    """Return what a stream of these parts looks like."""
    stream = Neutraliser()
    return b"".join(stream.feed(part) for part in parts) + stream.end()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"plain text\n",
        b"tab\tand\r\nprogress\rdone",
        "größe \N{GRINNING FACE} \N{NO-BREAK SPACE} \N{LATIN CAPITAL LETTER A WITH GRAVE}".encode(),
        b"\x1b[31mred\x1b[0m",
        b"\x1b[m",
        b"\x1b[1;4;38;5;196mbold\x1b[38:2::1:2:3m\x1b[0m",
        b"\x1b[" + b"1;" * 32 + b"m",
        b"\xff\xfe no UTF-8 \xc3",
        b"\\x1b[31m ^[",
    ],
)
def test_texts_and_colours_pass(text: bytes) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        (b"\x1b[2J", b"^[[2J"),
        (b"\x1b[H", b"^[[H"),
        (b"\x1b[1A\x1b[K", b"^[[1A^[[K"),
        (b"\x1b[?25l", b"^[[?25l"),
        (b"\x1b[?31m", b"^[[?31m"),
        (b"\x1b[>4;2m", b"^[[>4;2m"),
        (b"\x1b[31 m", b"^[[31 m"),
        (b"\x1b[6n", b"^[[6n"),
        (b"\x1b]0;title\x07", b"^[]0;title^G"),
        (b"\x1b]52;c;aGk=\x1b\\", b"^[]52;c;aGk=^[\\"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", b"^[]8;;http://x^[\\link^[]8;;^[\\"),
        (b"\x1bPq#0\x1b\\", b"^[Pq#0^[\\"),
        (b"\x1bc", b"^[c"),
        (b"\x1b(0", b"^[(0"),
        (b"\x1b\x1b[31m", b"^[\x1b[31m"),
        (b"\x1b[\x1b[31m", b"^[[\x1b[31m"),
        (b"\x1b[" + b"1" * 65 + b"m", b"^[[" + b"1" * 65 + b"m"),
        (b"\x00\x01\x07\x08\x0b\x0c\x0e\x1a\x1c\x1f\x7f", b"^@^A^G^H^K^L^N^Z^\\^_^?"),
        ("\x9b31m".encode(), b"<9B>31m"),
        ("\x80\x85\x9d0;title\x9c\x9f".encode(), b"<80><85><9D>0;title<9C><9F>"),
        (b"a\x08b", b"a^Hb"),
    ],
)
def test_everything_else_is_shown_not_obeyed(text: bytes, visible: bytes) -> None:
    assert shown(text) == visible


@pytest.mark.parametrize(
    "text",
    [
        b"a\x1b[1;31mb\x1b[0mc\n",
        b"\x1b]0;t\x07\x1b[2J",
        "x\x9by\x85".encode(),
        b"\x1b",
        b"\x1b[3",
        b"\xc2",
        b"\x1b\n\x1b[",
    ],
)
def test_it_does_not_matter_where_a_stream_is_split(text: bytes) -> None:
    whole = shown(text)
    for place in range(len(text) + 1):
        assert shown(text[:place], text[place:]) == whole
    assert shown(*[bytes([one]) for one in text]) == whole


def test_only_what_may_still_become_a_sequence_is_held_back() -> None:
    stream = Neutraliser()
    assert stream.feed(b"text") == b"text"
    assert stream.feed(b"more\x1b[3") == b"more"
    assert stream.feed(b"1") == b""
    assert stream.feed(b"mred") == b"\x1b[31mred"
    assert stream.feed(b"x\xc2") == b"x"
    assert stream.feed(b"\xa0") == b"\xc2\xa0"
    assert stream.end() == b""


@pytest.mark.parametrize("text", [b"\x1b\n", b"\x1b[31\n", b"\xc2\n"])
def test_a_line_is_not_held_back(text: bytes) -> None:
    stream = Neutraliser()
    assert stream.feed(text) == text.replace(b"\x1b", b"^[")
    assert stream.end() == b""


def test_what_is_held_back_stays_small() -> None:
    stream = Neutraliser()
    out = b"".join(stream.feed(b"\x1b[" + b"1" * 1000) for _ in range(100))
    assert out.count(b"^[[") == 100
    assert len(stream._held) < 70


def test_an_end_shows_what_was_held_back() -> None:
    stream = Neutraliser()
    stream.feed(b"\x1b[31")
    assert stream.end() == b"^[[31"
    assert stream.end() == b""


pieces = st.sampled_from(
    [
        b"\x1b",
        b"[",
        b"31",
        b";",
        b":",
        b"m",
        b"\x1b[0m",
        b"\x1b[2J",
        b"\xc2",
        b"\x9b",
        b"\x85",
        b"\n",
        b"\r",
        b"\x07",
        b"]0;",
        b"x",
        b"\xe2",
    ]
)
streams = st.lists(st.lists(pieces | st.binary(max_size=4)).map(b"".join), max_size=8)


@given(streams)
@example([b"\xc2", b"\x1b[0m", b"\x9b"])
@example([b"\x1b[", b"\n", b"31m"])
def test_no_control_but_colours_ever_comes_out(parts: list[bytes]) -> None:
    rest = SGR.sub(b"|", shown(*parts))
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", rest)
    assert not re.search(rb"\xc2[\x80-\x9f]", rest)


@given(streams)
def test_parts_make_no_difference(parts: list[bytes]) -> None:
    assert shown(*parts) == shown(b"".join(parts))


@given(streams)
def test_nothing_is_lost(parts: list[bytes]) -> None:
    text = b"".join(parts)
    harmless = bytes(one for one in text if 0x20 <= one < 0x7F)
    told = iter(shown(*parts))
    assert all(any(other == one for other in told) for one in harmless), "in its order"
