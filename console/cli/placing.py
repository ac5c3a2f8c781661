"""Until a build is with an agent: who gets it and why, why it waits, and what to do where nobody can run it."""

import asyncio

from ...agent.client.awaiting import AsyncClient
from ...core.api.builds import Why
from ...core.model import BuildState
from ...core.views.builds import BuildView
from .fallback import Fallback, Nowhere
from .output import say

PATIENCE_S = 0.5
"""Seconds that a build may wait before it is said why; an idle network needs milliseconds."""


async def placed(net: AsyncClient, build: str, fallback: Fallback, *, aborts: bool = True) -> BuildView:
    """Return a build when it is with an agent, or over; events of it must be subscribed to. `aborts`: Ctrl-C does.

    Says who runs it and why, or why it waits. Raises Nowhere, where `fallback` is not to wait.
    """
    told = ""
    patience: float | None = PATIENCE_S
    while True:
        view: BuildView = (await net.call("builds.get", build)).build
        if view.state is not BuildState.PENDING:
            break
        try:
            async with asyncio.timeout(patience):
                await net.next_event()
        except TimeoutError:
            patience = None
            why: Why = await net.call("builds.explain", build)
            told = _tell(why, fallback, told, "withdraws it" if aborts else "leaves it to itself")
    if not view.state.ended:
        why = await net.call("builds.explain", build)
        if why.agent:
            say(f"{why.agent} runs it: {why.choice}" if why.choice else f"{why.agent} runs it")
    return view


def _tell(why: Why, fallback: Fallback, told: str, interrupted: str) -> str:
    """Say why a build waits, if that is news; return what was said."""
    if why.state != BuildState.PENDING:
        return told
    if not why.possible and fallback is not Fallback.WAIT:
        raise Nowhere(why.reasons)
    head = "It waits" if why.possible else "No agent can run it now; it waits until one can"
    text = f"{head} (Ctrl-C {interrupted}):\n" + "\n".join(f"  {one}" for one in why.reasons)
    if text != told:
        say(text)
    return text
