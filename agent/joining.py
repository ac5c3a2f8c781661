"""Becoming a member: asks at the doors of a network to be let in, and writes down what comes of it.

With an invitation the key of the door is known and the secret opens it. Without one, what is known of the door is a
hint; the code that people compare is made of both keys. Nothing is written before a network has said welcome, and then
the directory belongs to it whole or not at all.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import zmq
import zmq.asyncio

from ..core import addresses, entering, tokens
from ..core.entering import Challenge, Enter, Knock, Refused, Reveal, Wait, Welcome
from ..core.errors import PeerError, Unavailable, Unreachable
from ..core.model import AgentRecord
from ..core.version import VERSION
from . import identity, pairing, roster
from .identity import Keys
from .paths import Paths
from .settings import Settings

CONNECT_S = 5.0
"""Seconds in which one of the doors' addresses must be reached."""

ANSWER_S = 20.0
"""Seconds for a door that was reached to answer: a master may have to be elected first."""

_T = TypeVar("_T", bound=entering.Reply)


def applicant(keys: Keys, settings: Settings) -> AgentRecord:
    """Return what this machine says of itself."""
    name = settings.agent_name()
    return AgentRecord(keys.id, name, version=VERSION, public=keys.public, votes=settings.voter != "never")


def belong(paths: Paths, welcome: Welcome) -> None:
    """Make the directory that of a member, as the network said. Raises StorageError."""
    identity.clear(paths)
    roster.save(paths, roster.RosterFile(welcome.roster, welcome.epoch, welcome.master))
    identity.belong(paths, welcome.network, welcome.network_name, epoch=welcome.epoch, member=welcome.member)


async def enter(keys: Keys, record: AgentRecord, invitation: tokens.Invitation) -> Welcome:
    """Enter with an invitation, by whichever of its doors answers. Raises OrchestraError with the remedy."""
    doors = list(invitation.doors)
    problem: Unavailable | None = None
    while doors:
        with _open(keys, doors) as ways:
            try:
                way = await _first(ways)
            except Unreachable as error:
                raise problem or error from None
            try:
                await way.say(Enter(invitation.secret, VERSION, record))
                return _welcome(_expect(await way.hear(ANSWER_S), Welcome), invitation.network)
            except Unavailable as error:  # this one cannot have it decided, another perhaps can
                problem = error
                doors = [one for one in doors if one.public != way.door.public]
    raise problem or Unreachable("the invitation names no door; ask for a new one: orchestra invite")


async def knock(
    keys: Keys, record: AgentRecord, network: str, door: tokens.Door, show: Callable[[str, float], None]
) -> Welcome:
    """Ask a network (its id) to be let in; `show(code, seconds)` is told what people have to type there.

    Raises OrchestraError with the remedy.
    """
    nonce = secrets.token_bytes(entering.NONCE_BYTES)
    with _open(keys, [door]) as ways:
        way = await _first(ways)
        await way.say(Knock(pairing.commitment(nonce), VERSION, record))
        challenge = _expect(await way.hear(ANSWER_S), Challenge)
        if len(challenge.nonce) != entering.NONCE_BYTES:
            raise _nonsense(challenge)
        await way.say(Reveal(nonce))
        waiting = _expect(await way.hear(ANSWER_S), Wait)
        show(pairing.code(network, door.public, keys.public, nonce, challenge.nonce), waiting.expires_s)
        return _welcome(_expect(await way.hear(waiting.expires_s + ANSWER_S), Welcome), network)


class _Way:
    """A connection to one address of a door."""

    def __init__(self, socket: zmq.asyncio.Socket, door: tokens.Door, place: str) -> None:
        self.door = door
        self.place = place
        self.socket = socket
        self._events = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        socket.connect(f"tcp://{place}")

    async def reached(self) -> None:
        """Return when the door has proven its key."""
        await self._events.recv_multipart()

    async def say(self, request: entering.Request) -> None:
        await self.socket.send(entering.encode(request))

    async def hear(self, timeout_s: float) -> entering.Reply:
        """Return what the door says next. Raises Unreachable where it says nothing, and what it refuses with."""
        if not await self.socket.poll(round(timeout_s * 1000)):
            message = f"the agent at {self.place} does not answer any more; run orchestra join again"
            raise Unreachable(message)
        found = entering.reply(await self.socket.recv())
        if isinstance(found, Refused):
            raise entering.raised(found)
        return found


@contextmanager
def _open(keys: Keys, doors: Sequence[tokens.Door]) -> Iterator[list[_Way]]:
    """Begin to connect to all addresses of these doors at once."""
    context = zmq.asyncio.Context()
    try:
        yield [_way(context, keys, door, place) for door in doors for place in door.addresses]
    finally:
        context.destroy(0)


def _way(context: zmq.asyncio.Context, keys: Keys, door: tokens.Door, place: str) -> _Way:
    host, port = addresses.split(place)
    socket = context.socket(zmq.DEALER)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.IPV6, 1)
    socket.set(zmq.MAXMSGSIZE, entering.MAX_REPLY)
    socket.set(zmq.CURVE_PUBLICKEY, keys.public.encode())
    socket.set(zmq.CURVE_SECRETKEY, keys.secret.encode())
    socket.set(zmq.CURVE_SERVERKEY, door.public.encode())
    return _Way(socket, door, addresses.join(host, port))


async def _first(ways: list[_Way]) -> _Way:
    """Return the way that leads to a door first. Raises Unreachable where none does."""
    reaching = {asyncio.ensure_future(way.reached()): way for way in ways}
    try:
        done, _ = await asyncio.wait(reaching, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.exception() is None:
                return reaching[task]
    finally:
        for task in reaching:
            task.cancel()
        await asyncio.gather(*reaching, return_exceptions=True)
    places = ", ".join(way.place for way in ways)
    message = (
        f"no agent of the network answers (tried {places}). Is one up there, and do both machines' firewalls let TCP "
        "pass? orchestra doctor on both says more. If addresses have changed, make a new invitation: orchestra invite"
    )
    raise Unreachable(message)


def _expect(found: entering.Reply, kind: type[_T]) -> _T:
    if not isinstance(found, kind):
        raise _nonsense(found)
    return found


def _welcome(found: Welcome, network: str) -> Welcome:
    """Return the welcome, provided it is that of the network that was asked."""
    if found.network != network:
        raise _nonsense(found)
    return found


def _nonsense(found: entering.Reply) -> PeerError:
    return PeerError(f"the network answered {type(found).__name__.lower()}, which makes no sense here; upgrade both")
