"""A feed from agents: speaks to one, notices within two seconds when it is gone, and goes on with another one.

The agent that was asked for comes first; when it does not answer, any other of the same network that this user can
speak to does (`places`). What was answered before stays known, with its age. Refuses to know what is shown.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from ...core.api.method import Permission
from ...core.api.network import Status
from ...core.api.table import METHODS
from ...core.errors import NoAgent, OrchestraError, TimedOut
from ..format import plain
from .contract import Heard, Link, Listener, Remembered, Standing
from .memory import Listeners, Memory

LOOK_S = 1.0
"""Seconds between two looks at the network. Larger: less work while nothing happens; smaller: what is gone is noticed
sooner, which must be within two seconds."""

SILENT_S = 0.9
"""Seconds without an answer to a look after which an agent counts as gone."""

CALL_S = 30.0
"""Seconds for an answer that needs no waiting of its own."""

RETRY_S = (0.1, 0.25, 0.5, 1.0)
"""Seconds between attempts to reach anybody; the last one repeats."""


class Connection(Protocol):
    """What a live feed needs of a client (agent.client.AsyncClient)."""

    async def call(self, method: str, *positional: object, **named: object) -> Any:  # noqa: ANN401 - the method decides
        """Make one request."""
        ...

    async def next_event(self) -> dict[str, Any]:
        """Return the next event that was subscribed to."""
        ...

    async def gone(self) -> None:
        """Return when the connection has broken off."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


class Place(Protocol):
    """Where an agent may be."""

    @property
    def label(self) -> str:
        """For people."""
        ...

    async def connect(self) -> Connection:
        """Return a connection. Raises OrchestraError, mostly NoAgent."""
        ...


class LiveFeed:
    """A feed from one agent at a time."""

    def __init__(
        self,
        home: Place,
        others: Callable[[], Sequence[Place]] = lambda: (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Speak to `home`, or else, once the network is known, to an agent of it at one of `others()`."""
        self.clock = clock
        self.methods: AbstractSet[str] = frozenset(METHODS)
        self._home = home
        self._others = others
        self._standing = Standing(Link.SEEKING, source=home.label)
        self._memory = Memory()
        self._listeners = Listeners()
        self._client: Connection | None = None
        self._seen: tuple[Status, float, float] | None = None  # the last look: status, when, how long it took

    @property
    def standing(self) -> Standing:
        """See Feed."""
        return self._standing

    def remembered(self, method: str, **params: object) -> Remembered | None:
        """See Feed."""
        return self._memory.find(method, params)

    def listen(self, hear: Listener) -> Callable[[], None]:
        """See Feed."""
        return self._listeners.add(hear)

    async def call(self, method: str, **params: object) -> Any:  # noqa: ANN401 - the method decides the type
        """See Feed."""
        if self._client is None:
            raise NoAgent(self._standing.problem or "not connected yet")
        wait = params.get("wait") or 0.0
        try:
            async with asyncio.timeout(CALL_S + (wait if isinstance(wait, float | int) else 0.0)):
                answer = await self._client.call(method, **params)
        except TimeoutError:
            raise TimedOut(f"{method} was not answered in time; ctrl+r asks again") from None
        if METHODS[method].permission is Permission.READ and method not in _UNKEPT:
            self._memory.keep(method, params, answer, self.clock())
        return answer

    # -- keeping in touch

    async def run(self) -> None:
        """See Feed."""
        failures = 0
        while True:
            reached = await self._reach()
            if reached is None:
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1
                continue
            failures = 0
            place, client = reached
            try:
                await self._follow(place, client)
            finally:
                self._client = None
                await client.close()

    async def _reach(self) -> tuple[Place, Connection] | None:
        """Return a connection to somebody of the network, who has answered; None where there is nobody."""
        known = self._standing.status
        problem: OrchestraError | None = None
        for place in (self._home, *(self._others() if known else ())):
            client: Connection | None = None
            try:
                client = await place.connect()
                status = await self._look(client)
                if known and place is not self._home and status.network.id != known.network.id:
                    raise NoAgent(f"{place.label} belongs to another network")
                await client.call("events.subscribe", kinds=[], builds=[])
            except OrchestraError as error:
                problem = problem or error
                if client is not None:
                    await client.close()
                continue
            if known and status.network.id != known.network.id:
                self._memory.forget()
            return place, client
        self._stand(
            Link.LOST if known else Link.SEEKING,
            problem=plain(str(problem)),
            source=self._standing.source or self._home.label,
        )
        return None

    async def _look(self, client: Connection) -> Status:
        """Ask how the network stands. Raises NoAgent when that takes too long."""
        began = self.clock()
        try:
            async with asyncio.timeout(SILENT_S):
                status: Status = await client.call("network.status")
        except TimeoutError:
            raise NoAgent(f"the agent has not answered for {SILENT_S:g} s; orchestra doctor may say why") from None
        now = self.clock()
        self._seen = (status, now, now - began)
        return status

    async def _follow(self, place: Place, client: Connection) -> None:
        """Pass on what happens, and look at the network, until the agent is gone."""
        self._client = client
        events = asyncio.ensure_future(self._pass_on(client))
        gone = asyncio.ensure_future(client.gone())
        try:
            self._stand_live(place)
            while not (await asyncio.wait([gone], timeout=LOOK_S))[0]:
                await self._look(client)
                self._stand_live(place)
            raise NoAgent(f"{self._standing.source} is gone")
        except OrchestraError as error:
            self._client = None
            self._stand(Link.LOST, problem=plain(str(error)), source=self._standing.source)
        finally:
            events.cancel()
            gone.cancel()
            await asyncio.gather(events, gone, return_exceptions=True)

    async def _pass_on(self, client: Connection) -> None:
        while True:
            event = await client.next_event()
            self._listeners.tell(Heard(str(event.get("kind", "")), event))

    def _stand_live(self, place: Place) -> None:
        assert self._seen is not None  # noqa: S101 - it has been looked at
        status, heard, round_trip = self._seen
        self._standing = Standing(
            Link.LIVE,
            source=f"{status.agent.name} ({place.label})",
            status=status,
            heard=heard,
            round_trip=round_trip,
        )
        self._listeners.tell(Heard("standing"))

    def _stand(self, link: Link, *, problem: str, source: str) -> None:
        before = self._standing
        self._standing = Standing(link, source, before.status, before.heard, None, problem)
        if (before.link, before.problem) != (link, problem):
            self._listeners.tell(Heard("standing"))


_UNKEPT = frozenset({"builds.log", "builds.wait", "events.subscribe"})
"""Methods whose answers are large, or of the moment."""
