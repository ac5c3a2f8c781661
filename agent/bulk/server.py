"""The serving side of the bulk path: members ask for ranges of files, and get them in turn.

Lives in a thread of its own with an event loop of its own. Flow control is explicit: a member has so many bytes on
their way and no more (turns), and bytes count as on their way until libzmq has let go of them. A ROUTER at its
high-water mark would drop what it cannot queue without a word; it never gets there.
"""

import asyncio
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

import msgspec
import zmq
from zmq.utils.monitor import parse_monitor_message

from ...core.errors import OrchestraError
from ..mesh import sockets
from ..mesh.admission import Admission
from ..mesh.crowd import Crowd
from ..mesh.reading import Reader
from ..mesh.seldom import Seldom
from . import protocol
from .files import Files, Resolve
from .protocol import Chunk, Missing, Read, Refused, Stat
from .turns import Turn, Turns

log = logging.getLogger(__name__)

SWEEP_S = 0.002
"""Seconds between two looks at what has left, while something is under way. Larger: pauses; smaller: more looking."""

IDLE_S = 5.0
"""Seconds between two looks for files that nobody reads any more."""


class _Asked(msgspec.Struct):
    """A request, and where its answer goes."""

    routing: bytes
    request: Read | Stat


class Server:
    """Serves from the moment it is made."""

    def __init__(self, keys: sockets.Keys, host: str, port: int) -> None:
        """Listen. Raises Conflict when the port is taken, InvalidInput when the host is none of this machine's."""
        self.counters: Counter[str] = Counter()
        self.resolve: Resolve = _nothing
        self.is_member: Callable[[str], bool] = _nobody
        self._seldom = Seldom()
        self._turns: Turns[_Asked] = Turns()
        self._leaving: deque[tuple[zmq.MessageTracker, Turn[_Asked]]] = deque()  # bytes that libzmq holds
        self._sweeping: asyncio.TimerHandle | None = None
        self._context = sockets.context()
        try:
            # before it listens: who came earlier would be refused, and does not knock twice
            self._admission = Admission(self._context, lambda key: self.is_member(key.decode()), protocol.DOMAIN)
            self._router = sockets.listener(self._context, keys, protocol.DOMAIN, protocol.REQUEST_LIMIT)
            self._monitor = sockets.monitor(self._context, self._router, sockets.ARRIVALS)
            self.port = sockets.bind(self._router, host, port)
        except BaseException:
            self._context.destroy(0)
            raise
        self._crowd = Crowd(self.port)
        self._files = Files(self._find)
        self._reader = Reader(self._router, self._take)
        self._watcher = Reader(self._monitor, self._watch)
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="bulk-server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End, and give the port back."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    # -- in its thread

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        create = asyncio.get_running_loop().create_task
        tasks = [create(one) for one in (self._admission.run(), self._close_idle(), self._ending.wait())]
        self._reader.start()
        self._watcher.start()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except Exception:
            log.exception("bulk.defect: nothing is served any more")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._reader.stop()
            self._watcher.stop()
            sockets.close(self._router, self._monitor)
            self._admission.stop()
            self._context.destroy(0)
            self._files.close()

    async def _close_idle(self) -> None:
        while True:
            await asyncio.sleep(IDLE_S)
            self._files.close_idle(time.monotonic())

    def _watch(self) -> None:
        told = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))
        if told["event"] == zmq.EVENT_ACCEPTED:
            if self._crowd.on_accepted(int(told["value"])):
                self.counters["links.crowded"] += 1
        else:
            self._crowd.on_closed(int(told["value"]))

    def _take(self) -> None:
        """Take one request."""
        routing = self._router.recv(zmq.NOBLOCK, copy=False).bytes
        body = self._router.recv(zmq.NOBLOCK, copy=False)
        whole = not body.more
        while self._router.get(zmq.RCVMORE):
            self._router.recv(zmq.NOBLOCK)
        member = str(body.get("User-Id"))
        if not self.is_member(member):
            self.counters["dropped.stranger"] += 1
            return
        self._crowd.on_proven(int(body.get(zmq.SRCFD)))
        try:
            request = protocol.decode_request(body.bytes if whole else b"")
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            self.counters["dropped.malformed"] += 1
            if self._seldom(("malformed", member), time.monotonic()):
                log.warning("bulk.malformed: a member asked nonsense: %s (dropped; told once a minute)", problem)
            return
        length = request.length if isinstance(request, Read) else 0
        if self._turns.add(member, _Asked(routing, request), length):
            self._pump()
        else:
            self.counters["dropped.impatient"] += 1
            self._say(routing, Refused(request.number, "too many requests at once"))

    def _pump(self) -> None:
        """Answer whose turn it is, as far as there is room."""
        while (turn := self._turns.next()) is not None:
            tracker = self._answer(turn.request)
            if tracker is None:
                self._turns.done(turn)
            else:
                self._leaving.append((tracker, turn))
        if self._leaving and self._sweeping is None:
            self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)
        self._reader.kick()

    def _sweep(self) -> None:
        """See what has left."""
        self._sweeping = None
        still: deque[tuple[zmq.MessageTracker, Turn[_Asked]]] = deque()
        for tracker, turn in self._leaving:
            if tracker.done:
                self._turns.done(turn)
            else:
                still.append((tracker, turn))
        self._leaving = still
        self._pump()

    def _answer(self, asked: _Asked) -> zmq.MessageTracker | None:
        request, now = asked.request, time.monotonic()
        try:
            size = self._files.size(request.name, now)
            if size is None:
                return self._say(asked.routing, Missing(request.number))
            if isinstance(request, Stat):
                return self._say(asked.routing, Chunk(request.number, size))
            data = self._files.read(request.name, request.offset, request.length)
        except (OSError, OrchestraError) as problem:
            log.warning("bulk.unreadable: %s: %s", request.name, problem)
            return self._say(asked.routing, Refused(request.number, str(problem)[:1000]))
        self.counters["sent.bytes"] += len(data)
        return self._say(asked.routing, Chunk(request.number, size), data)

    def _say(self, routing: bytes, answer: protocol.Answer, data: bytes = b"") -> zmq.MessageTracker | None:
        """Send an answer; return what tells when its bytes have left, None when there are none."""
        try:
            self._router.send_multipart([routing, protocol.encode(answer)], zmq.NOBLOCK | zmq.SNDMORE)
            return self._router.send(data, zmq.NOBLOCK, copy=False, track=True) if data else self._end()
        except zmq.ZMQError:
            self.counters["dropped.gone"] += 1
            return None

    def _end(self) -> None:
        self._router.send(b"", zmq.NOBLOCK)

    def _find(self, name: str) -> Path | None:
        return self.resolve(name)


def _nothing(_: str) -> None:
    return None


def _nobody(_: str) -> bool:
    return False
