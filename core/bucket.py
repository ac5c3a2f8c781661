"""A token bucket: so many events a second, and so many at once. Pure; the caller brings the time."""


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
