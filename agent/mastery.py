"""A worker's way to the master, wherever that is: in this process, or at another agent over the mesh.

What cannot be delivered is refused with the reason; whoever asked tries again. Refuses to know what a report means.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from ..core.definition import Spec
from ..core.errors import NoMaster, NotAllowed, OrchestraError
from ..core.messages import (
    Assigned,
    Attempts,
    Call,
    Joined,
    Lease,
    Leased,
    Report,
    StopOrder,
    WorkerJoin,
    pack,
    portions,
    unpack,
)
from ..core.model import AgentRecord, Attempt, Build, Stop
from ..core.offer import OfferChange
from .agreement import Replica
from .master import NO_SECRETS, Master, WorkerPort
from .mesh.contract import Mesh
from .peers import Peers

log = logging.getLogger(__name__)

LEASE_S = 4.0
"""Seconds between two signs of life of a worker. Larger: less traffic with many agents; smaller: later masters know."""

MAX_WARM = 4_000
"""Keys that a worker tells of; more are not told."""

CALL_S = 10.0
"""Seconds for a master to answer a worker: to agree on a report may take it an election."""


class MasterWay:
    """What a worker asks of the master (worker.MasterPort), and what the master orders it to do."""

    def __init__(self, agent: str, replica: Replica, master: Master, peers: Peers, mesh: Mesh) -> None:
        """Find the master through `peers`; `master` is the one in this process, for when it leads."""
        self._agent = agent
        self._replica = replica
        self._master = master
        self._peers = peers
        self._mesh = mesh
        self._port: WorkerPort | None = None
        self._session = ""
        self._join_again: Callable[[], None] = lambda: None
        self.on_asked: Callable[[OfferChange], None] = lambda _: None  # told what people changed about the offer
        self.warm: Callable[[], frozenset[str]] = frozenset  # says what is at hand here, see affinity
        self._joined_to = ""  # agent id of the master that may give orders here
        self._fence = 0  # its term; orders of an older one are those of a master that was deposed
        peers.on_master(lambda _: self._join_again())
        mesh.handle(Call.ASSIGN, self._on_assign)
        mesh.handle(Call.STOP, self._on_stop)

    def when_unsure(self, join_again: Callable[[], None]) -> None:
        """Call `join_again` when the master may not count on this worker any more."""
        self._join_again = join_again

    async def held(self, agent: str) -> Sequence[Attempt]:
        """See worker.MasterPort."""
        if self._replica.leading:
            self.on_asked(asked_of(self._replica, agent))
            return self._master.held(agent)
        known = unpack(await self._call(Call.HELD, b""), Attempts)
        self.on_asked(known.asked)
        return known.attempts

    async def join(
        self, record: AgentRecord, reports: Sequence[Attempt], begun: tuple[str, ...] | None, port: WorkerPort
    ) -> tuple[str, ...]:
        """See worker.MasterPort."""
        self._port, self._session = port, record.session
        if self._replica.leading:
            self._joined_to = self._agent
            return await self._master.join(record, reports, begun, port)
        *first, last = list(portions(reports)) or [[]]
        for part in first:
            await self._call(Call.RECORD, pack(Report(tuple(part))))
        # of what came in the parts before, the master must know as well, or it would deliver it once more
        known = tuple(_brief(one) for part in first for one in part)
        join = pack(WorkerJoin(record, (*known, *last), begun))
        self._joined_to = await self._peers.wait_master()  # before: its first orders may come before its answer
        joined = unpack(await self._call(Call.JOIN, join), Joined)
        self._fence = max(self._fence, joined.term)
        return joined.over

    async def record(self, agent: str, attempts: Sequence[Attempt]) -> None:
        """See worker.MasterPort."""
        if self._replica.leading:
            await self._master.record(agent, attempts)
            return
        for part in portions(attempts):
            await self._call(Call.RECORD, pack(Report(tuple(part))))

    def leave(self, agent: str) -> None:
        """See worker.MasterPort: a master elsewhere sees it by the new session."""
        self._master.leave(agent)

    async def run(self) -> None:
        """Give signs of life to a master elsewhere, and join again where it has lost sight of this worker."""
        while True:
            master = self._peers.master
            if self._session and self._replica.leading:
                self._master.warm(self._agent, self.warm())
            elif self._session and master:
                try:
                    lease = Lease(self._session, tuple(sorted(self.warm())[:MAX_WARM]))
                    leased = unpack(await self._mesh.call(master, Call.LEASE, pack(lease)), Leased)
                    if leased.joined:
                        self.on_asked(leased.asked)
                    else:
                        self._join_again()
                except OrchestraError as error:
                    log.debug("worker.lease: %s", error)
            await asyncio.sleep(LEASE_S)

    async def _call(self, call: Call, payload: bytes) -> bytes:
        master = await self._peers.wait_master()
        if master == self._agent:
            raise NoMaster("this agent was just elected; try again")
        return await self._peers.unless_succeeded(master, self._mesh.call(master, call, payload, CALL_S))

    # -- what the master orders

    async def _on_assign(self, sender: str, payload: bytes) -> bytes:
        order = unpack(payload, Assigned)
        port = self._obey(sender, order.term)
        port.assign([(attempt, build, order.specs[build.spec]) for attempt, build in order.attempts], order.secrets)
        return b""

    async def _on_stop(self, sender: str, payload: bytes) -> bytes:
        order = unpack(payload, StopOrder)
        self._obey(sender, order.term).stop(order.attempt, order.how, order.reason)
        return b""

    def _obey(self, sender: str, term: int) -> WorkerPort:
        """Return the worker, if orders of this term are to be followed. A master of an older term was deposed."""
        if sender != self._joined_to:
            raise NotAllowed(f"{sender} gives no orders here: this worker has joined another master")
        if term < max(self._fence, self._replica.term):
            raise NoMaster(f"{self._peers.name_of(sender)} orders in term {term}, which is over; it leads no more")
        self._fence = term
        if self._port is None:
            raise NoMaster("this agent does not work; it has joined no master yet")
        return self._port


def asked_of(replica: Replica, agent: str) -> OfferChange:
    """Return what people changed about an agent's offer, as far as the ledger here knows."""
    record = replica.ledger.agents.get(agent)
    return OfferChange() if record is None else record.asked


_Order: TypeAlias = tuple[Attempt, Build, dict[str, str]]  # the last: secrets that its steps see


class RemoteWorker:
    """A worker at another agent, as the master here sees it (master.WorkerPort): what it is to do, in order.

    What cannot be delivered is dropped, and the worker with it: it joins again, and is then given what it lacks.
    """

    def __init__(self, agent: str, mesh: Mesh, term: int, lost: Callable[[str, "RemoteWorker"], None]) -> None:
        """Order about `agent` in `term`; `lost` is told when it does not answer."""
        self._agent = agent
        self._mesh = mesh
        self._term = term
        self._lost = lost
        self._orders: list[tuple[Attempt, Build, Spec, dict[str, str]]] = []
        self._stops: list[StopOrder] = []
        self._sending: asyncio.Task[None] | None = None
        self._closed = False

    def close(self) -> None:
        """Order nothing more: the worker has joined anew, and what it lacks is ordered on that way."""
        self._closed = True
        self._orders, self._stops = [], []

    def assign(
        self, given: Sequence[tuple[Attempt, Build, Spec]], secrets: Mapping[str, Mapping[str, str]] = NO_SECRETS
    ) -> None:
        """See WorkerPort."""
        if given and not self._closed:
            self._orders += [(*one, dict(secrets.get(one[0].key, {}))) for one in given]
            self._send_later()

    def stop(self, attempt: Attempt, how: Stop, reason: str) -> None:
        """See WorkerPort."""
        self._stops.append(StopOrder(self._term, attempt, how, reason))
        self._send_later()

    def _send_later(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        try:
            while self._orders or self._stops:
                orders, self._orders = self._orders, []
                specs = {build.spec: spec for _, build, spec, _ in orders}
                for part in portions([(attempt, build, shown) for attempt, build, _, shown in orders]):
                    wanted = {build.spec: specs[build.spec] for _, build, _ in part}
                    for some in _affordable(part, wanted):
                        if self._closed:
                            return
                        await self._mesh.call(self._agent, Call.ASSIGN, pack(self._message(some, wanted)))
                stops, self._stops = self._stops, []
                for order in stops:
                    await self._mesh.call(self._agent, Call.STOP, pack(order))
        except OrchestraError as error:
            log.warning("master.worker-unreachable: %s: %s", self._agent, error)
            self._orders, self._stops = [], []
            self._lost(self._agent, self)

    def _message(self, orders: Sequence[_Order], specs: Mapping[str, Spec]) -> Assigned:
        return Assigned(
            term=self._term,
            attempts=tuple((attempt, build) for attempt, build, _ in orders),
            specs={build.spec: specs[build.spec] for _, build, _ in orders},
            secrets={attempt.key: shown for attempt, _, shown in orders if shown},
        )


def _affordable(part: list[_Order], specs: dict[str, Spec]) -> list[list[_Order]]:
    """Split orders so that the specs of each message, too, take no more than a message may."""
    digests = list(portions(list(specs.items())))
    if len(digests) == 1:
        return [part]
    return [[one for one in part if one[1].spec in dict(some)] for some in digests]


def _brief(attempt: Attempt) -> Attempt:
    """Return what names an attempt, where the rest was told before."""
    return Attempt(attempt.build, attempt.number, attempt.agent, attempt.session, attempt.state)


class WorkersDesk:
    """Answers workers elsewhere, for the master in this process."""

    def __init__(self, replica: Replica, master: Master, mesh: Mesh) -> None:
        """Offer the calls of workers on the mesh."""
        self._replica = replica
        self._master = master
        self._mesh = mesh
        self._ports: dict[str, RemoteWorker] = {}
        handlers: dict[Call, Callable[[str, bytes], Awaitable[bytes]]] = {
            Call.HELD: self._held,
            Call.JOIN: self._join,
            Call.RECORD: self._record,
            Call.LEASE: self._lease,
        }
        for call, handler in handlers.items():
            mesh.handle(call, handler)

    async def _held(self, sender: str, _: bytes) -> bytes:
        self._check_leading()
        return pack(Attempts(self._master.held(sender), asked_of(self._replica, sender)))

    async def _join(self, sender: str, payload: bytes) -> bytes:
        self._check_leading()
        wish = unpack(payload, WorkerJoin)
        if wish.record.id != sender:
            raise NotAllowed(f"{sender} cannot join as {wish.record.id}; every agent speaks for itself")
        term = self._replica.term
        before = self._ports.pop(sender, None)
        if before is not None:
            before.close()
        port = RemoteWorker(sender, self._mesh, term, self._on_lost)
        over = await self._master.join(wish.record, wish.reports, wish.begun, port)
        self._ports[sender] = port
        return pack(Joined(term, over))

    async def _record(self, sender: str, payload: bytes) -> bytes:
        self._check_leading()
        await self._master.record(sender, unpack(payload, Report).attempts)
        return b""

    async def _lease(self, sender: str, payload: bytes) -> bytes:
        self._check_leading()
        lease = unpack(payload, Lease)
        joined = self._master.joined(sender, lease.session)
        if joined:
            self._master.warm(sender, frozenset(lease.warm[:MAX_WARM]))
        return pack(Leased(self._replica.term, joined, asked_of(self._replica, sender)))

    def _check_leading(self) -> None:
        if not self._replica.leading:
            raise NoMaster("this agent does not lead; ask the master")

    def _on_lost(self, agent: str, port: RemoteWorker) -> None:
        if self._ports.get(agent) is port:
            del self._ports[agent]
            self._master.leave(agent)
