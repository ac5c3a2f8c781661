"""The store of this machine's agent, for whoever looks after it: which one it is, and a lock for who replaces it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import Conflict, NotFound
from ..store import soundness
from ..store.contract import Store
from ..store.opening import open_store
from ..store.servers import without_password
from . import rebuilding, settings
from .alone import only_agent


def store_url(data: Path | None, url: str | None) -> str:
    """Return the URL that is meant: the given one, or that of the agent with this data directory.

    Raises NotFound where there is no agent.
    """
    if url:
        return url
    paths, found = settings.load(data)
    if not paths.network.exists():
        message = f"{paths.data} is no agent's data directory; name one with --data, or a store with --store URL"
        raise NotFound(message)
    return found.store_url(paths)


@contextlib.contextmanager
def opened(url: str) -> Iterator[Store]:
    """Open a store, and close it at the end. Raises as open_store does."""
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


def beside(url: str, otherwise: Path) -> Path:
    """Return a file on the disk that a store is on, which may be another one than that of its backup."""
    return next(iter(soundness.files_of(url)), otherwise)


def aside(data: Path | None, url: str) -> list[rebuilding.SetAside]:
    """Return the damaged stores that were set aside where this one is now; none for one that is no agent's."""
    paths, found = settings.load(data)
    return rebuilding.aside(paths) if url == found.store_url(paths) else []


@contextlib.contextmanager
def held(data: Path | None, url: str) -> Iterator[None]:
    """Keep the agent of a data directory from running, where the store is its own. Raises Conflict where it runs."""
    paths, found = settings.load(data)
    with contextlib.ExitStack() as stack:
        if url == found.store_url(paths) and paths.data.exists():
            try:
                stack.enter_context(only_agent(paths.lock))
            except Conflict:
                message = f"the agent of {paths.data} works with {without_password(url)}; stop it first: orchestra down"
                raise Conflict(message) from None
        yield
