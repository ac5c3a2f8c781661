"""Consensus messages over the mesh: see agreement.Transport.

A message that is too large for one frame goes in parts, which the link keeps in order. Refuses to know what messages
mean; that each comes from the member it names is checked, for the mesh proves who sent it.
"""

import itertools
import struct
from collections.abc import Sequence

import msgspec

from ..core.consensus import Member, Message
from ..core.consensus.messages import encode_message
from ..core.messages import PART_BYTES, RAFT
from .mesh.contract import Mesh
from .peers import Peers
from .replica import RaftReplica

_HEAD = struct.Struct("!IHH")  # number of the message, place of this part, count of parts
_decode = msgspec.msgpack.Decoder(list[Message]).decode
MAX_PARTS = 1_000
"""Parts of one message, at most."""


class MeshTransport:
    """The way to the other members."""

    def __init__(self, mesh: Mesh) -> None:
        """Send over `mesh`, once `connect` told who is who."""
        self._mesh = mesh
        self._peers: Peers | None = None
        self._replica: RaftReplica | None = None
        self._numbers = itertools.count()
        self._parts: dict[str, tuple[int, list[bytes]]] = {}  # agent id -> number of the message, its parts so far
        mesh.listen(RAFT, self._on_message)

    def connect(self, peers: Peers, replica: RaftReplica) -> None:
        """Find agents through `peers`; give what arrives to `replica`."""
        self._peers, self._replica = peers, replica

    def send(self, messages: Sequence[Message]) -> None:
        """See agreement.Transport."""
        by_member: dict[Member, list[Message]] = {}
        for message in messages:
            by_member.setdefault(message.to, []).append(message)
        for member, some in by_member.items():
            agent = self._peers.agent_of(member) if self._peers else ""
            if not (agent and self._send(agent, some)) and self._replica is not None:
                self._replica.unreachable(member)

    def _send(self, agent: str, messages: list[Message]) -> bool:
        body = b"".join((msgpack_array(len(messages)), *map(encode_message, messages)))
        number = next(self._numbers) & 0xFFFFFFFF
        count = -(-len(body) // PART_BYTES)
        if count > MAX_PARTS:
            self._mesh.counters["dropped.large"] += 1
            return False
        sent = True
        for place in range(count):
            part = body if count == 1 else body[place * PART_BYTES : (place + 1) * PART_BYTES]
            sent = sent and self._mesh.send(agent, RAFT, _HEAD.pack(number, place, count) + part)
        return sent

    def _on_message(self, sender: str, payload: bytes) -> None:
        body = self._whole(sender, payload)
        if body is None or self._replica is None or self._peers is None:
            return
        try:
            messages = _decode(body)
        except msgspec.DecodeError:
            self._mesh.counters["dropped.malformed"] += 1
            return
        for message in messages:
            if self._peers.agent_of(message.sender) == sender:
                self._replica.receive(message)
            else:
                self._mesh.counters["dropped.foreign"] += 1

    def _whole(self, sender: str, payload: bytes) -> bytes | None:
        """Return a message once its last part is here."""
        if len(payload) < _HEAD.size:
            self._mesh.counters["dropped.malformed"] += 1
            return None
        number, place, count = _HEAD.unpack_from(payload)
        part = payload[_HEAD.size :]
        if count == 1:
            return part
        known, parts = self._parts.get(sender, (-1, []))
        if place == 0:
            known, parts = number, []
        if known != number or place != len(parts) or count > MAX_PARTS:
            self._parts.pop(sender, None)  # a part was lost; consensus sends it all again
            self._mesh.counters["dropped.incomplete"] += 1
            return None
        self._parts[sender] = (number, [*parts, part])
        if place + 1 < count:
            return None
        return b"".join(self._parts.pop(sender)[1])


def msgpack_array(count: int) -> bytes:
    """Return the beginning of a msgpack array of `count` items."""
    return bytes((0x90 | count,)) if count < 16 else b"\xdc" + count.to_bytes(2, "big")  # noqa: PLR2004 - msgpack
