"""What is to be done with a workspace before and after the steps of one attempt: a file that the agent writes for it.

A file, because it may hold what has no place on a command line, and because the programs that read it run when the
agent may be gone. Refuses to know how any of it is done.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ...core.definition import Artifacts, Cache, Source


class Brought(msgspec.Struct, frozen=True):
    """What a build left that is needed."""

    job: str  # which job's
    tree: str  # SHA-256 (hex) of the directory that its artifacts make


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt's."""

    contents: str  # folder of the contents on this machine
    tree: str = ""  # SHA-256 (hex) of the directory that the workspace begins as; empty: it begins empty
    record: str = ""  # file that remembers what was put into the workspace; empty: it is a fresh one
    source: Source = Source()  # the repository that is checked out into the workspace, where it names one
    mirrors: str = ""  # folder of the mirrors on this machine
    protocols: tuple[str, ...] = ()  # by which repositories may be reached, beside the usual ones
    key: str = ""  # of the attempt
    brought: tuple[Brought, ...] = ()  # what needed builds left, put into the workspace behind the directory
    artifacts: tuple[Artifacts, ...] = ()  # what is kept of the workspace
    limit: int = 0  # bytes that may be kept of it; 0: any
    project: str = ""  # the build's, whose caches it takes and leaves
    caches: tuple[Cache, ...] = ()  # those: put into the workspace behind all else, left where all went well
    cache_limit: int = 0  # bytes that one of them may have; 0: any
    taken: str = ""  # file that remembers which caches were taken
    data: str = ""  # data directory of the agent, which is asked for caches that are elsewhere
    socket: str = ""  # where it is asked: not found by a build's environment


class Taken(msgspec.Struct, frozen=True):
    """What came of one cache before the steps."""

    key: str  # what its key came to; empty: it could not be known, so nothing is left either
    exact: bool = False  # whether there was one of just this key: then nothing new is left


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was taken from the workspace of an attempt."""

    artifacts: str = ""  # SHA-256 (hex) of the directory that they make; empty: there are none


def write(path: Path, value: Order | Kept | Sequence[Taken]) -> None:
    """Write an order, or what came of it."""
    partial = path.with_suffix(".new")
    partial.write_bytes(_encode(value))
    partial.replace(path)


def read(path: Path) -> Order:
    """Return the order in a file. Raises OSError, msgspec.MsgspecError."""
    return _order.decode(path.read_bytes())


def kept(path: Path) -> Kept:
    """Return what came of an order: nothing, where nothing was written. Raises OSError, msgspec.MsgspecError."""
    try:
        return _kept.decode(path.read_bytes())
    except FileNotFoundError:
        return Kept()


def taken(path: Path) -> list[Taken]:
    """Return which caches were taken: none, where nothing was written. Raises OSError, msgspec.MsgspecError."""
    try:
        return _taken.decode(path.read_bytes())
    except FileNotFoundError:
        return []


_encode = msgspec.json.Encoder().encode
_order = msgspec.json.Decoder(Order)
_kept = msgspec.json.Decoder(Kept)
_taken = msgspec.json.Decoder(list[Taken])
