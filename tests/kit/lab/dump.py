"""What the agents remember at the end, written down: every build, attempt and state of each, and logs."""

import hashlib
import random
from base64 import b64decode
from collections.abc import Iterator, Sequence
from typing import Any

import zmq

from job_orchestra.agent.executor.processes import leftovers

from .asking import Refused, ask
from .events import AttemptRow, BuildRow, Leftover, LogRow, Record, StateRow
from .hosts import Host
from .jobs import Workshop

PATIENCE_S = 30.0
"""Seconds for an answer."""

PAGE = 1000
"""Rows of one answer."""

PART = 1 << 20
"""Bytes of a log in one answer."""


def dump(
    hosts: Sequence[Host], workshop: Workshop, record: Record, *, logs_of_each: int, chance: random.Random
) -> None:
    """Write it all down. Each build's log is read from `logs_of_each` agents, drawn by chance."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        ended: set[str] = set()
        for host in hosts:
            rows = [_build(host, one) for one in _rows(context, host, "builds")]
            record.write(*rows, *(_attempt(host, one) for one in _rows(context, host, "attempts")))
            ended |= {one.id for one in rows if one.state == "succeeded"}
        for build in sorted(ended):
            for host in chance.sample(list(hosts), min(logs_of_each, len(hosts))):
                record.write(_log(context, host, build))
        record.write(*(_state(context, host) for host in hosts))
        record.write(*(Leftover(one.name, _left(one)) for one in hosts))
        record.write(*workshop.testimony())
    finally:
        context.destroy(0)


def _rows(context: "zmq.Context[zmq.Socket[bytes]]", host: Host, collection: str) -> Iterator[dict[str, Any]]:
    after: str | None = None
    while True:
        wish = {"collection": collection, "limit": PAGE, **({"after": after} if after else {})}
        page = ask(context, host.socket, "store.query", PATIENCE_S, **wish)
        yield from page["rows"]
        after = page["next"]
        if after is None:
            return


def _build(host: Host, row: dict[str, Any]) -> BuildRow:
    return BuildRow(
        host.name, row["id"], row["state"], row.get("attempt", 0), row.get("request", ""), row.get("agent", "")
    )


def _attempt(host: Host, row: dict[str, Any]) -> AttemptRow:
    return AttemptRow(host.name, row["build"], row["number"], row["agent"], row["state"])


def _log(context: "zmq.Context[zmq.Socket[bytes]]", host: Host, build: str) -> LogRow:
    digest, offset = hashlib.sha256(), 0
    try:
        while True:
            part = ask(context, host.socket, "builds.log", PATIENCE_S, id=build, offset=offset, limit=PART)
            data = b64decode(part["data"]) if part["encoding"] == "base64" else part["data"].encode()
            digest.update(data)
            offset = part["next"]
            if part["complete"]:
                return LogRow(host.name, build, offset, digest.hexdigest())
    except Refused as error:
        return LogRow(host.name, build, offset, "", error.text)


def _state(context: "zmq.Context[zmq.Socket[bytes]]", host: Host) -> StateRow:
    found = ask(context, host.socket, "network.digest", PATIENCE_S)
    agent = ask(context, host.socket, "network.status", PATIENCE_S)["agent"]["id"]
    return StateRow(host.name, agent, found["copy"], found["index"], found["digest"])


def _left(host: Host) -> tuple[int, ...]:
    """Return the processes of builds that still run there; the executor, which lives on, is none."""
    return tuple(leftovers(str(host.agent.paths.work)) - {host.agent.executor_pid})
