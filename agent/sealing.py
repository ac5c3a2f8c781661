"""Sealing secrets: with the network's key, which itself is wrapped for the key pairs that agents have anyway. Pure.

libsodium's constructions as they are: XChaCha20-Poly1305 with the name of the secret as associated data, so that no
sealed value can pass for another one; and sealed boxes for the key, for CURVE key pairs are X25519. Refuses to know who
holds what (vault).
"""

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import Aead
from nacl.utils import random
from zmq.utils import z85

from ..core.errors import Damaged


def new_key() -> bytes:
    """Return a key for secrets."""
    return random(Aead.KEY_SIZE)


def wrap(key: bytes, public: str) -> bytes:
    """Return a key in a form that only the holder of a CURVE key pair (its public key, Z85) can open."""
    return SealedBox(PublicKey(z85.decode(public))).encrypt(key)


def unwrap(box: bytes, secret: str) -> bytes:
    """Return the key in a box that was made for a CURVE key pair (its secret key, Z85). Raises Damaged."""
    try:
        return SealedBox(PrivateKey(z85.decode(secret))).decrypt(box)
    except (CryptoError, ValueError):
        message = "the key for secrets does not open with this agent's own key: it was damaged, or made for another key"
        raise Damaged(message) from None


def seal(key: bytes, text: str, what: str) -> bytes:
    """Return a text in a form that only the key opens, and only for the same `what`."""
    return bytes(Aead(key).encrypt(text.encode(), what.encode()))


def unseal(key: bytes, box: bytes, what: str) -> str:
    """Return the text in a box. Raises Damaged where the key or `what` is another one, or the box was changed."""
    try:
        return Aead(key).decrypt(box, what.encode()).decode()
    except (CryptoError, ValueError):
        message = f"{what} does not open with the network's key for secrets: it was damaged; set it again"
        raise Damaged(message) from None
