"""Ports that are still free when somebody comes to listen at them, while others make connections by the hundred."""

import socket
from contextlib import suppress
from pathlib import Path
from random import SystemRandom

_LOWEST = 20_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Return a port that nobody listens at, and that the system gives to none that asks for any port."""
    highest = 32_768
    with suppress(OSError):
        highest = int(_RANGE.read_text().split()[0])
    while highest > _LOWEST:
        with suppress(OSError), socket.create_server(("127.0.0.1", SystemRandom().randrange(_LOWEST, highest))) as free:
            return free.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
