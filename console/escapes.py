"""Makes the output of builds harmless for a terminal: colours pass, other escapes and controls are shown, not obeyed.

Output is bytes from strangers. Of the escape sequences only SGR (`ESC [ ... m`: colours and weights) passes; others are
written with a visible `^[`, C0 and C1 controls except tab, newline and carriage return as `^X`. Works on a stream: a
sequence that is split between two parts is recognised.
"""

import re

_SGR = re.compile(rb"\x1b\[[0-9;:]{0,64}m")
_BEGUN = re.compile(rb"(\x1b(\[[0-9;:]{0,64})?|\xc2)\Z")  # not `$`, which also matches before a last newline
_UNSAFE = re.compile(rb"\x1b\[[0-9;:]{0,64}m|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")


class Neutraliser:
    """Filters one stream of bytes."""

    def __init__(self) -> None:
        """Begin outside of any sequence."""
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what of `data`, and of what was held before, can be shown now."""
        data = self._held + data
        self._held = b""
        begun = _BEGUN.search(data)
        if begun:
            data, self._held = data[: begun.start()], data[begun.start() :]
        return _UNSAFE.sub(_shown, data)

    def end(self) -> bytes:
        """Return what was held back, made visible."""
        held, self._held = self._held, b""
        return _UNSAFE.sub(_shown, held)


def _shown(found: re.Match[bytes]) -> bytes:
    text = found.group()
    if _SGR.fullmatch(text):
        return text
    if len(text) == 2:  # noqa: PLR2004 - a C1 control in UTF-8
        return b"<%02X>" % text[1]
    return b"^" + bytes([text[0] ^ 0x40])
