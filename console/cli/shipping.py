"""The directory that `run` ships: packed, told about where it is large, and taken to where it is safe."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...agent.client.directories import Shipment, ship
from ...core.api.submitting import SourceParam
from ..format import plain, size
from .output import say
from .session import Client

if TYPE_CHECKING:
    from ...agent.shipping.owning import Owning

LARGE = 100 << 20
"""Bytes of new files from which on people are told what takes long."""

SHOWN = 5
"""Paths that they are told."""

QUIET_S = 1.0
"""Seconds before progress is shown."""


class Shipped(NamedTuple):
    """A directory that was packed for the agent."""

    source: SourceParam  # what builds.submit takes
    owning: "Owning"  # which of its files are people's own


def shipped(net: Client, directory: Path, include: Sequence[str], *, warm: bool) -> Shipped:
    """Pack a directory for the agent. See Shipment.source for `warm`."""
    with ship(net, directory, include) as shipment:
        _tell(shipment)
        source = shipment.source(_Progress(shipment.packing.new_bytes), warm=warm)
        return Shipped(source, shipment.owning())


def _tell(shipment: Shipment) -> None:
    """Say what people should know before it begins."""
    for note in shipment.listing.notes:
        say(f"Note: {note}.")
    if shipment.listing.left_out:
        count = len(shipment.listing.left_out)
        name = _name(shipment.listing.left_out[0])
        say(f"Note: {count} sockets, pipes or devices do not travel: {name}{' ...' if count > 1 else ''}")
    packing = shipment.packing
    if packing.new_bytes > LARGE:
        say(f"{size(packing.new_bytes)} in {len(packing.new)} files are new and have to be sent. The largest:")
        for one in packing.largest(SHOWN):
            say(f"  {size(one.size):>9}  {_name(one.name)}")
        if shipment.listing.git:
            say("What builds do not need can be named in .gitignore; it does not travel then.")


def _name(name: bytes) -> str:
    return plain(name.decode(errors="replace"))


class _Progress:
    """Shows how far the packing is, on a terminal, when it takes long."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._at = time.monotonic() + QUIET_S
        self._shown = sys.stderr.isatty()

    def __call__(self, more: int) -> None:
        self._done += more
        now = time.monotonic()
        if self._shown and now >= self._at:
            self._at = now + 0.1
            sys.stderr.write(f"\rPacking {size(self._done)} of {size(self._total)} \x1b[K")
            if self._done >= self._total:
                sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
