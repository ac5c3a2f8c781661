"""Events for agents that hold no copy of the ledger: they ask one that does, and pass on what it tells their clients.

Who asks is told for a while and asks again; so nobody keeps telling one that is gone. Refuses to know what events mean.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from ..core.errors import OrchestraError
from ..core.messages import EVENT, PART_BYTES, Call
from .mesh.contract import Mesh
from .peers import Peers

log = logging.getLogger(__name__)

ASK_S = 4.0
"""Seconds between two requests to go on telling. Larger: less traffic; smaller: a shorter gap when who told is gone."""

FOLLOW_S = 3 * ASK_S
"""Seconds for which one request is good."""

Event: TypeAlias = tuple[str, str, Any]
"""Kind, build id or empty, and what is told."""


class Relay:
    """Between those who hold the ledger and clients of those who do not."""

    def __init__(self, peers: Peers, mesh: Mesh) -> None:
        """Answer who wants to be told; `connect` says to whom what comes is passed on."""
        self._peers = peers
        self._mesh = mesh
        self._followers: dict[str, float] = {}  # agent id -> until when it is told
        self._wanted: Callable[[], bool] = lambda: False
        self._pass_on: Callable[[Sequence[Event]], None] = lambda _: None
        mesh.handle(Call.FOLLOW, self._on_follow)
        mesh.listen(EVENT, self._on_events)

    def connect(self, wanted: Callable[[], bool], pass_on: Callable[[Sequence[Event]], None]) -> None:
        """Ask to be told while `wanted()`; give what comes to `pass_on`."""
        self._wanted, self._pass_on = wanted, pass_on

    async def subscribed(self) -> None:
        """See to it that events come from now on. Raises NoMaster or Unreachable where nobody can tell them."""
        if not self._peers.holds_copy:
            await self._mesh.call(await self._peers.wait_master(), Call.FOLLOW, b"")

    def tell(self, events: Sequence[Event]) -> None:
        """Tell those who asked for it."""
        if not self._followers:
            return
        now = time.monotonic()
        self._followers = {agent: until for agent, until in self._followers.items() if until > now}
        payload = msgspec.json.encode(events)
        for agent in self._followers:
            if len(payload) <= PART_BYTES:
                self._mesh.send(agent, EVENT, payload)
            else:
                for event in events:
                    self._mesh.send(agent, EVENT, msgspec.json.encode([event]))

    @property
    def followed(self) -> bool:
        """Whether any agent wants to be told."""
        return bool(self._followers)

    async def run(self) -> None:
        """Ask, as long as it is wanted, until cancelled."""
        while True:
            if self._wanted():
                try:
                    await self.subscribed()
                except OrchestraError as error:
                    log.info("relay.nobody: %s", error)
            await asyncio.sleep(ASK_S)

    async def _on_follow(self, sender: str, _: bytes) -> bytes:
        self._followers[sender] = time.monotonic() + FOLLOW_S
        return b""

    def _on_events(self, _: str, payload: bytes) -> None:
        try:
            self._pass_on(msgspec.json.decode(payload, type=list[Event]))
        except msgspec.DecodeError:
            self._mesh.counters["dropped.malformed"] += 1
