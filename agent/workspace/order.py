"""What is to be done with a workspace before and after the steps of one attempt: a file that the agent writes for it.

A file, because it may hold what has no place on a command line, and because the programs that read it run when the
agent may be gone. Refuses to know how any of it is done.
"""

from pathlib import Path

import msgspec

from ...core.definition import Source


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt's."""

    contents: str  # folder of the contents on this machine
    tree: str = ""  # SHA-256 (hex) of the directory that the workspace begins as; empty: it begins empty
    record: str = ""  # file that remembers what was put into the workspace; empty: it is a fresh one
    source: Source = Source()  # the repository that is checked out into the workspace, where it names one
    mirrors: str = ""  # folder of the mirrors on this machine
    protocols: tuple[str, ...] = ()  # by which repositories may be reached, beside the usual ones


def write(path: Path, order: Order) -> None:
    """Write an order, for `read` to find."""
    partial = path.with_suffix(".new")
    partial.write_bytes(_encode(order))
    partial.replace(path)


def read(path: Path) -> Order:
    """Return the order in a file. Raises OSError, msgspec.MsgspecError."""
    return _decode(path.read_bytes())


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Order).decode
