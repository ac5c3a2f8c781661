"""Ids of builds, agents and contents. Those of builds are short, unlike their neighbours, never repeated in a network.

A build has a serial number, from 1, in the order of acceptance. Its id is that number put through a bijection of the
40-bit integers and written in Crockford's base 32: eight characters, all different from the first on, so that three or
four characters are enough to name a recent build, as with git's commits. Deterministic, so every voter makes the same
id. An agent's id is the fingerprint of its key, so that nobody can take another's; contents are named by their digest.
"""

import re
from hashlib import sha256

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_HEX = frozenset("0123456789abcdef")
_DIGEST_HEX = sha256().digest_size * 2
_BITS = 40
_MASK = (1 << _BITS) - 1
_FACTOR = 0x9E3779B97D  # odd, hence invertible modulo 2**40; digits of the golden ratio spread neighbours well
_INVERSE = pow(_FACTOR, -1, 1 << _BITS)
_LENGTH = _BITS // 5
_PREFIX = re.compile(f"[{_ALPHABET}]{{1,{_LENGTH}}}").fullmatch
_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")  # as Python reads numbers of base 32


def build_id(serial: int) -> str:
    """Return the id of the build with this serial number (1 to 2**40 - 1), eight characters."""
    if not 0 < serial <= _MASK:
        message = f"serial {serial} is not in 1..{_MASK}"
        raise ValueError(message)
    mixed = (serial * _FACTOR) & _MASK
    mixed ^= mixed >> 21  # bring the high bits' disorder into the low ones; a xor with a right shift is invertible
    mixed = (mixed * _FACTOR) & _MASK
    return "".join(_ALPHABET[(mixed >> shift) & 31] for shift in range(_BITS - 5, -1, -5))


def serial_of(identity: str) -> int:
    """Return the serial number of the build with this id. Raises ValueError where it is no id."""
    if not is_build_id(identity):
        message = f"{identity[:40]!r} is no build id: eight characters of {_ALPHABET}"
        raise ValueError(message)
    mixed = (int(identity.translate(_DIGITS), 32) * _INVERSE) & _MASK
    mixed ^= mixed >> 21  # undoes itself: 2 x 21 bits are all there are
    return (mixed * _INVERSE) & _MASK


def is_build_id(text: str) -> bool:
    """Whether `text` is the form of a build id."""
    return len(text) == _LENGTH and is_id_prefix(text)


def is_id_prefix(text: str) -> bool:
    """Whether `text` could be the beginning of a build id (1 to 8 characters of the alphabet)."""
    return _PREFIX(text) is not None


def is_attempt_key(text: str) -> bool:
    """Whether `text` is the form of an attempt's key: a build id, a dot, and a number of at most nine digits."""
    build, _, number = text.partition(".")
    return is_build_id(build) and number.isascii() and number.isdigit() and len(number) < 10  # noqa: PLR2004 - digits


def is_digest(text: str) -> bool:
    """Whether `text` is a SHA-256 as contents are named by: 64 lower-case hex digits."""
    return len(text) == _DIGEST_HEX and _HEX.issuperset(text)


def fingerprint(public: str) -> str:
    """Return the id of the agent that has this public key (Z85): the first 16 hex digits of the key's SHA-256."""
    return sha256(public.encode()).hexdigest()[:16]
