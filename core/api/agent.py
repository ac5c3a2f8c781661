"""The agent that is asked, itself: how it ends, and how it leaves its network."""

import msgspec

from ..errors import Conflict
from .method import ADMIN, CHANGE, Method, Params


class AgentStop(Params, frozen=True):
    """Ends the agent that is asked."""

    builds: str = (
        "refuse"  # what about builds that run here: refuse, wait, abort, or keep (they go on without the agent)
    )


class Stopping(msgspec.Struct, frozen=True):
    """The agent will end."""

    running: int  # builds that run here at the moment


METHODS = (
    Method(
        "agent.leave",
        "Take the asked agent out of the network, and end it",
        AgentStop,
        Stopping,
        ADMIN,
        (Conflict, *CHANGE),
    ),
    Method("agent.stop", "End the agent that is asked", AgentStop, Stopping, ADMIN, (Conflict,)),
)
