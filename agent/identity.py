"""Who an agent is: its CURVE key pair, the id made from it, its name, and the network it belongs to.

The key file is created once, readable by its owner only; looser permissions are refused, with the chmod command.
"""

import os
import secrets
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import zmq

from ..core.errors import Conflict, Damaged, NotFound, StorageError
from ..core.ids import fingerprint
from .journal import Journal
from .paths import Paths, check_private

FIRST_MEMBER = 1
"""Number in consensus of the agent that makes a network."""

_T = TypeVar("_T")


class _KeyFile(msgspec.Struct):
    public: str  # Z85
    secret: str  # Z85


class _NetworkFile(msgspec.Struct):
    id: str  # random, made by the first agent
    name: str  # for people
    epoch: int = 0  # counts how often the network was recovered from the loss of its majority
    member: int = 0  # this agent's number in consensus; 0: written by a version that knew of one agent only
    recovered: int = 0  # log index up to which changes of the voters count no more, since a recovery


@dataclass(frozen=True)
class Keys:
    """An agent's CURVE key pair."""

    public: str  # Z85
    secret: str  # Z85

    @property
    def id(self) -> str:
        """The id of the agent that has it."""
        return fingerprint(self.public)


@dataclass(frozen=True)
class Identity:
    """One agent, as it proves and shows itself."""

    id: str  # first 16 hex digits of the SHA-256 of the public key
    name: str  # for people; the host's name by default
    public: str  # CURVE public key, Z85
    secret: str  # CURVE secret key, Z85
    network: str  # id of its network
    network_name: str  # for people
    epoch: int = 0  # counts how often the network was recovered from the loss of its majority
    member: int = FIRST_MEMBER  # its number in consensus, never given to another
    recovered: int = 0  # log index up to which changes of the voters count no more, since a recovery


def exists(paths: Paths) -> bool:
    """Whether this data directory belongs to a network."""
    return paths.network.exists()


def create(paths: Paths, network_name: str) -> None:
    """Make a key pair (unless there is one) and a network of which this agent is the first member.

    Raises Conflict when the directory already belongs to a network.
    """
    check_free(paths)
    clear(paths)
    prepare_keys(paths)
    belong(paths, secrets.token_hex(8), network_name, epoch=0, member=FIRST_MEMBER)


def check_free(paths: Paths) -> None:
    """Raise Conflict when the directory already belongs to a network."""
    if exists(paths):
        message = (
            f"{paths.data} already belongs to a network; use another --data, or `orchestra up`. To put what it holds "
            "aside and join (the same network or another one) anew: orchestra join --again"
        )
        raise Conflict(message)


def prepare_keys(paths: Paths) -> Keys:
    """Return this directory's key pair, made now if there is none."""
    if not paths.keys.exists():
        public, secret = zmq.curve_keypair()
        write_private(paths.keys, msgspec.json.encode(_KeyFile(public.decode(), secret.decode())))
    check_private(paths.keys)
    keys = read_private(paths.keys, _KeyFile)
    return Keys(keys.public, keys.secret)


def belong(paths: Paths, network: str, network_name: str, *, epoch: int, member: int) -> None:
    """Make this directory, whole or not at all, that of a new member of a network (id and name)."""
    # The log first: a directory that belongs to a network and has no log has lost it (see load)
    Journal(paths.journal).close()
    write_private(paths.network, msgspec.json.encode(_NetworkFile(network, network_name, epoch, member)))


def begin_epoch(paths: Paths, me: Identity, recovered: int) -> None:
    """Go on with this directory's network in its next epoch: agents of the one before are not listened to."""
    found = _NetworkFile(me.network, me.network_name, me.epoch + 1, me.member, recovered)
    write_private(paths.network, msgspec.json.encode(found))


def clear(paths: Paths) -> None:
    """Put aside what an earlier membership left in a directory that belongs to no network, if anything."""
    _put_aside(paths)


def retire(paths: Paths) -> None:
    """Put aside what this directory holds of its network, but for keys, logs and blobs. Raises StorageError.

    Of an agent that does not run.
    """
    _put_aside(paths, paths.network)


def _put_aside(paths: Paths, *first: Path) -> None:
    names = (*first, paths.peers, paths.journal, paths.history, paths.installing, paths.outgoing)
    beside = [(path, *sorted(path.parent.glob(f"{path.name}-*"))) for path in names]  # SQLite's files
    found = [one for group in beside for one in group if one.exists()]
    if all(one == paths.peers for one in found):
        return
    target = paths.former / str(time.time_ns())
    try:
        target.mkdir(mode=0o700, parents=True)
        for one in found:
            one.replace(target / one.name)
    except OSError as error:
        message = f"cannot put {paths.data} aside: {error.strerror}; check the disk and the permissions"
        raise StorageError(message) from None


def load(paths: Paths, name: str | None = None) -> Identity:
    """Read who this agent is. Raises NotFound before `create`, Damaged or StorageError where a file is wrong."""
    if not exists(paths):
        message = f"{paths.data} belongs to no network yet; run: orchestra up"
        raise NotFound(message)
    for path in (paths.keys, paths.network):
        if path.exists():
            check_private(path)
    keys = read_private(paths.keys, _KeyFile)
    network = read_private(paths.network, _NetworkFile)
    if network.member and not paths.journal.exists():
        message = (
            f"the log {paths.journal} is missing, and with it what this agent promised to others: it might vote twice. "
            "Restore the log from a backup; or, where other agents of the network are left, join it anew with an "
            f"invitation: orchestra join --again TOKEN; or move {paths.data} away and begin anew"
        )
        raise Damaged(message)
    return Identity(
        id=fingerprint(keys.public),
        name=name or host_name(),
        public=keys.public,
        secret=keys.secret,
        network=network.id,
        network_name=network.name,
        epoch=network.epoch,
        member=network.member or FIRST_MEMBER,
        recovered=network.recovered,
    )


def host_name() -> str:
    """Return this machine's name, without its domain."""
    return socket.gethostname().split(".", 1)[0] or "agent"


def read_private(path: Path, shape: type[_T]) -> _T:
    """Return what a file holds, which was written as JSON. Raises Damaged or StorageError with the remedy."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = f"{path} is damaged; restore it from a backup, or move {path.parent} away and begin anew"
        raise Damaged(message) from None
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}; restore it from a backup, or begin anew with another --data"
        raise StorageError(message) from None


def write_private(path: Path, data: bytes) -> None:
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
