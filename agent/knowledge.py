"""Which builds the network still knows: what any other of them left on a machine may go.

Who keeps the history asks that; who keeps none asks the master. Refuses to know what builds left, and where.
"""

from collections.abc import Callable, Collection, Sequence
from typing import cast

from ..core.errors import LimitReached, Unavailable
from ..core.ids import is_build_id
from ..core.ledger import Ledger
from ..core.messages import Builds, Call, pack, unpack
from ..core.model import Build
from ..store.query import Filter, Operator, Query
from .history import History
from .mesh.contract import Mesh
from .peers import Peers

MAX_ASKED = 1_000
"""Builds that another agent may ask for at a time."""

_PAGE = 200


class Knowledge:
    """What one agent can find out about which builds there are."""

    def __init__(self, history: History, ledger: Callable[[], Ledger | None], peers: Peers, mesh: Mesh) -> None:
        """Ask `history`, or the master; answer others who ask.

        `ledger` returns the ledger whose builds `history` has, None on an agent that keeps no history.
        """
        self._history = history
        self._ledger = ledger
        self._peers = peers
        self._mesh = mesh
        mesh.handle(Call.KNOWN, self._on_asked)

    async def of(self, builds: Collection[str]) -> set[str]:
        """Return those of some builds that the network knows. Raises OrchestraError where that cannot be told now."""
        if self._ledger() is not None:
            return await self._here(builds)
        wanted, found = sorted(builds), set[str]()
        for at in range(0, len(wanted), MAX_ASKED):
            master = await self._peers.wait_master()
            asked = Builds(tuple(wanted[at : at + MAX_ASKED]))
            found.update(unpack(await self._mesh.call(master, Call.KNOWN, pack(asked)), Builds).ids)
        return found

    async def _here(self, builds: Collection[str]) -> set[str]:
        ledger = self._ledger()
        if ledger is None or not await self._history.reached(ledger.index):
            raise Unavailable("this agent does not have the whole history at the moment; ask again later")
        found = ledger.builds.keys() & builds
        wanted = tuple(set(builds) - found)
        for at in range(0, len(wanted), _PAGE):
            query = Query("builds", (Filter("id", Operator.IN, wanted[at : at + _PAGE]),), limit=_PAGE)
            rows = (await self._history.read(self._history.store.find, query)).rows
            found.update(one.id for one in cast("Sequence[Build]", rows))
        return found

    async def _on_asked(self, _: str, payload: bytes) -> bytes:
        asked = unpack(payload, Builds).ids
        if len(asked) > MAX_ASKED:
            raise LimitReached(f"{len(asked)} builds are more than can be asked for at a time, which is {MAX_ASKED}")
        return pack(Builds(tuple(sorted(await self._here({one for one in asked if is_build_id(one)})))))
