"""Answers every method of core/api: reads from ledger, store and logs; changes through the master.

One coroutine per method, named after it (`builds.submit` -> `builds_submit`), in the part for its noun; `desk` is what
all share. Refuses to know how requests arrive, and which agent answers them (routing).
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec

from ...core.api.method import Method, Params
from ...core.api.submitting import Submit
from ...core.api.table import METHODS
from ...core.errors import InvalidInput
from ..agreement import Replica
from ..caches import Caches as NetworkCaches
from ..entrance import Entrance
from ..health import Health
from ..history import History
from ..identity import Identity
from ..keeping import Keeper
from ..logreading import LogReader
from ..master import Master
from ..paths import Paths
from ..peers import Peers
from ..repositories.resolving import Resolver
from ..sittings import Sittings
from ..space import Space
from ..trees import Trees
from ..vault import Vault
from ..worker import Worker
from .agents import Agents
from .artifacts import Artifacts
from .builds import Builds
from .caches import Caches
from .desk import Desk
from .jobs import Jobs
from .network import Network
from .output import Output
from .pins import Pins
from .pipelines import Pipelines
from .records import Records
from .schedules import Schedules
from .secrets import Secrets
from .sources import Sources
from .summary import Summary
from .typing import Typing


class Service:
    """The agent as its clients see it."""

    def __init__(  # noqa: PLR0913 - the parts it answers for
        self,
        *,
        identity: Identity,
        paths: Paths,
        replica: Replica,
        master: Master,
        history: History,
        worker: Worker | None,
        peers: Peers,
        health: Health,
        logs: LogReader,
        keeper: Keeper,
        space: Space,
        trees: Trees,
        resolver: Resolver,
        caches: NetworkCaches,
        entrance: Entrance,
        vault: Vault,
        sittings: Sittings,
        reserve: int,
        stop: Callable[[str], Awaitable[None]],
        leave: Callable[[str], Awaitable[None]],
    ) -> None:
        """Answer for these parts. `reserve`: bytes of disk that must stay free.

        `stop(builds)` ends the agent; `leave(builds)` takes it out of the network and then ends it.
        """
        self._desk = Desk(
            identity=identity, paths=paths, replica=replica, master=master, history=history, reserve=reserve
        )
        records = Records(self._desk)
        self._sources = Sources(self._desk, keeper, trees, resolver)
        artifacts = Artifacts(self._desk, keeper, trees)
        builds = Builds(self._desk, records, self._sources, artifacts)
        network = Network(
            self._desk,
            peers=peers,
            health=health,
            keeper=keeper,
            space=space,
            entrance=entrance,
            worker=worker,
            stop=stop,
            leave=leave,
        )
        summary = Summary(self._desk)
        pipelines = Pipelines(self._desk, records, builds)
        parts = (
            network,
            Agents(self._desk, peers),
            artifacts,
            Jobs(self._desk),
            builds,
            pipelines,
            Pins(self._desk, records, pipelines),
            Output(self._desk, logs),
            records,
            summary,
            Secrets(self._desk, vault),
            Caches(caches),
            Schedules(self._desk, self._sources),
            Typing(self._desk, sittings),
        )
        self._handlers = {method: _handler(method, parts) for method in METHODS if method != "events.subscribe"}

    async def answer(self, method: Method, params: msgspec.Raw, requester: str) -> msgspec.Struct:
        """Answer one request of `requester` here; raises OrchestraError for whatever is wrong with it."""
        decoded = decode(method, params)
        self._desk.asking.set(requester)
        return await self._handlers[method.name](decoded)

    async def prepare(self, method: Method, params: msgspec.Raw) -> None:
        """Do what must be done at the client's own agent before the master decides."""
        decoded = decode(method, params)
        if isinstance(decoded, Submit):
            await self._sources.prepare(decoded)

    async def reached(self, index: int) -> None:
        """Return when this agent's ledger and store reflect a log index."""
        await self._desk.reached(index)


def _handler(method: str, parts: tuple[object, ...]) -> Callable[[Any], Awaitable[msgspec.Struct]]:
    """Return the coroutine that answers a method."""
    name = method.replace(".", "_")
    part = next(one for one in parts if hasattr(one, name))
    return cast("Callable[[Any], Awaitable[msgspec.Struct]]", getattr(part, name))


def decode(method: Method, params: msgspec.Raw) -> Params:
    """Return the parameters of a call. Raises InvalidInput, which names what the method takes."""
    try:
        return decoders[method.name].decode(params)
    except (msgspec.ValidationError, UnicodeDecodeError, RecursionError) as problem:
        wanted = ", ".join(method.params.__struct_fields__) or "none"
        message = f"wrong parameters for {method.name}: {problem}; it takes: {wanted}"
        raise InvalidInput(message) from None


decoders = {method.name: msgspec.json.Decoder(method.params) for method in METHODS.values()}
