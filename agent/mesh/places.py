"""Where a member may be found, in which order to try it, and how long to wait between two tries. Pure.

A place is "host:port", "[host]:port" for IPv6. What the member table says and what the member itself said takes turns
with mere hints, so that no flood of hints can hide the place that is right.
"""

import random
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address, ip_address

from .contract import HINT_LIMIT

FIRST_WAIT_S = 0.1
"""Seconds after the first failure. Smaller: a restarted agent is found sooner, and more knocking at dead ones."""

LONGEST_WAIT_S = 2.0
"""Seconds between two tries at most. Larger: less traffic to members that are away, which return unnoticed longer."""


def split(place: str) -> tuple[str, int] | None:
    """Return host and port of a place; None where it is none."""
    host, _, port = place.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return None
    if not host or not host.isprintable() or any(char in host for char in " /;@[]"):
        return None
    if not (port.isascii() and port.isdecimal()) or not 0 < int(port[:6]) < 1 << 16:
        return None
    return host, int(port)


def join(host: str, port: int) -> str:
    """Return the place of a host, by name or address, and a port; an IPv4 address in IPv6 clothes is undressed."""
    try:
        address = ip_address(host)
    except ValueError:
        return f"{host}:{port}"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return f"{address.ipv4_mapped}:{port}"
        return f"[{host}]:{port}"
    return f"{host}:{port}"


def is_literal(host: str) -> bool:
    """Whether a host is an address already, so that nothing has to be asked for it."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Places:
    """The places of one member."""

    def __init__(self, known: Sequence[str], chance: random.Random) -> None:
        """Begin with those of its contact; `chance` spreads the waits."""
        self._chance = chance
        self._known = _usable(known)  # by the member table
        self._told: list[str] = []  # by the member itself
        self._good = ""  # where it was found last
        self._hints: list[str] = []  # by anybody, the next to try first
        self._turn = 0  # which of the sure ones is next
        self._hint_is_next = False
        self._failures = 0

    def know(self, known: Sequence[str]) -> bool:
        """Replace what the member table says; return whether there is anything new."""
        before = self._sure()
        self._known = _usable(known)
        return self._news(before)

    def told(self, addresses: Sequence[str]) -> bool:
        """Replace what the member says of itself, proven by its key; return whether there is anything new."""
        before = self._sure()
        self._told = _usable(addresses)
        return self._news(before)

    def hint(self, addresses: Iterable[str]) -> bool:
        """Add what others say; the oldest beyond HINT_LIMIT are forgotten. Return whether there is anything new."""
        fresh = [one for one in _usable(addresses) if one not in self._hints and one not in self._sure()]
        self._hints = [*fresh, *self._hints][:HINT_LIMIT]
        return bool(fresh)

    def next(self) -> str | None:
        """Return the place to try next."""
        sure = self._sure()
        if self._hints and (self._hint_is_next or not sure):
            self._hint_is_next = False
            place = self._hints.pop(0)
            self._hints.append(place)
            return place
        if not sure:
            return None
        self._hint_is_next = True
        self._turn += 1
        return sure[(self._turn - 1) % len(sure)]

    def found(self, place: str) -> None:
        """Remember that the member answered there."""
        self._good = place
        self._turn = self._failures = 0

    def failed(self) -> None:
        """Wait longer next time."""
        self._failures += 1

    def wait_s(self) -> float:
        """Return how long to wait before the next try: doubled from failure to failure, less up to a half by chance."""
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._failures, 10))
        return longest * self._chance.uniform(0.5, 1.0)

    def _sure(self) -> list[str]:
        return list(dict.fromkeys(one for one in (self._good, *self._told, *self._known) if one))

    def _news(self, before: Sequence[str]) -> bool:
        if set(self._sure()) <= set(before):
            return False
        self._turn = 0
        return True


def _usable(addresses: Iterable[str]) -> list[str]:
    """Return at most HINT_LIMIT different places, without what is none."""
    return [one for one in dict.fromkeys(addresses) if split(one) is not None][:HINT_LIMIT]
