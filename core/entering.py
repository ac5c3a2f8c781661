"""What is said at an agent's door: the messages of joining, and what a stranger may say of itself. Pure.

With an invitation: Enter, then Welcome. Without: Knock, Challenge, Reveal, Wait while a member looks at the code, then
Welcome. At any point Refused, which ends it. Fields are only added, at the end, with defaults, and unknown ones are
passed over: versions that may not join each other still understand why. Refuses to know how messages travel, and whom
to let in.
"""

import re
from typing import TypeAlias

import msgspec

from .errors import InvalidInput, NotAllowed, OrchestraError, PeerError, by_kind, kind_of
from .ids import fingerprint
from .model import AgentRecord
from .version import VERSION

MAX_REQUEST = 16 << 10
"""Bytes of one message to a door; a longer one ends the connection."""

MAX_REPLY = 1 << 20
"""Bytes of one message from a door: a roster of some thousand agents."""

MAX_NAME = 64
"""Characters of a name."""

NONCE_BYTES = 32
"""Bytes of a nonce and of the commitment to one."""

MAX_MESSAGE = 1_000
"""Characters of a refusal that are shown."""

_ID = re.compile(r"[0-9a-f]{16}")
_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})[0-9A-Za-z.+-]{0,40}")


class Enter(msgspec.Struct, frozen=True, tag="enter"):
    """Let me in: I was invited."""

    secret: bytes  # of the invitation
    version: str  # of Job Orchestra
    record: AgentRecord  # who I am


class Knock(msgspec.Struct, frozen=True, tag="knock"):
    """Let me in, if a member agrees. What a member will compare depends on a nonce that is not known yet."""

    commitment: bytes  # SHA-256 of the nonce that Reveal brings
    version: str  # of Job Orchestra
    record: AgentRecord  # who I am


class Reveal(msgspec.Struct, frozen=True, tag="reveal"):
    """The nonce that was committed to, once the other one is known."""

    nonce: bytes  # NONCE_BYTES random bytes


class Challenge(msgspec.Struct, frozen=True, tag="challenge"):
    """The member's nonce; answers Knock."""

    nonce: bytes  # NONCE_BYTES random bytes


class Wait(msgspec.Struct, frozen=True, tag="wait"):
    """The request is shown to the members; answers Reveal."""

    expires_s: float  # seconds until it is over


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """You are a member."""

    network: str  # id, hex digits
    network_name: str  # for people
    epoch: int  # counts how often the network was recovered from the loss of its majority
    member: int  # your number in consensus, never given to another
    roster: tuple[AgentRecord, ...]  # who the members are, you among them
    master: str = ""  # agent id of the master; empty: not known


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """You are not let in."""

    kind: str  # as in errors.py
    message: str  # why, and what helps


Request: TypeAlias = Enter | Knock | Reveal
Reply: TypeAlias = Challenge | Wait | Welcome | Refused

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def encode(message: Request | Reply) -> bytes:
    """Return a message as bytes."""
    return _encoder.encode(message)


def request(data: bytes) -> Request:
    """Return what was said to a door. Raises PeerError."""
    try:
        return _requests.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        message = f"this is nothing to say at a door: {problem}"
        raise PeerError(message) from None


def reply(data: bytes) -> Reply:
    """Return what a door said, fit to be shown. Raises PeerError."""
    try:
        found = _replies.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        message = f"what answered is no agent's door: {printable(str(problem), MAX_MESSAGE)}"
        raise PeerError(message) from None
    if isinstance(found, Welcome):
        mine = [one for one in found.roster if one.member == found.member]
        if not _ID.fullmatch(found.network) or found.member < 1 or found.epoch < 0 or len(mine) != 1:
            message = "the network let this machine in with a welcome that makes no sense; report this as a defect"
            raise PeerError(message)
        return msgspec.structs.replace(found, network_name=printable(found.network_name, MAX_NAME))
    return found


def refusal(problem: OrchestraError) -> Refused:
    """Return an error as a message."""
    return Refused(kind_of(problem), str(problem))


def raised(refused: Refused) -> OrchestraError:
    """Return the error that a refusal stands for."""
    return (by_kind(refused.kind) or NotAllowed)(printable(refused.message, MAX_MESSAGE))


def check_version(theirs: str, ours: str = VERSION) -> None:
    """Raise unless an agent of version `theirs` may join a network of version `ours`: the same major and minor."""
    found, own = _VERSION.fullmatch(theirs), _VERSION.fullmatch(ours)
    if found is None or own is None:
        message = "the version of Job Orchestra that asks to join makes no sense; reinstall it"
        raise InvalidInput(message)
    one, other = tuple(map(int, found.groups())), tuple(map(int, own.groups()))
    if one == other:
        return
    wanted = ".".join(own.groups())
    remedy = (
        f"upgrade this machine to {wanted} (pip install --upgrade 'job-orchestra=={wanted}.*')"
        if one < other
        else f"upgrade the agents of the network first, or install {wanted} on this machine"
    )
    message = f"this network runs Job Orchestra {ours}, you have {theirs}: {remedy}, then join again"
    raise NotAllowed(message)


def applicant(record: AgentRecord, public: str) -> AgentRecord:
    """Return what a stranger with this proven key may say of itself; the rest is left to the network.

    Raises NotAllowed where the record is not that of the key, InvalidInput where it makes no sense.
    """
    if record.public != public or record.id != fingerprint(public):
        message = "the record is not that of the key that the connection was made with; run orchestra join again"
        raise NotAllowed(message)
    if not record.name or record.name != printable(record.name, MAX_NAME):
        message = f"an agent's name has 1 to {MAX_NAME} printable characters; choose another one with --name"
        raise InvalidInput(message)
    return AgentRecord(id=record.id, name=record.name, version=record.version, public=record.public, votes=record.votes)


def printable(text: str, limit: int) -> str:
    """Return a stranger's text so that it cannot steer a terminal, cut to `limit` characters."""
    return "".join(one if one.isprintable() else "?" for one in text[:limit])
