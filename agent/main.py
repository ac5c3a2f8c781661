"""The process of an agent: its lock, the settings it runs with, its first word to who started it, and its end."""

import asyncio
import logging
import os
from contextlib import suppress

import msgspec

from ..core.errors import OrchestraError, StorageError
from . import identity, rebuilding
from .alone import only_agent
from .assembly import Agent
from .paths import Paths
from .settings import Settings
from .wires import open_wires

log = logging.getLogger(__name__)


def run(paths: Paths, settings: Settings, ready: int | None = None) -> None:
    """Run an agent in this process until it is stopped.

    `ready` is a file descriptor that gets a line when the agent serves, or the error when it cannot. Raises
    OrchestraError with the remedy.
    """
    paths.prepare()
    with only_agent(paths.lock):
        if not runs_with(paths, settings):
            with suppress(StorageError):  # on a full disk it is not worth a start: `orchestra up` only words it worse
                identity.write_private(paths.settings, msgspec.json.encode(settings))
        try:
            asyncio.run(_run(paths, settings, ready))
        except OrchestraError as error:
            log.error("agent.failed: %s", error)  # noqa: TRY400 - the message is the remedy; the trace is for defects
            raise


def runs_with(paths: Paths, settings: Settings) -> bool:
    """Whether the agent that runs, or ran last, was started with just these settings."""
    return paths.settings.exists() and paths.settings.read_bytes() == msgspec.json.encode(settings)


async def born(paths: Paths, settings: Settings) -> Agent:
    """Return an agent that does not run yet, with a store that is sound. Raises OrchestraError with the remedy."""
    me = identity.load(paths, settings.agent_name())
    return Agent(paths, settings, await rebuilding.opened(paths, settings, me, open_wires))


async def _run(paths: Paths, settings: Settings, ready: int | None) -> None:
    agent = await born(paths, settings)
    running = asyncio.ensure_future(agent.run())
    if ready is not None:
        answering = asyncio.ensure_future(agent.ready.wait())
        await asyncio.wait([running, answering], return_when=asyncio.FIRST_COMPLETED)
        answering.cancel()
        if agent.ready.is_set():
            os.write(ready, b"ready\n")
            os.close(ready)
    await running
    if agent.departure.left:
        identity.retire(paths)
        log.info("agent.left: %s belongs to no network now", paths.data)
