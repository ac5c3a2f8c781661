"""The scripting socket: JSON-RPC 2.0 over a ZeroMQ ROUTER on ipc. Any REQ or DEALER client in any language works.

Every request gets exactly one answer, in its own time: a long wait does not hold up the others. The socket's directory
is the user's own (0700), which is what admits a client. Refuses to know what the methods do (service).
"""

import asyncio
import logging
import os
import socket as sockets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import zmq
import zmq.asyncio

from ..core import wire
from ..core.api.events import EVENT_KINDS, Subscribe, Subscribed
from ..core.api.table import METHODS
from ..core.errors import Code, Conflict, InvalidInput, OrchestraError
from ..core.instants import stamp
from ..core.ledger import Changes
from ..core.model import Pin
from ..core.nearest import nearest
from ..core.views.builds import build_summary
from ..core.views.jobs import job_view
from ..core.views.pins import pin_view
from ..core.views.pipelines import pipeline_summary
from ..core.views.tasks import task_view
from .relay import Event, Relay
from .routing import Router

log = logging.getLogger(__name__)

MAX_SUBSCRIBERS = 1_000
"""Clients that may follow events at a time."""

SEND_QUEUE = 100_000
"""Messages queued for one client. Larger: more patience with slow ones, more memory; a full queue ends its events."""

FRAME_LIMIT = 64 << 20
"""Bytes at which libzmq itself cuts a client off; up to here it gets an answer that says what the limit is."""


class Subscription(msgspec.Struct):
    """What one client wants to hear of."""

    envelope: list[bytes]  # routing id, and the empty frame where the client sends one
    kinds: frozenset[str]  # empty: all
    builds: frozenset[str]  # empty: all


class ScriptingSocket:
    """Carries requests to the service and answers back."""

    def __init__(self, path: Path, router: Router, relay: Relay, pins: Callable[[], Mapping[str, Pin]] = dict) -> None:
        """Bind at once. Raises Conflict when another agent answers there; a socket that nobody serves is replaced.

        `pins` returns which builds are pinned, by id.
        """
        self._pins = pins
        self.path = path
        self.counters: Counter[str] = Counter()
        self._router = router
        self._relay = relay
        relay.connect(lambda: bool(self._subscriptions), self._pass_on)
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.ROUTER_MANDATORY, 1)
        self._socket.set(zmq.SNDHWM, SEND_QUEUE)
        self._socket.set(zmq.MAXMSGSIZE, FRAME_LIMIT)
        self._subscriptions: dict[bytes, Subscription] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        remove_stale(path)
        self._socket.bind(f"ipc://{path}")
        path.chmod(0o600)

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            frames: list[bytes] = await self._socket.recv_multipart()
            task = asyncio.get_running_loop().create_task(self._serve(frames))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give outstanding answers a moment, then end."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for task in self._tasks:
            task.cancel()
        self._socket.close()
        self._context.term()
        self.path.unlink(missing_ok=True)

    async def _serve(self, frames: list[bytes]) -> None:
        envelope, body = frames[:-1], frames[-1]
        message = wire.parse(body)
        if message.batch:
            calls = (self._answer(one, envelope) for one in message.requests)
            answers = [one for one in await asyncio.gather(*calls) if one is not None]
        else:
            answer = await self._answer(message.requests[0], envelope)
            answers = [] if answer is None else [answer]
        reply = wire.encode(answers, batch=message.batch)
        if reply or len(envelope) > 1:  # a REQ client can only go on after a reply, even to a notification
            await self._send([*envelope, reply])

    async def _answer(self, request: wire.Request | wire.Malformed, envelope: list[bytes]) -> dict[str, Any] | None:
        if isinstance(request, wire.Malformed):
            self.counters["malformed"] += 1
            return wire.failure(request, request.error)
        try:
            answer = wire.result(request, await self._call(request, envelope))
        except OrchestraError as error:
            answer = wire.failure(request, wire.error_of(error))
        except Exception:
            log.exception("scripting.defect: %s failed", request.method)
            text = (
                f"{request.method} failed by a defect of ours; the agent's log says more (orchestra doctor shows where)"
            )
            answer = wire.failure(request, wire.error(Code.INTERNAL, text, "internal"))
        return None if request.notification else answer

    async def _call(self, request: wire.Request, envelope: list[bytes]) -> msgspec.Struct | msgspec.Raw:
        method = METHODS.get(request.method)
        if method is None:
            guess = nearest(request.method, METHODS)
            hint = f"did you mean {guess}?" if guess else "docs/scripting.md lists them"
            message = f"unknown method {request.method[:80]!r}; {hint}"
            raise UnknownMethod(message)
        if method.params is Subscribe:
            found = self._subscribe(request, envelope)
            await self._relay.subscribed()
            return found
        return await self._router.answer(method, request.params)

    # -- events

    def _subscribe(self, request: wire.Request, envelope: list[bytes]) -> Subscribed:
        try:
            wanted = msgspec.json.decode(request.params, type=Subscribe)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            message = f"wrong parameters for events.subscribe: {problem}; it takes: kinds, builds"
            raise InvalidInput(message) from None
        unknown = set(wanted.kinds) - EVENT_KINDS
        if unknown:
            message = f"unknown kind {min(unknown)!r}; there are: {', '.join(sorted(EVENT_KINDS))}"
            raise InvalidInput(message)
        if len(envelope) > 1:  # a REQ client would take the first event for the answer to its next request
            raise InvalidInput("events cannot be sent to a REQ socket; subscribe with a DEALER socket")
        if len(self._subscriptions) >= MAX_SUBSCRIBERS and envelope[0] not in self._subscriptions:
            message = f"{MAX_SUBSCRIBERS} clients follow events already; end some first"
            raise Conflict(message)
        self._subscriptions[envelope[0]] = Subscription(envelope, frozenset(wanted.kinds), frozenset(wanted.builds))
        return Subscribed(subscribed=True)

    def on_changes(self, changes: Changes) -> None:
        """Tell subscribers, here and at agents that asked for it, what happened."""
        if not self._subscriptions and not self._relay.followed:
            return
        events: list[Event] = []
        events += [
            ("build", one.id, {"build": build_summary(one, self._pins().get(one.id))})
            for one in changes.builds.values()
        ]
        events += [("pipeline", "", {"pipeline": pipeline_summary(one)}) for one in changes.pipelines.values()]
        events += [("task", "", {"task": task_view(one)}) for one in changes.tasks.values()]
        events += [("job", "", {"job": job_view(one)}) for one in changes.jobs.values()]
        events += [("agent", "", {"agent": {"id": one.id, "name": one.name}}) for one in changes.agents.values()]
        schedules = (*changes.schedules.values(), *changes.removed_schedules.values())
        events += [("schedule", "", {"schedule": {"project": one.project, "name": one.name}}) for one in schedules]
        events += [("pin", one.build, {"pin": pin_view(one), "pinned": True}) for one in changes.pins.values()]
        gone = changes.removed_pins.values()
        events += [("pin", one.build, {"pin": pin_view(one), "pinned": False}) for one in gone]
        self._relay.tell(events)
        self._pass_on(events)

    def _pass_on(self, events: Sequence[Event]) -> None:
        """Tell the subscribers of this agent."""
        at = stamp(time.time_ns() // 1_000_000)
        for subscription in list(self._subscriptions.values()):
            for kind, build, payload in events:
                if subscription.kinds and kind not in subscription.kinds:
                    continue
                if subscription.builds and build not in subscription.builds:
                    continue
                self._send_later([*subscription.envelope, wire.event({"kind": kind, "at": at, **payload})])

    def _send_later(self, frames: list[bytes]) -> None:
        task = asyncio.get_running_loop().create_task(self._send(frames))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, frames: list[bytes]) -> None:
        try:
            await self._socket.send_multipart(frames, flags=zmq.NOBLOCK)
        except zmq.ZMQError as error:
            # gone (EHOSTUNREACH), or so slow that its queue is full (EAGAIN): it will not hear of further events
            self.counters["gone" if error.errno == zmq.EHOSTUNREACH else "slow"] += 1
            self._subscriptions.pop(frames[0], None)


class UnknownMethod(InvalidInput):
    """No such method."""

    code = Code.METHOD
    kind = "unknown-method"


def remove_stale(path: Path) -> None:
    """Remove a socket file that nobody listens at. Raises Conflict when somebody does."""
    if not path.exists():
        return
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    message = f"another process answers at {path}; is an agent with this data directory running? (orchestra status)"
    raise Conflict(message)
