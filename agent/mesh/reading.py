"""Reading a ZeroMQ socket on the event loop, many messages at a turn and without a future for each.

The descriptor of a ZeroMQ socket only tells that something changed, and sending on the socket may eat that sign. So the
socket is read until it is empty, and looked at again after each turn in which it was sent on (`kick`).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

import zmq

log = logging.getLogger(__name__)

BATCH = 128
"""Messages that are taken before others have a turn. Larger: more messages a second, and longer waits for the rest."""


class Reader:
    """Takes what one socket receives."""

    def __init__(self, socket: "zmq.Socket[bytes]", take: Callable[[], None]) -> None:
        """Let `take` receive one message without waiting; it raises zmq.Again when there is none. Needs `start`."""
        self._socket = socket
        self._descriptor = descriptor(socket)
        self._take = take
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = False

    def start(self) -> None:
        """Read from now on, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self.drain)
        self.kick()

    def stop(self) -> None:
        """Read no more; do this before the socket is closed."""
        if self._loop is not None:
            self._loop.remove_reader(self._descriptor)
            self._loop = None

    def kick(self) -> None:
        """Look at the socket soon, whether it tells of something or not."""
        if not self._due and self._loop is not None:
            self._due = True
            self._loop.call_soon(self._again)

    def drain(self) -> None:
        """Take what there is, at most BATCH messages; then let others have a turn."""
        take = self._take
        try:
            for _ in range(BATCH):
                if self._loop is None:
                    return
                take()
        except zmq.Again:
            return
        except Exception:
            log.exception("mesh.defect: a message could not be taken")
        self.kick()

    def _again(self) -> None:
        self._due = False
        if self._loop is not None and readable(self._socket):
            self.drain()


def descriptor(socket: "zmq.Socket[bytes]") -> int:
    """Return the descriptor that tells of changes at a socket."""
    return cast("int", socket.getsockopt(zmq.FD))


def readable(socket: "zmq.Socket[bytes]") -> bool:
    """Whether there is a message to take."""
    return bool(cast("int", socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)
