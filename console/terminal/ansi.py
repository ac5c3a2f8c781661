"""From colour codes to styles: what a build wrote, as parts that can be drawn. Pure.

Everything but colours was made visible before (escapes); what hides text or lets it blink is passed over here.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from rich.color import Color
from rich.style import Style

_SGR = re.compile(r"\x1b\[([0-9;:]{0,64})m")
_TAB = 8

_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike", 21: "underline"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",), 29: ("strike",)}
_EXTENDED = 38  # a colour follows as 5;N or 2;R;G;B; 48 for the background
_BACKGROUND = 10  # codes of backgrounds are those of colours plus this
_BRIGHT = 90  # the first of the bright colours


class Pen(NamedTuple):
    """The colours in force."""

    flags: frozenset[str] = frozenset()  # names of what is on, as Rich has them
    colour: Color | None = None  # of letters; None: the terminal's own
    background: Color | None = None  # behind them; None: the terminal's own


@lru_cache(4096)
def after(pen: Pen, codes: str) -> Pen:
    """Return the pen when one sequence's codes (`1;31`) were read; a log has the same few again and again."""
    numbers = [int(one) if one else 0 for one in re.split("[;:]", codes)] if codes else [0]
    place = 0
    while place < len(numbers):
        code = numbers[place]
        place += 1
        if code == 0:
            pen = Pen()
        elif code in _ON:
            pen = pen._replace(flags=pen.flags | {_ON[code]})
        elif code in _OFF:
            pen = pen._replace(flags=pen.flags - set(_OFF[code]))
        elif code in {_EXTENDED, _EXTENDED + _BACKGROUND}:
            colour, place = _extended(numbers, place)
            if colour is not None:
                pen = pen._replace(colour=colour) if code == _EXTENDED else pen._replace(background=colour)
        else:
            pen = _plain(pen, code)
    return pen


@lru_cache(1024)
def style(pen: Pen) -> Style:
    """Return how a pen writes."""
    weights: dict[str, Any] = dict.fromkeys(pen.flags, True)
    return Style(color=pen.colour, bgcolor=pen.background, **weights)


def _plain(pen: Pen, code: int) -> Pen:
    """Return the pen with one of the sixteen colours, or with the terminal's own."""
    for name, base in (("colour", 30), ("background", 30 + _BACKGROUND)):
        bright = base - 30 + _BRIGHT
        if base <= code < base + 8:
            return pen._replace(**{name: Color.from_ansi(code - base)})
        if code == base + 9:
            return pen._replace(**{name: None})
        if bright <= code < bright + 8:
            return pen._replace(**{name: Color.from_ansi(code - bright + 8)})
    return pen


def _extended(numbers: list[int], place: int) -> tuple[Color | None, int]:
    """Return a colour of 256 or of 16 million, None where it is none; and where to go on."""
    kind = numbers[place] if place < len(numbers) else 0
    if kind == 5 and place + 1 < len(numbers):  # noqa: PLR2004 - the standard's number
        return Color.from_ansi(min(255, numbers[place + 1])), place + 2
    if kind == 2 and place + 3 < len(numbers):  # noqa: PLR2004 - the standard's number
        red, green, blue = (min(255, one) for one in numbers[place + 1 : place + 4])
        return Color.from_rgb(red, green, blue), place + 4
    return None, len(numbers)


def parts(text: str, before: str = "") -> list[tuple[str, Style]]:
    """Return a line's texts with their styles; `before`: the codes of the lines before it. Tabs become spaces."""
    pen = Pen()
    for codes in _SGR.findall(before):
        pen = after(pen, codes)
    if "\x1b" not in text:
        return [(tabbed(text, 0), style(pen))] if text else []
    found: list[tuple[str, Style]] = []
    column = place = 0
    for code in _SGR.finditer(text):
        if code.start() > place:
            shown = tabbed(text[place : code.start()], column)
            column += len(shown)
            found.append((shown, style(pen)))
        pen = after(pen, code.group(1))
        place = code.end()
    if place < len(text):
        found.append((tabbed(text[place:], column), style(pen)))
    return found


def tabbed(text: str, column: int) -> str:
    """Return a text with its tabs as spaces, where it begins at `column`."""
    if "\t" not in text:
        return text
    return (" " * column + text).expandtabs(_TAB)[column:]
