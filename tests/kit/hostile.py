"""A hostile machine on the LAN: `python -m tests.kit.hostile HOST SECONDS`, against the agent at HOST's usual ports.

Two thousand half-open connections to each port, raw bytes of all kinds, a frame that claims a gibibyte, wrong keys,
nonsense at the door, and questions to the beacon, over and over. Says `done` at the end. What the victim ends of it is
no error here.
"""

import contextlib
import os
import random
import socket
import sys
import time

import zmq

PORTS = (7711, 7712, 7713)
"""Control, bulk, door."""

HALF_OPEN = 2_000
"""Connections to each port, of which nothing is said on most."""

_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00"
_CURVE = _GREETING + b"CURVE".ljust(20, b"\0") + bytes(32)
_CHANCE = random.Random(1)


def garbage() -> bytes:
    """Return bytes that no peer should send."""
    return _CHANCE.choice(
        (
            b"GET / HTTP/1.1\r\nHost: orchestra\r\n\r\n",
            _CHANCE.randbytes(2_000),
            bytes(4_096),
            _GREETING + b"NULL".ljust(20, b"\0") + bytes(32) + b"\x04\x19\x05READY",
            _CURVE + b"\x04\xc8\x05HELLO" + _CHANCE.randbytes(194),
            _CURVE + b"\x06" + (1 << 30).to_bytes(8) + b"x" * 1_000,
            _CURVE[:17],
        )
    )


def crowd(host: str) -> list[socket.socket]:
    """Open many connections, and say something wrong on some."""
    opened: list[socket.socket] = []
    for number in range(HALF_OPEN * len(PORTS)):
        with contextlib.suppress(OSError):
            one = socket.socket()
            one.setblocking(False)
            opened.append(one)
            with contextlib.suppress(BlockingIOError):
                one.connect((host, PORTS[number % len(PORTS)]))
        if number % 4 == 0:
            with contextlib.suppress(OSError):
                opened[_CHANCE.randrange(len(opened))].send(garbage())
    return opened


def wrong_keys(host: str, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    """Connect with keys that nobody knows, and with a wrong idea of the other's; say nonsense at the door."""
    for port in PORTS:
        public, secret = zmq.curve_keypair()
        one = context.socket(zmq.DEALER)
        one.set(zmq.LINGER, 0)
        one.set(zmq.CURVE_PUBLICKEY, public)
        one.set(zmq.CURVE_SECRETKEY, secret)
        one.set(zmq.CURVE_SERVERKEY, zmq.curve_keypair()[0])
        one.connect(f"tcp://{host}:{port}")
        one.send(os.urandom(500))


def main(host: str, seconds: float) -> None:
    """Do all of it until the time is over."""
    end = time.monotonic() + seconds
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 10_000)
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while time.monotonic() < end:
        opened = crowd(host)
        wrong_keys(host, context)
        for _ in range(500):
            with contextlib.suppress(OSError):
                asking.sendto(b"orchestra who? 1\n".ljust(1_200, b"\0"), (host, PORTS[0]))
        for one in opened:
            one.close()
    context.destroy(0)
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
