"""Where a client's request is answered: here, at the master, or at another agent that holds the history.

A client may speak to any agent. What changes something goes to the master, wherever that is, and is tried again when
another one is elected meanwhile; what only looks is answered here where this agent holds a copy. Refuses to know what
the methods do (service).
"""

import asyncio
import itertools
import logging
import secrets
from typing import Any

import msgspec

from ..core.api.builds import BuildsWait
from ..core.api.method import Method, Params, Permission
from ..core.api.table import METHODS
from ..core.errors import (
    InvariantError,
    LimitReached,
    NoMaster,
    NotFound,
    NotLeading,
    OrchestraError,
    TimedOut,
    Unreachable,
)
from ..core.messages import PART_BYTES, Answer, Call, ClientCall, Index, More, pack, unpack
from .agreement import Replica
from .mesh.contract import Mesh
from .peers import PATIENCE_S, Peers
from .service import Service

log = logging.getLogger(__name__)

HERE = frozenset(
    {
        *("network.status", "agent.stop", "agent.leave", "events.subscribe", "network.digest", "network.links"),
        *("builds.input", "builds.resize", "artifacts.fetch"),
        *("caches.list", "caches.remove", "caches.bring"),
    }
)
"""Methods that are about the asked agent itself, or which it passes on by itself."""

QUEUE = frozenset({"builds.explain"})
"""Methods about the queue, which only the master has."""

ANSWER_S = 30.0
"""Seconds for another agent to answer what needs no waiting of its own."""

SLICE_S = 20.0
"""Seconds of a long wait at another agent, before it is asked again."""

CAUGHT_UP_S = 2.0
"""Seconds to wait until this agent's copy shows what the master just decided."""

MAX_RESTS = 64
"""Answers that may lie here, too long for one message, until they are fetched whole."""


class Router:
    """Finds who answers."""

    def __init__(self, requester: str, replica: Replica, peers: Peers, mesh: Mesh, service: Service) -> None:
        """Answer through `service` where that is possible; `requester` is who this agent's own clients are."""
        self._requester = requester
        self._replica = replica
        self._peers = peers
        self._mesh = mesh
        self._service = service
        self._rests: dict[int, bytes] = {}
        self._numbers = itertools.count(1)
        mesh.handle(Call.CLIENT, self._on_client)
        mesh.handle(Call.INDEX, self._on_index)
        mesh.handle(Call.MORE, self._on_more)

    async def answer(self, method: Method, params: msgspec.Raw) -> msgspec.Struct | msgspec.Raw:
        """Answer one request of a client of this agent; raises OrchestraError for whatever is wrong with it."""
        if method.name in HERE:
            return await self._service.answer(method, params, self._requester)
        if method.permission is Permission.READ:
            if method.name in QUEUE and (found := await self._look_at_master(method, bytes(params))) is not None:
                return found
            if self._peers.holds_copy:
                return await self._look_here(method, params)
            return await self._look_elsewhere(method, bytes(params))
        await self._service.prepare(method, params)
        return await self._change(method, params)

    async def ask(self, method: str, params: Params) -> msgspec.Struct | msgspec.Raw:
        """Make a request as this agent's own client; raises as `answer`."""
        return await self.answer(METHODS[method], msgspec.Raw(msgspec.json.encode(params)))

    # -- what changes something

    async def _change(self, method: Method, params: msgspec.Raw) -> msgspec.Struct | msgspec.Raw:
        """Have the master decide, and decide again if it is deposed on the way, where that is safe."""
        params, safe = _repeatable(method, params)
        deadline = asyncio.get_running_loop().time() + 2 * PATIENCE_S
        while True:
            master = await self._peers.wait_master()
            try:
                if master == self._mesh.id:
                    return await self._service.answer(method, params, self._requester)
                asking = self._ask_master(master, method, bytes(params))
                # what cannot be repeated is better answered late than not known to be done
                return await (self._peers.unless_succeeded(master, asking) if safe else asking)
            except (NoMaster, Unreachable) as error:
                over = asyncio.get_running_loop().time() >= deadline
                if over or (not safe and not _undone(error)):
                    raise NoMaster(_told(error, safe=safe)) from None
                log.info("routing.again: %s: %s", method.name, error)
            await self._peers.wait_other(master, 0.3)

    async def _ask_master(self, master: str, method: Method, params: bytes) -> msgspec.Raw:
        answer = await self._ask(master, method, params, ANSWER_S)
        await self._reach(answer.index)
        return msgspec.Raw(answer.body)

    async def _reach(self, index: int) -> None:
        """Wait a moment until this agent's own copy shows what was decided: who asks next should see it."""
        if not self._peers.holds_copy:
            return
        try:
            async with asyncio.timeout(CAUGHT_UP_S):
                await self._service.reached(index)
        except TimeoutError:
            log.info("routing.behind: this copy is behind entry %d", index)

    # -- what only looks

    async def _look_here(self, method: Method, params: msgspec.Raw) -> msgspec.Struct:
        """Answer from this agent's copy. What is not there may just have been accepted at another agent: look again."""
        try:
            return await self._service.answer(method, params, self._requester)
        except NotFound:
            if self._replica.leading:
                raise
            await self._catch_up()
            return await self._service.answer(method, params, self._requester)

    async def _look_at_master(self, method: Method, params: bytes) -> msgspec.Raw | None:
        """Ask the master, where it is another agent; None: it cannot be asked, or is this one."""
        master = self._peers.master
        if not master or master == self._mesh.id:
            return None
        try:
            return msgspec.Raw((await self._ask(master, method, params, ANSWER_S)).body)
        except (NoMaster, Unreachable) as error:
            log.info("routing.no-queue: %s", error)
            return None

    async def _catch_up(self) -> None:
        """Bring this agent's copy to where the master's ledger is, if that is possible."""
        try:
            master = await self._peers.wait_master(CAUGHT_UP_S)
            if master != self._mesh.id:
                await self._reach(unpack(await self._mesh.call(master, Call.INDEX, b"", CAUGHT_UP_S), Index).index)
        except OrchestraError as error:
            log.info("routing.not-caught-up: %s", error)

    async def _look_elsewhere(self, method: Method, params: bytes) -> msgspec.Raw:
        """Ask somebody who holds the history: the master, or else any."""
        if method.name == "builds.wait":
            return await self._wait_elsewhere(method, params)
        wait = msgspec.json.decode(params, type=dict[str, Any]).get("wait") if method.name == "builds.log" else 0
        timeout = ANSWER_S + (wait if isinstance(wait, int | float) else 0)
        problem: OrchestraError = NoMaster(self._peers.why_none())
        for agent in self._holders():
            try:
                return msgspec.Raw((await self._ask(agent, method, params, timeout)).body)
            except Unreachable as error:
                problem = error
        raise problem

    def _holders(self) -> list[str]:
        holders = [one.id for one in self._peers.replicas() if one.id != self._mesh.id]
        return sorted(holders, key=lambda one: (one != self._peers.master, self._mesh.silence(one)))

    async def _wait_elsewhere(self, method: Method, params: bytes) -> msgspec.Raw:
        wish = msgspec.json.decode(params, type=BuildsWait)
        left = float("inf") if wish.timeout is None else wish.timeout
        problem: OrchestraError = NoMaster(self._peers.why_none())
        while True:
            part = min(left, SLICE_S)
            left -= part
            body = msgspec.json.encode(msgspec.structs.replace(wish, timeout=part))
            for agent in self._holders():
                try:
                    return msgspec.Raw((await self._ask(agent, method, body, part + ANSWER_S)).body)
                except TimedOut as error:
                    if left <= 0:
                        raise
                    problem = error
                    break
                except Unreachable as error:
                    problem = error
            else:
                raise problem

    # -- between agents

    async def _ask(self, agent: str, method: Method, params: bytes, timeout_s: float) -> Answer:
        """Ask one agent; its answer, however long, is whole on return."""
        if len(params) > PART_BYTES:
            message = (
                f"the request has {len(params)} bytes; an agent passes on at most {PART_BYTES}. Split it, or make it "
                f"at {self._peers.name_of(agent)} itself"
            )
            raise LimitReached(message)
        call = pack(ClientCall(method.name, params, self._requester))
        answer = unpack(await self._mesh.call(agent, Call.CLIENT, call, timeout_s), Answer)
        body = answer.body
        while answer.more and (part := await self._mesh.call(agent, Call.MORE, pack(More(answer.more, len(body))))):
            body += part
        return Answer(body, answer.index)

    async def _on_client(self, _: str, payload: bytes) -> bytes:
        call = unpack(payload, ClientCall)
        method = METHODS.get(call.method)
        if method is None or method.name in HERE:
            raise InvariantError(f"{call.method} cannot be passed on; both agents should have one version")
        if method.permission is not Permission.READ and not self._replica.leading:
            raise NotLeading("this agent does not lead; ask the master")
        if not self._peers.holds_copy:
            raise Unreachable(f"{self._mesh.id} holds no copy of the history")
        found = await self._service.answer(method, msgspec.Raw(call.params), call.requester)
        body = msgspec.json.encode(found)
        if len(body) <= PART_BYTES:
            return pack(Answer(body, self._replica.ledger.index))
        number = next(self._numbers)
        self._rests[number] = body
        while len(self._rests) > MAX_RESTS:
            del self._rests[next(iter(self._rests))]
        return pack(Answer(body[:PART_BYTES], self._replica.ledger.index, number))

    async def _on_index(self, _: str, __: bytes) -> bytes:
        return pack(Index(self._replica.ledger.index))

    async def _on_more(self, _: str, payload: bytes) -> bytes:
        wish = unpack(payload, More)
        body = self._rests.get(wish.id)
        if body is None:
            raise Unreachable("the rest of that answer is no longer kept; ask again")
        part = body[wish.offset : wish.offset + PART_BYTES]
        if wish.offset + len(part) >= len(body):
            del self._rests[wish.id]
        return part


def _undone(error: OrchestraError) -> bool:
    """Whether it is certain that nothing came of a request."""
    return isinstance(error, NotLeading)


def _told(error: OrchestraError, *, safe: bool) -> str:
    return str(error) if safe else f"{error}. It is not known whether it was done; look before you try again"


def _repeatable(method: Method, params: msgspec.Raw) -> tuple[msgspec.Raw, bool]:
    """Return parameters with which a request may be made twice, and whether it may: a submission gets a request id."""
    if method.name in {"jobs.apply", "secrets.set", "schedules.set"}:
        return params, True
    if method.name not in {"builds.submit", "schedules.fire"}:
        return params, False
    try:
        given = msgspec.json.decode(params, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return params, False  # whoever decides says what is wrong with them
    if bytes(given.get("request", b"null")) in {b"null", b'""'}:
        given["request"] = msgspec.Raw(msgspec.json.encode(secrets.token_hex(12)))
        params = msgspec.Raw(msgspec.json.encode(given))
    return params, True
