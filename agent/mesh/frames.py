"""What goes over a link of the real mesh: one frame per message, a head of some bytes and then the payload. Pure.

One frame and not several, because each is encrypted for itself. A head is the kind, for calls and answers the number
of the call (8 bytes, big endian), then where it belongs a name with its length before it. Anything else is Malformed.

    NOTE     kind, length, topic, payload
    CALL     kind, number, length, method, payload
    ANSWER   kind, number, payload
    FAILURE  kind, number, length, kind of the error, its text
    PING     kind
    HELLO    kind, Hello as MessagePack; the first one on every link, from both ends
"""

from functools import cache
from struct import Struct
from typing import Annotated

import msgspec

from ...core.errors import OrchestraError, PeerError, by_kind, kind_of
from .contract import HINT_LIMIT, NAME_LIMIT, PAYLOAD_LIMIT
from .switchboard import encoded

NOTE, CALL, ANSWER, FAILURE, PING, HELLO = range(1, 7)

OUTCOMES = frozenset((ANSWER, FAILURE))

FRAME_LIMIT = PAYLOAD_LIMIT + NAME_LIMIT + 16
"""Bytes of the largest frame; libzmq ends a connection that brings a larger one."""

TEXT_LIMIT = 8_192
"""Characters of an error's text that are sent; it is meant for a user's eyes."""

PING_FRAME = bytes([PING])

HELLO_BYTE = bytes([HELLO])

_numbered = Struct(">BQ")
_HEAD = _numbered.size


class Malformed(PeerError):
    """A frame that no member of ours sends."""


_Place = Annotated[str, msgspec.Meta(max_length=128)]


class Hello(msgspec.Struct, array_like=True, frozen=True):
    """Who speaks on a link, beyond what the key proves. Later versions add fields at the end."""

    network: Annotated[str, msgspec.Meta(max_length=64)]  # id of its network
    epoch: int  # which life of that network; another one after a recovery that left members behind
    version: Annotated[str, msgspec.Meta(max_length=64)]  # of Job Orchestra, for the log
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)]  # where it listens, at the address that the link comes from
    addresses: Annotated[tuple[_Place, ...], msgspec.Meta(max_length=HINT_LIMIT)] = ()  # where else, "host:port"


_hello = msgspec.msgpack.Decoder(Hello)
_pack = msgspec.msgpack.Encoder().encode


@cache
def _named(name: str) -> bytes:
    found = encoded(name)
    return bytes([len(found)]) + found


@cache
def _note(topic: str) -> bytes:
    return bytes([NOTE]) + _named(topic)


def note(topic: str, payload: bytes) -> bytes:
    """Return a one-way message."""
    return _note(topic) + payload


def call(number: int, method: str, payload: bytes) -> bytes:
    """Return a call."""
    return b"%b%b%b" % (_numbered.pack(CALL, number), _named(method), payload)


def answer(number: int, outcome: bytes | OrchestraError) -> bytes:
    """Return the answer to a call."""
    if isinstance(outcome, OrchestraError):
        kind = kind_of(outcome).encode()
        text = str(outcome)[:TEXT_LIMIT].encode(errors="replace")
        return b"%b%c%b%b" % (_numbered.pack(FAILURE, number), len(kind), kind, text)
    return _numbered.pack(ANSWER, number) + outcome


def hello(one: Hello) -> bytes:
    """Return the first message on a link."""
    return HELLO_BYTE + _pack(one)


def parse_note(frame: bytes) -> tuple[bytes, bytes]:
    """Return topic and payload of a NOTE. Raises Malformed."""
    return _name_at(frame, 1)


def parse_call(frame: bytes) -> tuple[int, bytes, bytes]:
    """Return number, method and payload of a CALL. Raises Malformed."""
    number = _number(frame)
    name, payload = _name_at(frame, _HEAD)
    return number, name, payload


def parse_answer(frame: bytes) -> tuple[int, bytes | OrchestraError]:
    """Return number and outcome of an ANSWER or FAILURE. Raises Malformed."""
    number = _number(frame)
    if frame[0] == ANSWER:
        return number, frame[_HEAD:]
    kind, text = _name_at(frame, _HEAD)
    found = by_kind(kind.decode(errors="replace")) or OrchestraError
    return number, found(text.decode(errors="replace"))


def parse_hello(frame: bytes) -> Hello:
    """Return what a HELLO says. Raises Malformed."""
    try:
        return _hello.decode(memoryview(frame)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        message = f"a greeting that cannot be read: {problem}"
        raise Malformed(message) from None


def _number(frame: bytes) -> int:
    if len(frame) < _HEAD:
        message = "a frame that ends within its head"
        raise Malformed(message)
    return _numbered.unpack_from(frame)[1]


def _name_at(frame: bytes, offset: int) -> tuple[bytes, bytes]:
    if len(frame) > offset:
        end = offset + 1 + frame[offset]
        if offset + 1 < end <= len(frame):
            return frame[offset + 1 : end], frame[end:]
    message = "a frame that ends within its name"
    raise Malformed(message)
