"""Who takes what comes in: handlers of calls and receivers of one-way messages, by name.

Whatever they raise ends here: an OrchestraError is the answer, anything else is a defect of ours, logged, and answered
as one. Refuses to know how messages travel, and who may send them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from ...core.errors import InvariantError, LimitReached, OrchestraError, PeerError
from .contract import NAME_LIMIT, PAYLOAD_LIMIT, RUNNING_LIMIT, Handler, Receiver, Watcher

log = logging.getLogger(__name__)

Answer: TypeAlias = Callable[[bytes | OrchestraError], None]
"""Takes the outcome of a call to where it is awaited."""


class Switchboard:
    """Handlers, receivers and watchers of one end of the mesh."""

    def __init__(self, counters: Counter[str]) -> None:
        """Begin with nobody who takes anything."""
        self._counters = counters
        self._handlers: dict[bytes, Handler] = {}
        self._receivers: dict[bytes, Receiver] = {}
        self._watchers: list[Watcher] = []
        self._running: Counter[str] = Counter()  # sender -> its calls that are being carried out
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, method: str, handler: Handler) -> None:
        """See Mesh."""
        self._handlers[encoded(method)] = handler

    def listen(self, topic: str, receiver: Receiver) -> None:
        """See Mesh."""
        self._receivers[encoded(topic)] = receiver

    def on_link(self, watcher: Watcher) -> None:
        """See Mesh."""
        self._watchers.append(watcher)

    def tell(self, agent: str, reachable: bool) -> None:  # noqa: FBT001 - as every Watcher
        """Tell the watchers soon of a member that came or went; never within what the mesh was asked for."""
        asyncio.get_running_loop().call_soon(self._tell, agent, reachable)

    def _tell(self, agent: str, reachable: bool) -> None:  # noqa: FBT001 - as every Watcher
        for watcher in self._watchers:
            try:
                watcher(agent, reachable)
            except Exception:
                log.exception("mesh.defect: a watcher failed at the news of agent %s", agent)

    def deliver(self, sender: str, topic: bytes, payload: bytes) -> None:
        """Hand over a one-way message; one that nobody listens for is counted."""
        receiver = self._receivers.get(topic)
        if receiver is None:
            self._counters["dropped.unknown"] += 1
            return
        try:
            receiver(sender, payload)
        except Exception:
            log.exception("mesh.defect: the receiver of %r failed at a message of agent %s", topic, sender)
            self._counters["failed"] += 1

    def begin(self, sender: str, method: bytes, payload: bytes, answer: Answer) -> None:
        """Carry out a call beside others; `answer` gets what comes of it."""
        if self._running[sender] >= RUNNING_LIMIT:
            self._counters["refused.busy"] += 1
            text = f"this agent carries out {RUNNING_LIMIT} calls of agent {sender} already; ask again when some ended"
            answer(LimitReached(text))
            return
        self._running[sender] += 1
        task = asyncio.get_running_loop().create_task(self._run(sender, method, payload, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End the calls that are being carried out; they get no answer."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, sender: str, method: bytes, payload: bytes, answer: Answer) -> None:
        try:
            answer(await self._outcome(sender, method, payload))
        finally:
            self._running[sender] -= 1
            if not self._running[sender]:
                del self._running[sender]

    async def _outcome(self, sender: str, method: bytes, payload: bytes) -> bytes | OrchestraError:
        handler = self._handlers.get(method)
        if handler is None:
            name = method.decode(errors="replace")
            return PeerError(f"this agent answers no calls of {name!r}; are both of the same version?")
        try:
            found = await handler(sender, payload)
        except OrchestraError as error:
            return error
        except Exception:
            log.exception("mesh.defect: %r failed at a call of agent %s", method, sender)
            self._counters["failed"] += 1
            return InvariantError(f"{method.decode()} failed by a defect of ours; the log of the agent asked says more")
        if len(found) > PAYLOAD_LIMIT:
            log.error("mesh.defect: %r answered %d bytes to agent %s", method, len(found), sender)
            self._counters["failed"] += 1
            text = f"the answer of {method.decode()} is larger than {PAYLOAD_LIMIT} bytes, by a defect of ours"
            return InvariantError(text)
        return found


def encoded(name: str) -> bytes:
    """Return the name of a method or topic as it is sent."""
    found = name.encode()
    if not 0 < len(found) <= NAME_LIMIT:
        message = f"{name!r} is no name for a method or topic; give 1 to {NAME_LIMIT} bytes"
        raise InvariantError(message)
    return found
