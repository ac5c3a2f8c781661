"""The network: how it stands, how its agents see each other, and who is let in."""

import msgspec

from ..errors import InvalidInput, NotAllowed, NotFound
from .method import ADMIN, CHANGE, READ, Method, NoParams, Params
from .tasks import OneTask


class Invite(Params, frozen=True):
    """Makes an invitation."""

    seconds: float = 3600.0  # for how long it is good; it lets one machine in
    role: str = "member"  # member, or worker: a machine that is never given a vote


class Approve(Params, frozen=True):
    """Lets a machine in that waits."""

    code: str  # what it shows, as 482-913


class Identity(msgspec.Struct, frozen=True):
    """Id and name of an agent or network."""

    id: str  # unique
    name: str  # for people


class Status(msgspec.Struct, frozen=True):
    """The state of the network, as the asked agent sees it."""

    network: Identity  # the network
    agent: Identity  # who answers
    master: Identity | None  # the elected master; null: none
    term: int  # of the election
    voters: list[str]  # agent ids
    quorum: bool  # whether a majority of the voters is in contact
    agents: dict[str, int]  # {"ready": n, "unreachable": n}
    queue: dict[str, int]  # {"pending": n, "running": n}
    version: str  # of the answering agent
    store: str  # URL of the store, without a password
    notices: list[str]  # what people should know, e.g. that the disk is nearly full
    age: float = 0.0  # seconds since the asked agent was last known to be up to date
    copy: bool = True  # whether the asked agent holds the history itself


class Digest(msgspec.Struct, frozen=True):
    """The state of an agent's copy of the ledger."""

    index: int  # of the last log entry that it reflects
    digest: str  # SHA-256 (hex); equal on all agents at one index
    copy: bool  # whether the asked agent holds a copy at all


class Link(msgspec.Struct, frozen=True):
    """Another agent, as the asked one sees it."""

    id: str  # agent id
    name: str  # for people
    addresses: list[str]  # host:port of its control socket, as far as known
    version: str  # of Job Orchestra
    reachable: bool  # whether it answered just now
    silence: float | None  # seconds since anything came from it; null: nothing ever did
    round_trip: float | None = None  # seconds until it answered
    skew: float | None = None  # seconds that its clock is ahead of the asked agent's
    ports: dict[str, int] = {}  # bulk and door, on the same hosts
    rejects: bool = False  # it does not take the asked agent for a member any more


class Links(msgspec.Struct, frozen=True):
    """How the asked agent sees the others."""

    links: list[Link]  # the ones heard last first
    counters: dict[str, int]  # messages sent, received and dropped, by reason
    addresses: list[str]  # where the asked agent listens
    ports: dict[str, int] = {}  # bulk and door, on the same hosts
    announced: bool = False  # it announces itself on the LAN by mDNS
    speaking: list[str] = []  # addresses from which it does so; none: that is not possible
    seen: list[str] = []  # ids of the agents of this network that it saw on the LAN


class Invitation(msgspec.Struct, frozen=True):
    """Lets one machine in. Shown this once; the network remembers only a digest."""

    token: str  # for `orchestra join TOKEN`
    expires: str  # RFC 3339, UTC


class JoinRequest(msgspec.Struct, frozen=True):
    """A machine that waits for being let in."""

    id: str  # agent id
    name: str  # as it says
    address: str  # where it was seen
    version: str  # of Job Orchestra
    expires: float  # seconds until it is refused


class JoinRequests(msgspec.Struct, frozen=True):
    """The machines that wait."""

    requests: list[JoinRequest]  # oldest first


METHODS = (
    Method("network.status", "The state of the network", NoParams, Status, READ),
    Method("network.digest", "The state of the asked agent's ledger, to compare", NoParams, Digest, READ),
    Method("network.links", "How the asked agent sees the others", NoParams, Links, READ),
    Method("network.invite", "An invitation for one machine", Invite, Invitation, ADMIN, (InvalidInput, *CHANGE)),
    Method("network.requests", "The machines that wait for being let in", NoParams, JoinRequests, ADMIN, CHANGE),
    Method(
        "network.approve",
        "Let the machine in that shows this code; a wrong one refuses all that wait",
        Approve,
        OneTask,
        ADMIN,
        (NotFound, NotAllowed, InvalidInput, *CHANGE),
    ),
)
