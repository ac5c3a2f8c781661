"""The client for asyncio, with any number of requests at a time."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from ...core.api.builds import LogPart
from ...core.api.submitting import Submitted
from ...core.views.builds import BuildLine
from .protocol import Reply, arguments, log_bytes, opened, replies_in, request, submission, table
from .sockets import PROBE_S, check_agent, data_directory, socket_path


class AsyncClient:
    """A connection to an agent, for asyncio: any number of requests at a time."""

    def __init__(self, data: Path, path: Path | None = None) -> None:
        """Connect to the agent with this data directory, or at the socket `path`. Raises NoAgent when there is none."""
        import asyncio  # a quarter of what a command takes to start, and none of them needs it

        import zmq.asyncio

        path = path or socket_path(data)
        check_agent(path)
        self.data = data
        self.path = path
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.set(zmq.LINGER, 0)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._socket.connect(f"ipc://{path}")
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def call(self, method: str, *positional: object, **named: object) -> Any:  # noqa: ANN401 - the method decides the type
        """Make one request and return its result as the method's Struct."""
        import asyncio

        self._number += 1
        number = self._number
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        params = arguments(table(method), positional, named)
        await self._socket.send(msgspec.json.encode(request(number, method, params)))
        try:
            while not (await asyncio.wait([future], timeout=PROBE_S))[0]:
                check_agent(self.path)
        finally:
            self._waiting.pop(number, None)
        return opened(method, future.result())

    async def submit(self, what: str | Sequence[str], **given: object) -> list[BuildLine]:
        """Submit a job or a command; see Builds.submit."""
        found: Submitted = await self.call("builds.submit", **submission(what, given))
        return found.builds

    async def log(self, build: str, offset: int = 0) -> AsyncIterator[bytes]:
        """Yield a build's log from `offset` on, as it comes, until it is complete."""
        while True:
            part: LogPart = await self.call("builds.log", build, offset=offset, limit=1 << 20, wait=20.0)
            if part.data:
                yield log_bytes(part)
            if part.complete:
                return
            offset = part.next

    async def events(self, kinds: Sequence[str] = (), builds: Sequence[str] = ()) -> AsyncIterator[dict[str, Any]]:
        """Yield what happens from now on."""
        await self.call("events.subscribe", kinds=list(kinds), builds=list(builds))
        while True:
            yield await self.next_event()

    async def next_event(self) -> dict[str, Any]:
        """Return the next event of those that `events.subscribe` was called for."""
        return await self._events.get()

    async def gone(self) -> None:
        """Return when the connection has broken off: the agent has ended, or is no longer reached."""
        await self._monitor.recv_multipart()

    async def close(self) -> None:
        """Hang up."""
        self._reader.cancel()
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close()
        self._context.term()

    async def __aenter__(self) -> Self:
        """Use as a context manager: hang up at the end."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        await self.close()

    async def _read(self) -> None:
        while True:
            for reply in replies_in((await self._socket.recv_multipart())[-1]):
                if reply.method == "event":
                    self._events.put_nowait(reply.params)
                elif reply.id in self._waiting and not self._waiting[reply.id].done():
                    self._waiting[reply.id].set_result(reply)


async def connect_async(data: Path | str | None = None) -> AsyncClient:
    """Connect to this machine's agent from asyncio; see `connect`."""
    return AsyncClient(data_directory(Path(data) if data else None))
