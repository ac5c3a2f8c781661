"""Which ports this agent listens at: the ones it had, so that others find it again; else neighbours of 7711.

Refuses to know what listens there. Nothing is decided by the file: where a port is taken another one is.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from ..core.errors import Conflict, StorageError
from .identity import read_private, write_private
from .paths import Paths

log = logging.getLogger(__name__)

CONTROL = 7711
"""The first port that is tried; bulk and door take the two behind it."""

_STEP = 3  # ports of one agent
_TRIES = 8  # agents on one machine that get neighbouring ports

_T = TypeVar("_T")


class Ports(msgspec.Struct, frozen=True):
    """The ports of one agent; 0: none yet."""

    control: int = 0  # TCP: consensus and calls; UDP: the beacon
    bulk: int = 0  # TCP: logs, directories, snapshots
    door: int = 0  # TCP: joining


def load(paths: Paths) -> Ports:
    """Return the ports that this directory's agent had last."""
    try:
        return read_private(paths.ports, Ports) if paths.ports.exists() else Ports()
    except StorageError:
        return Ports()  # it is only a habit


def save(paths: Paths, ports: Ports) -> None:
    """Remember."""
    try:
        write_private(paths.ports, msgspec.json.encode(ports))
    except StorageError as error:
        log.warning("ports.not-saved: %s", error)


def control(had: int, wanted: int | None) -> Iterable[int]:
    """Return the control ports to try: the `wanted` one only; for 0 any; for None, by habit and custom."""
    if wanted:
        return (wanted,)
    habit = (had,) if had else ()
    return (*habit, *((CONTROL + _STEP * one for one in range(_TRIES)) if wanted is None else ()), 0)


def beside(had: int, control_port: int, place: int, wanted: int | None) -> Iterable[int]:
    """Return the ports to try for what stands `place` behind the control port."""
    habit = (had,) if had else ()
    custom = (control_port + place,) if wanted != 0 and control_port + place < 1 << 16 else ()
    return (*habit, *custom, 0)


def first(make: Callable[[int], _T], tried: Iterable[int]) -> _T:
    """Return what `make` makes of the first port that is free. Raises Conflict where none is."""
    problem = Conflict("no port is free")
    for port in tried:
        try:
            return make(port)
        except Conflict as error:
            problem = error
    raise problem
