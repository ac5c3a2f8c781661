"""All of the blob space as one thing for the agent; where none is named, one that holds nothing and does nothing.

Refuses to know which settings name a space.
"""

import asyncio
from collections.abc import Callable

from ...core.ledger import Ledger
from ...core.manifest import Digest, Tree
from ...store.servers import without_password
from ...store.space.opening import NONE, open_space
from ..blobs import Blobs, Contents
from ..history import History
from ..paths import Paths
from .clearing import Clearer
from .filling import Filler
from .shelf import Shelf


class Space:
    """The blob space."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts it stands between
        self,
        url: str,
        network: str,
        paths: Paths,
        blobs: Blobs,
        contents: Contents,
        history: History,
        ledger: Callable[[], Ledger | None],
        leads: Callable[[], bool],
    ) -> None:
        """Use the space of a network at `url`; it is opened when it is needed.

        `ledger` returns the ledger whose builds `history` has, None on an agent that keeps no history; `leads` says
        whether this agent is the master.
        """
        self._shelf: Shelf | None = None
        if url in NONE:
            return
        self._shelf = shelf = Shelf(
            lambda: open_space(url, network, begun=filler.mark is not None), paths, blobs, contents
        )
        self._filler = filler = Filler(shelf, without_password(url), paths.space, history, ledger, leads)
        self._clearer = Clearer(shelf, history, ledger, leads)

    @property
    def problem(self) -> str:
        """Why it cannot be used at the moment, for people; empty: it can."""
        return "" if self._shelf is None else self._filler.problem

    async def run(self) -> None:
        """Put there what builds leave, until cancelled."""
        if self._shelf is None:
            await asyncio.Event().wait()
        await self._filler.run()

    async def forget(self) -> int:
        """Remove what belongs to no known build; return how much. Raises StorageError."""
        return 0 if self._shelf is None else await self._clearer.forget()

    async def fetch_log(self, digest: str) -> bool:
        """Have a log among this machine's blobs; whether the space could give it. Raises DiskFull, LimitReached."""
        return self._shelf is not None and await self._shelf.fetch_log(digest)

    async def fetch_tree(self, root: Digest, check_room: Callable[[Tree], None]) -> bool:
        """See Trees.last_resort."""
        return self._shelf is not None and await self._shelf.fetch_tree(root, check_room)

    def close(self) -> None:
        """Give it back."""
        if self._shelf is not None:
            self._shelf.close()
