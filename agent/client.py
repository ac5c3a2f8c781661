"""The Python client: every method of the scripting contract, with types, blocking or for asyncio.

    net = job_orchestra.connect()
    build = net.builds.submit("demo/test", marker="slow")[0]
    print(build.follow().state)

`net.builds.get("last")` is the method `builds.get`; positional arguments fill its parameters in their order. Results
are the Structs of core/api. Errors are those of core/errors.py, with what the agent said.
"""

import os
import socket
import sys
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

import msgspec
import zmq

from ..core import errors
from ..core.api import nouns
from ..core.api.builds import LogPart, OneBuild
from ..core.api.method import Method
from ..core.api.submitting import SourceParam, Submit, Submitted
from ..core.views.builds import BuildLine, BuildView
from .paths import Paths, default_data

if TYPE_CHECKING:
    from ..core.api.artifacts import Artifacts
    from .shipping.listing import Looking
    from .shipping.owning import Owning
    from .workspace.returning import Returned

ANSWER_S = 30.0
"""Seconds to wait for an answer that needs no waiting of its own."""

_PROBE_S = 1.0  # seconds between two looks whether the agent is still there


class _Reply(msgspec.Struct):
    """What comes back: an answer, or the notification of an event."""

    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: dict[str, Any] | None = None
    method: str = ""
    params: dict[str, Any] = {}


_replies = msgspec.json.Decoder(list[_Reply] | _Reply)


def data_directory(data: Path | None = None) -> Path:
    """Return the data directory that is meant: the given one, ORCHESTRA_HOME, or the platform's."""
    return (data or default_data()).expanduser().absolute()


def socket_path(data: Path | None = None) -> Path:
    """Return where the agent with this data directory (see `data_directory`), or ORCHESTRA_SOCKET, can be spoken to."""
    named = os.environ.get("ORCHESTRA_SOCKET")
    return Path(named) if named else Paths(data_directory(data)).scripting


def neighbours(data: Path | None = None) -> list[Path]:
    """Return the sockets of this user's other agents on this machine, whatever network they belong to."""
    mine = Paths(data_directory(data)).scripting
    return sorted(found for found in mine.parent.parent.glob(f"*/{mine.name}") if found != mine)


def belongs(data: Path | None = None) -> bool:
    """Whether a data directory (see `data_directory`) is that of a network's member."""
    return Paths(data_directory(data)).network.exists()


def check_agent(path: Path) -> None:
    """Raise NoAgent unless somebody listens at the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except FileNotFoundError:
            why = "no agent runs on this machine with this data directory"
        except PermissionError:
            message = f"the agent at {path} belongs to another user; run as that user, or start your own: orchestra up"
            raise errors.NotAllowed(message) from None
        except OSError:
            why = "the agent of this data directory is gone"
        else:
            return
    message = f"{why}; start it with: orchestra up"
    raise errors.NoAgent(message)


def arguments(method: Method, positional: Sequence[object], named: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a call by name; None stands for not given."""
    fields = method.params.__struct_fields__
    if len(positional) > len(fields):
        message = f"{method.name} takes at most {len(fields)} parameters: {', '.join(fields)}"
        raise errors.InvalidInput(message)
    given = {**dict(zip(fields, positional, strict=False)), **named}
    return {name: value for name, value in given.items() if value is not None}


def table(name: str) -> Method:
    """Return a method's row. Raises InvalidInput for an unknown one."""
    method = nouns.method(name)
    if method is None:
        from ..core.api.table import METHODS

        message = f"unknown method {name!r}; there are: {', '.join(METHODS)}"
        raise errors.InvalidInput(message)
    return method


def request(number: int, method: str, params: Mapping[str, object]) -> dict[str, object]:
    """Return a JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def opened(method: str, reply: _Reply) -> Any:  # noqa: ANN401 - the method decides the type
    """Return a reply's result as its Struct, or raise the error it holds."""
    if reply.error is not None:
        data = reply.error.get("data") or {}
        kind = errors.by_kind(data.get("kind", "")) or _by_code(reply.error.get("code", 0))
        raise kind(reply.error.get("message", ""))
    row = nouns.method(method)
    result: Any = row.result if row else Any
    return msgspec.json.decode(reply.result, type=result)


def _by_code(code: int) -> type[errors.OrchestraError]:
    if code in {errors.Code.PARAMS, errors.Code.METHOD}:
        return errors.InvalidInput
    return errors.PeerError if code in {errors.Code.PARSE, errors.Code.REQUEST} else errors.InvariantError


def log_bytes(part: LogPart) -> bytes:
    """Return the bytes of a range of a log."""
    return b64decode(part.data) if part.encoding == "base64" else part.data.encode()


def submission(what: str | Sequence[str], given: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of builds.submit: a text is a job, words are a command; other names are the job's own."""
    known = set(Submit.__struct_fields__)
    params = {name: value for name, value in given.items() if name in known and value is not None}
    own = {name: str(value) for name, value in given.items() if name not in known}
    if isinstance(what, str):
        params["job"] = what
    else:
        params["command"] = list(what)
    if own:
        params["parameters"] = {**cast("dict[str, str]", params.get("parameters", {})), **own}
    return params


def ship(client: "Client", directory: Path, include: Sequence[str] = ()) -> "Shipment":
    """Look at a directory that is to travel; see `Shipment`. `include`: globs of ignored files that travel, too."""
    from .shipping.listing import Looking

    return Shipment(Paths(client.data), Looking(directory, include))


class Shipment:
    """A directory on its way to the agent of a client. A context manager."""

    def __init__(self, paths: Paths, looking: "Looking") -> None:
        """Pack what is being looked at for the agent with these paths."""
        # all of this takes about as long as git does
        from .blobs import Contents
        from .shipping import memory
        from .shipping.packing import Packing

        self._contents = Contents(paths.contents)
        self._memories = paths.shipped
        remembered = memory.load(self._memories, looking.top)
        self.listing = looking.listing()
        self.packing = Packing(self.listing, self._contents, self._memories, remembered)

    def source(self, progress: Callable[[int], None] = lambda _: None, *, warm: bool = False) -> SourceParam:
        """Pack it; return what builds.submit takes as `source`. `progress` is told of bytes that were read.

        `warm`: it runs where builds that were shipped from this directory before left what they built.
        """
        root = self.packing.store(progress)
        head = self.listing.head
        place = f"{socket.gethostname()}:{self.listing.top}"
        return SourceParam(
            archive=root.hex(),
            describe=place,
            revision=head.revision,
            branch=head.branch,
            tree=sha256(place.encode(errors="surrogateescape")).hexdigest() if warm else "",
            directory=self.listing.inside,
        )

    def owning(self) -> "Owning":
        """Return what says which files of the directory are people's own, once it is packed."""
        from .shipping.owning import Owning

        return Owning(self.listing, self._memories)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give back what is open."""
        self._contents.close()


class Returning:
    """What a build kept, on its way into a directory of the client's. A context manager."""

    def __init__(self, client: "Client", found: "Artifacts", globs: Sequence[str]) -> None:
        """Have the agent of `client` fetch it. `globs`: what of it is wanted. Raises NotFound, InvalidInput."""
        from ..core.globs import Globs
        from .blobs import Contents

        wanted = Globs(globs)
        client.call("artifacts.fetch", tree=found.tree, agent=found.agent)
        self._contents = Contents(Paths(client.data).contents)
        self.entries = [one for one in self._contents.entries(bytes.fromhex(found.tree)) if wanted.matches(one.path)]

    def put(self, out: Path, may_overwrite: Callable[[bytes], bool]) -> "Returned":
        """Put it into a directory, which exists; `may_overwrite(path)` is whether a file there may go.

        Raises StorageError where it cannot be written there.
        """
        from .workspace.returning import put

        try:
            return put(self._contents, self.entries, out.resolve(), may_overwrite)
        except OSError as problem:
            message = (
                f"cannot put what the build left into {out}: {problem.strerror}; name another directory with --out"
            )
            raise errors.StorageError(message) from None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give back what is open."""
        self._contents.close()


class Namespace:
    """The methods of one noun; `net.builds.get(...)` calls `builds.get`."""

    def __init__(self, client: "Client", noun: str) -> None:
        """Offer the methods that begin with `noun.`."""
        self._client = client
        self._noun = noun

    def __getattr__(self, verb: str) -> Any:  # noqa: ANN401 - a bound method of the table
        """Return the method `noun.verb` as a callable."""
        method = table(f"{self._noun}.{verb}")

        def call(*positional: object, **named: object) -> Any:  # noqa: ANN401 - the method decides the type
            return self._client.call(method.name, **arguments(method, positional, named))

        call.__doc__ = method.summary
        return call


class Builds(Namespace):
    """The methods of builds; `submit` returns builds that can be waited for and followed."""

    def submit(self, what: str | Sequence[str], **given: object) -> "list[BuildHandle]":
        """Submit a job ("project/name") or a command (a list of words).

        Names that builds.submit knows (`env`, `timeout`, `request` ...) are its parameters, all others the job's own.
        """
        found: Submitted = self._client.call("builds.submit", **submission(what, given))
        return [BuildHandle(self._client, line) for line in found.builds]


class BuildHandle:
    """A submitted build."""

    def __init__(self, client: "Client", line: BuildLine) -> None:
        """Speak of the build in `line` through `client`."""
        self._client = client
        self.line = line
        self.id = line.id

    def get(self) -> BuildView:
        """Return the build as it is now."""
        return cast("OneBuild", self._client.call("builds.get", id=self.id)).build

    def wait(self, timeout: float | None = None) -> BuildView:
        """Return the build when it has ended. Raises TimedOut after `timeout` seconds."""
        return cast("OneBuild", self._client.call("builds.wait", id=self.id, timeout=timeout)).build

    def log(self, offset: int = 0) -> Iterator[bytes]:
        """Yield the log from `offset` on, as it comes, until the build has ended."""
        return self._client.log(self.id, offset)

    def follow(self, out: BinaryIO | None = None) -> BuildView:
        """Copy the log to `out` (default: standard output) as it comes; return the build when it has ended."""
        target = out or sys.stdout.buffer
        for part in self.log():
            target.write(part)
            target.flush()
        return self.wait()

    def abort(self) -> None:
        """Stop the build."""
        self._client.call("builds.abort", id=self.id)


class Client:
    """A connection to an agent, for blocking code and one thread."""

    def __init__(self, data: Path, path: Path | None = None) -> None:
        """Connect to the agent with this data directory, or at the socket `path`. Raises NoAgent when there is none."""
        path = path or socket_path(data)
        check_agent(path)
        self.data = data
        self.path = path
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.connect(f"ipc://{path}")
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self.network = Namespace(self, "network")
        self.agents = Namespace(self, "agents")
        self.agent = Namespace(self, "agent")
        self.jobs = Namespace(self, "jobs")
        self.tasks = Namespace(self, "tasks")
        self.store = Namespace(self, "store")
        self.artifacts = Namespace(self, "artifacts")
        self.builds = Builds(self, "builds")

    def call(self, method: str, **params: object) -> Any:  # noqa: ANN401 - the method decides the type
        """Make one request and return its result as the method's Struct."""
        self._number += 1
        params = {name: value for name, value in params.items() if value is not None}
        wait = params.get("timeout" if method == "builds.wait" else "wait", 0.0 if method != "builds.wait" else None)
        lasting = wait is None or method in {"agent.stop", "agent.leave", "artifacts.fetch"}  # as long as builds run
        limit = None if lasting else ANSWER_S + cast("float", wait)
        self._socket.send(msgspec.json.encode(request(self._number, method, params)))
        return opened(method, self._replies({self._number}, limit)[self._number])

    def batch(self, method: str, requests: Sequence[Mapping[str, object]]) -> list[Any]:
        """Make many requests of one method at once; return results and errors (as values) in order."""
        first = self._number + 1
        self._number += len(requests)
        numbers = range(first, self._number + 1)
        body = [request(number, method, params) for number, params in zip(numbers, requests, strict=True)]
        self._socket.send(msgspec.json.encode(body))
        replies = self._replies(set(numbers), ANSWER_S + len(requests) / 100)
        found: list[Any] = []
        for number in numbers:
            try:
                found.append(opened(method, replies[number]))
            except errors.OrchestraError as error:
                found.append(error)
        return found

    def log(self, build: str, offset: int = 0, **params: object) -> Iterator[bytes]:
        """Yield a build's log from `offset` on, as it comes, until it is complete."""
        while True:
            part: LogPart = self.call("builds.log", id=build, offset=offset, limit=1 << 20, wait=20.0, **params)
            data = log_bytes(part)
            if data:
                yield data
            if part.complete:
                return
            offset = part.next

    def events(self, kinds: Sequence[str] = (), builds: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Yield what happens from now on. Subscribed when this returns."""
        self.call("events.subscribe", kinds=list(kinds), builds=list(builds))

        def flow() -> Iterator[dict[str, Any]]:
            while True:
                while self._events:
                    yield self._events.pop(0)
                self._receive(None)

        return flow()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
        self._context.term()

    def __enter__(self) -> Self:
        """Use as a context manager: hang up at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self.close()

    def _replies(self, numbers: set[int], limit_s: float | None) -> dict[int, _Reply]:
        found: dict[int, _Reply] = {}
        deadline = None if limit_s is None else time.monotonic() + limit_s
        while len(found) < len(numbers):
            for reply in self._receive(deadline):
                if reply.id in numbers:
                    found[cast("int", reply.id)] = reply
                elif reply.id is None and reply.error is not None:
                    opened("", reply)  # the whole message was refused
        return found

    def _receive(self, deadline: float | None) -> list[_Reply]:
        """Return the answers in the next message; events in it are kept for `events`."""
        while not self._socket.poll(int(_PROBE_S * 1000)):
            check_agent(self.path)
            if deadline is not None and time.monotonic() > deadline:
                message = "the agent does not answer in time; `orchestra status` and its log (agent.log) may say why"
                raise errors.TimedOut(message)
        replies = _replies.decode(self._socket.recv_multipart()[-1])
        replies = replies if isinstance(replies, list) else [replies]
        self._events += [reply.params for reply in replies if reply.method == "event"]
        return [reply for reply in replies if reply.method != "event"]


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
        self._waiting: dict[int, asyncio.Future[_Reply]] = {}
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
            while not (await asyncio.wait([future], timeout=_PROBE_S))[0]:
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
            replies = _replies.decode((await self._socket.recv_multipart())[-1])
            for reply in replies if isinstance(replies, list) else [replies]:
                if reply.method == "event":
                    self._events.put_nowait(reply.params)
                elif reply.id in self._waiting and not self._waiting[reply.id].done():
                    self._waiting[reply.id].set_result(reply)


def connect(data: Path | str | None = None) -> Client:
    """Connect to this machine's agent, of the given data directory (default: ORCHESTRA_HOME or the platform's).

    Raises NoAgent, with the remedy, when it does not run.
    """
    return Client(data_directory(Path(data) if data else None))


async def connect_async(data: Path | str | None = None) -> AsyncClient:
    """Connect to this machine's agent from asyncio; see `connect`."""
    return AsyncClient(data_directory(Path(data) if data else None))
