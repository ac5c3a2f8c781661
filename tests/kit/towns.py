"""Whole agents in one process, linked in memory: networks whose cables can be cut, made in a moment.

Everything is real but the control mesh (memory) and how one comes to the door. Real executors run only where a citizen
is to work.
"""

import asyncio
import gc
import math
import shutil
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import msgspec

from job_orchestra.agent import departure, electorate, identity, joining, rebuilding, replica
from job_orchestra.agent.assembly import Agent
from job_orchestra.agent.bulk import Bulk
from job_orchestra.agent.identity import Identity
from job_orchestra.agent.mesh.memory import MemoryMesh, MemoryNetwork
from job_orchestra.agent.paths import Paths
from job_orchestra.agent.peers import Peers
from job_orchestra.agent.rebuilding import Opened
from job_orchestra.agent.settings import Settings
from job_orchestra.agent.wires import OnLan, Wires
from job_orchestra.agent.worker import Worker
from job_orchestra.core import tokens
from job_orchestra.core.api.table import METHODS
from job_orchestra.core.entering import Welcome
from job_orchestra.core.messages import Entrant
from tests.kit.hands import Hand
from tests.kit.meshes import until


class MemoryWires(Wires):
    """Wires that end in memory; what is large goes over loopback."""

    def __init__(self, between: MemoryNetwork, me: Identity) -> None:
        """Stand beside the other meshes of `between`."""
        self.mesh = self.end = between.mesh(me.id, me.public, network=me.network, epoch=me.epoch)
        self.end.addresses = ("127.0.0.1:1",)  # what is large is fetched from this host
        self.bulk = Bulk(me.public, me.secret, host="127.0.0.1")
        self.door_port = 1
        self.moved: Callable[[tuple[str, ...]], None] = lambda _: None

    async def run(
        self,
        peers: Peers,
        enter: Callable[[Entrant], Awaitable[Welcome]],
        moved: Callable[[tuple[str, ...]], None],
    ) -> None:
        """See Wires."""
        del peers, enter
        self.moved = moved
        await self.mesh.run()

    def on_lan(self) -> OnLan:
        """See Wires."""
        return OnLan()

    async def close(self) -> None:
        """See Wires."""
        await asyncio.to_thread(self.bulk.close)
        await self.mesh.close()


class TownAgent(Agent):
    """An agent whose worker is a hand, where one is given."""

    def __init__(
        self, paths: Paths, settings: Settings, opened: Opened, between: MemoryNetwork, hand: Hand | None
    ) -> None:
        """Open what it needs."""
        self._hand = hand
        super().__init__(paths, settings, opened, lambda me, *_: MemoryWires(between, me))

    def _worker(self) -> Worker:
        if self._hand is None:
            return super()._worker()
        self._hand.employ(self.standing.record(), self.way)
        return self._hand

    async def _look_closer(self, worker: Worker) -> None:
        """Tell nothing more of a machine that has only a hand."""
        if self._hand is None:
            await super()._look_closer(worker)


class Citizen:
    """One agent of a town."""

    def __init__(self, town: "Town", name: str, settings: Settings, hand: Hand | None) -> None:
        """Begin without a network."""
        self.hand = hand
        self.name = name
        self.paths = Paths(town.folder / name)
        self.paths.prepare()
        self.settings = msgspec.structs.replace(settings, name=name, worker=settings.worker or hand is not None)
        self.town = town
        self._agent: Agent | None = None
        self.running: asyncio.Task[None] | None = None

    @property
    def agent(self) -> Agent:
        """The agent, as it runs."""
        assert self._agent is not None, f"{self.name} does not run"
        return self._agent

    @property
    def id(self) -> str:
        """Its agent id."""
        return self.agent.identity.id

    @property
    def wires(self) -> MemoryWires:
        """What connects it."""
        wires = self.agent.wires
        assert isinstance(wires, MemoryWires)
        return wires

    @property
    def mesh(self) -> MemoryMesh:
        """Its end of the mesh."""
        return self.wires.end

    @property
    def leads(self) -> bool:
        """Whether it is the master."""
        return self._agent is not None and self.agent.replica.leading

    async def start(self) -> None:
        """Run; on return it serves."""
        between = self.town.between
        me = identity.load(self.paths, self.name)
        found = await rebuilding.opened(self.paths, self.settings, me, lambda me, *_: MemoryWires(between, me))
        self._agent = TownAgent(self.paths, self.settings, found, between, self.hand)
        self.running = asyncio.ensure_future(self._agent.run())
        await until(lambda: self.agent.ready.is_set() or self.failed(), f"{self.name} serves")

    def failed(self) -> bool:
        """Raise what ended the agent, if anything did."""
        if self.running is not None and self.running.done():
            self.running.result()
        return False

    async def ask(self, method: str, **params: Any) -> Any:  # noqa: ANN401 - the method decides the type
        """Make a request of a client of this agent; return the result as JSON has it. Raises OrchestraError."""
        found = await self.agent.router.answer(METHODS[method], msgspec.Raw(msgspec.json.encode(params)))
        return msgspec.json.decode(msgspec.json.encode(found))

    async def submit(self, *command: str, **params: Any) -> str:  # noqa: ANN401 - as in Submit
        """Submit a command; return the build's id."""
        found = await self.ask("builds.submit", command=list(command or ("true",)), **params)
        return found["builds"][0]["id"]

    async def stop(self) -> None:
        """End it, and what it runs."""
        if self.running is not None and not self.running.done():
            await self.agent.departure.stop("abort")
            await self.running
        self._agent = self.running = None


class Town:
    """A network in this process; all of it ends with it."""

    def __init__(self, folder: Path, **settings: Any) -> None:  # noqa: ANN401 - any field of Settings
        """Let agents live in `folder`, with these settings where they are given no others."""
        self.folder = folder
        self.between = MemoryNetwork()
        self.citizens: dict[str, Citizen] = {}
        self._patches = ExitStack()
        self._settings = Settings(**{"worker": False, "settle": 0.0, **settings})

    async def __aenter__(self) -> Self:
        # a change of voters follows soon on the one before
        self._patches.enter_context(patch.object(electorate, "LOOK_S", 0.02))
        # where this process stood still, all stood still: nobody else leads by now
        self._patches.enter_context(patch.object(replica, "RESUMED_S", math.inf))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.heal()
        with patch.object(departure, "HAND_OVER_S", 0.0):  # to nobody: all end
            ends = await asyncio.gather(*(one.stop() for one in self.citizens.values()), return_exceptions=True)
        for one in self.citizens.values():
            shutil.rmtree(one.paths.sockets, ignore_errors=True)
        self._patches.close()
        gc.unfreeze()  # each agent froze all that was alive
        for problem in ends:
            if isinstance(problem, Exception):
                raise problem

    async def found(self, name: str = "a", hand: Hand | None = None, **settings: Any) -> Citizen:  # noqa: ANN401 - as above
        """Return the first agent, which leads."""
        one = self._citizen(name, hand, settings)
        identity.create(one.paths, "town")
        await one.start()
        await until(lambda: one.leads and one.id in one.agent.replica.ledger.agents, "the first agent leads")
        return one

    async def admit(self, name: str, hand: Hand | None = None, *, votes: bool = True, **settings: Any) -> Citizen:  # noqa: ANN401 - as above
        """Return another agent, which was invited and runs."""
        one = self._citizen(name, hand, settings)
        master = self.master
        token, _ = await master.agent.entrance.invite("tests", 60, votes=votes)
        record = joining.applicant(identity.prepare_keys(one.paths), one.settings)
        digest = tokens.digest(tokens.parse(token).secret)
        joining.belong(one.paths, await master.agent.entrance.enter(Entrant(record, invite=digest)))
        await one.start()
        await until(lambda: one.agent.peers.master, f"{name} knows the master")
        return one

    async def grow(self, count: int, **hands: Hand) -> list[Citizen]:
        """Return agents `a`, `b`, ...: a network of `count`, of which as many vote as should; the first one leads.

        Those work, by hand, for whom there is one.
        """
        names = [chr(ord("a") + place) for place in range(count)]
        found = [await self.found(hand=hands.get("a"))]
        found += [await self.admit(name, hands.get(name)) for name in names[1:]]
        voters = min(5, count - 1 + count % 2)
        await until(lambda: self.voting() == voters, f"{voters} vote")
        return found

    async def linked(self, one: Citizen, other: Citizen) -> None:
        """Wait until two agents can speak to each other: of who is not the master they learn in their own time."""

        def both() -> bool:
            ends = ((one, other), (other, one))
            return one is other or all(there.mesh.silence(here.id) < math.inf for there, here in ends)

        await until(both, f"{one.name} and {other.name} are linked")

    def voting(self) -> int:
        """Count the voters that know that they are, and the master; 0 where there is no master."""
        masters = [one for one in self.citizens.values() if one.leads]
        if not masters:
            return 0
        configuration = masters[0].agent.replica.configuration
        agents = [one.agent for one in self.citizens.values() if one.running is not None]
        mine = [one for one in agents if one.replica.configuration == configuration and one.peers.master]
        return sum(one.identity.member in configuration.voters for one in mine)

    @property
    def master(self) -> Citizen:
        """Who leads."""
        return next(one for one in self.citizens.values() if one.leads)

    async def elected(self, among: list[Citizen]) -> Citizen:
        """Return who of these leads, as soon as one does and the others of them know."""

        def agreed() -> Citizen | None:
            leading = [one for one in among if one.leads]
            known = {one.agent.peers.master for one in among}
            return leading[0] if len(leading) == 1 and known == {leading[0].id} else None

        found: list[Citizen | None] = [None]

        def look() -> bool:
            found[0] = agreed()
            return found[0] is not None

        await until(look, "one of them leads")
        assert found[0] is not None
        return found[0]

    def cut(self, one: Citizen, *others: Citizen) -> None:
        """Pull the cables between an agent and others, all if none are given; they notice, as if it were long ago."""
        for other in others or self.citizens.values():
            if other is not one:
                self.between.cut(one.id, other.id)
                for end, peer in ((one.mesh, other.id), (other.mesh, one.id)):
                    if peer in end.peers:
                        end.peers[peer].heard = -math.inf

    def long_silent(self, one: Citizen) -> None:
        """Let it be long ago for an agent that it heard of others."""
        for peer in one.mesh.peers.values():
            peer.heard = -math.inf

    def freeze(self, one: Citizen) -> None:
        """Let nothing that is said to or by an agent arrive; nobody notices but by the silence."""
        for other in self.citizens.values():
            if other is not one:
                self.between.cut_one_way(one.id, other.id)
                self.between.cut_one_way(other.id, one.id)

    def heal(self) -> None:
        """End all faults."""
        self.between.heal()

    def _citizen(self, name: str, hand: Hand | None, settings: dict[str, Any]) -> Citizen:
        own = msgspec.structs.replace(self._settings, **settings)
        self.citizens[name] = Citizen(self, name, own, hand)
        return self.citizens[name]
