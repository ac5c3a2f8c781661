"""What a member can be. Refuses to know what follows from it."""

from enum import IntEnum


class Role(IntEnum):
    """What a member is at the moment."""

    FOLLOWER = 0  # listens to a leader, or waits for one
    CANDIDATE = 1  # asks for votes
    LEADER = 2  # decides
    PRE_CANDIDATE = 3  # asks whether it would get votes
