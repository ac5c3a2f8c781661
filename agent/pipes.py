"""What is piped into builds that run here ends with who pipes it, as on one machine.

A terminal's keys may come again from another client, and wait for that. What comes out of a pipe cannot: when its
client is gone, however it went, nobody has the rest, and a build that reads on would wait for ever. So a client says of
such a stream that it is bound to it, and shows all the time that it lives. Refuses to know where builds run.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Protocol

from msgspec.structs import replace

from ..core.errors import OrchestraError
from ..core.messages import Taken, Typed

log = logging.getLogger(__name__)

SILENCE_S = 30.0
"""Seconds without a sign of life after which a client is gone. Larger: builds wait longer for nothing; smaller: what a
client sends that stood still, or was cut off, for so long is refused, as its input has ended."""

MOST = 256
"""Streams that are watched at a time."""


class Reader(Protocol):
    """What takes the input of builds that run here: see sittings.Typist."""

    async def type(self, typed: Typed) -> Taken:
        """Return when some of it is taken."""
        ...


class Pipes:
    """The streams that end with their clients."""

    def __init__(self, reader: Reader) -> None:
        """Pass on to `reader`."""
        self._reader = reader
        self._watched: dict[tuple[str, str], asyncio.TimerHandle] = {}  # by attempt and stream
        self._ending: set[asyncio.Task[None]] = set()

    async def type(self, typed: Typed) -> Taken:
        """Pass it on; of a bound stream take note that its client lives. Raises as sittings.Typist."""
        if not typed.bound:
            return await self._reader.type(typed)
        self._forget(typed)
        goes_on = True
        try:
            taken = await self._reader.type(typed)
            goes_on = not (typed.over and taken.next == typed.offset + len(typed.data))
        except OrchestraError:
            goes_on = False
            raise
        finally:
            if goes_on:
                self._watch(typed)
        return taken

    def _watch(self, typed: Typed) -> None:
        self._forget(typed)
        if len(self._watched) < MOST:
            loop = asyncio.get_running_loop()
            self._watched[typed.key, typed.stream] = loop.call_later(SILENCE_S, self._on_silence, typed)

    def _forget(self, typed: Typed) -> None:
        known = self._watched.pop((typed.key, typed.stream), None)
        if known is not None:
            known.cancel()

    def _on_silence(self, typed: Typed) -> None:
        self._forget(typed)
        task = asyncio.get_running_loop().create_task(self._end(typed))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, typed: Typed) -> None:
        """End the input of a build behind what was taken."""
        log.info("pipes.ended: %s: who piped into it is gone, so its input ends", typed.key)
        end = replace(typed, data=b"", over=True)
        with suppress(OrchestraError):  # the build has ended by itself
            taken = await self._reader.type(end)
            if taken.next != end.offset:  # the last that came was taken, too
                await self._reader.type(replace(end, offset=taken.next))
