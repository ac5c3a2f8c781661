"""The agents of a network: what they may do and offer, what they did, and how one is removed."""

import msgspec

from ..browsing import UsageList
from ..errors import Conflict, InvalidInput, NotFound
from ..views.agents import AgentView
from .method import ADMIN, CHANGE, MISSING, OPERATE, READ, Method, NoParams, Params
from .tasks import OneTask


class AgentSet(Params, frozen=True):
    """Changes what an agent may do."""

    agent: str  # id, unique prefix of one, or name
    enabled: bool | None = None  # take new builds
    draining: bool | None = None  # finish what it has and take nothing new


class AgentOffer(Params, frozen=True):
    """Changes what a machine lets builds have, and when. What is not given stays as it is."""

    agent: str  # id, unique prefix of one, or name
    slots: int | None = None  # builds at a time
    cpus: float | None = None  # cpus that builds may take in all
    hours: list[str] | None = None  # when, by the agent's clock: 18:00-08:00, mon-fri 18:00-08:00 ...; empty: always
    pause_when_used: bool | None = None  # take no builds while somebody uses the machine
    idle: float | None = None  # seconds that nobody may have used it until it takes builds again
    pause_on_battery: bool | None = None  # take no builds while it runs on its battery
    nice: bool | None = None  # let builds give way to everything else on the machine
    reset: bool = False  # forget all earlier changes first: as the machine's own settings say


class ByAgent(Params, frozen=True):
    """Names an agent."""

    agent: str  # id, unique prefix of one, or name


class AgentsUsage(Params, frozen=True):
    """Which days."""

    since: str  # RFC 3339; days (UTC) that begin then or later
    until: str | None = None  # RFC 3339; and before this; null: until now


class Agents(msgspec.Struct, frozen=True):
    """All members."""

    agents: list[AgentView]  # by name


METHODS = (
    Method("agents.list", "All agents of the network", NoParams, Agents, READ),
    Method("agents.set", "Enable, disable or drain an agent", AgentSet, OneTask, OPERATE, MISSING + CHANGE),
    Method(
        "agents.offer",
        "Change what a machine lets builds have, and when",
        AgentOffer,
        OneTask,
        OPERATE,
        (NotFound, InvalidInput, *CHANGE),
    ),
    Method(
        "agents.remove",
        "Take an agent out of the network: its vote first, then its membership",
        ByAgent,
        OneTask,
        ADMIN,
        (NotFound, Conflict, *CHANGE),
    ),
    Method("agents.usage", "What agents did, by day", AgentsUsage, UsageList, READ, (InvalidInput,)),
)
