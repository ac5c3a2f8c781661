"""The client for blocking code and one thread."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import msgspec
import zmq

from ...core import errors
from ...core.api.builds import LogPart, OneBuild
from ...core.api.submitting import Submitted
from ...core.views.builds import BuildLine, BuildView
from .protocol import Reply, arguments, log_bytes, opened, replies_in, request, submission, table
from .sockets import PROBE_S, check_agent, data_directory, socket_path

ANSWER_S = 30.0
"""Seconds to wait for an answer that needs no waiting of its own."""


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

    def _replies(self, numbers: set[int], limit_s: float | None) -> dict[int, Reply]:
        found: dict[int, Reply] = {}
        deadline = None if limit_s is None else time.monotonic() + limit_s
        while len(found) < len(numbers):
            for reply in self._receive(deadline):
                if reply.id in numbers:
                    found[cast("int", reply.id)] = reply
                elif reply.id is None and reply.error is not None:
                    opened("", reply)  # the whole message was refused
        return found

    def _receive(self, deadline: float | None) -> list[Reply]:
        """Return the answers in the next message; events in it are kept for `events`."""
        while not self._socket.poll(int(PROBE_S * 1000)):
            check_agent(self.path)
            if deadline is not None and time.monotonic() > deadline:
                message = "the agent does not answer in time; `orchestra status` and its log (agent.log) may say why"
                raise errors.TimedOut(message)
        replies = replies_in(self._socket.recv_multipart()[-1])
        self._events += [reply.params for reply in replies if reply.method == "event"]
        return [reply for reply in replies if reply.method != "event"]


def connect(data: Path | str | None = None) -> Client:
    """Connect to this machine's agent, of the given data directory (default: ORCHESTRA_HOME or the platform's).

    Raises NoAgent, with the remedy, when it does not run.
    """
    return Client(data_directory(Path(data) if data else None))
