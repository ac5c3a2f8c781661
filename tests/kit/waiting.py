"""Waiting for a condition, with a deadline. The only place in the tests where time passes for its own sake."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 60.0
"""Generous: a test that passes never waits for it."""

_LOOK_S = 0.01


def wait_until(
    condition: Callable[[], T], what: str, *, deadline_s: float = DEADLINE_S, hopeless: Callable[[], str] = lambda: ""
) -> T:
    """Return the condition's value as soon as it is true.

    Fails after the deadline, or as soon as `hopeless` returns why it can never become true.
    """
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        why = hopeless()
        if why:
            message = f"gave up waiting until {what}: {why}"
            raise AssertionError(message)
        if time.monotonic() > end:
            message = f"waited {deadline_s:g} s in vain until {what}"
            raise AssertionError(message)
        time.sleep(_LOOK_S)
    return value


async def until(condition: Callable[[], T], what: str, *, deadline_s: float = DEADLINE_S) -> T:
    """Return the condition's value as soon as it is true, letting the event loop go on meanwhile."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        if time.monotonic() > end:
            message = f"waited {deadline_s:g} s in vain until {what}"
            raise AssertionError(message)
        await asyncio.sleep(_LOOK_S)
    return value
