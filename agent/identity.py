"""Who an agent is: its CURVE key pair, the id made from it, its name, and the network it belongs to.

The key file is created once, readable by its owner only; looser permissions are refused, with the chmod command.
"""

import os
import secrets
import socket
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec
import zmq

from ..core.errors import Conflict, Damaged, NotFound, StorageError
from .paths import Paths, check_private

_ID_HEX = 16
_T = TypeVar("_T")


class _KeyFile(msgspec.Struct):
    public: str  # Z85
    secret: str  # Z85


class _NetworkFile(msgspec.Struct):
    id: str  # random, made by the first agent
    name: str  # for people


@dataclass(frozen=True)
class Identity:
    """One agent, as it proves and shows itself."""

    id: str  # first 16 hex digits of the SHA-256 of the public key
    name: str  # for people; the host's name by default
    public: str  # CURVE public key, Z85
    secret: str  # CURVE secret key, Z85
    network: str  # id of its network
    network_name: str  # for people


def exists(paths: Paths) -> bool:
    """Whether this data directory belongs to a network."""
    return paths.network.exists()


def create(paths: Paths, network_name: str) -> None:
    """Make a key pair (unless there is one) and a network of which this agent is the first member.

    Raises Conflict when the directory already belongs to a network.
    """
    if exists(paths):
        message = f"{paths.data} already belongs to a network; use another --data, or `orchestra up`"
        raise Conflict(message)
    if not paths.keys.exists():
        public, secret = zmq.curve_keypair()
        _write_private(paths.keys, msgspec.json.encode(_KeyFile(public.decode(), secret.decode())))
    _write_private(paths.network, msgspec.json.encode(_NetworkFile(secrets.token_hex(8), network_name)))


def load(paths: Paths, name: str | None = None) -> Identity:
    """Read who this agent is. Raises NotFound before `create`, Damaged or StorageError where a file is wrong."""
    if not exists(paths):
        message = f"{paths.data} belongs to no network yet; run: orchestra up"
        raise NotFound(message)
    for path in (paths.keys, paths.network):
        if path.exists():
            check_private(path)
    keys = _read(paths.keys, _KeyFile)
    network = _read(paths.network, _NetworkFile)
    return Identity(fingerprint(keys.public), name or host_name(), keys.public, keys.secret, network.id, network.name)


def fingerprint(public: str) -> str:
    """Return the id of the agent that has this public key (Z85): the first 16 hex digits of the key's SHA-256."""
    return sha256(public.encode()).hexdigest()[:_ID_HEX]


def host_name() -> str:
    """Return this machine's name, without its domain."""
    return socket.gethostname().split(".", 1)[0] or "agent"


def _read(path: Path, shape: type[_T]) -> _T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = f"{path} is damaged; restore it from a backup, or move {path.parent} away and begin anew"
        raise Damaged(message) from None
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}; restore it from a backup, or begin anew with another --data"
        raise StorageError(message) from None


def _write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all, durable on return."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}; check the disk and the permissions of {path.parent}"
        raise StorageError(message) from None
