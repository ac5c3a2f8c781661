"""The door: where machines that are no members ask to become some. The only port that takes any key.

Everything about it is small: messages, how many are taken in a second, how many conversations are open. Keys are proven
by the connection; what a stranger says of itself is checked before anybody else sees it. Nothing is decided here: whom
to let in is asked of `enter` (entrance), and the answer is passed on.
"""

import asyncio
import hmac
import logging
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import zmq
from zmq.utils.monitor import parse_monitor_message

from ..core import entering, tokens
from ..core.bucket import Buckets
from ..core.entering import Challenge, Enter, Knock, Reveal, Wait, Welcome
from ..core.errors import LimitReached, NotAllowed, OrchestraError, PeerError
from ..core.messages import Entrant
from ..core.model import AgentRecord
from . import pairing
from .identity import Identity
from .mesh import sockets
from .mesh.admission import Admission
from .mesh.crowd import Crowd
from .mesh.reading import Reader
from .mesh.seldom import Seldom

log = logging.getLogger(__name__)

DOMAIN = "door"
"""The ZAP domain of the port."""

RATE = 20.0
"""Messages a second. Larger: a flood costs us more; smaller: it keeps others from joining sooner."""

RATE_EACH = 5.0
"""Messages a second from one address."""

CONVERSATIONS = 32
"""Conversations at a time; beyond, the oldest is forgotten."""

Enterer: TypeAlias = Callable[[Entrant], Awaitable[Welcome]]
"""Has the network decide on somebody. Raises OrchestraError, which the machine at the door is told."""


@dataclass(frozen=True)
class _Knocked:
    """Somebody without an invitation, who has committed itself to a nonce."""

    commitment: bytes
    nonce: bytes  # our own
    record: AgentRecord
    address: str


class Door:
    """One agent's door."""

    def __init__(self, identity: Identity, *, host: str, port: int = 0) -> None:
        """Listen at once, at any port for 0; `run` answers. Raises Conflict when the port is taken."""
        self.counters: Counter[str] = Counter()
        self._identity = identity
        self._enter: Enterer = _nobody
        self._rate = Buckets(RATE, RATE_EACH)
        self._seldom = Seldom()
        self._knocked: OrderedDict[bytes, _Knocked] = OrderedDict()  # by routing id
        self._talks: OrderedDict[bytes, asyncio.Task[None]] = OrderedDict()  # by routing id
        self._context = sockets.context()
        try:
            self._admission = Admission(self._context, lambda _: True, DOMAIN)
            keys = sockets.Keys(identity.public, identity.secret)
            self._router = sockets.listener(self._context, keys, DOMAIN, entering.MAX_REQUEST)
            self._monitor = sockets.monitor(self._context, self._router, sockets.ARRIVALS)
            self.port = sockets.bind(self._router, host, port)
        except BaseException:
            self._context.destroy(0)
            raise
        self._crowd = Crowd(self.port)
        self._reader = Reader(self._router, self._take)
        self._watcher = Reader(self._monitor, self._watch)

    def connect(self, enter: Enterer) -> None:
        """Have `enter` decide on those who come from now on."""
        self._enter = enter

    async def run(self) -> None:
        """Answer until cancelled."""
        self._reader.start()
        self._watcher.start()
        await self._admission.run()

    def close(self) -> None:
        """Give up the port; conversations end."""
        for task in self._talks.values():
            task.cancel()
        self._reader.stop()
        self._watcher.stop()
        sockets.close(self._router, self._monitor)
        self._admission.stop()
        self._context.destroy(0)

    # -- what comes

    def _watch(self) -> None:
        told = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))
        if told["event"] == zmq.EVENT_ACCEPTED:
            if self._crowd.on_accepted(int(told["value"])):
                self.counters["crowded"] += 1
        else:
            self._crowd.on_closed(int(told["value"]))

    def _take(self) -> None:
        """Take one message of whoever is at the door."""
        routing = self._router.recv(zmq.NOBLOCK, copy=False).bytes
        body = self._router.recv(zmq.NOBLOCK, copy=False)
        while self._router.get(zmq.RCVMORE):
            self._router.recv(zmq.NOBLOCK)
        public, address = str(body.get("User-Id")), str(body.get("Peer-Address"))
        try:
            if not self._rate.take(address, time.monotonic()):
                raise LimitReached("too much is asked at this door; try again in a minute")
            self._on_request(routing, public, address, entering.request(body.bytes))
        except PeerError as problem:
            self.counters["malformed"] += 1
            if self._seldom("malformed", time.monotonic()):
                log.warning("door.malformed: %s said nonsense: %s (told once a minute)", address, problem)
        except OrchestraError as problem:
            self.counters["refused"] += 1
            self._say(routing, entering.refusal(problem))

    def _on_request(self, routing: bytes, public: str, address: str, request: entering.Request) -> None:
        if isinstance(request, Reveal):
            known = self._knocked.pop(routing, None)
            if known is None or not hmac.compare_digest(known.commitment, pairing.commitment(request.nonce)):
                raise NotAllowed("this is not how one knocks; run orchestra join again, and upgrade both machines")
            me = self._identity
            code = pairing.code(me.network, me.public, public, request.nonce, known.nonce)
            self._say(routing, Wait(pairing.EXPIRES_S))
            self._begin(routing, self._decide(routing, Entrant(known.record, code=code, address=known.address)))
            return
        entering.check_version(request.version)
        record = entering.applicant(request.record, public)
        if isinstance(request, Enter):
            entrant = Entrant(record, invite=tokens.digest(request.secret), address=address)
            self._begin(routing, self._decide(routing, entrant))
            return
        self._knock(routing, request, record, address)

    def _knock(self, routing: bytes, knock: Knock, record: AgentRecord, address: str) -> None:
        nonce = secrets.token_bytes(entering.NONCE_BYTES)
        self._knocked[routing] = _Knocked(knock.commitment, nonce, record, address)
        while len(self._knocked) > CONVERSATIONS:
            self._knocked.popitem(last=False)
        self._say(routing, Challenge(nonce))

    def _begin(self, routing: bytes, talk: Coroutine[Any, Any, None]) -> None:
        """Go on in a task of its own; what the same one asked before is over."""
        task = asyncio.get_running_loop().create_task(talk)
        before = self._talks.pop(routing, None)
        if before is None and len(self._talks) >= CONVERSATIONS:
            _, before = self._talks.popitem(last=False)
        if before is not None:
            before.cancel()
        self._talks[routing] = task

    async def _decide(self, routing: bytes, entrant: Entrant) -> None:
        try:
            found = await self._enter(entrant)
        except OrchestraError as problem:
            self.counters["refused"] += 1
            log.info("door.refused: %s (%s) from %s: %s", *_who(entrant), problem)
            self._say(routing, entering.refusal(problem))
        else:
            self.counters["admitted"] += 1
            log.info("door.admitted: %s (%s) from %s", *_who(entrant))
            self._say(routing, found)
        finally:
            if self._talks.get(routing) is asyncio.current_task():
                del self._talks[routing]

    def _say(self, routing: bytes, reply: entering.Reply) -> None:
        with suppress(zmq.ZMQError):  # whoever asked is gone
            self._router.send_multipart([routing, entering.encode(reply)], zmq.NOBLOCK)
        self._reader.kick()


async def _nobody(_: Entrant) -> Welcome:
    message = "this agent is not ready yet; try again in a moment"
    raise LimitReached(message)


def _who(entrant: Entrant) -> tuple[str, str, str]:
    return entrant.record.name, entrant.record.id, entrant.address
