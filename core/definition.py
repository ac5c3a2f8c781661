"""What is defined: jobs, what their builds execute, and when they are submitted by the clock. Frozen values.

Refuses to know what becomes of it (model: builds, attempts, tasks) and how it is written down (jobfile). As in the
model, fields are only ever added, at the end, with defaults; durations are seconds and say so with `_s`.
"""

from enum import StrEnum
from hashlib import sha256

import msgspec


class When(StrEnum):
    """Under which outcome of what came before it - steps, or jobs that it needs - something runs."""

    SUCCESS = "success"  # all before succeeded (the default)
    FAILURE = "failure"  # one before failed
    ALWAYS = "always"  # in any case, also after an abort or a timeout


class Step(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One command of a job. A text runs in the job's shell, a list of words runs as it is."""

    name: str  # unique in its job
    run: str | tuple[str, ...]  # shell text, or the words of a command
    env: dict[str, str] = {}  # added to the job's environment
    when: When = When.SUCCESS  # under which outcome of the steps before it runs
    timeout_s: float | None = None  # longest time it may take; None: only the job's timeout counts


class Source(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is put into the workspace before the first step: nothing, a shipped directory, or a checkout of git's."""

    archive: str = ""  # SHA-256 (hex) of what was shipped with the submission; empty: nothing was
    describe: str = ""  # where it came from, for people (a path, a revision)
    git: str = ""  # address of a repository; empty: none
    branch: str = ""  # branch, tag or full revision to check out; empty: the repository's default branch
    revision: str = ""  # the exact revision, once it is known: what is checked out then, whatever the branch says
    submodules: bool = False  # whether those are checked out too
    sparse: tuple[str, ...] = ()  # directories to check out; empty: all
    depth: int = 0  # commits of history to have; 0: all
    tree: str = ""  # name of the place that a shipped directory comes from: its workspace stays; empty: a fresh one
    directory: str = ""  # where in the workspace the steps begin, relative; empty: at its top


class Backoff(StrEnum):
    """How the wait before a further attempt grows."""

    CONSTANT = "constant"  # the same each time
    EXPONENTIAL = "exponential"  # twice as long each time


class Retry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """When a build is tried again. Whatever it says, CRASH_LIMIT holds."""

    max: int = 0  # further attempts
    when: tuple[str, ...] = ("agent-lost",)  # reasons: agent-lost, failed, error, timeout, exit-N
    wait_s: float = 0.0  # seconds before a further attempt
    backoff: Backoff = Backoff.CONSTANT  # how that grows


MAX_RETRIES = 100
"""Further attempts that a retry policy may allow."""


class Artifacts(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Files of the workspace that are kept when a build has ended."""

    paths: tuple[str, ...]  # globs, relative to the workspace
    when: When = When.SUCCESS  # under which outcome of the steps
    required: bool = False  # a glob that matches nothing fails the build


class Cache(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Files that builds leave for later ones: restored before the first step, saved after success."""

    key: str  # what names the content; `${{ hash('GLOB') }}` in it is expanded in the workspace
    paths: tuple[str, ...]  # relative to the workspace
    restore: tuple[str, ...] = ()  # prefixes of keys that will do where the key itself has nothing, best first


class Lock(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Something that only so many builds of the network may hold at a time."""

    name: str  # the same name is the same lock, in all projects
    of: int = 1  # how many there are; builds that disagree are held to the smallest
    take: int = 1  # how many this build takes


ANY_PORT = -1
"""Stands for a port that is free where and when a build runs."""


class Service(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A process that runs beside the steps of a build: started before them, stopped after them."""

    name: str  # unique in its job
    run: str  # shell text
    env: dict[str, str] = {}  # added to the job's environment
    ready_tcp: int = 0  # port on the loopback that answers once it is ready; 0: not looked at
    ready_http: str = ""  # address that answers with a status below 400 once it is ready; empty: not looked at
    ready_run: str = ""  # shell text that succeeds once it is ready; empty: not looked at
    ready_s: float = 60.0  # longest time until it is ready; then the build ends as error
    port: int = 0  # at which it answers on the loopback, or ANY_PORT; all of the build see SERVICE_<NAME>_PORT; 0: none


class Spec(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a build executes: everything of a job that the worker needs. Content-addressed by `digest`."""

    steps: tuple[Step, ...]  # in the order of execution, at least one
    env: dict[str, str] = {}  # for all steps
    runs_on: tuple[str, ...] = ()  # requirements a worker must meet, sorted, e.g. ("gpu", "os=linux")
    timeout_s: float | None = None  # longest time the attempt may take, all steps together; None: no limit
    shell: tuple[str, ...] = ("/bin/sh", "-e")  # program and options; receives the text of `run` after `-c`
    source: Source = Source()  # what the workspace holds at the start
    retry: Retry = Retry()  # when it is tried again
    resources: dict[str, float] = {}  # what it takes of its worker while it runs: cpus, memory (bytes), gpus, own names
    locks: tuple[Lock, ...] = ()  # what it holds of the network while it is with a worker
    waiting_s: float | None = None  # longest time it may wait for a worker; None: no limit
    artifacts: tuple[Artifacts, ...] = ()  # what is kept of its workspace
    caches: tuple[Cache, ...] = ()  # what it takes from and leaves for others
    secrets: tuple[str, ...] = ()  # names of the project's secrets that its steps see as variables
    services: tuple[Service, ...] = ()  # what runs beside its steps

    def digest(self) -> str:
        """Return the first 32 hex digits of the SHA-256 of the spec's canonical msgpack (128 bits: no collisions)."""
        return sha256(_canonical.encode(self)).hexdigest()[:32]


_canonical = msgspec.msgpack.Encoder(order="deterministic")


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A value that whoever submits a job may or must give; a step sees it as PARAM_<NAME>."""

    name: str  # a word of letters, digits, `_` and `-`
    description: str = ""  # one line for people
    default: str | None = None  # used when no value is given; None with `required` false: the empty text
    required: bool = False  # a submission without a value is refused
    choices: tuple[str, ...] = ()  # the only values allowed; empty: any


class Need(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A job of the same project that must have ended before a build starts."""

    job: str  # its name
    when: When = When.SUCCESS  # how it must have ended: else the build is skipped
    artifacts: bool = True  # whether what its builds kept is put into the workspace


class Matrix(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Multiplies a job: one build for each combination of values, which steps see as MATRIX_<KEY>."""

    axes: dict[str, tuple[str, ...]]  # key -> values, in the order of the file
    include: tuple[dict[str, str], ...] = ()  # combinations to add, or values to add to those they agree with
    exclude: tuple[dict[str, str], ...] = ()  # combinations to leave out: all that agree with one of these
    most: int = 0  # builds of it that are with workers at a time; 0: no limit
    stop_early: bool = False  # the first that fails ends those that have not started


class Job(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A definition as applied from a job file."""

    project: str  # the set of jobs it belongs to
    name: str  # unique in its project
    spec: Spec  # what its builds execute
    parameters: tuple[Parameter, ...] = ()  # in the order of the file
    description: str = ""  # one line for people
    priority: int = 0  # higher is assigned earlier
    needs: tuple[Need, ...] = ()  # what must have ended before
    matrix: Matrix | None = None  # how it is multiplied; None: it is one build
    condition: str = ""  # an expression (`if`): where it is false the build is skipped; empty: it runs
    most: int = 0  # builds of it that are with workers at a time, the others wait; 0: no limit

    @property
    def full_name(self) -> str:
        """`project/name`, as people write it."""
        return f"{self.project}/{self.name}"


class Missed(StrEnum):
    """What becomes of firings that no master was there for."""

    SKIP = "skip"  # nothing
    ONCE = "once"  # one submission for all of them
    ALL = "all"  # one for each


class Overlap(StrEnum):
    """What becomes of a firing while builds of the one before have not ended."""

    ALLOW = "allow"  # they run beside each other
    SKIP = "skip"  # it is left out
    CANCEL = "cancel"  # those of the one before are aborted


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Submits jobs by the clock."""

    project: str  # of its jobs
    name: str  # unique in its project
    cron: str  # five fields: minute, hour, day of the month, month, day of the week
    jobs: tuple[str, ...]  # names of the jobs it submits, as one pipeline with what they need
    timezone: str = "UTC"  # name in the IANA database, in which `cron` is read
    missed: Missed = Missed.ONCE  # what becomes of firings that no master was there for
    overlap: Overlap = Overlap.SKIP  # what becomes of a firing while the one before still runs
    parameters: dict[str, str] = {}  # values for the jobs' parameters
    enabled: bool = True  # as its file says; people can switch it off and on

    @property
    def full_name(self) -> str:
        """`project/name`, as people write it."""
        return f"{self.project}/{self.name}"
