"""Every request a client may make: one table that scripting socket, command line, console and web share.

A method has a name, the shapes of its parameters and result, the permission it needs and the errors it may answer with.
`schema()` and the reference page in docs/ are generated from the table; nothing is written twice. Refuses to know how a
request is answered (agent/service).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from .browsing import Counting, DurationsList, FailingList, Rows, StoreView, TalliesView, UsageList
from .definition import Backoff
from .differences import Difference
from .errors import (
    Conflict,
    DiskFull,
    InvalidInput,
    JobFileError,
    LimitReached,
    NoMaster,
    NotAllowed,
    NotFound,
    OrchestraError,
    TimedOut,
)
from .views import (
    SCHEMA_VERSION,
    AgentView,
    BuildLine,
    BuildSummary,
    BuildView,
    CacheView,
    DefinitionView,
    JobView,
    PinView,
    PipelineSummary,
    PipelineView,
    ScheduleView,
    SecretView,
    TaskView,
)


class Permission(StrEnum):
    """What a requester must be allowed to do."""

    READ = "read"  # look at everything but secrets
    SUBMIT = "submit"  # run builds: whoever may do this owns the workers that run them
    OPERATE = "operate"  # stop builds of others, define jobs, steer agents
    ADMIN = "admin"  # members, keys, stopping agents


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all parameters: an object whose unknown members are refused."""


class NoParams(Params, frozen=True):
    """No parameters."""


class ById(Params, frozen=True):
    """Names a build."""

    id: str  # id, unique prefix of one, project/job#number, or `last`


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


class Invite(Params, frozen=True):
    """Makes an invitation."""

    seconds: float = 3600.0  # for how long it is good; it lets one machine in
    role: str = "member"  # member, or worker: a machine that is never given a vote


class Approve(Params, frozen=True):
    """Lets a machine in that waits."""

    code: str  # what it shows, as 482-913


class AgentStop(Params, frozen=True):
    """Ends the agent that is asked."""

    builds: str = (
        "refuse"  # what about builds that run here: refuse, wait, abort, or keep (they go on without the agent)
    )


class JobsApply(Params, frozen=True):
    """Defines the jobs of a project."""

    file: str  # the text of a job file
    filename: str = "orchestra.yaml"  # used in error messages
    check: bool = False  # only say whether it is right, and what it would change; change nothing


class JobsList(Params, frozen=True):
    """Which definitions."""

    project: str | None = None  # only this project's


class JobsGet(Params, frozen=True):
    """Which definition."""

    job: str  # project/name


class SourceParam(Params, frozen=True):
    """What the workspace holds at the start."""

    archive: str  # SHA-256 (hex) of a directory that was packed for the asked agent
    describe: str = ""  # where it came from
    revision: str = ""  # what was checked out there
    branch: str = ""  # its name
    tree: str = ""  # name of the place it comes from: the next build that is shipped from there finds what it left
    directory: str = ""  # where in it the steps begin, relative; empty: at its top


class CachesList(Params, frozen=True):
    """Which caches."""

    project: str | None = None  # only this project's


class CachesRemove(Params, frozen=True):
    """Which caches to forget."""

    project: str  # whose they are; `*` for those of all projects
    key: str  # what their keys begin with


class CachesBring(Params, frozen=True):
    """Which cache a build would take."""

    project: str  # the build's
    key: str  # best
    restore: list[str] = []  # prefixes of keys that will do otherwise, best first
    wait: float = 60.0  # seconds for it to arrive


class LockParam(Params, frozen=True):
    """Something that only so many builds of the network may hold at a time."""

    name: str  # the same name is the same lock, for all builds
    of: int = 1  # how many there are
    take: int = 1  # how many the build takes


class TerminalParam(Params, frozen=True):
    """The terminal that a client sits at."""

    columns: int = 80  # width, 1 to 10000
    rows: int = 24  # height, 1 to 10000
    term: str = "xterm-256color"  # what it understands, as in TERM


class Submit(Params, frozen=True):
    """Asks for builds: of defined jobs, with what they need, or of a command."""

    job: str | None = None  # project/name, or a project: all its jobs
    parameters: dict[str, str] = {}  # values for the job's parameters
    command: str | list[str] | None = None  # shell text, or words, instead of a job
    env: dict[str, str] = {}  # for the command
    runs_on: list[str] = []  # requirements of the command
    timeout: float | None = None  # seconds, for the command
    retry: int = 0  # further attempts of the command, for the reasons in `retry_when`
    name: str | None = None  # the command's name among builds; its first word by default
    source: SourceParam | None = None  # what the workspace holds
    priority: int | None = None  # higher is assigned earlier; the job's own by default
    request: str | None = None  # any text; the same again within a day returns the same builds
    jobs: list[str] = []  # several jobs of one project, instead of one
    branch: str = ""  # what to build of a git source, and the branch of a shipped directory
    revision: str = ""  # as branch: the full revision
    resources: dict[str, float] = {}  # what the command takes of its agent: cpus, memory (bytes), gpus, own names
    locks: list[LockParam] = []  # what the command holds of the network while it is with an agent
    waiting: float | None = None  # seconds that the command may wait for an agent
    retry_when: list[str] = []  # reasons for further attempts: agent-lost (default), failed, error, timeout, exit-N
    retry_wait: float = 0.0  # seconds before a further attempt
    backoff: Backoff = Backoff.CONSTANT  # how that grows
    terminal: TerminalParam | None = None  # let the processes have a terminal like this one, where it is one build
    input: bool = False  # let the steps read what is sent by builds.input, where it is one build
    artifacts: list[str] = []  # globs of what the command leaves that is kept, however it ends


class ArtifactsList(Params, frozen=True):
    """Which files that a build kept."""

    id: str  # as in builds.get
    glob: str = "**"  # only those whose path fits: `*` within a name, `**` for any directories
    attempt: int | None = None  # which attempt; the last by default
    limit: int = 1000  # 1 to 10000; where paths are long, fewer come
    after: str | None = None  # `next` of the page before


class ArtifactsGet(Params, frozen=True):
    """Which part of a file that a build kept."""

    id: str  # as in builds.get
    path: str  # as in artifacts.list
    offset: int = 0  # first byte wanted
    limit: int = 262144  # most bytes wanted, 1 to 1048576
    attempt: int | None = None  # which attempt; the last by default


class ArtifactsFetch(Params, frozen=True):
    """Which artifacts to bring."""

    tree: str  # as in artifacts.list
    agent: str = ""  # id of the agent that is asked first; as in artifacts.list


class ByPipeline(Params, frozen=True):
    """Names a pipeline."""

    id: str  # p-NUMBER, or `last`


class PipelineRerun(ByPipeline, frozen=True):
    """Runs a pipeline once more."""

    failed: bool = False  # only what failed, and what hangs on it; the rest is taken over


class PipelinesWait(ByPipeline, frozen=True):
    """Which pipeline to wait for."""

    timeout: float | None = None  # seconds; then error -32001, kind timeout


class PinBuild(ById, frozen=True):
    """Pins a build."""

    note: str = ""  # why, for people; at most 1000 characters


class PinPipeline(ByPipeline, frozen=True):
    """Pins all builds of a pipeline."""

    note: str = ""  # why, for people; at most 1000 characters


class PinsList(Params, frozen=True):
    """A page of pins, the newest first."""

    limit: int = 50  # 1 to 1000
    after: str | None = None  # `next` of the page before


class BuildsInput(Params, frozen=True):
    """What somebody types for a build that was submitted with `input`."""

    id: str  # as in builds.get
    stream: str  # any text that is unique to this sitting at a keyboard
    offset: int  # bytes of this stream that were sent before
    data: str  # what comes then, at most 65536 bytes, see encoding
    encoding: str = "utf-8"  # of `data`: utf-8, or base64
    over: bool = False  # nothing comes behind it: the end of the input, where that is no terminal
    wait: float = 10.0  # seconds to wait until there is room for some of it, at most 60
    bound: bool = False  # the input ends when nothing comes for 30 s, not even empty data: whoever sends it is gone


class BuildsResize(Params, frozen=True):
    """The size of the window in which a build's terminal is shown."""

    id: str  # as in builds.get
    columns: int  # width, 1 to 10000
    rows: int  # height, 1 to 10000


class BuildsList(Params, frozen=True):
    """Which builds, in which order."""

    where: dict[str, Any] = {}  # field -> value, list of values, or {operator: value}
    order: str = "-created"  # field, `-` before it for descending; several with commas
    limit: int = 50  # 1 to 1000
    after: str | None = None  # `next` of the page before
    search: str = ""  # words, each of which begins a word in the project's or job's name or the reason


class TasksList(Params, frozen=True):
    """Which tasks."""

    where: dict[str, Any] = {}  # as in builds.list
    limit: int = 50  # 1 to 1000
    after: str | None = None  # `next` of the page before
    search: str = ""  # words, each of which begins a word in the kind, target or outcome


class StoreQuery(Params, frozen=True):
    """Any collection of the store."""

    collection: str  # one that store.describe names
    where: dict[str, Any] = {}  # as in builds.list
    order: str = ""  # as in builds.list
    limit: int = 50  # 1 to 1000
    after: str | None = None  # `next` of the page before
    search: str = ""  # words, each of which begins a word in the record's texts


class StoreCount(Params, frozen=True):
    """Which rows to count."""

    collection: str  # one that store.describe names
    where: dict[str, Any] = {}  # as in builds.list
    search: str = ""  # as in store.query


class JobsTallies(Params, frozen=True):
    """Of which jobs."""

    project: str | None = None  # only this project's


class JobsDurations(Params, frozen=True):
    """Of which jobs."""

    jobs: list[str] = []  # project/name of each, at most 100


class AgentsUsage(Params, frozen=True):
    """Which days."""

    since: str  # RFC 3339; days (UTC) that begin then or later
    until: str | None = None  # RFC 3339; and before this; null: until now


class BuildsLog(Params, frozen=True):
    """Which part of a build's log."""

    id: str  # as in builds.get
    offset: int = 0  # first byte wanted; negative: so many bytes before the end
    limit: int = 65536  # most bytes wanted, 1 to 1048576
    step: str | None = None  # only this step's output; offsets then count from its beginning
    line: int | None = None  # begin at this line instead of `offset`: 0 is the first, -10 the tenth before the end
    attempt: int | None = None  # which attempt; the last by default
    wait: float = 0.0  # seconds to wait for bytes beyond `offset` when there are none yet, at most 60


class BuildsWait(Params, frozen=True):
    """Which build to wait for."""

    id: str  # as in builds.get
    timeout: float | None = None  # seconds; then error -32001, kind timeout


class Subscribe(Params, frozen=True):
    """Which events to send from now on."""

    kinds: list[str] = []  # build, pipeline, task, job, agent, schedule, pin; empty: all
    builds: list[str] = []  # only events of these builds (ids); empty: of all


class SchedulesList(Params, frozen=True):
    """Which schedules."""

    project: str | None = None  # only this project's
    schedule: str | None = None  # only this one: project/name, or its name where only one has it
    next: int = 5  # how many firings ahead to tell of each, at most 100


class ScheduleSet(Params, frozen=True):
    """Switches a schedule on or off; that stays so when its file is applied again."""

    schedule: str  # as in schedules.list
    enabled: bool = True  # whether it fires


class ScheduleFire(Params, frozen=True):
    """Submits now what a schedule submits, whether it is enabled or not; its turns are not touched."""

    schedule: str  # as in schedules.list
    request: str | None = None  # as in builds.submit


class SecretSet(Params, frozen=True):
    """Keeps a secret, in place of the one before."""

    project: str  # whose builds may have it
    name: str  # the variable by which their steps see it
    value: str  # the secret itself; it is sealed before it is written anywhere, and never returned


class SecretName(Params, frozen=True):
    """Names a secret."""

    project: str  # whose it is
    name: str  # its name


class SecretsList(Params, frozen=True):
    """Which secrets."""

    project: str | None = None  # only this project's


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


class Agents(msgspec.Struct, frozen=True):
    """All members."""

    agents: list[AgentView]  # by name


class Stopping(msgspec.Struct, frozen=True):
    """The agent will end."""

    running: int  # builds that run here at the moment


class Applied(msgspec.Struct, frozen=True):
    """What came of a job file."""

    project: str  # of the file
    jobs: list[str]  # names of all its jobs
    changed: bool  # whether anything is different now
    changes: list[Difference] = []  # what is


class Jobs(msgspec.Struct, frozen=True):
    """Definitions."""

    jobs: list[JobView]  # by project and name


class OneJob(msgspec.Struct, frozen=True):
    """A definition."""

    job: JobView  # the one asked for


class OneDefinition(msgspec.Struct, frozen=True):
    """What a build executes."""

    definition: DefinitionView  # as it was when the build was submitted


class Submitted(msgspec.Struct, frozen=True):
    """Builds that are accepted: durable on a majority of the voters."""

    pipeline: str | None  # the pipeline's id, where one was made
    builds: list[BuildLine]  # in the order of the request


class OneBuild(msgspec.Struct, frozen=True):
    """A build."""

    build: BuildView  # with its attempts and steps


class Builds(msgspec.Struct, frozen=True):
    """A page of builds."""

    builds: list[BuildSummary]  # in the asked order
    next: str | None  # cursor of the next page; null: this was the last


class OnePipeline(msgspec.Struct, frozen=True):
    """A pipeline."""

    pipeline: PipelineView  # with its jobs


class Pipelines(msgspec.Struct, frozen=True):
    """A page of pipelines."""

    pipelines: list[PipelineSummary]  # in the asked order
    next: str | None  # cursor of the next page; null: this was the last


class LogPart(msgspec.Struct, frozen=True):
    """A range of a log."""

    offset: int  # of the first byte returned
    data: str  # the bytes, see encoding
    encoding: str  # `utf-8`, or `base64` where the bytes are no UTF-8
    next: int  # offset of the byte behind the last one returned
    complete: bool  # nothing will ever follow `next`


class InputTaken(msgspec.Struct, frozen=True):
    """How much of what was typed is taken: it will be read, once."""

    next: int  # offset in the stream behind the last byte that is taken; what comes behind it is to be sent again


class WindowResized(msgspec.Struct, frozen=True):
    """The build's terminal has this size now."""

    columns: int  # width
    rows: int  # height


class Artifact(msgspec.Struct, frozen=True):
    """A file that a build kept."""

    path: str  # relative to the workspace; bytes that are no UTF-8 are written as `\xNN`
    size: int  # bytes
    mode: str  # kind and permissions, as `-rwxr-xr-x`
    digest: str  # SHA-256 (hex) of the content; where it leads to, for a symbolic link
    modified: str | None  # RFC 3339; when it was last changed


class Artifacts(msgspec.Struct, frozen=True):
    """What a build kept."""

    build: str  # its id
    attempt: int  # which attempt of it
    tree: str  # SHA-256 (hex) of the directory that all its artifacts make; empty: there are none
    agent: str  # id of the agent that it ran on
    files: list[Artifact]  # those asked for, by path, as many as a page has
    size: int  # bytes of all that were asked for, also on other pages
    count: int = 0  # how many those are
    next: str | None = None  # cursor of the next page; null: this was the last


class ArtifactPart(msgspec.Struct, frozen=True):
    """A range of a file."""

    offset: int  # of the first byte returned
    data: str  # base64
    size: int  # bytes of the whole file
    complete: bool  # the file ends here


class Fetched(msgspec.Struct, frozen=True):
    """The artifacts are on the asked agent's machine."""

    tree: str  # as asked


class OneTask(msgspec.Struct, frozen=True):
    """The task that records a request."""

    task: TaskView  # with its outcome


class Tasks(msgspec.Struct, frozen=True):
    """A page of the audit trail."""

    tasks: list[TaskView]  # newest first
    next: str | None  # cursor of the next page; null: this was the last


class Pins(msgspec.Struct, frozen=True):
    """A page of pins."""

    pins: list[PinView]  # the newest first
    next: str | None  # cursor of the next page; null: there is none


class Schedules(msgspec.Struct, frozen=True):
    """Schedules."""

    schedules: list[ScheduleView]  # by project and name


class Secrets(msgspec.Struct, frozen=True):
    """The names of secrets."""

    secrets: list[SecretView]  # by project and name; those that jobs lack last


class Caches(msgspec.Struct, frozen=True):
    """Caches, on all agents that could be asked."""

    caches: list[CacheView]  # the last used first


class CachesRemoved(msgspec.Struct, frozen=True):
    """Caches that are no more."""

    keys: list[str]  # sorted


class CacheBrought(msgspec.Struct, frozen=True):
    """A cache that the asked agent has now."""

    key: str | None  # its key; null: other agents have none that would do


class Why(msgspec.Struct, frozen=True):
    """Why a build is in its state."""

    id: str  # of the build
    state: str  # of the build
    reasons: list[str]  # one line each; for a waiting build one per agent
    possible: bool = True  # whether an agent is there that could run it as soon as it has room
    agent: str = ""  # name of the agent that it is with
    choice: str = ""  # why it is there


class Subscribed(msgspec.Struct, frozen=True):
    """Events will follow as notifications `event` on this DEALER socket."""

    subscribed: bool  # true


class Method(msgspec.Struct, frozen=True):
    """One row of the table."""

    name: str  # noun.verb
    summary: str  # one line
    params: type[Params]  # shape of `params`
    result: type[msgspec.Struct]  # shape of `result`
    permission: Permission  # what the requester must be allowed
    errors: tuple[type[OrchestraError], ...] = ()  # beyond those that every method has


EVENT_KINDS = frozenset({"build", "pipeline", "task", "job", "agent", "schedule", "pin"})
"""What `events.subscribe` can tell of."""

_READ, _SUBMIT, _OPERATE, _ADMIN = Permission.READ, Permission.SUBMIT, Permission.OPERATE, Permission.ADMIN
_MISSING = (NotFound,)
_CHANGE = (NoMaster, DiskFull)

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("network.status", "The state of the network", NoParams, Status, _READ),
        Method("network.digest", "The state of the asked agent's ledger, to compare", NoParams, Digest, _READ),
        Method("network.links", "How the asked agent sees the others", NoParams, Links, _READ),
        Method("network.invite", "An invitation for one machine", Invite, Invitation, _ADMIN, (InvalidInput, *_CHANGE)),
        Method("network.requests", "The machines that wait for being let in", NoParams, JoinRequests, _ADMIN, _CHANGE),
        Method(
            "network.approve",
            "Let the machine in that shows this code; a wrong one refuses all that wait",
            Approve,
            OneTask,
            _ADMIN,
            (NotFound, NotAllowed, InvalidInput, *_CHANGE),
        ),
        Method("agents.list", "All agents of the network", NoParams, Agents, _READ),
        Method("agents.set", "Enable, disable or drain an agent", AgentSet, OneTask, _OPERATE, _MISSING + _CHANGE),
        Method(
            "agents.offer",
            "Change what a machine lets builds have, and when",
            AgentOffer,
            OneTask,
            _OPERATE,
            (NotFound, InvalidInput, *_CHANGE),
        ),
        Method(
            "agents.remove",
            "Take an agent out of the network: its vote first, then its membership",
            ByAgent,
            OneTask,
            _ADMIN,
            (NotFound, Conflict, *_CHANGE),
        ),
        Method(
            "agent.leave",
            "Take the asked agent out of the network, and end it",
            AgentStop,
            Stopping,
            _ADMIN,
            (Conflict, *_CHANGE),
        ),
        Method("agent.stop", "End the agent that is asked", AgentStop, Stopping, _ADMIN, (Conflict,)),
        Method("jobs.apply", "Define a project's jobs", JobsApply, Applied, _OPERATE, (JobFileError, *_CHANGE)),
        Method("jobs.list", "All definitions", JobsList, Jobs, _READ),
        Method("jobs.get", "One definition", JobsGet, OneJob, _READ, _MISSING),
        Method(
            "builds.submit",
            "Run a job or a command; answered when the builds cannot be lost any more",
            Submit,
            Submitted,
            _SUBMIT,
            (NotFound, InvalidInput, LimitReached, *_CHANGE),
        ),
        Method("builds.get", "One build with its attempts and steps", ById, OneBuild, _READ, _MISSING),
        Method(
            "builds.definition",
            "What a build executes, as it was defined when it was submitted",
            ById,
            OneDefinition,
            _READ,
            _MISSING,
        ),
        Method("builds.list", "A page of builds", BuildsList, Builds, _READ, (InvalidInput,)),
        Method("builds.log", "A range of a build's log, waiting for it if asked", BuildsLog, LogPart, _READ, _MISSING),
        Method(
            "builds.input",
            "Type for a build, which reads it in order and at most once; only who submitted it may",
            BuildsInput,
            InputTaken,
            _SUBMIT,
            (NotFound, NotAllowed, Conflict, InvalidInput),
        ),
        Method(
            "builds.resize",
            "Tell a build's terminal the size of its window; only who submitted it may",
            BuildsResize,
            WindowResized,
            _SUBMIT,
            (NotFound, Conflict, InvalidInput),
        ),
        Method("artifacts.list", "The files that a build kept", ArtifactsList, Artifacts, _READ, _MISSING),
        Method("artifacts.get", "A range of a file that a build kept", ArtifactsGet, ArtifactPart, _READ, _MISSING),
        Method(
            "artifacts.fetch",
            "Have a build's artifacts on the asked agent's machine, for a client there to take",
            ArtifactsFetch,
            Fetched,
            _READ,
            _MISSING,
        ),
        Method("builds.wait", "Answered when the build has ended", BuildsWait, OneBuild, _READ, (TimedOut,)),
        Method("builds.abort", "Stop a build wherever it is", ById, OneTask, _OPERATE, (Conflict, *_CHANGE)),
        Method("builds.cancel", "Withdraw a build that waits", ById, OneTask, _OPERATE, (Conflict, *_CHANGE)),
        Method("builds.rerun", "Run the same again", ById, Submitted, _SUBMIT, _MISSING + _CHANGE),
        Method(
            "builds.pin",
            "Keep a build, with its log and artifacts, whatever its age, until it is unpinned",
            PinBuild,
            OneTask,
            _OPERATE,
            (NotFound, InvalidInput, LimitReached, *_CHANGE),
        ),
        Method("builds.unpin", "Let a build go when its time has come", ById, OneTask, _OPERATE, _MISSING + _CHANGE),
        Method("builds.explain", "Why a build is in its state", ById, Why, _READ, _MISSING),
        Method("pipelines.get", "One pipeline with its jobs", ByPipeline, OnePipeline, _READ, _MISSING),
        Method("pipelines.list", "A page of pipelines", BuildsList, Pipelines, _READ, (InvalidInput,)),
        Method(
            "pipelines.wait", "Answered when the pipeline has ended", PipelinesWait, OnePipeline, _READ, (TimedOut,)
        ),
        Method("pipelines.abort", "Stop all builds of a pipeline", ByPipeline, OneTask, _OPERATE, (Conflict, *_CHANGE)),
        Method(
            "pipelines.cancel",
            "Withdraw the builds of a pipeline that have not started",
            ByPipeline,
            OneTask,
            _OPERATE,
            (Conflict, *_CHANGE),
        ),
        Method(
            "pipelines.rerun",
            "Run a pipeline once more, or only what failed of it",
            PipelineRerun,
            Submitted,
            _SUBMIT,
            (NotFound, Conflict, *_CHANGE),
        ),
        Method(
            "pipelines.pin",
            "Keep all builds of a pipeline, whatever their age, until they are unpinned",
            PinPipeline,
            OneTask,
            _OPERATE,
            (NotFound, InvalidInput, LimitReached, *_CHANGE),
        ),
        Method(
            "pipelines.unpin",
            "Let the builds of a pipeline go when their time has come",
            ByPipeline,
            OneTask,
            _OPERATE,
            _MISSING + _CHANGE,
        ),
        Method("pins.list", "What is kept whatever its age, and why", PinsList, Pins, _READ, (InvalidInput,)),
        Method(
            "schedules.list",
            "What is submitted by the clock, when next, and what came of it last",
            SchedulesList,
            Schedules,
            _READ,
            (NotFound, InvalidInput),
        ),
        Method("schedules.set", "Switch a schedule on or off", ScheduleSet, OneTask, _OPERATE, _MISSING + _CHANGE),
        Method(
            "schedules.fire",
            "Submit now what a schedule submits",
            ScheduleFire,
            Submitted,
            _SUBMIT,
            (NotFound, InvalidInput, LimitReached, *_CHANGE),
        ),
        Method(
            "secrets.set",
            "Keep a secret of a project, sealed; its value is never returned",
            SecretSet,
            OneTask,
            _OPERATE,
            (InvalidInput, LimitReached, *_CHANGE),
        ),
        Method("secrets.list", "The names of secrets", SecretsList, Secrets, _READ),
        Method("secrets.remove", "Forget a secret", SecretName, OneTask, _OPERATE, _MISSING + _CHANGE),
        Method("caches.list", "What builds left for later ones, and which agents have it", CachesList, Caches, _READ),
        Method(
            "caches.remove",
            "Forget caches of a project, on all agents that can be asked",
            CachesRemove,
            CachesRemoved,
            _OPERATE,
            _MISSING,
        ),
        Method(
            "caches.bring",
            "Have the best cache for a key on the asked agent, as it does before a build's first step",
            CachesBring,
            CacheBrought,
            _SUBMIT,
            (NotFound, TimedOut, DiskFull),
        ),
        Method("tasks.list", "The audit trail, newest first", TasksList, Tasks, _READ, (InvalidInput,)),
        Method("jobs.tallies", "How many builds of each job are in each state", JobsTallies, TalliesView, _READ),
        Method("jobs.durations", "How long builds usually take", JobsDurations, DurationsList, _READ, (InvalidInput,)),
        Method("jobs.failing", "The jobs that fail, and since which build", NoParams, FailingList, _READ),
        Method("agents.usage", "What agents did, by day", AgentsUsage, UsageList, _READ, (InvalidInput,)),
        Method("store.describe", "The store, and what there is to browse", NoParams, StoreView, _READ),
        Method("store.query", "A page of any collection of the store", StoreQuery, Rows, _READ, (InvalidInput,)),
        Method(
            "store.count", "How many rows a query has, without a scan", StoreCount, Counting, _READ, (InvalidInput,)
        ),
        Method("events.subscribe", "Send what happens to this DEALER socket", Subscribe, Subscribed, _READ),
    )
}


def schema() -> dict[str, Any]:
    """Return the table as JSON: each method with the JSON Schemas of its parameters and result (definitions shared)."""
    types = [one for method in METHODS.values() for one in (method.params, method.result)]
    shapes, definitions = msgspec.json.schema_components(types, ref_template="#/definitions/{name}")
    by_type = dict(zip(types, shapes, strict=True))
    return {
        "schema_version": SCHEMA_VERSION,
        "methods": [
            {
                "name": method.name,
                "summary": method.summary,
                "permission": method.permission.value,
                "params": by_type[method.params],
                "result": by_type[method.result],
                "errors": [{"code": int(one.code), "kind": one.kind} for one in method.errors],
            }
            for method in METHODS.values()
        ],
        "definitions": definitions,
    }
