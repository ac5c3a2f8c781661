"""What agent and executor say to each other: msgpack messages with a length before each, over a Unix stream socket.

The agent sends Start, Stop, Forget; the executor sends Hello once, then Reports. A Report holds *snapshots* of
attempts, so that only the newest matters: repeating one is harmless, and what changed while a report was not yet
answered by Received is merged into the next. That is the flow control: one report in flight, everything else
accumulates.
"""

import struct

import msgspec

from ...core.definition import When
from ...core.model import BuildState, Millis, StepResult, Terminal

MAX_FRAME = 64 << 20
"""Bytes in one frame; a longer one means that the peer is broken."""

VERSION = 2
"""Of this protocol. 2: input, terminals, services, collecting."""

LENGTH = struct.Struct("!I")
"""The prefix of each frame: the number of bytes that follow, big endian."""


class StepPlan(msgspec.Struct, frozen=True, array_like=True):
    """One process to run."""

    name: str  # as in the job
    argv: tuple[str, ...]  # words of the command; the first is looked up on the PATH of its environment
    env: dict[str, str] = {}  # added to the plan's
    when: When = When.SUCCESS  # under which outcome of the steps before it runs
    timeout_s: float | None = None  # longest time it may take
    directory: str = ""  # where in the workspace it begins, relative; empty: at its top


class ServicePlan(msgspec.Struct, frozen=True, array_like=True):
    """One process to run beside the steps."""

    name: str  # as in the job
    argv: tuple[str, ...]  # words of its command
    env: dict[str, str] = {}  # added to the plan's
    ready: tuple[str, ...] = ()  # words of a command that succeeds once it is ready, or fails; none: ready at once
    ready_s: float = 60.0  # longest time until it is ready
    port: str = ""  # variable by which all of the attempt see a free port that is found for it; empty: none is


class Plan(msgspec.Struct, frozen=True, array_like=True):
    """Everything the executor needs to run one attempt: prepare, services, steps, end of the services, collect.

    The executor keeps it in memory only: it may hold secrets.
    """

    key: str  # `build.number`; a key is executed at most once
    log: str  # file that gets the output of all steps, created by the executor
    env: dict[str, str]  # the whole environment but what the executor says of the room (rooms.py); nothing is inherited
    steps: tuple[StepPlan, ...]  # in the order of execution
    prepare: tuple[
        str, ...
    ] = ()  # command that fills the workspace, which it runs in; its failure ends the attempt as error
    timeout_s: float | None = None  # longest time for all steps together
    log_limit: int = 0  # bytes its log may reach before it ends as error; 0: no limit
    grace_s: float = 5.0  # between SIGTERM and SIGKILL when it is stopped
    collect: tuple[str, ...] = ()  # command that takes from the workspace what is kept, in any case once a step began;
    # ORCHESTRA_OUTCOME tells it how the attempt would end; its failure ends one that had succeeded as error
    services: tuple[ServicePlan, ...] = ()  # what runs beside the steps; they start together
    terminal: Terminal | None = None  # the terminal that its processes write to; None: they write to the log itself
    input: bool = False  # its steps read what is sent to it (Input): at their terminal, or through a pipe; else nothing
    secrets: tuple[str, ...] = ()  # texts that are masked in whatever it writes
    nice: bool = False  # gives way to everything else on the machine
    workspace: str = ""  # directory that it works in instead of its room's; it is made where it is missing, and kept
    owner: str = ""  # who alone may type for it
    silence_s: float = 0.0  # once it reads, longest time without anything sent to it before its input ends; 0: any


class Start(msgspec.Struct, frozen=True, tag="start", array_like=True):
    """Run these, at most `Configure.slots` at a time, in this order. Known keys are ignored, forgotten ones refused."""

    plans: tuple[Plan, ...]  # in the order of execution


class StopAttempt(msgspec.Struct, frozen=True, tag="stop", array_like=True):
    """Stop an attempt: a running one is ended with all that it started."""

    key: str  # which
    reason: str  # why, for its record
    only_waiting: bool = False  # cancel: leave it alone if it has started; one that waits ends as cancelled
    at_once: bool = False  # kill: without its `always` steps; an executor of an earlier version aborts instead


class Forget(msgspec.Struct, frozen=True, tag="forget", array_like=True):
    """What became of these attempts is recorded: drop them. The first settles all earlier executors' attempts."""

    keys: tuple[str, ...]  # attempts that have ended


class Configure(msgspec.Struct, frozen=True, tag="configure", array_like=True):
    """Change how the executor works from now on."""

    slots: int  # attempts that run at the same time
    ready: tuple[str, ...] = ()  # command that starts what stands by (standby.py) for programs of ours: those whose
    # command differs from it only from the last word on; none: nothing stands by


class Received(msgspec.Struct, frozen=True, tag="received", array_like=True):
    """The last report arrived and is safe; the next may be sent."""


class Input(msgspec.Struct, frozen=True, tag="input", array_like=True):
    """What somebody types for an attempt. Answered by Taken, at once or when there is room for some of it."""

    number: int  # of this request, for the answer
    key: str  # which attempt
    stream: str  # who types: any text, unique to one sitting
    offset: int  # bytes that this stream sent before; what was taken already is passed over
    data: bytes  # the bytes
    over: bool  # nothing comes behind them: the end of the input, where that is a pipe
    owner: str  # who types
    silence_s: float = 0.0  # longest time until something comes again before the input ends; 0: as it was


class Resize(msgspec.Struct, frozen=True, tag="resize", array_like=True):
    """The window that an attempt's terminal is shown in has another size."""

    key: str  # which
    columns: int  # width
    rows: int  # height
    owner: str  # who sits there


class Quit(msgspec.Struct, frozen=True, tag="quit", array_like=True):
    """End: stop all attempts (they end as aborted in the record that stays on disk), then exit."""

    reason: str  # why, for the attempts' record


Request = Start | StopAttempt | Forget | Configure | Received | Input | Resize | Quit


class AttemptStatus(msgspec.Struct, frozen=True, array_like=True):
    """All that is known of one attempt at one moment."""

    key: str  # `build.number`
    state: BuildState  # assigned (waiting for a slot), running, or an end
    reason: str = ""  # why it ended so, for people
    started: Millis | None = None  # when its first process started
    finished: Millis | None = None  # when the last of its processes was gone
    steps: tuple[StepResult, ...] = ()  # in the order of execution, the running one last
    log_bytes: int = 0  # length of its log
    results: dict[str, str] = {}  # what it wrote to its results file; filled at the end


class Hello(msgspec.Struct, frozen=True, tag="hello", array_like=True):
    """The executor's first message on each connection."""

    session: str  # the executor's life: random, new at each start of the process
    pid: int  # its process id
    attempts: tuple[AttemptStatus, ...]  # all that it knows and was not told to forget
    begun: tuple[str, ...] = ()  # attempts that executors before this one began and did not live to end
    sure: bool = False  # whether all other attempts of those, beside `attempts`, were never begun
    version: int = VERSION  # of this protocol


class Report(msgspec.Struct, frozen=True, tag="report", array_like=True):
    """Attempts that changed since the last report."""

    attempts: tuple[AttemptStatus, ...]  # newest snapshots, each key once
    refused: tuple[str, ...] = ()  # attempts that were to start although they have been here before; they do not


class Taken(msgspec.Struct, frozen=True, tag="taken", array_like=True):
    """How much of a stream of input is taken."""

    number: int  # of the Input that is answered
    next: int  # offset behind the last byte that was taken: what comes behind it is to be sent again
    refused: str = ""  # why nothing is taken, and never will be
    foreign: bool = False  # because it is another's build
    late: bool = False  # because nothing came for too long


Reply = Hello | Report | Taken
