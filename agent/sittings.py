"""The way of keys, and of the size of a window, from a client to its build, wherever that runs.

It leads from the client's agent straight to the one that executes; neither the master nor consensus hear of it. Who
types is told by the client's agent, which is believed of its own clients only. Refuses to know how a client reads keys,
and in which order they are taken (executor/keyboards.py).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias, cast

import msgspec
from msgspec.structs import replace

from ..core.api.builds import ById, OneBuild
from ..core.api.method import Params
from ..core.errors import Conflict, NotAllowed, NotFound
from ..core.messages import Call, Resized, Taken, Typed, pack, unpack
from .mesh.contract import Mesh
from .peers import Peers

MAX_WAIT_S = 60.0
"""Seconds that a request may wait for room."""

MAX_BYTES = 1 << 16
"""Bytes of one request."""

ANSWER_S = 5.0
"""Seconds for another agent to answer, beside what it was asked to wait."""

PLACES = 256
"""Builds of which it is remembered where they run; others are looked up with each key."""


Ask: TypeAlias = Callable[[str, Params], Awaitable[msgspec.Struct | msgspec.Raw]]
"""Makes a request of the network as a client of this agent: see routing.Router.ask."""


class Typist(Protocol):
    """The executor of this machine, as far as keys are concerned: see worker.Worker."""

    async def type(self, typed: Typed) -> Taken:
        """Return when some of it is taken.

        Raises NotFound where the attempt is not here, Conflict, NotAllowed, and LimitReached where nothing came of a
        bound stream for too long.
        """
        ...

    async def resize(self, wish: Resized) -> None:
        """Give a terminal another size. Raises NotFound where the attempt is not here."""
        ...


class Sittings:
    """What clients of this agent type for builds anywhere, and what others type for those that run here."""

    def __init__(self, mesh: Mesh, peers: Peers, typist: Typist | None) -> None:
        """Offer the calls; `typist` is this machine's own executor, if it works. `connect` comes next."""
        self._mesh = mesh
        self._peers = peers
        self._typist = typist
        self._ask: Ask | None = None
        self._places: dict[str, tuple[str, str]] = {}  # build as it was named -> agent id, attempt's key
        mesh.handle(Call.INPUT, self._on_input)
        mesh.handle(Call.RESIZE, self._on_resize)

    def connect(self, ask: Ask) -> None:
        """Find out where builds run by asking the network, as a client of this agent would."""
        self._ask = ask

    async def type(self, build: str, typed: Typed) -> Taken:
        """Type for a build, wherever it runs; the key of `typed` is filled in.

        Raises NotFound, Conflict where it does not read any more or not yet, NotAllowed for another's build,
        Unreachable.
        """
        return await self._there(build, lambda agent, key: self._type_at(agent, replace(typed, key=key)))

    async def resize(self, build: str, wish: Resized) -> None:
        """Give a build's terminal another size; the key of `wish` is filled in. Raises as `type`."""
        await self._there(build, lambda agent, key: self._resize_at(agent, replace(wish, key=key)))

    async def _there(self, build: str, do: Callable[[str, str], Awaitable[Taken]]) -> Taken:
        """Do something where a build runs: where it was last, or, if it is not there any more, where it is by now."""
        known = self._places.get(build)
        if known is not None:
            try:
                return await do(*known)
            except NotFound:
                self._places.pop(build, None)  # another request may have found out, too
        agent, key = await self._find(build)
        if key.startswith(f"{build}."):  # other names, as `last`, mean another build at another time
            self._places[build] = agent, key
        while len(self._places) > PLACES:
            del self._places[next(iter(self._places))]
        return await do(agent, key)

    async def _find(self, build: str) -> tuple[str, str]:
        if self._ask is None:
            raise NotFound("this agent cannot look for builds yet; try again in a moment")
        answer = await self._ask("builds.get", ById(build))
        found = msgspec.json.decode(answer, type=OneBuild) if isinstance(answer, msgspec.Raw) else answer
        view = cast("OneBuild", found).build
        label = f"{view.project}/{view.job}#{view.number}"
        if view.state.ended:
            raise Conflict(f"{label} has ended: {view.state}")
        if not view.agent:
            raise Conflict(f"{label} has not been given to an agent yet; it can read nothing before")
        return view.agent, f"{view.id}.{view.attempt}"

    async def _type_at(self, agent: str, typed: Typed) -> Taken:
        if agent == self._mesh.id:
            return await self._type_here(typed)
        return unpack(await self._mesh.call(agent, Call.INPUT, pack(typed), typed.wait + ANSWER_S), Taken)

    async def _resize_at(self, agent: str, wish: Resized) -> Taken:
        if agent == self._mesh.id:
            await self._resize_here(wish)
        else:
            await self._mesh.call(agent, Call.RESIZE, pack(wish), ANSWER_S)
        return Taken(0)

    # -- for builds that run here

    async def _type_here(self, typed: Typed) -> Taken:
        if self._typist is None:
            raise NotFound("no builds run here")
        try:
            async with asyncio.timeout(min(typed.wait, MAX_WAIT_S)):
                return await self._typist.type(typed)
        except TimeoutError:  # if it is taken in the end, then it is only passed over when it comes again
            return Taken(typed.offset)

    async def _resize_here(self, wish: Resized) -> None:
        if self._typist is None:
            raise NotFound("no builds run here")
        await self._typist.resize(wish)

    async def _on_input(self, sender: str, payload: bytes) -> bytes:
        typed = unpack(payload, Typed)
        self._check(sender, typed.requester)
        return pack(await self._type_here(typed))

    async def _on_resize(self, sender: str, payload: bytes) -> bytes:
        wish = unpack(payload, Resized)
        self._check(sender, wish.requester)
        await self._resize_here(wish)
        return b""

    def _check(self, sender: str, requester: str) -> None:
        """An agent speaks for its own clients, who are called after it."""
        name = self._peers.name_of(sender)
        if requester.rpartition("@")[2] != name:
            raise NotAllowed(f"{name} cannot speak for {requester}; every agent speaks for its own clients")
