"""Invitations as text: one shell word that says which network, where its doors are, and the secret that opens them.

`orch1-` and, in URL-safe base64, the length of what follows, its checksum, and a msgpack of the rest with keys as raw
bytes; the digit is the version of this form. Whoever holds a token may join, once, until it expires: how long it is
good for, and whether it was used, only the ledger knows. Refuses to know how one enters.
"""

import hmac
import re
import struct
from base64 import b85decode, b85encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import crc32
from collections.abc import Iterable
from hashlib import sha256

import msgspec

from .errors import InvalidInput

SECRET_BYTES = 32
"""Bytes of a secret: 256 bits cannot be guessed."""

MAX_DOORS = 3
"""Doors in a token. More: it is good for longer while agents come and go; fewer: it is shorter."""

MAX_ADDRESSES = 4
"""Addresses of a door in a token; a machine may have several interfaces."""

MAX_TEXT = 4096
"""Characters of a token; what is longer is none."""

_PREFIX = re.compile(r"orch([0-9]{1,3})-")
_FORM = 1
_HEAD = struct.Struct("!HI")  # length of the body, its CRC-32
_REMEDY = "copy it once more, whole, or ask for another one: orchestra invite"

# Z85 (https://rfc.zeromq.org/spec/32/) differs from the base 85 of the standard library in the order of its characters
_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_TO_B85 = bytes.maketrans(_Z85, _B85)
_TO_Z85 = bytes.maketrans(_B85, _Z85)


class Door(msgspec.Struct, frozen=True):
    """Where an agent lets others in."""

    public: str  # its CURVE public key, Z85
    addresses: tuple[str, ...]  # host:port of its door, most promising first


class Invitation(msgspec.Struct, frozen=True):
    """What a token says."""

    network: str  # id of the network, hex digits
    network_name: str  # for people
    secret: bytes  # SECRET_BYTES random bytes
    doors: tuple[Door, ...]  # 1 to MAX_DOORS


class _Body(msgspec.Struct, array_like=True):
    network: bytes  # the id's hex digits as bytes
    name: str
    secret: bytes
    doors: list[tuple[bytes, list[str]]]  # key, addresses


_decoder = msgspec.msgpack.Decoder(_Body)


def encode(invitation: Invitation) -> str:
    """Return an invitation as text; of doors and addresses, the first ones."""
    doors = [(_key_bytes(door.public), list(door.addresses[:MAX_ADDRESSES])) for door in invitation.doors[:MAX_DOORS]]
    body = msgspec.msgpack.encode(
        _Body(bytes.fromhex(invitation.network), invitation.network_name, invitation.secret, doors)
    )
    packed = _HEAD.pack(len(body), crc32(body)) + body
    return f"orch{_FORM}-{urlsafe_b64encode(packed).decode().rstrip('=')}"


def parse(text: str) -> Invitation:
    """Return what a token says; white space in it, as from a line that was broken, is passed over.

    Raises InvalidInput, which never repeats the token, with the remedy.
    """
    word = "".join(text.split())
    prefix = _PREFIX.match(word)
    if prefix is None or len(word) > MAX_TEXT:
        message = "that is no invitation: one begins with orch1- and is printed by: orchestra invite"
        raise InvalidInput(message)
    if int(prefix[1]) != _FORM:
        message = (
            f"the invitation is of form {int(prefix[1])}, this version of Job Orchestra reads form {_FORM}; "
            "install the version that the network runs (orchestra status there shows it)"
        )
        raise InvalidInput(message)
    body = _body(word[prefix.end() :])
    try:
        found = _decoder.decode(body)
        doors = tuple(Door(_key_text(key), tuple(addresses)) for key, addresses in found.doors)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        raise _altered() from None
    if len(found.secret) != SECRET_BYTES or not 0 < len(doors) <= MAX_DOORS:
        raise _altered()
    return Invitation(found.network.hex(), found.name, found.secret, doors)


def digest(secret: bytes) -> str:
    """Return the SHA-256 (hex) of a secret: what the ledger remembers of it."""
    return sha256(secret).hexdigest()


def known(wanted: str, digests: Iterable[str]) -> bool:
    """Whether a digest is among those; takes as long whatever is compared, so that time tells nothing."""
    return sum(hmac.compare_digest(wanted, one) for one in digests) > 0


def _body(text: str) -> bytes:
    try:
        # the decoder itself passes over characters that it does not know
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4)) if re.fullmatch(r"[A-Za-z0-9_-]*", text) else b""
    except ValueError:  # one character too many or too few
        packed = urlsafe_b64decode(text[:-1])
    if not packed and text:
        raise _altered()
    length, crc = _HEAD.unpack_from(packed.ljust(_HEAD.size, b"\0"))
    body = packed[_HEAD.size :]
    if len(packed) < _HEAD.size or len(body) < length:
        message = f"the invitation is cut off: its end is missing; {_REMEDY}"
        raise InvalidInput(message)
    if len(body) > length or crc32(body) != crc:
        raise _altered()
    return body


def _altered() -> InvalidInput:
    return InvalidInput(f"the invitation was altered on its way; {_REMEDY}")


def _key_bytes(public: str) -> bytes:
    return b85decode(public.encode().translate(_TO_B85))


def _key_text(key: bytes) -> str:
    if len(key) != 32:  # noqa: PLR2004 - a CURVE key
        message = "no key has that length"
        raise ValueError(message)
    return b85encode(key).translate(_TO_Z85).decode()
