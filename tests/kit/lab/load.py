"""Clients that submit builds as real ones would: at any agent, again with the same request id until they are accepted.

They write down each try and what came of it, before and after; they do not judge.
"""

import random
import threading
from collections.abc import Sequence
from pathlib import Path

import zmq

from .asking import Refused, ask
from .events import Accepted, Failed, Record, Tried, now
from .hosts import Host
from .jobs import PAYLOADS, Workshop

PATIENCE_S = 6.0
"""Seconds that a client waits for one answer before it asks another agent."""

GIVE_UP_S = 150.0
"""Seconds after which a client gives a submission up."""

AGAIN_S = 0.05
"""Seconds between two tries."""


class Load:
    """Some clients, each a thread."""

    def __init__(self, hosts: Sequence[Host], workshop: Workshop, record: Record, *, rate: float, seed: int) -> None:
        """Submit about `rate` builds a second to `hosts`, choosing by `seed`."""
        self._hosts = hosts
        self._workshop = workshop
        self._record = record
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._number = 0
        self._done = threading.Event()
        clients = max(2, round(rate))
        self._pause_s = clients / rate
        self._threads = [threading.Thread(target=self._client, name=f"client-{one}") for one in range(clients)]

    @property
    def submitted(self) -> int:
        """Count the submissions so far."""
        return self._number

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Submit nothing new; return when all that was begun is accepted or given up."""
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _client(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            while not self._done.wait(self._draw().uniform(0, 2 * self._pause_s)):
                self._submit(context)
        finally:
            context.destroy(0)

    def _draw(self) -> random.Random:
        """Return a chance of one's own: threads share none."""
        with self._lock:
            return random.Random(self._chance.random())

    def _submit(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        chance = self._draw()
        with self._lock:
            self._number += 1
            number = self._number
        payload = chance.randrange(PAYLOADS - 1) if chance.random() < 0.99 else PAYLOADS - 1
        seconds = chance.choice((0.0, 0.0, 0.02, 0.1, 0.5, 2.0))
        command = self._workshop.command(number, payload, seconds)
        request = f"request-{number}"
        began = now()
        while True:
            host = chance.choice(self._hosts)
            tried = now()
            self._record.write(Tried(tried, request, number, payload, host.name))
            try:
                found = ask(context, host.socket, "builds.submit", PATIENCE_S, command=command, request=request)
            except Refused as error:
                final = now() - began > GIVE_UP_S
                self._record.write(Failed(now(), tried, request, host.name, error.kind, error.text, final))
                if final:
                    return
                threading.Event().wait(AGAIN_S)
                continue
            ids = tuple(one["id"] for one in found["builds"])
            self._record.write(Accepted(now(), tried, request, ids, host.name))
            return


def wait_idle(hosts: Sequence[Host], limit_s: float) -> tuple[float, str]:
    """Wait until nothing is queued and every agent is ready at every other; return the seconds, and what is missing."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    began, missing = now(), "nobody was asked"
    try:
        while missing and now() - began < limit_s:
            missing = next((one for host in hosts if (one := _busy(context, host, len(hosts)))), "")
            threading.Event().wait(0.2)
    finally:
        context.destroy(0)
    return now() - began, missing


def _busy(context: "zmq.Context[zmq.Socket[bytes]]", host: Host, count: int) -> str:
    try:
        status = ask(context, host.socket, "network.status", PATIENCE_S)
    except Refused as error:
        return f"{host.name} does not say how it is: {error.text}"
    if status["master"] is None or not status["quorum"]:
        return f"{host.name} sees no master, or no quorum: {status['notices']}"
    if status["agents"]["ready"] < count:
        return f"{host.name} sees {status['agents']['ready']} of {count} agents"
    queue = status["queue"]
    return f"{queue} wait or run, says {host.name}" if queue["pending"] + queue["running"] else ""


def sockets(hosts: Sequence[Host]) -> dict[str, Path]:
    """Return where each host's agent is asked."""
    return {host.name: host.socket for host in hosts}
