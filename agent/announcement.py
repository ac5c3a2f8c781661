"""What an agent tells strangers on the LAN of itself, and what one such telling is worth: nothing but a hint.

The same facts go out by mDNS (discovery) and in answers to "who are you?" (beacon). Whatever arrives is checked for
form: the id is that of the public key, ports are ports, texts are short and printable. That says nothing about who sent
it: only the handshake of a connection proves a key.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ..core import addresses
from ..core.errors import PeerError
from ..core.ids import fingerprint
from ..core.version import VERSION
from .identity import Identity

MAX_TEXT = 64
"""Characters of a name; longer ones are cut when they are ours and refused when they are not."""

_MAX_BYTES = 240  # of a name in UTF-8: a string of a TXT record has 255 bytes, its key included
_MAX_PORT = 65_535
_ID = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")  # Z85, https://rfc.zeromq.org/spec/32/


class Announcement(msgspec.Struct, frozen=True):
    """The facts. One that exists is right in form: making or decoding a wrong one raises."""

    id: str  # of the agent, 16 hex digits
    public: str  # its CURVE public key, Z85
    network: str  # id of its network, 16 hex digits
    network_name: str  # for people
    name: str  # of the agent, for people
    version: str  # of Job Orchestra
    port: int  # control, TCP; the beacon answers on the same number, UDP
    bulk: int  # port of bulk transfers, TCP
    door: int  # port where joining is asked for, TCP

    def __post_init__(self) -> None:
        """Raise ValueError (msgspec makes its own error of it) where a fact is wrong."""
        if not _KEY.fullmatch(self.public) or self.id != fingerprint(self.public):
            raise ValueError("the id is not that of the public key")
        if not _ID.fullmatch(self.network):
            raise ValueError("the network's id is not 16 hex digits")
        if not all(_fits(text) for text in (self.network_name, self.name, self.version)):
            message = f"a name or the version is empty, not printable or longer than {MAX_TEXT} characters"
            raise ValueError(message)
        if not all(0 < port <= _MAX_PORT for port in (self.port, self.bulk, self.door)):
            message = f"a port is not in 1..{_MAX_PORT}"
            raise ValueError(message)


class Sighting(msgspec.Struct, frozen=True):
    """An agent, and where it was seen."""

    announcement: Announcement  # as it said itself
    host: str  # IP address at which it was seen

    @property
    def address(self) -> str:
        """`host:port` of its control socket."""
        return addresses.join(self.host, self.announcement.port)


def announcement_of(identity: Identity, *, port: int, bulk: int, door: int) -> Announcement:
    """Return what an agent with these ports tells of itself; names are cut to what fits."""
    return Announcement(
        id=identity.id,
        public=identity.public,
        network=identity.network,
        network_name=_fitting(identity.network_name),
        name=_fitting(identity.name),
        version=VERSION,
        port=port,
        bulk=bulk,
        door=door,
    )


def encode(announcement: Announcement) -> bytes:
    """Return it as JSON."""
    return msgspec.json.encode(announcement)


def decode(data: bytes) -> Announcement:
    """Return the announcement in this JSON. Raises PeerError."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"this is no announcement: {error}"
        raise PeerError(message) from None


def to_texts(announcement: Announcement) -> dict[str, str]:
    """Return it as the texts of a TXT record, by name."""
    return {key: str(value) for key, value in msgspec.structs.asdict(announcement).items()}


def from_texts(texts: Mapping[str, Any]) -> Announcement:
    """Return the announcement in a TXT record; texts that we do not know are passed over. Raises PeerError."""
    try:
        return msgspec.convert(dict(texts), Announcement, strict=False)
    except msgspec.MsgspecError as error:
        message = f"this is no announcement: {error}"
        raise PeerError(message) from None


_decoder = msgspec.json.Decoder(Announcement)


def _fits(text: str) -> bool:
    return 0 < len(text) <= MAX_TEXT and text.isprintable() and len(text.encode()) <= _MAX_BYTES


def _fitting(text: str) -> str:
    kept = "".join(character if character.isprintable() else "?" for character in text)[:MAX_TEXT]
    return kept.encode()[:_MAX_BYTES].decode(errors="ignore") or "?"
