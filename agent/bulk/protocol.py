"""What is said on the bulk port: requests for ranges of named files, and their answers.

A request is one frame. An answer is two: a head, and the bytes (empty but in a `Chunk`). Both heads are msgpack arrays
that begin with the kind. Names are opaque here: only the server's `resolve` gives them a meaning.
"""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

CHUNK = 512 << 10
"""Bytes of file in one answer, at most. Larger: fewer messages; smaller: less memory, and less lost with a link."""

NAME_LIMIT = 200
"""Characters in a name."""

REQUEST_LIMIT = 4 << 10
"""Bytes of a frame at which libzmq cuts a client off; requests and the frames of a handshake are far smaller."""

ANSWER_LIMIT = CHUNK + (4 << 10)
"""Bytes of a frame at which libzmq cuts a server off."""

DOMAIN = "bulk"
"""The ZAP domain of the port; a domain is what makes libzmq ask at all who may connect."""

_Number: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 62)]
_Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=NAME_LIMIT)]


class Read(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="read"):
    """Asks for a range of a file."""

    number: _Number  # of the request; its answer has the same
    name: _Name  # of the file
    offset: _Number  # bytes
    length: Annotated[int, Meta(ge=1, le=CHUNK)]  # bytes


class Stat(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="stat"):
    """Asks how long a file is."""

    number: _Number  # of the request
    name: _Name  # of the file


class Chunk(msgspec.Struct, frozen=True, array_like=True, tag="chunk"):
    """A range follows: as much as was asked for, less only where the file ends. None follows to a `Stat`."""

    number: _Number  # of the request
    size: _Number  # of the file, bytes


class Missing(msgspec.Struct, frozen=True, array_like=True, tag="missing"):
    """The server has no file of that name."""

    number: _Number  # of the request


class Refused(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """The server has it but will not or cannot read it now."""

    number: _Number  # of the request
    why: Annotated[str, Meta(max_length=1000)]  # for people


Request: TypeAlias = Read | Stat
Answer: TypeAlias = Chunk | Missing | Refused

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
