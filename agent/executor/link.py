"""The agent's end of the wire to the executor: finds the one that runs, or starts one, and speaks with it."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Self

import msgspec

from ...core.errors import StorageError, Unavailable
from ...core.messages import Resized, Typed
from ...core.model import Stop
from ..paths import Paths
from . import keyboards
from .protocol import (
    LENGTH,
    MAX_FRAME,
    VERSION,
    AttemptStatus,
    Configure,
    Forget,
    Hello,
    Input,
    Plan,
    Quit,
    Received,
    Reply,
    Report,
    Request,
    Resize,
    Start,
    StopAttempt,
    Taken,
)

START_S = 30.0
"""Seconds for an executor to answer, which includes the killing of what one before it left."""

_LOOK_S = 0.01  # between two attempts to reach an executor that was just started

_children: set[int] = set()
"""Executors that this process started, by process id: reaped when they have ended, which may be after this one."""


class ExecutorLink:
    """One connection to one executor."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_report: Callable[[Report], Awaitable[None]],
        on_lost: Callable[[], None],
    ) -> None:
        """Use `open` instead."""
        self.session = ""
        self.pid = 0
        self.attempts: tuple[AttemptStatus, ...] = ()
        """What the executor knew when the connection was made."""
        self.begun: frozenset[str] = frozenset()
        """Attempts that executors before this one began and did not live to end."""
        self.sure = False
        """Whether all other attempts of executors before this one were never begun."""
        self._reader = reader
        self._writer = writer
        self._on_report = on_report
        self._on_lost = on_lost
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
        self._version = 0
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        self._reports: asyncio.Queue[Report | None] = asyncio.Queue()  # None: no more will come
        self._inputs: dict[int, asyncio.Future[Taken]] = {}  # by number: what was typed and not answered yet
        self._numbers = count(1)

    @classmethod
    async def open(
        cls,
        paths: Paths,
        *,
        on_report: Callable[[Report], Awaitable[None]],
        on_lost: Callable[[], None],
    ) -> Self:
        """Connect to the executor of a data directory, which is started if it does not run.

        `on_report` is awaited for one report after the other; the next comes when it has returned. `on_lost` is called
        once, when the executor is gone. Raises Unavailable when none can be had.
        """
        deadline = asyncio.get_running_loop().time() + START_S
        started = 0
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(os.fspath(paths.executor_socket))
            except (FileNotFoundError, ConnectionRefusedError):
                _reap()
                if started not in _children:
                    started = _start(paths)
            else:
                link = cls(reader, writer, on_report, on_lost)
                hello = await link._receive()
                if isinstance(hello, Hello):
                    break
                writer.close()  # it is just dying, and its socket with it
            if asyncio.get_running_loop().time() > deadline:
                message = f"the executor does not start; {paths.executor / 'executor.log'} says why"
                raise Unavailable(message)
            await asyncio.sleep(_LOOK_S)
        link.session, link.pid, link.attempts = hello.session, hello.pid, hello.attempts
        link.begun, link.sure = frozenset(hello.begun), hello.sure
        link._version = hello.version
        link._tasks = [asyncio.get_running_loop().create_task(one) for one in (link._listen(), link._pass_on())]
        return link

    def configure(self, slots: int, ready: Sequence[str] = ()) -> None:
        """Let it run so many attempts at a time; `ready` starts what stands by for programs of ours, see Configure."""
        self._send(Configure(slots, tuple(ready)))

    def start(self, plans: Sequence[Plan]) -> None:
        """Have attempts run, in this order, as slots become free."""
        self._send(Start(tuple(plans)))

    def stop(self, key: str, reason: str, how: Stop = Stop.ABORT) -> None:
        """Have an attempt stopped; one that it does not know is passed over. Told once more it changes nothing."""
        self._send(StopAttempt(key, reason, how is Stop.CANCEL, how is Stop.KILL))

    def forget(self, keys: Sequence[str]) -> None:
        """Let it drop ends that are recorded."""
        self._send(Forget(tuple(keys)))

    async def type(self, typed: Typed) -> Taken:
        """Type something for an attempt. Returns when some of it is taken, however long that takes.

        Raises Unavailable when the executor is gone, or of an earlier version.
        """
        if self._version < VERSION:
            raise Unavailable("the executor there is of an earlier version; its builds read no input")
        number = next(self._numbers)
        future = self._inputs[number] = asyncio.get_running_loop().create_future()
        silence_s = keyboards.SILENCE_S if typed.bound else 0.0
        wish = Input(number, typed.key, typed.stream, typed.offset, typed.data, typed.over, typed.requester, silence_s)
        self._send(wish)
        try:
            return await future
        finally:
            self._inputs.pop(number, None)

    def resize(self, wish: Resized) -> None:
        """Give an attempt's terminal another size."""
        if self._version >= VERSION:
            self._send(Resize(wish.key, wish.columns, wish.rows, wish.requester))

    async def quit(self, reason: str) -> None:
        """Have it stop everything and end; return when it has, and its last reports are passed on."""
        self._send(Quit(reason))
        await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Let go of the executor, which goes on."""
        self._closing = True
        for one in self._tasks:
            one.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def _send(self, request: Request) -> None:
        if not self._writer.is_closing():
            body = self._encoder.encode(request)
            self._writer.write(LENGTH.pack(len(body)) + body)

    async def _listen(self) -> None:
        try:
            while isinstance(reply := await self._receive(), Report | Taken):
                if isinstance(reply, Report):
                    self._reports.put_nowait(reply)
                elif (future := self._inputs.get(reply.number)) is not None and not future.done():
                    future.set_result(reply)
        finally:
            _reap()
            self._reports.put_nowait(None)
            for future in self._inputs.values():
                if not future.done():
                    future.set_exception(Unavailable("the executor is gone, and with it what it ran"))

    async def _pass_on(self) -> None:
        """Pass reports on, one after the other: to take one may be a long business, which nothing else waits for."""
        try:
            while (report := await self._reports.get()) is not None:
                await self._on_report(report)
                self._send(Received())
        finally:
            self._writer.close()
            if not self._closing:
                self._on_lost()

    async def _receive(self) -> Reply | None:
        """Return the next message; None when the executor is gone."""
        try:
            (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            return self._decoder.decode(await self._reader.readexactly(length)) if length <= MAX_FRAME else None
        except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError):
            return None


def _start(paths: Paths) -> int:
    """Start an executor that outlives this process; return its process id."""
    command = [
        sys.executable,
        "-P",
        "-m",
        __package__ or "",
        str(paths.executor_socket),
        str(paths.executor),
        str(paths.work),
    ]
    try:
        with (paths.executor / "executor.log").open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - our own program, no shell
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
    except OSError as error:
        message = f"cannot start the executor: {error.strerror}; check the disk and the permissions of {paths.executor}"
        raise StorageError(message) from None
    child.returncode = 0  # it would complain that nobody waited, and nobody is to
    _children.add(child.pid)
    return child.pid


def _reap() -> None:
    for pid in list(_children):
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # somebody else has waited for it
            ended = pid
        if ended:
            _children.discard(pid)
