"""From colour codes to styles."""

import pytest
from rich.color import Color
from rich.style import Style

from job_orchestra.console.terminal.ansi import parts


@pytest.mark.parametrize(
    ("text", "before", "found"),
    [
        ("plain", "", [("plain", Style())]),
        ("", "\x1b[1m", []),
        ("\x1b[32mok\x1b[0m done", "", [("ok", Style(color=Color.from_ansi(2))), (" done", Style())]),
        (
            "still",
            "\x1b[1;31m\x1b[44m",
            [("still", Style(color=Color.from_ansi(1), bgcolor=Color.from_ansi(4), bold=True))],
        ),
        ("a\x1b[mb", "\x1b[1m", [("a", Style(bold=True)), ("b", Style())]),
        ("a", "\x1b[1;2;3;4;7;9m\x1b[22;23;24;27;29m", [("a", Style())]),
        ("a", "\x1b[91;103m", [("a", Style(color=Color.from_ansi(9), bgcolor=Color.from_ansi(11)))]),
        ("a", "\x1b[31;41m\x1b[39m", [("a", Style(bgcolor=Color.from_ansi(1)))]),
        (
            "a",
            "\x1b[38;5;200m\x1b[48:2:1:2:3m",
            [("a", Style(color=Color.from_ansi(200), bgcolor=Color.from_rgb(1, 2, 3)))],
        ),
        ("a", "\x1b[1;38;5m", [("a", Style(bold=True))]),
        ("a", "\x1b[99m", [("a", Style())]),
        ("\x1b[1mab\tc", "", [("ab      c", Style(bold=True))]),
    ],
)
def test_what_was_written_in_colours(text: str, before: str, found: list[tuple[str, Style]]) -> None:
    assert parts(text, before) == found
