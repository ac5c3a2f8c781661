"""The settings of one member. Each field says what a larger and a smaller value cost."""

from dataclasses import dataclass

from ..errors import InvalidInput
from .messages import NOBODY, Member

UNLIMITED = 2**63 - 1
"""No limit in bytes or messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How a member behaves. All members of a network use the same, but for `id`."""

    id: Member
    """This member's number."""
    election_ticks: int = 10
    """Silence of the leader before others campaign. Larger: slower failover; smaller: elections without need."""
    heartbeat_ticks: int = 1
    """Between heartbeats. Larger: later news of commits and loss; smaller: more messages."""
    check_quorum: bool = True
    """A leader that a majority does not answer steps down, and who heard a leader recently ignores campaigns."""
    pre_vote: bool = True
    """Ask whether a campaign could be won before it begins, so that a returning member disturbs nobody."""
    lease_s: float = 0.0
    """How long an answered heartbeat lets the leader read alone; 0 means never. At most `election_ticks - 1` ticks,
    less what clocks may drift apart. It also makes a leader step down as soon as a majority was silent for
    `election_ticks`, and a restarted member keep the promises it cannot remember: it ignores campaigns that long."""
    max_message_bytes: int = 1 << 20
    """Of entries in one APPEND. Larger: fewer messages for one that is behind; smaller: less lost with one message."""
    max_apply_bytes: int = 8 << 20
    """Of committed entries in one Ready. Larger: fewer transactions; smaller: less memory and delay at once."""
    max_uncommitted_bytes: int = 64 << 20
    """Of data waiting to be committed, beyond which proposals are refused. Bounds memory when a majority is slow."""
    max_inflight_messages: int = 256
    """Unanswered APPENDs to one member. Larger: more speed over a long way; smaller: less memory."""
    max_inflight_bytes: int = 16 << 20
    """As `max_inflight_messages`, in bytes of data."""
    forward_proposals: bool = False
    """Whether followers pass proposals on. Ours do not: a command carries the leader's clock."""
    own_term_before_changes: bool = True
    """Refuse to change the membership until an entry of the leader's own term is committed. etcd is content with
    everything before its term being applied."""
    step_down_when_removed: bool = True
    """A leader that is removed or loses its vote steps down when it applies that."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.id == NOBODY:
            raise InvalidInput("a member's number is not 0; give it one from 1 on")
        if not 0 < self.heartbeat_ticks < self.election_ticks:
            raise InvalidInput("heartbeat_ticks must be at least 1 and less than election_ticks")
        if self.max_inflight_messages < 1 or self.max_inflight_bytes < 1:
            raise InvalidInput("max_inflight_messages and max_inflight_bytes must be at least 1")
        if self.lease_s and not self.check_quorum:
            raise InvalidInput("a lease needs check_quorum: switch it on, or set lease_s to 0")
