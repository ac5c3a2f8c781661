"""Heartbeat rounds of one leader's term: which reads they confirm, and until when they are a lease.

A round that a majority answered proves that nobody led a later term when it was sent. So a read that came before it
was sent may be answered, and for `lease_s` from its sending nobody else is elected: those who answered it ignore
campaigns for longer than that. Times are the driver's monotonic seconds. Refuses to know who answered.
"""

from collections import deque


class Rounds:
    """The rounds of one term."""

    __slots__ = ("_reads", "_sent", "answered", "began", "current", "lease_s", "surrendered")

    def __init__(self, lease_s: float) -> None:
        """Begin a term."""
        self.lease_s = lease_s
        self.current = 0  # the latest round sent
        self.answered = 0  # the latest round that a majority answered
        self.began = -1.0  # when that one was sent; negative: none was answered
        self.surrendered = False  # another was told to campaign: no lease in this term any more
        self._sent: deque[float] = deque()  # when the rounds behind `answered` were sent
        self._reads: deque[tuple[int, int, bytes]] = deque()  # (round, index, context) of reads that wait

    def begin(self, now: float) -> int:
        """Begin a round and return its number."""
        self.current += 1
        self._sent.append(now)
        return self.current

    def read(self, index: int, context: bytes) -> None:
        """Let a read wait for the round that begins next."""
        self._reads.append((self.current + 1, index, context))

    def confirm(self, answered: int) -> list[tuple[int, bytes]]:
        """Learn that a majority answered round `answered`; return (index, context) of the reads this confirms."""
        while self.answered < answered and self._sent:
            self.answered += 1
            self.began = self._sent.popleft()
        confirmed: list[tuple[int, bytes]] = []
        while self._reads and self._reads[0][0] <= self.answered:
            _, index, context = self._reads.popleft()
            confirmed.append((index, context))
        return confirmed

    def lease_until(self) -> float:
        """Return until when nobody else can be elected; 0: no promise."""
        if self.surrendered or self.began < 0 or not self.lease_s:
            return 0.0
        return self.began + self.lease_s
