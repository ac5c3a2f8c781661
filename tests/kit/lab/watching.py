"""Looks all the time at what each agent says of the network, and writes down what is new."""

import threading
from collections.abc import Sequence
from typing import Any

import zmq

from .asking import Refused, ask
from .events import Members, Record, Seen, now
from .hosts import Host

LOOK_S = 0.25
"""Seconds between two looks at one agent."""

PATIENCE_S = 2.0
"""Seconds for it to answer."""


class Watch:
    """One thread for each host."""

    def __init__(self, hosts: Sequence[Host], record: Record) -> None:
        """Watch these hosts."""
        self._record = record
        self._done = threading.Event()
        self._lock = threading.Lock()
        self.masters: dict[str, tuple[int, str]] = {}  # host -> term and agent id of the master, as it said last
        self.ids: dict[str, str] = {}  # agent id -> host
        self._threads = [threading.Thread(target=self._watch, args=(host,)) for host in hosts]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End."""
        self._done.set()
        for thread in self._threads:
            thread.join()

    def master(self) -> str:
        """Return the host of the master, as those say who know the newest term; empty: none is known."""
        with self._lock:
            known = [one for one in self.masters.values() if one[1]]
            return self.ids.get(max(known)[1], "") if known else ""

    def _watch(self, host: Host) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        members: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        while not self._done.wait(LOOK_S):
            try:
                status = ask(context, host.socket, "network.status", PATIENCE_S)
                agents = ask(context, host.socket, "agents.list", PATIENCE_S)["agents"]
            except Refused:
                continue
            self._on_status(host, status)
            found = _members(agents)
            if found != members:
                members = found
                self._record.write(Members(now(), host.name, *found))
        context.destroy(0)

    def _on_status(self, host: Host, status: dict[str, Any]) -> None:
        master = status["master"]["id"] if status["master"] else ""
        with self._lock:
            self.ids[status["agent"]["id"]] = host.name
            new = self.masters.get(host.name) != (status["term"], master)
            self.masters[host.name] = (status["term"], master)
        if new:
            self._record.write(Seen(now(), host.name, master, status["term"]))


def _members(agents: list[dict[str, Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    ready = tuple(sorted(one["name"] for one in agents if one["state"] == "ready"))
    return ready, tuple(sorted(one["name"] for one in agents if "worker" in one["roles"]))
