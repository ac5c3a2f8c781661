"""From colour codes to styles: what a build wrote, as parts that can be drawn. Pure.

Everything but colours was made visible before (escapes); what hides text or lets it blink is passed over here.
"""

import re

from rich.color import Color
from rich.style import Style

_SGR = re.compile(r"\x1b\[([0-9;:]{0,64})m")
_TAB = 8

_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike", 21: "underline"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",), 29: ("strike",)}
_EXTENDED = 38  # a colour follows as 5;N or 2;R;G;B; 48 for the background
_BACKGROUND = 10  # codes of backgrounds are those of colours plus this
_BRIGHT = 90  # the first of the bright colours


class Pen:
    """The colours in force, as codes are read one after the other."""

    def __init__(self) -> None:
        """Begin with the terminal's own."""
        self._flags: dict[str, bool] = {}
        self._colours: dict[str, Color] = {}

    @property
    def style(self) -> Style:
        """What is in force."""
        flags = self._flags
        return Style(
            color=self._colours.get("color"),
            bgcolor=self._colours.get("bgcolor"),
            bold=flags.get("bold"),
            dim=flags.get("dim"),
            italic=flags.get("italic"),
            underline=flags.get("underline"),
            reverse=flags.get("reverse"),
            strike=flags.get("strike"),
        )

    def read(self, codes: str) -> None:
        """Take note of one sequence's codes (`1;31`)."""
        numbers = [int(one) if one else 0 for one in re.split("[;:]", codes)] if codes else [0]
        place = 0
        while place < len(numbers):
            code = numbers[place]
            place += 1
            if code == 0:
                self._flags.clear()
                self._colours.clear()
            elif code in _ON:
                self._flags[_ON[code]] = True
            elif code in _OFF:
                for name in _OFF[code]:
                    self._flags.pop(name, None)
            elif code in {_EXTENDED, _EXTENDED + _BACKGROUND}:
                place = self._extended("color" if code == _EXTENDED else "bgcolor", numbers, place)
            else:
                self._plain(code)

    def _plain(self, code: int) -> None:
        """Take note of one of the sixteen colours, or of the default."""
        for name, base in (("color", 30), ("bgcolor", 30 + _BACKGROUND)):
            if base <= code < base + 8:
                self._colours[name] = Color.from_ansi(code - base)
            elif code == base + 9:
                self._colours.pop(name, None)
            elif base - 30 + _BRIGHT <= code < base - 30 + _BRIGHT + 8:
                self._colours[name] = Color.from_ansi(code - (base - 30) - _BRIGHT + 8)

    def _extended(self, name: str, numbers: list[int], place: int) -> int:
        """Take note of a colour of 256 or of 16 million; return where to go on."""
        kind = numbers[place] if place < len(numbers) else 0
        if kind == 5 and place + 1 < len(numbers):  # noqa: PLR2004 - the standard's number
            self._colours[name] = Color.from_ansi(min(255, numbers[place + 1]))
            return place + 2
        if kind == 2 and place + 3 < len(numbers):  # noqa: PLR2004 - the standard's number
            red, green, blue = (min(255, one) for one in numbers[place + 1 : place + 4])
            self._colours[name] = Color.from_rgb(red, green, blue)
            return place + 4
        return len(numbers)


def parts(text: str, before: str = "") -> list[tuple[str, Style]]:
    """Return a line's texts with their styles; `before`: the codes of the lines before it. Tabs become spaces."""
    pen = Pen()
    for codes in _SGR.findall(before):
        pen.read(codes)
    if "\x1b" not in text:
        return [(tabbed(text, 0), pen.style)] if text else []
    found: list[tuple[str, Style]] = []
    column = place = 0
    for code in _SGR.finditer(text):
        if code.start() > place:
            shown = tabbed(text[place : code.start()], column)
            column += len(shown)
            found.append((shown, pen.style))
        pen.read(code.group(1))
        place = code.end()
    if place < len(text):
        found.append((tabbed(text[place:], column), pen.style))
    return found


def tabbed(text: str, column: int) -> str:
    """Return a text with its tabs as spaces, where it begins at `column`."""
    if "\t" not in text:
        return text
    return (" " * column + text).expandtabs(_TAB)[column:]
