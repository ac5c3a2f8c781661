"""The fetching side of the bulk path: whole files, from one source after the other, going on where one left off.

Every fetch has a thread for its time. It keeps a window of requests open, so that the line is never empty and memory
stays flat, and writes what comes in order: what is in the file is always its beginning.
"""

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec
import zmq

from ...core import addresses
from ...core.errors import DiskFull, NotFound, OrchestraError, PeerError, StorageError, Unreachable
from ...core.model import AgentRecord
from ..mesh import sockets
from . import protocol
from .protocol import Chunk, Missing, Read

WINDOW = 8
"""Ranges that are asked for and not there yet. Larger: faster over long ways; smaller: less memory at both ends."""

STALLED_S = 6.0
"""Seconds without a byte after which a source is given up."""

FETCHES = 8
"""Fetches at a time; further ones wait."""

_LOOK_S = 0.2  # between two looks whether the fetch is still wanted

Source: TypeAlias = tuple[str, Sequence[str]]
"""Public key of a member, and host:port of its bulk socket, most promising first."""


class Client:
    """Fetches for one agent."""

    def __init__(self, keys: sockets.Keys) -> None:
        """Begin with nothing under way."""
        self._keys = keys
        self._context = sockets.context()
        self._threads = ThreadPoolExecutor(FETCHES, thread_name_prefix="bulk-fetch")
        self._closed = threading.Event()

    async def fetch(self, sources: Sequence[Source], name: str, target: Path) -> None:
        """See Bulk.fetch_file. When it is cancelled, it ends soon."""
        unwanted = threading.Event()
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._threads, self._fetch, list(sources), name, target, unwanted
            )
        finally:
            unwanted.set()

    def close(self) -> None:
        """End all fetches."""
        self._closed.set()
        self._threads.shutdown(cancel_futures=True)
        self._context.destroy(0)

    # -- in a thread

    def _fetch(self, sources: list[Source], name: str, target: Path, unwanted: threading.Event) -> None:
        problem: OrchestraError = Unreachable(f"no agent is known that has {name}")
        for public, places in sources:
            for place in places:
                try:
                    with _writing(target), target.open("ab") as file, self._connected(public, place) as socket:
                        _Fetch(socket, name, file, lambda: self._closed.is_set() or unwanted.is_set()).run(place)
                        return
                except (Unreachable, PeerError) as error:
                    problem = error
                except NotFound as error:
                    problem = error
                    break  # another address of the same agent has no more
        raise problem

    @contextmanager
    def _connected(self, public: str, place: str) -> Iterator[sockets.Socket]:
        host, port = addresses.split(place)
        socket = sockets.connector(self._context, self._keys, public)
        try:
            socket.set(zmq.MAXMSGSIZE, protocol.ANSWER_LIMIT)
            socket.set(zmq.IMMEDIATE, 0)  # the first requests wait for the handshake
            sockets.connect(socket, host, port)
            yield socket
        except zmq.ZMQError as error:
            raise Unreachable(f"{place} cannot be connected to: {os.strerror(error.errno or 0)}") from None
        finally:
            socket.close(0)


class _Fetch:
    """One file from one source."""

    def __init__(self, socket: sockets.Socket, name: str, file: BinaryIO, unwanted: Callable[[], bool]) -> None:
        self._socket = socket
        self._name = name
        self._file = file
        self._unwanted = unwanted
        self._have = file.tell()  # bytes that are there
        self._asked = self._have  # bytes that are there or asked for
        self._next = 0  # number of the next request
        self._size: int | None = None  # of the file, once it is known

    def run(self, place: str) -> None:
        """Return when the file is complete."""
        number = 0
        self._ask()
        while self._size is None or self._have < self._size:
            answer, data = self._hear(place)
            if isinstance(answer, Missing):
                raise NotFound(f"the agent at {place} does not have {self._name}")
            if not isinstance(answer, Chunk):
                raise Unreachable(f"the agent at {place} does not give {self._name}: {answer.why}")
            self._on_chunk(place, answer, data, number)
            number += 1
        self._file.flush()

    def _on_chunk(self, place: str, answer: Chunk, data: bytes, number: int) -> None:
        if answer.number != number or answer.size != (answer.size if self._size is None else self._size):
            raise PeerError(
                f"the agent at {place} answered something else than was asked; {self._name} may have changed"
            )
        if self._size is None:
            self._size = answer.size
        wanted = min(self._have + protocol.CHUNK, self._size) - self._have
        if self._have > self._size or len(data) != wanted:
            self._file.truncate(0)
            raise PeerError(f"what was here of {self._name} does not fit what {place} has; it is fetched anew")
        self._file.write(data)
        self._have += len(data)
        while self._asked < self._size and self._asked - self._have < WINDOW * protocol.CHUNK:
            self._ask()

    def _ask(self) -> None:
        self._socket.send(protocol.encode(Read(self._next, self._name, self._asked, protocol.CHUNK)))
        self._next += 1
        self._asked += protocol.CHUNK

    def _hear(self, place: str) -> tuple[protocol.Answer, bytes]:
        deadline = time.monotonic() + STALLED_S
        while not self._socket.poll(round(_LOOK_S * 1000)):
            if self._unwanted():
                raise Unreachable("the transfer was given up")
            if time.monotonic() > deadline:
                raise Unreachable(f"the agent at {place} gave nothing of {self._name} for {STALLED_S:.0f} s")
        parts = self._socket.recv_multipart()
        try:
            return protocol.decode_answer(parts[0]), parts[1] if len(parts) > 1 else b""
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            raise PeerError(f"the agent at {place} answered nonsense: {problem}") from None


def bulk_of(record: AgentRecord) -> Source:
    """Return how an agent's bulk socket is reached."""
    return record.public, tuple(f"{one.rpartition(':')[0]}:{record.bulk}" for one in record.addresses)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Turn the system's errors into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(f"the disk is full: {target} cannot be fetched; free some space") from None
        raise StorageError(f"cannot write {target}: {error.strerror}; check the disk and the permissions") from None
