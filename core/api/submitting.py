"""What is asked for when builds are submitted, and what comes back."""

import msgspec

from ..definition import Backoff
from ..views.builds import BuildLine
from .method import Params


class SourceParam(Params, frozen=True):
    """What the workspace holds at the start."""

    archive: str  # SHA-256 (hex) of a directory that was packed for the asked agent
    describe: str = ""  # where it came from
    revision: str = ""  # what was checked out there
    branch: str = ""  # its name
    tree: str = ""  # name of the place it comes from: the next build that is shipped from there finds what it left
    directory: str = ""  # where in it the steps begin, relative; empty: at its top


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
    bound: bool = False  # as in builds.input, from when it runs: a client that is gone by then types nothing any more


class Submitted(msgspec.Struct, frozen=True):
    """Builds that are accepted: durable on a majority of the voters."""

    pipeline: str | None  # the pipeline's id, where one was made
    builds: list[BuildLine]  # in the order of the request
