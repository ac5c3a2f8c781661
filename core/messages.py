"""What agents say to each other over the mesh: one table of calls with who may make them, and their shapes.

Consensus has messages of its own (core/consensus/messages.py); they travel under the topic RAFT. Fields are only added,
at the end, with defaults: agents of neighbouring versions understand each other. Refuses to know how messages travel.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from .definition import Spec
from .errors import PeerError
from .model import AgentRecord, Attempt, Build, Stop
from .offer import OfferChange

RAFT = "raft"
"""Topic of consensus messages: one-way, a list of them in each payload."""

ROSTER = "roster"
"""Topic by which a master makes itself known, with those members that everybody must be able to reach."""

EVENT = "event"
"""Topic of what subscribers hear, passed on to an agent that holds no copy of the ledger."""

PART_BYTES = 512 << 10
"""About the bytes of one message, where much is to be said. Larger: fewer messages; smaller: heartbeats wait less."""


class Who(StrEnum):
    """Who may make a call. Strangers may make none: they speak with the door only."""

    MEMBER = "member"  # any member
    ITSELF = "itself"  # any member, about itself only
    MASTER = "master"  # the master, of no older term than was seen already


class Call(StrEnum):
    """The calls; each says which struct it carries and which comes back."""

    CLIENT = "client.call"  # ClientCall -> bytes of the result as JSON: what a client asked of another agent
    TIME = "health.time"  # nothing -> Moment: what the clock shows
    INDEX = "client.index"  # nothing -> Index: how far the master's ledger is
    MORE = "client.more"  # More -> bytes: the rest of an answer that did not fit into one message
    HELD = "worker.held"  # nothing -> Attempts: what the network believes this worker to have
    JOIN = "worker.join"  # WorkerJoin -> Joined: a worker begins a session, or goes on with it under a new master
    RECORD = "worker.record"  # Report -> nothing: what became of attempts
    LEASE = "worker.lease"  # Lease -> Leased: I am alive
    ASSIGN = "worker.assign"  # Assigned -> nothing: run these
    STOP = "worker.stop"  # StopOrder -> nothing: stop this one
    INPUT = "build.input"  # Typed -> Taken: what somebody types for a build
    RESIZE = "build.resize"  # Resized -> nothing: the window that a build is shown in has another size
    LOG = "log.read"  # LogRead -> LogBytes: a range of an attempt's log
    KEEP = "blob.keep"  # Keep -> Kept: hold these contents for the network
    CONTENTS = "contents.read"  # Wanted -> Given: contents of directories
    TIP = "source.tip"  # TipOf -> Tip: what a branch of a repository is now
    CACHES = "cache.list"  # CachesOf -> Caches: the caches that an agent has
    FORGET = "cache.forget"  # CachesOf -> Caches: forget these caches, which are told
    SNAPSHOT = "snapshot.prepare"  # Prepare -> Prepared: the state, ready to be fetched
    FOLLOW = "events.follow"  # nothing -> nothing: send me what subscribers hear
    KNOWN = "builds.known"  # Builds -> Builds: which of these are known, live or ended
    ADMIT = "member.admit"  # Entrant -> entering.Welcome: somebody at my door wants to be a member


CALLERS: dict[Call, Who] = {
    Call.CLIENT: Who.MEMBER,
    Call.TIME: Who.MEMBER,
    Call.INDEX: Who.MEMBER,
    Call.MORE: Who.MEMBER,
    Call.HELD: Who.ITSELF,
    Call.JOIN: Who.ITSELF,
    Call.RECORD: Who.ITSELF,
    Call.LEASE: Who.ITSELF,
    Call.ASSIGN: Who.MASTER,
    Call.STOP: Who.MASTER,
    Call.INPUT: Who.MEMBER,
    Call.RESIZE: Who.MEMBER,
    Call.LOG: Who.MEMBER,
    Call.KEEP: Who.MEMBER,
    Call.CONTENTS: Who.MEMBER,
    Call.TIP: Who.MASTER,
    Call.CACHES: Who.MEMBER,
    Call.FORGET: Who.MEMBER,
    Call.SNAPSHOT: Who.MEMBER,
    Call.FOLLOW: Who.MEMBER,
    Call.KNOWN: Who.MEMBER,
    Call.ADMIT: Who.MEMBER,
}
"""Who may make which call; tests walk every row."""


class ClientCall(msgspec.Struct, frozen=True, array_like=True):
    """A client's request, passed on."""

    method: str  # of core/api
    params: bytes  # JSON
    requester: str  # user@agent, as the agent that it was made to knows the client


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What became of a client's request."""

    body: bytes  # the result as JSON, or its beginning
    index: int = 0  # the log index that reflects it: who reads at or behind it sees what was done
    more: int = 0  # id by which the rest can be had; 0: this is all


class Index(msgspec.Struct, frozen=True, array_like=True):
    """A place in the log."""

    index: int  # of the last entry that was applied


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """What an agent's clock shows."""

    at: int  # milliseconds since the epoch, UTC
    version: str = ""  # of Job Orchestra


class More(msgspec.Struct, frozen=True, array_like=True):
    """Asks for the rest of an answer."""

    id: int  # Answer.more
    offset: int  # bytes that are here already


class Lease(msgspec.Struct, frozen=True, array_like=True):
    """A worker is alive."""

    session: str  # of its executor
    warm: tuple[str, ...] = ()  # keys of what it has at hand, see affinity


class Attempts(msgspec.Struct, frozen=True, array_like=True):
    """Some attempts."""

    attempts: tuple[Attempt, ...]  # newest values
    asked: OfferChange = OfferChange()  # what people changed about the offer of the worker that has them


class WorkerJoin(msgspec.Struct, frozen=True, array_like=True):
    """Begins a worker session; see commands.Join."""

    record: AgentRecord  # as it should be
    reports: tuple[Attempt, ...]  # all that it has
    begun: tuple[str, ...] | None = None  # see commands.Join


class Joined(msgspec.Struct, frozen=True, array_like=True):
    """A worker session was let in."""

    term: int  # of the master
    over: tuple[str, ...] = ()  # keys of reported attempts that do not count any more: to be stopped


class Report(msgspec.Struct, frozen=True, array_like=True):
    """What became of attempts."""

    attempts: tuple[Attempt, ...]  # newest values; only those given to the sender count


class Leased(msgspec.Struct, frozen=True, array_like=True):
    """A worker was heard."""

    term: int  # of the master
    joined: bool  # whether its session was let in by this master; if not it has to join
    asked: OfferChange = OfferChange()  # what people changed about its offer


class Assigned(msgspec.Struct, frozen=True, array_like=True):
    """Attempts to run."""

    term: int  # of the master
    attempts: tuple[tuple[Attempt, Build], ...]  # in the order of execution
    specs: dict[str, Spec]  # digest -> what those builds execute
    secrets: dict[str, dict[str, str]] = {}  # attempt key -> name -> value, of those whose steps see secrets


class StopOrder(msgspec.Struct, frozen=True, array_like=True):
    """An attempt to stop."""

    term: int  # of the master
    attempt: Attempt  # which
    how: Stop  # how thoroughly
    reason: str  # why, for its record


class Roster(msgspec.Struct, frozen=True, array_like=True):
    """Who leads, and who holds the ledger."""

    term: int  # of the election
    master: str  # agent id; empty: none is known
    members: tuple[AgentRecord, ...]  # voters and learners


class LogRead(msgspec.Struct, frozen=True, array_like=True):
    """Asks for a range of an attempt's log."""

    key: str  # build.number
    offset: int = 0  # first byte wanted; negative: so many before the end
    line: int | None = None  # begin at this line instead
    limit: int = 65536  # most bytes wanted
    wait: float = 0.0  # seconds to wait for bytes behind `offset`
    digest: str = ""  # SHA-256 of the whole log, where the attempt has ended


class LogBytes(msgspec.Struct, frozen=True, array_like=True):
    """A range of a log."""

    known: bool  # whether the asked agent has this log
    offset: int = 0  # of the first byte
    data: bytes = b""  # the bytes
    size: int = 0  # of the log now


class Typed(msgspec.Struct, frozen=True, array_like=True):
    """What somebody types for a build: bytes of a stream, which are taken in order and at most once."""

    key: str  # build.number: the attempt that reads it
    stream: str  # of the sitting: any text that is unique to it
    offset: int  # bytes of the stream that were sent before
    data: bytes  # what comes then
    over: bool  # nothing comes behind them
    requester: str  # who types, as user@agent; a client of the agent that sends it
    wait: float = 0.0  # seconds to wait until there is room for some of it
    bound: bool = False  # the stream ends with its client


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """How much of what was typed has been taken."""

    next: int  # offset behind the last byte that was: what comes behind it is to be sent again


class Resized(msgspec.Struct, frozen=True, array_like=True):
    """Another size of the window that a build's terminal is shown in."""

    key: str  # build.number
    columns: int  # width
    rows: int  # height
    requester: str  # who sits there, as user@agent; a client of the agent that sends it


class Keep(msgspec.Struct, frozen=True, array_like=True):
    """Contents that should survive the agent that has them."""

    small: tuple[bytes, ...] = ()  # contents themselves
    large: tuple[tuple[str, str], ...] = ()  # (name, SHA-256 in hex) of files to fetch from the caller
    trees: tuple[tuple[str, str, str], ...] = ()  # (what for, for which, SHA-256 in hex) of directories to fetch


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """Contents that are held now, durably."""

    digests: tuple[str, ...]  # SHA-256, hex


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """Asks for contents of directories, small ones."""

    digests: bytes  # SHA-256 of each, one behind the other


class Given(msgspec.Struct, frozen=True, array_like=True):
    """Contents of directories, as they are at rest: the first of those that were asked for, in that order."""

    frames: tuple[bytes, ...] = ()  # contents themselves
    count: int = 0  # how many are given
    bundle: str = ""  # name of the bundle that holds them, to be fetched over the bulk path, instead
    missing: int = 0  # how many of those that were asked for are not there; then none is given


class CachesOf(msgspec.Struct, frozen=True, array_like=True):
    """Which caches."""

    project: str = ""  # of this project; empty: of any
    keys: tuple[str, ...] = ()  # whose keys begin so; none: any
    key: str = ""  # or whose key is just this


class CacheHeld(msgspec.Struct, frozen=True, array_like=True):
    """A cache that an agent has."""

    name: str  # see caching.Name
    root: str  # SHA-256 (hex) of the directory that it is
    size: int  # bytes of its files
    used: int  # when it was last used there, seconds since the epoch


class Caches(msgspec.Struct, frozen=True, array_like=True):
    """Some caches."""

    caches: tuple[CacheHeld, ...]  # last used first


class Builds(msgspec.Struct, frozen=True, array_like=True):
    """Some builds."""

    ids: tuple[str, ...]  # theirs


class TipOf(msgspec.Struct, frozen=True, array_like=True):
    """Asks what a branch is at the moment."""

    address: str  # of a git repository
    branch: str  # branch or tag; empty: the default branch


class Tip(msgspec.Struct, frozen=True, array_like=True):
    """What a branch was when its repository was asked."""

    revision: str  # full id of the commit
    branch: str  # name of the branch or tag


class Entrant(msgspec.Struct, frozen=True, array_like=True):
    """A machine that wants to be a member; the agent at whose door it is saw its key proven."""

    record: AgentRecord  # what it may say of itself, see entering.applicant
    invite: str = ""  # digest of the secret it showed
    code: str = ""  # what it shows to people, where it has no secret
    address: str = ""  # where it was seen


class Prepare(msgspec.Struct, frozen=True, array_like=True):
    """Asks for a copy of the store."""

    index: int  # the log index that it must reflect at least


class Prepared(msgspec.Struct, frozen=True, array_like=True):
    """A copy of the store that can be fetched over the bulk path."""

    name: str  # what to ask for
    size: int  # bytes
    digest: str  # SHA-256, hex
    index: int = 0  # the log index that it reflects
    shared: str = ""  # the database that all agents share and that has it, without a password; empty: it is a file


T = TypeVar("T")
_encoder = msgspec.msgpack.Encoder()


def pack(message: object) -> bytes:
    """Return a message as bytes."""
    return _encoder.encode(message)


def unpack(payload: bytes, shape: type[T]) -> T:
    """Return the message that a payload holds. Raises PeerError where it is not of that shape."""
    try:
        return msgspec.msgpack.decode(payload, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        message = f"what arrived is no {shape.__name__}: {problem}; both agents should have one version"
        raise PeerError(message) from None


def portions(items: Sequence[T], limit: int = PART_BYTES) -> Iterator[list[T]]:
    """Yield items in lists that take about `limit` bytes, at least one item each."""
    part: list[T] = []
    size = 0
    for one in items:
        length = len(_encoder.encode(one))
        if part and size + length > limit:
            yield part
            part, size = [], 0
        part.append(one)
        size += length
    if part:
        yield part


def fits(value: Any, limit: int = PART_BYTES) -> bool:  # noqa: ANN401 - anything that can be encoded
    """Return whether a value can be part of a message."""
    return len(_encoder.encode(value)) <= limit
