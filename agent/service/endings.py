"""Waiting for the end of something that has an id: builds, pipelines."""

import asyncio

from ...core.errors import TimedOut


class Endings:
    """Who waits for what."""

    def __init__(self) -> None:
        """Begin with nobody who waits."""
        self._events: dict[str, asyncio.Event] = {}  # id -> set when it has ended

    def __len__(self) -> int:
        """Count what is waited for."""
        return len(self._events)

    def tell(self, identity: str) -> None:
        """Let those go on who wait for this."""
        event = self._events.pop(identity, None)
        if event is not None:
            event.set()

    async def wait(self, identity: str, what: str, timeout_s: float | None) -> None:
        """Return when it was told of; `what` is what it is called. Raises TimedOut."""
        event = self._events.setdefault(identity, asyncio.Event())
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            message = f"{what} has not ended within {timeout_s:g} s; it is not affected by this"
            raise TimedOut(message) from None
