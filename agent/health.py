"""How this agent sees the others: whether they answer, how fast, with which version, and what their clocks say."""

import asyncio
import time

from ..core.api.network import Link, Links
from ..core.errors import OrchestraError
from ..core.messages import Call, Moment, pack, unpack
from ..core.model import AgentRecord
from ..core.version import VERSION
from .peers import Peers
from .wires import Wires

PROBE_S = 2.0
"""Seconds for another agent to answer."""

MAX_PROBES = 64
"""Agents that are asked for one report; those longest silent come last."""


class Health:
    """Asks the others, when somebody wants to know."""

    def __init__(self, peers: Peers, wires: Wires) -> None:
        """Answer the others, too."""
        self._peers = peers
        self._wires = wires
        self._mesh = mesh = wires.mesh
        mesh.handle(Call.TIME, self._on_time)

    async def report(self) -> Links:
        """Return what can be said of each other member, and of what this agent sent and dropped."""
        others = [one for one in self._peers.records.values() if one.id != self._mesh.id]
        others.sort(key=lambda one: self._mesh.silence(one.id))
        links = await asyncio.gather(*(self._probe(one) for one in others[:MAX_PROBES]))
        lan = self._wires.on_lan()
        return Links(
            links=list(links),
            counters=dict(sorted(self._mesh.counters.items())),
            addresses=list(self._mesh.addresses),
            ports={"bulk": self._wires.bulk.port, "door": self._wires.door_port},
            announced=lan.announced,
            speaking=list(lan.speaking),
            seen=list(lan.seen),
        )

    async def _probe(self, record: AgentRecord) -> Link:
        silence = self._mesh.silence(record.id)
        link = Link(
            id=record.id,
            name=record.name,
            addresses=list(record.addresses),
            version=record.version,
            reachable=False,
            silence=None if silence == float("inf") else round(silence, 3),
            ports={"bulk": record.bulk, "door": record.door},
            rejects=record.id in self._mesh.rejecting(),
        )
        began, before = time.perf_counter(), time.time()
        try:
            moment = unpack(await self._mesh.call(record.id, Call.TIME, b"", PROBE_S), Moment)
        except OrchestraError:
            return link
        took = time.perf_counter() - began
        skew = moment.at / 1000 - (before + took / 2)
        return Link(
            **{
                **{name: getattr(link, name) for name in link.__struct_fields__},
                "reachable": True,
                "version": moment.version,
                "round_trip": round(took, 6),
                "skew": round(skew, 3),
            }
        )

    async def _on_time(self, _: str, __: bytes) -> bytes:
        return pack(Moment(time.time_ns() // 1_000_000, VERSION))
