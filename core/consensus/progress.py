"""How far one follower is, as its leader knows, and how much may be under way to it.

Refuses to know the log: it is told what was sent and what was answered.
"""

from collections import deque
from enum import IntEnum

from .messages import Member


class Flow(IntEnum):
    """How a leader sends to a follower."""

    PROBE = 0  # where the logs match is not known: one message at a time
    REPLICATE = 1  # it is known: messages follow each other without waiting
    SNAPSHOT = 2  # it needs a snapshot: nothing is sent until that is done


class Progress:
    """One follower. Always `match < next`."""

    __slots__ = (
        "active",
        "heard",
        "inflight",
        "inflight_bytes",
        "learner",
        "match",
        "max_bytes",
        "max_messages",
        "member",
        "next",
        "paused",
        "pending_snapshot",
        "round",
        "sent_commit",
        "state",
    )

    def __init__(self, member: Member, max_messages: int, max_bytes: int) -> None:
        """Know nothing of `member`; limit what is unanswered to `max_messages` and `max_bytes`."""
        self.member = member
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.learner = False
        self.inflight: deque[tuple[int, int]] = deque()  # (last index, bytes) of each unanswered message
        self.reset(1)

    def reset(self, following: int) -> None:
        """Forget everything but who it is; `following` is the next index to try."""
        self.state = Flow.PROBE
        self.match = 0  # its log is the leader's up to here
        self.next = following  # the next entry to send
        self.sent_commit = 0  # the highest commit that it was told, or will be
        self.pending_snapshot = 0  # index of the snapshot under way
        self.paused = False  # wait for an answer before the next message
        self.active = False  # heard from since the last check
        self.heard = 0  # the leader's tick at which it was heard last
        self.round = 0  # the latest heartbeat round it answered
        self.inflight.clear()
        self.inflight_bytes = 0

    @property
    def full(self) -> bool:
        """Whether as much is under way as may be."""
        return len(self.inflight) >= self.max_messages or self.inflight_bytes >= self.max_bytes

    @property
    def halted(self) -> bool:
        """Whether nothing may be sent now."""
        return self.paused or self.state is Flow.SNAPSHOT

    def probe(self) -> None:
        """Find out anew where the logs match; a snapshot that went well counts as received."""
        following = self.match + 1
        if self.state is Flow.SNAPSHOT:
            following = max(following, self.pending_snapshot + 1)
        self._become(Flow.PROBE, following)
        self.sent_commit = min(self.sent_commit, following - 1)

    def replicate(self) -> None:
        """Send without waiting, from what is known to match."""
        self._become(Flow.REPLICATE, self.match + 1)

    def await_snapshot(self, index: int) -> None:
        """Wait for a snapshot up to `index` to arrive."""
        self._become(Flow.SNAPSHOT, index + 1)
        self.pending_snapshot = index
        self.sent_commit = index

    def sent(self, count: int, size: int) -> None:
        """Note that a message with `count` entries of `size` bytes was sent."""
        if self.state is Flow.REPLICATE:
            if count:
                self.next += count
                self.inflight.append((self.next - 1, size))
                self.inflight_bytes += size
            # An empty message to a full window is a probe: one, then wait.
            self.paused = len(self.inflight) >= self.max_messages or self.inflight_bytes >= self.max_bytes
        elif count:
            self.paused = True

    def needs_commit(self, commit: int) -> bool:
        """Whether telling it `commit` could let it commit more."""
        return commit > self.sent_commit and self.sent_commit < self.next - 1

    def acknowledged(self, index: int) -> bool:
        """Learn that its log matches up to `index`. Return whether that is news."""
        if index <= self.match:
            return False
        self.match = index
        self.next = max(self.next, index + 1)
        self.paused = False
        return True

    def free(self, index: int) -> None:
        """Forget the messages up to `index`: they were answered."""
        while self.inflight and self.inflight[0][0] <= index:
            self.inflight_bytes -= self.inflight.popleft()[1]

    def refused(self, index: int, hint: int) -> bool:
        """Learn that it refused entries behind `index` and may match at `hint`. Return whether that is news."""
        if self.state is Flow.REPLICATE:
            if index <= self.match:
                return False  # an old refusal: it has acknowledged more since
            self.next = self.match + 1
        else:
            if self.next - 1 != index:
                return False  # not about the message that is waited for
            self.next = max(min(index, hint + 1), self.match + 1)
            self.paused = False
        self.sent_commit = min(self.sent_commit, self.next - 1)
        return True

    def _become(self, state: Flow, following: int) -> None:
        self.state = state
        self.next = following
        self.paused = False
        self.pending_snapshot = 0
        self.inflight.clear()
        self.inflight_bytes = 0
