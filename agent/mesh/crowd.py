"""Connections at the listener that have proven nothing yet: how many there may be, and ending a connection.

Anybody can open connections and say nothing; each holds a descriptor of this process until its handshake times out.
Beyond CROWD_LIMIT the oldest is ended for the newest: a member needs some milliseconds to prove itself. libzmq owns the
connections and offers no way to end one; but it tells their descriptors, and what is shut down there, it then closes.
"""

import os
import socket

CROWD_LIMIT = 256
"""Unproven connections at a time. Larger: more descriptors a stranger can hold; smaller: less time for slow members."""


class Crowd:
    """The unproven connections at one port."""

    def __init__(self, port: int) -> None:
        """Begin with none."""
        self._port = port
        self._unproven: dict[int, None] = {}  # descriptors, the oldest first

    def __len__(self) -> int:
        return len(self._unproven)

    def on_accepted(self, descriptor: int) -> bool:
        """A connection was accepted; return whether another had to be ended for it."""
        self._unproven.pop(descriptor, None)
        self._unproven[descriptor] = None
        if len(self._unproven) <= CROWD_LIMIT:
            return False
        oldest = next(iter(self._unproven))
        del self._unproven[oldest]
        end(oldest, self._port)
        return True

    def on_proven(self, descriptor: int) -> None:
        """A member spoke on this connection."""
        self._unproven.pop(descriptor, None)

    def on_closed(self, descriptor: int) -> None:
        """The connection is no more."""
        self._unproven.pop(descriptor, None)


def end(descriptor: int, port: int) -> None:
    """End the connection at a descriptor that is not ours, provided it still is one at our port.

    By a duplicate, which stays what it is even if libzmq closes the descriptor meanwhile and it is used for other ends.
    """
    try:
        twin = os.dup(descriptor)
    except OSError:
        return
    try:
        connection = socket.socket(fileno=twin)
    except OSError:
        os.close(twin)
        return
    with connection:
        try:
            if connection.getsockname()[1] == port:
                connection.shutdown(socket.SHUT_RDWR)
        except (OSError, IndexError):
            return
