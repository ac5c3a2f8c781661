"""What applying a log entry comes to, and what a ledger is rebuilt from."""

import msgspec

from .definition import Job, Spec
from .errors import UserError
from .model import AgentRecord, Attempt, Build, Millis, Pin, Pipeline, ScheduleRecord, Task


class Outcome(msgspec.Struct, frozen=True):
    """What one command came to."""

    builds: tuple[str, ...] = ()  # ids of the builds it created or touched
    task: int = 0  # id of the task that records it; 0: it was no request, or a repeated one
    error: UserError | None = None  # why it was refused; nothing but the task was written
    changed: bool = True  # whether anything is different from before
    pipeline: str = ""  # id of the pipeline that was made; empty: none


class Changes(msgspec.Struct):
    """What a log entry changed: newest values by key. Feeds the store, the scheduler and the watchers."""

    index: int = 0  # the log index they lead to
    builds: dict[str, Build] = {}  # id -> as it is now, ended ones included
    attempts: dict[str, Attempt] = {}  # key -> as it is now
    tasks: dict[int, Task] = {}  # id -> new tasks
    jobs: dict[str, Job] = {}  # full name -> new or changed definitions
    removed_jobs: dict[str, Job] = {}  # full name -> definitions that are gone
    specs: dict[str, Spec] = {}  # digest -> specs not seen before
    agents: dict[str, AgentRecord] = {}  # id -> new or changed records
    removed_agents: dict[str, AgentRecord] = {}  # id -> records of who is no member any more
    meta: dict[str, str] = {}  # name -> text
    schedules: dict[str, ScheduleRecord] = {}  # full name -> as it stands now: new, redefined, switched or fired
    removed_schedules: dict[str, ScheduleRecord] = {}  # full name -> as it stood before its definition was gone
    pipelines: dict[str, Pipeline] = {}  # id -> as it is now: those that began, were asked to stop or ended
    pins: dict[str, Pin] = {}  # build id -> new pins, or pins with another note
    removed_pins: dict[str, Pin] = {}  # build id -> pins that were taken away

    def merge(self, later: "Changes") -> None:
        """Take in the changes of a later entry; the later value of each key wins."""
        self.index = later.index
        for field in ("builds", "attempts", "tasks", "specs", "meta", "pipelines"):
            getattr(self, field).update(getattr(later, field))
        for field in ("agents", "jobs", "schedules", "pins"):
            there, gone = getattr(self, field), getattr(self, f"removed_{field}")
            for key, record in getattr(later, field).items():
                gone.pop(key, None)
                there[key] = record
            for key, record in getattr(later, f"removed_{field}").items():
                there.pop(key, None)
                gone[key] = record


class Counters(msgspec.Struct):
    """Numbers that only grow."""

    serial: int = 0  # of the last build accepted
    task: int = 0  # id of the last task
    at: Millis = 0  # latest time seen in a command; time never runs backwards in here
    member: int = 0  # number of the last member admitted; 0: the network has no members yet
    pipeline: int = 0  # serial number of the last pipeline


class Remembered(msgspec.Struct, frozen=True):
    """What a ledger is rebuilt from: the part of it that a store keeps, as of one log index."""

    index: int  # the log index that this reflects
    builds: tuple[Build, ...] = ()  # live ones
    attempts: tuple[Attempt, ...] = ()  # of those builds
    jobs: tuple[Job, ...] = ()  # all definitions
    specs: dict[str, Spec] = {}  # by digest, of those builds
    agents: tuple[AgentRecord, ...] = ()  # all members
    requests: dict[str, tuple[Millis, tuple[str, ...]]] = {}  # request id -> when it was accepted, its build ids
    meta: dict[str, str] = {}  # as in Changes
    pipelines: tuple[Pipeline, ...] = ()  # those that have not ended
    ended: tuple[Build, ...] = ()  # builds of those pipelines that have
    pins: tuple[Pin, ...] = ()  # all of them
