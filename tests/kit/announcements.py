"""Announcements of agents that do not exist."""

import secrets
from hashlib import sha256
from typing import Any

from job_orchestra.agent.announcement import Announcement, Sighting

NETWORK = "0" * 16


def announced(number: int | None = None, **changes: object) -> Announcement:
    """Make the announcement of agent `number`, or of one that nobody has seen yet."""
    public = (secrets.token_hex(20) if number is None else str(number)).rjust(40, "k")
    values: dict[str, Any] = {
        "id": sha256(public.encode()).hexdigest()[:16],
        "public": public,
        "network": NETWORK,
        "network_name": "lab",
        "name": f"box-{number}",
        "version": "5.0.0",
        "port": 7711,
        "bulk": 7712,
        "door": 7713,
    }
    values.update(changes)
    return Announcement(**values)


def seen(number: int, host: str = "192.0.2.1", **changes: object) -> Sighting:
    """Make a sighting of agent `number`."""
    return Sighting(announced(number, **changes), host)
