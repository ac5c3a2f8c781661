"""What the mesh promises: one-way messages and calls between members, each with a sender that is proven.

Nothing here is durable: a message that was sent may be lost, and a call that got no answer may have been carried out.
What arrives between two members over one link arrives in the order in which it was sent. Refuses to know what messages
mean, and who ought to be a member: that is told by `know`.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

import msgspec

PAYLOAD_LIMIT = 1 << 20
"""Bytes of one message. What is larger goes over the bulk port; it would hold up heartbeats here."""

UNANSWERED_LIMIT = 1_000
"""Calls to one member that may wait for an answer. Larger: more memory when it is slow."""

RUNNING_LIMIT = 256
"""Calls of one member that are carried out at a time; further ones are refused. Smaller: a fairer share for others."""

HINT_LIMIT = 8
"""Places remembered for one agent besides those in its contact. Larger: a flood of wrong ones delays the right one."""

NAME_LIMIT = 64
"""Bytes in the name of a method or topic."""

SILENCE_S = 5.0
"""Seconds without a sign after which a link is dead. Smaller: found sooner, and a busy machine is taken for dead."""


class Contact(msgspec.Struct, frozen=True):
    """A member, as the mesh needs it."""

    id: str  # agent id
    public: str  # CURVE public key, Z85; what it must prove
    addresses: tuple[str, ...] = ()  # "host:port" of its control listener, most promising first
    keep: bool = True  # hold an outgoing link to it; False: only use the link that it makes to us


Handler: TypeAlias = Callable[[str, bytes], Awaitable[bytes]]
"""Takes the sender's agent id, as proven, and the payload; returns the answer, or raises an OrchestraError for it."""

Receiver: TypeAlias = Callable[[str, bytes], None]
"""Takes the sender's agent id, as proven, and the payload of a one-way message. Must not wait."""

Watcher: TypeAlias = Callable[[str, bool], None]
"""Told that a member can be reached (True) or was lost (False), in a turn of the event loop of its own."""


class Mesh(Protocol):
    """One agent's end of the mesh. All methods belong to its event loop."""

    id: str  # agent id of this end
    addresses: tuple[str, ...]  # "host:port" where it listens, for others; told to every member it meets
    counters: Counter[str]  # what was sent, received and, by reason, dropped

    def handle(self, method: str, handler: Handler) -> None:
        """Answer calls of `method` by `handler`; each call is a task of its own."""
        ...

    def listen(self, topic: str, receiver: Receiver) -> None:
        """Give one-way messages of `topic` to `receiver`, in the order in which they come."""
        ...

    def on_link(self, watcher: Watcher) -> None:
        """Tell `watcher` of every member that becomes reachable or is lost."""
        ...

    def know(self, contacts: Iterable[Contact]) -> None:
        """Replace the table of members: who may speak, and where they may be.

        A member that is no longer in it is cut off at once: its link is closed, and what it sends is dropped.
        """
        ...

    def hint(self, agent: str, addresses: Sequence[str]) -> None:
        """Remember further places where an agent may be found. This authorises nobody."""
        ...

    def send(self, to: str, topic: str, payload: bytes) -> bool:
        """Send a one-way message, without waiting. False, and counted, when it could not be queued."""
        ...

    async def call(self, to: str, method: str, payload: bytes, timeout_s: float = 5.0) -> bytes:
        """Return what the member's handler answers, or raise the OrchestraError that it raised.

        Raises Unreachable when there is no link, when the link dies, or when the time is over; LimitReached when too
        many calls wait for that member already; InvalidInput when the payload is too large.
        """
        ...

    def silence(self, agent: str) -> float:
        """Return the seconds since anything came from a member; infinity if nothing ever did."""
        ...

    def rejecting(self) -> set[str]:
        """Return the members that do not take this agent for one: they refuse its key, or are in a later epoch."""
        ...

    async def run(self) -> None:
        """Carry messages until `close`, or until cancelled."""
        ...

    async def close(self) -> None:
        """Drop all links, end what waits for an answer, and give up the listener."""
        ...
