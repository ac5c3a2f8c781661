"""Answers `builds.input` and `builds.resize`: what clients type, and how large their windows are.

And, when a build is submitted, whether it has a terminal.
"""

import base64
import binascii

from msgspec.structs import replace

from ...core.api.builds import BuildsInput, BuildsResize, InputTaken, WindowResized
from ...core.api.submitting import Submit, TerminalParam
from ...core.errors import InvalidInput
from ...core.messages import Resized, Typed
from ...core.model import Context, Terminal
from ...core.submission import Plan
from ..sittings import MAX_BYTES, MAX_WAIT_S, Sittings
from .desk import Desk

MAX_SIDE = 10_000
"""Largest width and height of a terminal."""

MAX_TERM = 64
"""Longest name of what a terminal understands."""

MAX_STREAM = 128
"""Longest name of a stream."""


class Typing:
    """What clients of this agent type."""

    def __init__(self, desk: Desk, sittings: Sittings) -> None:
        """Pass it on by `sittings`."""
        self._desk = desk
        self._sittings = sittings

    async def builds_input(self, params: BuildsInput) -> InputTaken:
        """Type for a build."""
        data = decoded(params.data, params.encoding)
        if len(data) > MAX_BYTES:
            raise InvalidInput(f"data has {len(data)} bytes, more than {MAX_BYTES}; send it in parts")
        if params.offset < 0 or not 0 < len(params.stream) <= MAX_STREAM:
            raise InvalidInput(f"offset must be 0 or more, and stream a text of 1 to {MAX_STREAM} characters")
        wait = min(max(params.wait, 0.0), MAX_WAIT_S)
        typed = Typed("", params.stream, params.offset, data, params.over, self._desk.requester, wait, params.bound)
        return InputTaken((await self._sittings.type(params.id, typed)).next)

    async def builds_resize(self, params: BuildsResize) -> WindowResized:
        """Tell a build's terminal the size of its window."""
        found = terminal(TerminalParam(params.columns, params.rows))
        await self._sittings.resize(params.id, Resized("", found.columns, found.rows, self._desk.requester))
        return WindowResized(found.columns, found.rows)


def interactive(found: Plan, params: Submit) -> Plan:
    """Return a plan whose build, if it is only one, has a terminal like its client's and reads what that types."""
    if (params.terminal is None and not params.input) or len(found.builds) != 1:
        return found
    new = found.builds[0]
    shown = terminal(params.terminal) if params.terminal is not None else None
    context = replace(new.context or Context(), terminal=shown, input=params.input, bound=params.input and params.bound)
    return replace(found, builds=(replace(new, context=context),))


def terminal(given: TerminalParam) -> Terminal:
    """Return a client's terminal. Raises InvalidInput for one that cannot be."""
    if not (1 <= given.columns <= MAX_SIDE and 1 <= given.rows <= MAX_SIDE):
        raise InvalidInput(f"a terminal has 1 to {MAX_SIDE} columns and rows, not {given.columns} and {given.rows}")
    if not 0 < len(given.term) <= MAX_TERM or not given.term.isascii() or not given.term.isprintable():
        raise InvalidInput(f"{given.term[:MAX_TERM]!r} names no terminal; give what TERM says, as xterm-256color")
    return Terminal(given.columns, given.rows, given.term)


def decoded(data: str, encoding: str) -> bytes:
    """Return the bytes that a client sends. Raises InvalidInput for what is no such encoding."""
    if encoding == "utf-8":
        try:
            return data.encode()
        except UnicodeEncodeError:
            raise InvalidInput("data holds half of a character; send it as base64") from None
    if encoding != "base64":
        raise InvalidInput(f"encoding must be utf-8 or base64, not {encoding[:20]!r}")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("data is no base64") from None
