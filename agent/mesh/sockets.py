"""The sockets of the real mesh and every option they have. All are encrypted (CURVE), and none waits.

Refuses to know what is sent, and to whom.
"""

import os
import socket as sockets
from dataclasses import dataclass, field
from itertools import count
from typing import cast

import zmq

from ...core.errors import Conflict, InvalidInput
from . import places
from .admission import DOMAIN
from .frames import FRAME_LIMIT

QUEUE_LIMIT = 1_000
"""Messages queued for one link, and as many received from it but not taken. Larger: more patience, more memory."""

HEARTBEAT_MS = 1_000
"""Milliseconds between two signs of life that libzmq exchanges by itself on an idle connection."""

DEAD_MS = 3_000
"""Milliseconds without an answer to them after which it ends the connection."""

HANDSHAKE_MS = 5_000
"""Milliseconds for a handshake. Larger: more of those who say nothing; smaller: no way in over very slow lines."""

CONNECT_MS = 3_000
"""Milliseconds for a connection to be accepted."""

SOCKET_LIMIT = 8_192
"""Sockets of one mesh: three for each member that a link is kept to (it, and both ends of its monitor), and a few."""

ARRIVALS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
"""What the listener's monitor tells: connections that came, and that went."""

_monitors = count(1)

Socket = zmq.Socket[bytes]
Context = zmq.Context[Socket]


@dataclass(frozen=True)
class Keys:
    """The CURVE key pair of this agent, Z85."""

    public: str
    secret: str = field(repr=False)


def context() -> Context:
    """Return a context of the mesh's own: nobody else's sockets and no other authenticator are in it."""
    found: Context = zmq.Context()
    found.set(zmq.MAX_SOCKETS, SOCKET_LIMIT)
    return found


def listener(within: Context, keys: Keys, domain: str = DOMAIN, limit: int = FRAME_LIMIT) -> Socket:
    """Return the socket that others connect to, not yet bound; frames of more than `limit` bytes end a connection."""
    found = _socket(within, zmq.ROUTER, keys)
    found.set(zmq.MAXMSGSIZE, limit)
    found.set(zmq.CURVE_SERVER, 1)
    found.set(zmq.ZAP_DOMAIN, domain.encode())
    found.set(zmq.ZAP_ENFORCE_DOMAIN, 1)
    found.set(zmq.ROUTER_MANDATORY, 1)
    found.set(zmq.BACKLOG, 512)
    return found


def bind(socket: Socket, host: str, port: int) -> int:
    """Listen; return the port. Raises Conflict when the port is taken, InvalidInput when the host is none of ours."""
    try:
        family, _, _, _, address = sockets.getaddrinfo(
            host.strip("[]"), port, type=sockets.SOCK_STREAM, flags=sockets.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        message = f"cannot listen at {host!r}: no such address; give one of this machine: --listen HOST:PORT"
        raise InvalidInput(message) from None
    if family == sockets.AF_INET6:
        socket.set(zmq.IPV6, 1)
    where = f"[{address[0]}]" if family == sockets.AF_INET6 else address[0]
    try:
        socket.bind(f"tcp://{where}:{port or '*'}")
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            message = f"port {port} at {host} is taken by another program; choose another one: --listen HOST:PORT"
            raise Conflict(message) from None
        why = os.strerror(error.errno or 0)
        message = f"cannot listen at {host}:{port}: {why}; give an address of this machine: --listen HOST:PORT"
        raise InvalidInput(message) from None
    return int(cast("bytes", socket.get(zmq.LAST_ENDPOINT)).decode().rpartition(":")[2])


def connector(within: Context, keys: Keys, server: str) -> Socket:
    """Return a socket for a link to the agent with this public key, not yet connected.

    It connects once: whether and where to try again is decided elsewhere. It takes nothing before it is connected.
    """
    found = _socket(within, zmq.DEALER, keys)
    found.set(zmq.CURVE_SERVERKEY, server.encode())
    found.set(zmq.IMMEDIATE, 1)
    found.set(zmq.RECONNECT_IVL, -1)
    found.set(zmq.CONNECT_TIMEOUT, CONNECT_MS)
    return found


def connect(socket: Socket, host: str, port: int) -> None:
    """Begin to connect to an address (not a name: libzmq would hold up all links while it asks for it)."""
    if ":" in host:
        socket.set(zmq.IPV6, 1)
    socket.connect(f"tcp://{places.join(host, port)}")


def monitor(within: Context, socket: Socket, events: int) -> Socket:
    """Return the socket at which libzmq tells of a socket's connections. Close it by `close`.

    Its queue has no limit: libzmq waits, with all its links, for whoever does not take what it tells.
    """
    where = f"inproc://monitor-{next(_monitors)}"
    socket.monitor(where, events)
    found = within.socket(zmq.PAIR)
    found.set(zmq.LINGER, 0)
    found.set(zmq.RCVHWM, 0)
    found.connect(where)
    return found


def close(socket: Socket, watching: Socket | None) -> None:
    """Close a socket and its monitor, in the order that libzmq needs."""
    if watching is not None:
        socket.disable_monitor()
        watching.close(0)
    socket.close(0)


def _socket(within: Context, kind: int, keys: Keys) -> Socket:
    found = within.socket(kind)
    found.set(zmq.LINGER, 0)
    found.set(zmq.CURVE_PUBLICKEY, keys.public.encode())
    found.set(zmq.CURVE_SECRETKEY, keys.secret.encode())
    found.set(zmq.MAXMSGSIZE, FRAME_LIMIT)
    found.set(zmq.SNDHWM, QUEUE_LIMIT)
    found.set(zmq.RCVHWM, QUEUE_LIMIT)
    found.set(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    found.set(zmq.HEARTBEAT_TIMEOUT, DEAD_MS)
    found.set(zmq.HEARTBEAT_TTL, DEAD_MS)
    found.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    found.set(zmq.TCP_KEEPALIVE, 1)
    found.set(zmq.TCP_KEEPALIVE_IDLE, 10)
    found.set(zmq.TCP_KEEPALIVE_INTVL, 5)
    found.set(zmq.TCP_KEEPALIVE_CNT, 3)
    return found
