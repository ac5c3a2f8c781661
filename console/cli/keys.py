"""What is typed or piped in here, on its way to a build that reads it.

At a terminal every key is the build's, Ctrl-C included, except Ctrl-] twice: that leaves the build to itself. Refuses
to know what the build writes, and what becomes of it when it is left.
"""

import asyncio
import secrets
from base64 import b64encode
from collections.abc import Callable

from ...agent.client.awaiting import AsyncClient
from ...core.api.builds import InputTaken
from ...core.errors import Conflict, LimitReached, NotFound, Unavailable
from . import terminal
from .inputs import Keys
from .output import say

CTRL_C = b"\x03"

LEAVE = b"\x1d"
"""Ctrl-]; typed twice it leaves a build. Hardly anything else uses it."""

DOUBLE_S = 0.5
"""Seconds that a first LEAVE is kept from the build, for a second one to come."""

TYPED_BYTES = 1 << 16
"""Bytes that are read ahead of what the build takes; who types or pipes faster waits."""

SIGN_S = 5.0
"""Seconds after which a pipe from which nothing comes shows that somebody is there still."""

RETRY_S = 0.5
"""Seconds before something is sent again that did not arrive."""


class Leaving:
    """Finds the wish to leave in what is typed."""

    def __init__(self) -> None:
        """Begin with nothing typed."""
        self.held = b""  # what was typed and not passed on: it may be the beginning of that wish

    def passed(self, data: bytes) -> bytes | None:
        """Return what the build may have of what was typed; None: somebody wants to leave."""
        data, self.held = self.held + data, b""
        if LEAVE * 2 in data:
            return None
        if data.endswith(LEAVE):
            data, self.held = data[: -len(LEAVE)], LEAVE
        return data


class Typing:
    """The keys of one sitting, for one attempt after the other.

    Raises nothing where the build reads no more: then nothing more is passed on.
    """

    def __init__(self, net: AsyncClient, build: str, keys: Keys, leave: Callable[[str], None]) -> None:
        """Pass on what comes from `keys`; `leave(why)` is called for who wants to leave, or cannot but."""
        self._net = net
        self._build = build
        self._keys = keys
        self._leave = leave
        self._leaving = Leaving()
        self._stream = secrets.token_hex(8)
        self._sent = 0  # bytes of the stream that the build has taken
        self._typed = bytearray()  # what it has not
        self._over = False  # standard input has ended
        self._news = asyncio.Event()  # something was typed
        self._room = asyncio.Event()  # more may be typed

    def reach(self, net: AsyncClient) -> None:
        """Go on over another connection: what was taken and what was not is known."""
        self._net = net

    async def wanted(self) -> None:
        """Return if the build reads what is typed here. Raises Conflict, NotFound, NotAllowed where it does not."""
        if self._keys is Keys.TERMINAL:  # what was typed for an attempt before this one was not meant for this one
            self._typed.clear()
            self._sent, self._stream = 0, secrets.token_hex(8)
        await self._give(b"", over=False)

    async def pass_on(self) -> None:
        """Pass on what is typed until the build reads no more. Cancelled where nobody types any more."""
        self._news.set()
        self._room.set()
        reading = asyncio.ensure_future(self._read())
        try:
            await self._send()
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def _read(self) -> None:
        """Take in what is typed, as long as not too much waits for the build."""
        while not self._over:
            if self._keys is Keys.PIPE:
                await self._room.wait()  # at a terminal, too much of it may be why somebody wants to leave
            data = await self._next()
            if self._keys is Keys.PIPE:
                self._over = not data
            elif data is None:
                self._leave("")
                return
            elif CTRL_C in data and CTRL_C in self._typed:
                self._leave("It takes no keys at the moment")
                return
            if len(self._typed) < TYPED_BYTES:
                self._typed += data or b""
            self._news.set()
            if len(self._typed) >= TYPED_BYTES:
                self._room.clear()

    async def _next(self) -> bytes | None:
        """Return what is typed next; None at a terminal where somebody leaves, or that is gone."""
        try:
            async with asyncio.timeout(DOUBLE_S if self._leaving.held else None):
                await terminal.readable()
        except TimeoutError:
            held, self._leaving.held = self._leaving.held, b""
            return held
        data = terminal.read(TYPED_BYTES)
        if self._keys is Keys.PIPE:
            return data
        return self._leaving.passed(data) if data else None

    async def _send(self) -> None:
        """Send what was typed, in order; what did not arrive for certain is sent again from the same offset."""
        told_over = False
        while not told_over:
            silent = not await self._something()
            while silent or self._typed or (self._over and not told_over):
                silent = False
                data = bytes(self._typed[:TYPED_BYTES])
                over = self._over and len(data) == len(self._typed)
                try:
                    taken = await self._give(data, over=over)
                except (Conflict, NotFound):
                    return  # it reads no more
                except LimitReached as error:  # we stood still, or were cut off
                    say(f"What is piped in does not arrive any more: {error}")
                    return
                except Unavailable:
                    await asyncio.sleep(RETRY_S)
                    continue
                if taken.next < self._sent:
                    return  # an attempt that has not read what came before; nobody has that any more
                del self._typed[: taken.next - self._sent]
                self._sent = taken.next
                told_over = over and not self._typed
                if len(self._typed) < TYPED_BYTES:
                    self._room.set()

    async def _something(self) -> bool:
        """Wait until there is something to send; False where a sign of life is due instead."""
        try:
            async with asyncio.timeout(SIGN_S if self._keys is Keys.PIPE else None):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    async def _give(self, data: bytes, *, over: bool) -> InputTaken:
        """Send what comes next. What is piped in is bound to this client: nobody else has the rest of it."""
        return await self._net.call(
            "builds.input",
            self._build,
            stream=self._stream,
            offset=self._sent,
            data=b64encode(data).decode(),
            encoding="base64",
            over=over,
            bound=self._keys is Keys.PIPE,
        )
