"""Calls to one member that wait for their answer, each bound to the link that it went out on.

An answer counts only on that link: when it dies, no answer can come any more, and whoever waits is told at once.
"""

import asyncio
from itertools import count

from ...core.errors import InvalidInput, LimitReached, OrchestraError, Unreachable
from .contract import PAYLOAD_LIMIT, UNANSWERED_LIMIT


class Calls:
    """What one member has yet to answer."""

    def __init__(self, agent: str) -> None:
        """Begin with nothing asked of `agent`."""
        self._agent = agent
        self._numbers = count(1)
        self._waiting: dict[int, tuple[object, asyncio.Future[bytes]]] = {}

    def begin(self, link: object) -> tuple[int, asyncio.Future[bytes]]:
        """Return the number for a new call, and where its answer will be. Raises LimitReached."""
        if len(self._waiting) >= UNANSWERED_LIMIT:
            message = f"{UNANSWERED_LIMIT} calls wait for agent {self._agent} already; ask again when it answered some"
            raise LimitReached(message)
        number = next(self._numbers)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (link, future)
        return number, future

    async def outcome(self, number: int, future: asyncio.Future[bytes], timeout_s: float) -> bytes:
        """Wait for an answer and return it. Raises what it holds, or Unreachable."""
        timer = asyncio.get_running_loop().call_later(timeout_s, self._expire, number, timeout_s)
        try:
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(number, None)

    def forget(self, number: int) -> None:
        """Drop a call that did not go out."""
        self._waiting.pop(number, None)

    def answer(self, link: object, number: int, outcome: bytes | OrchestraError) -> bool:
        """Give an answer to whoever waits; False when nobody waits for it on this link."""
        found = self._waiting.get(number)
        if found is None or found[0] is not link:
            return False
        del self._waiting[number]
        self._settle(found[1], outcome)
        return True

    def lose(self, link: object) -> None:
        """End what waits on a link that is dead."""
        lost = [number for number, (one, _) in self._waiting.items() if one is link]
        for number in lost:
            text = f"the link to agent {self._agent} was lost before it answered; whether it did its work is unknown"
            self._settle(self._waiting.pop(number)[1], Unreachable(text))

    def _expire(self, number: int, timeout_s: float) -> None:
        text = f"agent {self._agent} did not answer within {timeout_s:g} s; whether it did its work is unknown"
        self._settle(self._waiting.pop(number)[1], Unreachable(text))

    def _settle(self, future: asyncio.Future[bytes], outcome: bytes | OrchestraError) -> None:
        if future.done():  # whoever asked has gone away
            return
        if isinstance(outcome, OrchestraError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def no_link(agent: str) -> Unreachable:
    """Return the error of a call to a member that there is no way to."""
    text = f"there is no link to agent {agent} now; this agent goes on trying (`orchestra status` shows who is there)"
    return Unreachable(text)


def full(agent: str) -> Unreachable:
    """Return the error of a call for which there was no room on the link."""
    return Unreachable(f"agent {agent} takes in what it is sent too slowly, its queue is full; ask again in a moment")


def too_large(payload: bytes) -> InvalidInput:
    """Return the error of a call with more than PAYLOAD_LIMIT bytes."""
    text = f"a message of {len(payload)} bytes is more than the {PAYLOAD_LIMIT} of the control mesh; send it in bulk"
    return InvalidInput(text)
