"""What is written down while agents are tried: one line of JSON for each event, in files that only grow.

Instants are seconds of the machine's monotonic clock, which all processes of a machine share. Refuses to judge
(checker): an event says what was seen, not whether it was right.
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self, TypeAlias

import msgspec


class Tried(msgspec.Struct, frozen=True, tag="tried"):
    """A client asked an agent for a build."""

    at: float
    request: str  # the request id; the same for each further try
    number: int  # of the submission: in its log
    payload: int  # which bytes its log holds
    host: str  # whose agent was asked


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """An agent returned the ids of the builds of a request."""

    at: float
    tried: float  # when that try began
    request: str
    builds: tuple[str, ...]
    host: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A try brought an error, or no answer in time."""

    at: float
    tried: float
    request: str
    host: str
    kind: str  # of the error; `silence` where there was no answer
    text: str
    final: bool = False  # it will not be tried again


class Began(msgspec.Struct, frozen=True, tag="began"):
    """A fault was brought about."""

    at: float
    fault: str  # its kind
    targets: tuple[str, ...]  # hosts
    detail: str = ""
    master: bool = False  # it took the master away: somebody else has to lead
    worker: bool = False  # it took one worker away for longer than its lease


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A fault is over."""

    at: float
    fault: str
    targets: tuple[str, ...]


class Up(msgspec.Struct, frozen=True, tag="up"):
    """An agent was started, and answers."""

    at: float
    host: str


class Quit(msgspec.Struct, frozen=True, tag="quit"):
    """An agent ended that nobody had killed."""

    at: float
    host: str
    code: int
    text: str  # the last it said


class Seen(msgspec.Struct, frozen=True, tag="seen"):
    """An agent said who leads; written when that is something new."""

    at: float
    host: str
    master: str  # agent id; empty: nobody
    term: int


class Members(msgspec.Struct, frozen=True, tag="members"):
    """An agent said who is there; written when that is something new."""

    at: float
    host: str  # who said it
    ready: tuple[str, ...]  # names of the agents that answer it
    workers: tuple[str, ...]  # names of those that have a session as workers


class Healed(msgspec.Struct, frozen=True, tag="healed"):
    """The network was given time to come together again, without a fault."""

    at: float
    took: float
    why_not: str = ""  # what is missing still; empty: nothing


class Drained(msgspec.Struct, frozen=True, tag="drained"):
    """The load has ended, and what was waiting was given time to end."""

    at: float
    took: float
    why_not: str = ""


class Witness(msgspec.Struct, frozen=True, tag="witness"):
    """A build said, where it ran, that it was begun. Read from the witness files, so without an instant."""

    build: str
    attempt: int
    host: str


class BuildRow(msgspec.Struct, frozen=True, tag="build"):
    """A build, as one replica has it at the end."""

    host: str
    id: str
    state: str
    attempt: int = 0
    request: str = ""
    agent: str = ""  # agent id


class AttemptRow(msgspec.Struct, frozen=True, tag="attempt"):
    """An attempt, as one replica has it at the end."""

    host: str
    build: str
    number: int
    agent: str  # agent id
    state: str


class LogRow(msgspec.Struct, frozen=True, tag="log"):
    """A build's log, as one agent returned it at the end."""

    host: str
    build: str
    size: int
    sha256: str
    problem: str = ""  # why it could not be had


class StateRow(msgspec.Struct, frozen=True, tag="state"):
    """How one agent stands at the end."""

    host: str
    agent: str  # agent id
    copy: bool  # it holds the ledger
    index: int
    digest: str


class Leftover(msgspec.Struct, frozen=True, tag="leftover"):
    """Processes of builds that still run when every build has ended."""

    host: str
    pids: tuple[int, ...]


Event: TypeAlias = (
    Tried
    | Accepted
    | Failed
    | Began
    | Ended
    | Up
    | Quit
    | Seen
    | Members
    | Healed
    | Drained
    | Witness
    | BuildRow
    | AttemptRow
    | LogRow
    | StateRow
    | Leftover
)

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


def now() -> float:
    """Return the instant, as events carry it."""
    return time.monotonic()


class Record:
    """An events file that is written. Each event is one write: it is whole, also when the writer is killed."""

    def __init__(self, path: Path) -> None:
        """Append to `path`."""
        self.path = path
        self._file = path.open("ab", buffering=0)

    def write(self, *events: Event) -> None:
        """Append events."""
        self._file.write(b"".join(_encoder.encode(event) + b"\n" for event in events))

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def __enter__(self) -> Self:
        """Close at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


class Tail:
    """An events file that is read while it grows."""

    def __init__(self, path: Path) -> None:
        """Read `path` from its beginning."""
        self._path = path
        self._at = 0

    def read(self) -> list[Event]:
        """Return the events that came since the last time."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return [_decoder.decode(line) for line in whole.splitlines()]


def read(paths: Iterable[Path]) -> Iterator[Event]:
    """Yield the events of some files, one file after the other."""
    for path in paths:
        yield from Tail(path).read()
