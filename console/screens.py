"""Lets the output of a program that has the terminal for itself through, without what reaches beyond the screen.

For a command that somebody runs at a terminal of their own: cursor, colours, screens and keys work as if it ran here.
Taken out is what a stranger could abuse: titles, links and the clipboard (OSC), strings to the terminal (DCS, APC, PM,
SOS), printing, reports of anything but the cursor's place, window operations, C1 controls. Works on a stream. What was
switched on and not off again can be told, so that the terminal can be left as it was.
"""

import re

_MODES = frozenset({1, 5, 6, 7, 12, 25, 47, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 1048, 1049, 2004, 2026})
"""DEC private modes that may be set: keys, cursor, screens, mouse, focus, pasting."""

_SPEAKING = frozenset({1000, 1002, 1003, 1004, 1005, 1006, 1015, 2004})
"""Of these, modes in which the terminal types by itself: mouse, focus, pasting."""

_ON = frozenset({7, 25})  # modes that are on in a terminal that nobody has touched

_TOKEN = re.compile(
    rb"\x1b\[(?P<prefix>[<-?]?)(?P<numbers>[0-9;:]{0,64})(?P<between>[ -/]{0,4})(?P<final>[@-~])"
    rb"|(?P<string>\x1b[]PX^_])"
    rb"|(?P<charset>\x1b[()*+][0-9A-Za-z])"
    rb"|(?P<plain>\x1b[78=>DEHMc])"
    rb"|(?P<dropped>\x1b[ -/]{0,3}[0-~]?|[\x00-\x06\x10-\x1a\x1c-\x1f\x7f]|\xc2[\x80-\x9f])"
)
_BEGUN = re.compile(rb"(\x1b(\[[<-?]?[0-9;:]{0,64}[ -/]{0,4}|[ -/]{0,3})?|\xc2)\Z")
_STRING_END = re.compile(rb"\x1b\\?|[\x07\x18\x1a]")  # any other sequence ends a string, too
_CSI = frozenset(b"@ABCDEFGHIJKLMPSTXZ`abdefgmrsu")  # finals without a prefix that move, erase, insert, scroll, colour
_ASKS = {b"n": {b"5", b"6"}, b"c": {b"", b"0"}}  # what may be asked of a terminal: its status, the cursor, its kind


class Screen:
    """Filters what one program writes to a terminal."""

    def __init__(self, *, keys: bool = True) -> None:
        """Begin with a terminal that nobody has touched.

        Without `keys` nobody reads what is typed there, so it may not be brought to type anything by itself.
        """
        self._keys = keys
        self._live = True
        self._held = b""
        self._in_string = False  # inside of one that is taken out
        self._modes: dict[int, bool] = {}  # DEC private mode -> as it was set last
        self._keypad = False

    def feed(self, data: bytes, *, live: bool = True) -> bytes:
        """Return what of `data`, and of what was held before, may be written to the terminal now.

        What is not `live` was written long ago: nobody waits any more for an answer of the terminal.
        """
        self._live = live
        data, self._held = self._held + data, b""
        begun = _BEGUN.search(data)
        end = len(data) if begun is None else begun.start()  # what stands behind may go on in the next part
        kept: list[bytes] = []
        position = 0
        while position < len(data):
            if self._in_string:
                position = self._behind_string(data, position)
                continue
            found = _TOKEN.search(data, position)
            if found is None or found.start() >= end:
                kept.append(data[position : max(position, end)])
                self._held = data[max(position, end) :]
                break
            kept += (data[position : found.start()], self._passed(found))
            position = found.end()
        return b"".join(kept)

    def _behind_string(self, data: bytes, position: int) -> int:
        """Return where the string ends that goes on at `position`; it may go on beyond the data."""
        found = _STRING_END.search(data, position)
        if found is None:
            return len(data)
        if found.group() == b"\x1b":
            if found.end() == len(data):
                self._held = b"\x1b"  # with what comes next it may be the end
                return len(data)
            self._in_string = False
            return found.start()
        self._in_string = False
        return found.end()

    def modes(self) -> bytes:
        """Return what brings another terminal into the modes that this one is in."""
        wrong = [mode for mode, on in self._modes.items() if on is not (mode in _ON)]
        found = b"".join(b"\x1b[?%d%c" % (mode, b"l" if mode in _ON else b"h") for mode in sorted(wrong))
        return found + b"\x1b=" if self._keypad else found

    def restore(self) -> bytes:
        """Return what leaves the terminal as it was before all this."""
        wrong = [mode for mode, on in self._modes.items() if on is not (mode in _ON)]
        found = b"".join(b"\x1b[?%d%c" % (mode, b"h" if mode in _ON else b"l") for mode in sorted(wrong))
        if self._keypad:
            found += b"\x1b>"
        self._modes.clear()
        self._keypad = False
        return found + b"\x1b[0m\x1b(B\x0f" if found else b"\x1b[0m"

    def _passed(self, found: "re.Match[bytes]") -> bytes:
        """Return what becomes of one sequence: itself, or nothing."""
        text = found.group()
        if found["string"]:
            self._in_string = True
        elif found["charset"]:
            return text
        elif found["plain"]:
            if text in {b"\x1b=", b"\x1b>"}:
                self._keypad = text == b"\x1b="
            return text
        elif found["final"] and self._harmless(found):
            return text
        return b""

    def _harmless(self, found: "re.Match[bytes]") -> bool:
        """Whether a control sequence does no more than a screen needs."""
        prefix, numbers, final = found["prefix"], found["numbers"], found["final"]
        if found["between"]:
            return (found["between"], final) == (b" ", b"q") and not prefix  # the shape of the cursor
        if prefix == b"?" and final in b"hl":
            modes = [int(one) for one in re.findall(rb"\d+", numbers)]
            if not modes or not _MODES.issuperset(modes) or (not self._keys and not _SPEAKING.isdisjoint(modes)):
                return False
            self._modes.update(dict.fromkeys(modes, final == b"h"))
            return True
        if prefix:
            return prefix == b"?" and final in b"JK"
        if final in _ASKS:
            return self._keys and self._live and numbers in _ASKS[final]
        return final[0] in _CSI
