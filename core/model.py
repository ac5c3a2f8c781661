"""What happens, as frozen values: builds, their attempts and steps, tasks, agents.

Refuses to know what is defined (definition), how all this changes (lifecycle, ledger), where it is kept (store) and how
it looks to a client (views).
Instants are int milliseconds since the epoch, UTC; durations are seconds and say so with `_s`. Everything is encoded
with msgspec; fields are only ever added, at the end, with defaults, so that yesterday's bytes still decode. No value
can be part of a cycle, so all are invisible to the garbage collector (gc=False): a hundred thousand pending builds
cost it nothing.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from .definition import Missed, Need, Overlap
from .offer import Offer, OfferChange

Millis: TypeAlias = int  # an instant: milliseconds since the epoch, UTC


class BuildState(StrEnum):
    """Where a build is in its life; the legal moves are in lifecycle.BUILD."""

    PENDING = "pending"  # accepted, waiting for a worker
    ASSIGNED = "assigned"  # given to a worker, not known to have started
    RUNNING = "running"  # a worker has started it
    SUCCEEDED = "succeeded"  # every step that had to succeed did
    FAILED = "failed"  # a step failed or timed out: the user's matter
    ERROR = "error"  # it could not be run properly (workspace, disk, missing program): the operator's matter
    ABORTED = "aborted"  # stopped on request after it may have started
    CANCELLED = "cancelled"  # withdrawn on request before it started
    SKIPPED = "skipped"  # a condition decided that it need not run
    LOST = "lost"  # its worker was lost with it

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to a build in this state."""
        return self not in LIVE_STATES


LIVE_STATES = frozenset({BuildState.PENDING, BuildState.ASSIGNED, BuildState.RUNNING})


class StepState(StrEnum):
    """How a step ended, or that it has not."""

    RUNNING = "running"  # started, not ended
    SUCCEEDED = "succeeded"  # exit code 0
    FAILED = "failed"  # another exit code, or killed by a signal it was not sent by us
    TIMEOUT = "timeout"  # stopped because its time, or the build's, was over
    ERROR = "error"  # could not be started
    ABORTED = "aborted"  # stopped on request
    SKIPPED = "skipped"  # its `when` did not hold


class TaskState(StrEnum):
    """What came of a request to change something."""

    DONE = "done"  # accepted and carried out, or on its way
    REFUSED = "refused"  # rejected; the outcome says why


class Stop(StrEnum):
    """How somebody asked a build to stop."""

    ABORT = "abort"  # stop it wherever it is; its `always` steps still run
    KILL = "kill"  # not even those, and without patience: an abort was asked for once more
    CANCEL = "cancel"  # withdraw it if it has not started


CRASH_LIMIT = 3
"""Workers that a build may take down with it; it is not given to another one, whatever its retry policy says."""


class StepResult(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What became of one step of an attempt."""

    name: str  # as in the spec
    state: StepState  # how it ended, or running
    exit_code: int | None = None  # the process's exit code, 0-255; None when a signal ended it or it never ran
    signal: int | None = None  # the number of the signal that ended it
    started: Millis | None = None  # when its process was started
    finished: Millis | None = None  # when its process had ended
    log_start: int = 0  # offset in the attempt's log where its output begins, in bytes
    log_end: int | None = None  # offset behind its last byte; None while it runs


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One try of a build on one worker."""

    build: str  # build id
    number: int  # 1 for the first
    agent: str  # agent id
    session: str  # the worker session (life of an executor) it belongs to; another session never runs it
    state: BuildState  # assigned, running or an end
    reason: str = ""  # why it ended so, for people
    assigned: Millis = 0  # when it was given to the worker
    started: Millis | None = None  # when its first process was started
    finished: Millis | None = None  # when all its processes had ended
    steps: tuple[StepResult, ...] = ()  # in the order of execution
    log_bytes: int = 0  # length of its log
    results: dict[str, str] = {}  # what its steps wrote to ORCHESTRA_RESULTS
    log: str = ""  # SHA-256 (hex) of its whole log, by which the network keeps it; empty: not ended, or an empty log
    artifacts: str = ""  # SHA-256 (hex) of the directory that the files it keeps make; empty: there are none

    @property
    def key(self) -> str:
        """`build.number`: the attempt's name in the executor, in file names and in messages."""
        return attempt_key(self.build, self.number)


def attempt_key(build: str, number: int) -> str:
    """Return the key of an attempt."""
    return f"{build}.{number}"


class PipelineState(StrEnum):
    """Where a pipeline is in its life; how it ends is said in pipeline.py."""

    RUNNING = "running"  # builds of it have not ended
    SUCCEEDED = "succeeded"  # all builds that were to run did
    FAILED = "failed"  # a build failed: the user's matter
    ERROR = "error"  # none failed, but one could not be run properly, or was lost: the operator's matter
    ABORTED = "aborted"  # stopped on request, or a build of it was
    SKIPPED = "skipped"  # by its conditions, nothing was to run


class Terminal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The terminal that somebody sits at."""

    columns: int = 80  # width
    rows: int = 24  # height
    term: str = "xterm-256color"  # what it understands: TERM


class Context(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is rare about a build: kept apart, so that a hundred thousand plain ones do not pay for it."""

    matrix: dict[str, str] = {}  # the combination of its job's matrix that it is
    branch: str = ""  # of the source, as far as known
    revision: str = ""  # of the source, as far as known
    held: bool = False  # it waits for others of its pipeline, and is not the scheduler's yet
    inherited: dict[str, dict[str, str]] = {}  # needed job -> results of its builds
    most: int = 0  # builds of its job that may be with workers at a time; 0: no limit
    most_of_node: int = 0  # as `most`, of its job in its pipeline only
    terminal: Terminal | None = None  # at which it was made: its processes have one like it; None: they have none
    input: bool = False  # its steps read what its requester types
    kept: str = ""  # SHA-256 (hex) of the directory that its artifacts make, once it has ended
    brought: dict[str, tuple[str, ...]] = {}  # needed job -> the same of its builds, put into the workspace
    bound: bool = False  # its input ends when nothing comes for long: it is a pipe, of which nobody else has the rest


class Build(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One execution of a job."""

    id: str  # eight characters of Crockford base 32, unique in the network
    serial: int  # place in the order of acceptance, from 1
    project: str  # the project of its job
    job: str  # the name of its job
    number: int  # counts the builds of this job from 1
    state: BuildState  # see lifecycle.BUILD
    spec: str  # digest of the Spec that it runs
    created: Millis  # when it was accepted
    reason: str = ""  # why it is in this state, for people
    requester: str = ""  # who asked for it
    cause: str = "submit"  # what made it: submit, run, rerun of ID ...
    request: str = ""  # the client's request id, for safe retries; empty: none
    parameters: dict[str, str] = {}  # values of its job's parameters, defaults filled in
    priority: int = 0  # higher is assigned earlier
    pipeline: str = ""  # id of the pipeline it belongs to; empty: none
    agent: str = ""  # agent id of the current or last attempt
    attempt: int = 0  # number of the current or last attempt; 0: none yet
    started: Millis | None = None  # when the current or last attempt started
    finished: Millis | None = None  # when it ended
    results: dict[str, str] = {}  # KEY -> value written by its steps
    log_bytes: int = 0  # length of the last attempt's log
    stop: Stop | None = None  # somebody asked it to stop and the worker has not confirmed yet
    crashes: int = 0  # attempts that were lost with their worker
    context: Context | None = None  # what is rare about it; None: nothing is
    ready: Millis = 0  # when it may go to a worker at the earliest, from when on it waits; 0: when it was accepted
    retries: int = 0  # further attempts that its retry policy gave it

    @property
    def label(self) -> str:
        """`project/job#number`, as people write it."""
        return f"{self.project}/{self.job}#{self.number}"

    @property
    def kept(self) -> str:
        """SHA-256 (hex) of the directory that its artifacts make; empty: it has none."""
        return self.context.kept if self.context is not None else ""

    @property
    def held(self) -> bool:
        """Whether it waits for others of its pipeline, and is not the scheduler's yet."""
        return self.context is not None and self.context.held and self.state is BuildState.PENDING


class Node(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A job of a pipeline, with all builds of its matrix."""

    job: str  # its name; unique in the pipeline
    count: int = 0  # builds of it; 0: all were taken over
    first: int = 0  # serial number of the first one, which the others follow without a gap
    needs: tuple[Need, ...] = ()  # jobs of the pipeline that must have ended before
    condition: str = ""  # an expression: builds for which it is false are skipped
    stop_early: bool = False  # the first that fails ends those that have not started
    taken: tuple[str, ...] = ()  # ids of builds of earlier pipelines whose success counts here, too
    results: dict[str, str] = {}  # what those left
    ends: dict[str, int] = {}  # state -> builds that ended so, as of when the pipeline was last written
    kept: tuple[str, ...] = ()  # SHA-256 (hex) of the directories that the artifacts of those taken over make


class Pipeline(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Builds that were submitted together and wait for each other."""

    id: str  # p- and its serial number
    serial: int  # counts the pipelines of the network from 1
    project: str  # of its jobs
    state: PipelineState  # running, or how it ended
    created: Millis  # when it was accepted
    nodes: tuple[Node, ...]  # its jobs, in the order of their definition
    requester: str = ""  # who asked for it
    cause: str = "submit"  # what made it: submit, rerun of ID, schedule ...
    reason: str = ""  # why it is in this state, for people
    finished: Millis | None = None  # when its last build ended
    stop: Stop | None = None  # somebody asked it to stop


class Task(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A request that changed something, or was refused: one line of the audit trail."""

    id: int  # counts all tasks of the network from 1
    kind: str  # the method that asked for it, e.g. builds.submit
    requester: str  # who asked
    at: Millis  # when the master took it
    state: TaskState  # what came of it
    target: str = ""  # what it was about: a job, a build id
    outcome: str = ""  # one line: what happened, or why it was refused
    builds: tuple[str, ...] = ()  # ids of the builds it created or touched


class Pin(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """That a build is kept until somebody says otherwise, whatever its age."""

    build: str  # build id
    label: str  # project/job#number, as people know it
    at: Millis  # when it was pinned
    requester: str  # who did it
    note: str = ""  # why, for people


class ScheduleRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A schedule and how it stands, as it is remembered."""

    project: str  # of its jobs
    name: str  # unique in its project
    cron: str  # when it fires
    timezone: str  # in which that is read
    jobs: tuple[str, ...]  # names of the jobs it submits
    enabled: bool  # whether it fires, as somebody switched it, or else as its file says
    missed: Missed = Missed.ONCE  # what becomes of firings that no master was there for
    overlap: Overlap = Overlap.SKIP  # what becomes of a firing while the one before still runs
    parameters: dict[str, str] = {}  # values for the jobs' parameters
    fired: Millis | None = None  # the minute of its last firing, or when somebody let it fire
    outcome: str = ""  # what came of that
    builds: tuple[str, ...] = ()  # ids of builds that it submitted: the last ones, and those before that had not ended

    @property
    def state(self) -> str:
        """Whether it fires, in a word."""
        return "enabled" if self.enabled else "disabled"

    @property
    def full_name(self) -> str:
        """`project/name`, as people write it."""
        return f"{self.project}/{self.name}"


class AgentRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the network knows of one agent. Whether it answers at the moment is not part of the record."""

    id: str  # fingerprint of its public key
    name: str  # for people; the host's name by default
    session: str = ""  # its current worker session; empty: it does not work
    labels: dict[str, str] = {}  # label -> value ("" for a bare label)
    slots: int = 1  # builds it runs at a time
    enabled: bool = True  # takes new builds
    draining: bool = False  # finishes what it has, takes nothing new
    version: str = ""  # of Job Orchestra
    joined: Millis = 0  # when it became a member
    seen: Millis = 0  # when this record last changed
    member: int = 0  # its number in consensus, never given to another; 0: not admitted yet
    public: str = ""  # its CURVE public key, Z85
    addresses: tuple[str, ...] = ()  # host:port of its control socket, most promising first
    bulk: int = 0  # port of its bulk socket, on the same hosts
    votes: bool = True  # it may be made a voter
    leaving: bool = False  # it is on its way out: its vote is given to another, then it is removed
    note: str = ""  # why it is disabled, where the network did that by itself
    door: int = 0  # port where joining is asked for, on the same hosts
    resources: dict[str, float] = {}  # amounts that builds may take: cpus, memory (bytes), gpus, own names
    offer: Offer = Offer()  # what its owner lets builds have, as its settings say
    asked: OfferChange = OfferChange()  # what people changed about that while it runs
    paused: str = ""  # why, by that offer, it takes no new builds at the moment; empty: it does

    @property
    def offered(self) -> Offer:
        """When it takes builds now, and with what manners."""
        return self.asked.over(self.offer)

    @property
    def offered_slots(self) -> int:
        """How many builds it runs at a time now."""
        return self.slots if self.asked.slots is None else self.asked.slots

    @property
    def offered_resources(self) -> dict[str, float]:
        """What builds may take of it now."""
        if self.asked.cpus is None:
            return self.resources
        return {**self.resources, "cpus": min(self.asked.cpus, self.resources.get("cpus", self.asked.cpus))}
