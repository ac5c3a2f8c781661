"""What can be asked of the ledger: the entries of the replicated log.

Commands carry everything that `apply` needs (time, requester, ids of agents), so that applying them is deterministic.
They are stored in the log for ever-so-long: fields are only added, at the end, with defaults.
"""

import msgspec

from .definition import Job, Schedule, Spec
from .model import AgentRecord, Attempt, Context, Millis, Node, Stop
from .offer import OfferChange


class NewBuild(msgspec.Struct, frozen=True, omit_defaults=True):
    """One build that a submission wants."""

    project: str  # the project of its job
    job: str  # the name of its job
    spec: str  # digest of what it executes, defined in the same Submit or known to the ledger
    parameters: dict[str, str] = {}  # checked and with defaults filled in
    priority: int = 0  # higher is assigned earlier
    context: Context | None = None  # what is rare about it


class Submit(msgspec.Struct, frozen=True, tag="submit", omit_defaults=True):
    """Accept builds."""

    at: Millis  # the master's clock
    requester: str  # who asks
    builds: tuple[NewBuild, ...]  # at least one
    specs: dict[str, Spec] = {}  # digest -> spec, of those the ledger may not know
    request: str = ""  # the client's id: the same one again returns the builds of the first time
    cause: str = "submit"  # what made it
    kind: str = "builds.submit"  # the method, for the task
    nodes: tuple[Node, ...] = ()  # makes a pipeline of the builds, which come in the order of the nodes; empty: none


class Apply(msgspec.Struct, frozen=True, tag="apply", omit_defaults=True):
    """Define the jobs and schedules of a project: these and no others."""

    at: Millis  # the master's clock
    requester: str  # who asks
    project: str  # whose jobs
    jobs: tuple[Job, ...]  # all of them
    schedules: tuple[Schedule, ...] = ()  # all of them


class StopBuild(msgspec.Struct, frozen=True, tag="stop", omit_defaults=True):
    """Stop a build."""

    at: Millis  # the master's clock
    requester: str  # who asks
    build: str  # its id
    how: Stop  # abort or cancel


class StopPipeline(msgspec.Struct, frozen=True, tag="stop-pipeline", omit_defaults=True):
    """Stop all builds of a pipeline, or withdraw those that have not started."""

    at: Millis  # the master's clock
    requester: str  # who asks
    pipeline: str  # its id
    how: Stop  # abort or cancel


class Assign(msgspec.Struct, frozen=True, tag="assign", omit_defaults=True):
    """Give pending builds to a worker, as their next attempts. A build that is no longer pending is passed over."""

    at: Millis  # the master's clock
    agent: str  # the worker's agent id
    session: str  # the worker session that may run them
    builds: tuple[str, ...]  # build ids


class Overdue(msgspec.Struct, frozen=True, tag="overdue", omit_defaults=True):
    """End builds that waited for a worker for longer than they may, as error. Those that have one are left alone."""

    at: Millis  # the master's clock
    builds: dict[str, str]  # build id -> what it waited for


class Record(msgspec.Struct, frozen=True, tag="record", omit_defaults=True):
    """Take over what a worker reports of attempts (state, times, steps, results; `assigned` is not read)."""

    at: Millis  # the master's clock
    agent: str  # the reporting worker: only its own attempts are taken
    attempts: tuple[Attempt, ...]  # newest snapshots


class Join(msgspec.Struct, frozen=True, tag="join", omit_defaults=True):
    """Add an agent or renew its record. A new worker session ends what the one before had."""

    at: Millis  # the master's clock
    agent: AgentRecord  # as it should be; what others decide about it (enabled, key, number ...) is kept from before
    begun: tuple[str, ...] | None = None
    """Keys of attempts of earlier sessions that were begun: these are lost, others go back into the queue.

    None: unknown, all are lost.
    """


class SetAgent(msgspec.Struct, frozen=True, tag="set-agent", omit_defaults=True):
    """Change what an agent may do."""

    at: Millis  # the master's clock
    requester: str  # who asks
    agent: str  # agent id
    enabled: bool | None = None  # take new builds; None: as it is
    draining: bool | None = None  # finish and take nothing new; None: as it is
    leaving: bool | None = None  # give its vote to another, then remove it; None: as it is
    note: str = ""  # why, where nobody asked for it


class SetOffer(msgspec.Struct, frozen=True, tag="set-offer", omit_defaults=True):
    """Change what a machine lets builds have, over what it says itself."""

    at: Millis  # the master's clock
    requester: str  # who asks
    agent: str  # agent id
    change: OfferChange  # what is different now
    reset: bool = False  # earlier changes are forgotten first


class Invite(msgspec.Struct, frozen=True, tag="invite", omit_defaults=True):
    """Let whoever knows a secret join, once."""

    at: Millis  # the master's clock
    requester: str  # who asks
    digest: str  # SHA-256 (hex) of the secret
    expires: Millis  # from then on it is worth nothing
    votes: bool = True  # whether who joins with it may be made a voter


class Admit(msgspec.Struct, frozen=True, tag="admit", omit_defaults=True):
    """Make an agent a member. One that is a member already gets a new number: it lost what it promised with the old."""

    at: Millis  # the master's clock
    requester: str  # who asks
    agent: AgentRecord  # id, name, key, addresses, version
    member: int = 0  # its number; 0: the next one. Only who makes the network chooses
    invite: str = ""  # digest of the invitation's secret, which is used up; empty: it was approved by hand


class Remove(msgspec.Struct, frozen=True, tag="remove", omit_defaults=True):
    """Make an agent no member any more. What it had is lost."""

    at: Millis  # the master's clock
    requester: str  # who asks
    agent: str  # agent id
    kind: str = "agents.remove"  # the method, for the task


class Expire(msgspec.Struct, frozen=True, tag="expire", omit_defaults=True):
    """End a worker's lease: it was silent for too long, and what it had is lost."""

    at: Millis  # the master's clock
    agent: str  # agent id
    session: str  # the worker session that is over; another one is left alone


class Refuse(msgspec.Struct, frozen=True, tag="refuse", omit_defaults=True):
    """Record a request that was refused before it became a command, for the audit trail."""

    at: Millis  # the master's clock
    requester: str  # who asked
    kind: str  # the method
    target: str  # what it was about
    reason: str  # why it was refused


class Fire(msgspec.Struct, frozen=True, tag="fire", omit_defaults=True):
    """Let a schedule fire. The same minute again, or an earlier one, changes nothing."""

    at: Millis  # the master's clock
    project: str  # of the schedule
    name: str  # of the schedule
    minute: Millis  # the instant at which it should fire; 0: somebody asked for it, out of turn
    submit: Submit | None = None  # what it submits; None: nothing, see `why`
    missed: int = 0  # firings before it that were missed and are not carried out
    why: str = ""  # why nothing is submitted, for people
    requester: str = "schedule"  # who asks
    kind: str = "schedules.fire"  # the method, for the task


class SetSchedule(msgspec.Struct, frozen=True, tag="set-schedule", omit_defaults=True):
    """Switch a schedule on or off, whatever its file says."""

    at: Millis  # the master's clock
    requester: str  # who asks
    project: str  # of the schedule
    name: str  # of the schedule
    enabled: bool  # whether it fires
    kind: str = "schedules.set"  # the method, for the task


class SetSecret(msgspec.Struct, frozen=True, tag="set-secret", omit_defaults=True):
    """Keep a sealed secret."""

    at: Millis  # the master's clock
    requester: str  # who asks
    project: str  # whose builds may have it
    name: str  # the variable by which their steps see it
    box: bytes  # the value, sealed with the network's key
    generation: int  # of that key; where it is another one by now, the secret is refused
    kind: str = "secrets.set"  # the method, for the task


class RemoveSecret(msgspec.Struct, frozen=True, tag="remove-secret", omit_defaults=True):
    """Forget a secret."""

    at: Millis  # the master's clock
    requester: str  # who asks
    project: str  # whose it is
    name: str  # its name
    kind: str = "secrets.remove"  # the method, for the task


class PinBuilds(msgspec.Struct, frozen=True, tag="pin", omit_defaults=True):
    """Keep builds, whatever their age, until they are unpinned. They may have ended long ago."""

    at: Millis  # the master's clock
    requester: str  # who asks
    target: str  # what was named: a build, or a pipeline
    builds: dict[str, str]  # id -> project/job#number
    note: str = ""  # why, for people
    kind: str = "builds.pin"  # the method, for the task


class UnpinBuilds(msgspec.Struct, frozen=True, tag="unpin", omit_defaults=True):
    """Let builds go again when their time has come."""

    at: Millis  # the master's clock
    requester: str  # who asks
    target: str  # what was named: a build, or a pipeline
    builds: tuple[str, ...]  # ids
    kind: str = "builds.unpin"  # the method, for the task


class Rekey(msgspec.Struct, frozen=True, tag="rekey", omit_defaults=True):
    """Wrap the key for secrets for more agents; or, with the next generation, take a new key in place of it."""

    at: Millis  # the master's clock
    generation: int  # of the key
    wraps: dict[str, bytes]  # agent id -> the key, for that agent's own key to open
    boxes: dict[str, bytes] = {}  # with a new key: full name -> all secrets, sealed with it
    seen: int = 0  # with a new key: Keyring.changes when they were sealed
    kind: str = "secrets.rekey"  # for the task


Command = (
    Submit
    | Apply
    | StopBuild
    | StopPipeline
    | Assign
    | Record
    | Overdue
    | Join
    | SetAgent
    | SetOffer
    | Refuse
    | Invite
    | Admit
    | Remove
    | Expire
    | SetSecret
    | RemoveSecret
    | Rekey
    | Fire
    | SetSchedule
    | PinBuilds
    | UnpinBuilds
)

#: One entry of the log: commands that arrived together.
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(tuple[Command, ...]).decode
