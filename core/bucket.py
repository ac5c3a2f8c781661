"""Token buckets: so many events a second, and so many at once. Pure; the caller brings the time."""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address


class Bucket:
    """Full at first; `take` empties it, time fills it."""

    def __init__(self, rate: float, size: float) -> None:
        """Refill `rate` tokens a second (larger: more is let through) up to `size` (larger: longer bursts)."""
        self._rate = rate
        self._size = size
        self._tokens = size
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take a token at `now` (seconds of a clock that only goes forward); return whether there was one."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def wait_s(self, now: float) -> float:
        """Return how long it takes until there is a token, 0 when there is one."""
        self._refill(now)
        return max(0.0, (1 - self._tokens) / self._rate)

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._tokens = min(self._size, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now


SOURCES = 1_024
"""Sources whose bucket is remembered; beyond, the one not heard for longest is forgotten."""


class Buckets:
    """One bucket for all that comes, and one for each address that it comes from."""

    def __init__(self, rate: float, each: float) -> None:
        """Let `rate` events a second through, `each` from one address (IPv6: from one /64, what one household has)."""
        self._all = Bucket(rate, rate)
        self._rate = each
        self._each: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, host: str, now: float) -> bool:
        """Take a token for an event from an IP address; return whether there was one."""
        source = _source(host)
        bucket = self._each.setdefault(source, Bucket(self._rate, self._rate))
        self._each.move_to_end(source)
        if len(self._each) > SOURCES:
            self._each.popitem(last=False)
        return bucket.take(now) and self._all.take(now)


def _source(host: str) -> str:
    """Return whose address it is, as far as that can be told: IPv6 gives everyone 2**64 of them."""
    address = ip_address(host.split("%", 1)[0])
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return address.packed[:8].hex()
    return str(address)
