"""What is remembered of a shipped directory, so that files that have not changed are not read again.

A file counts as unchanged when its name, size, times and inode are the same, and when it had not been changed just
before they were taken: within the clock's grain a later change could look the same. Refuses to know what files hold.
"""

import os
from hashlib import sha256
from pathlib import Path

import msgspec

from ...core.manifest import Digest
from .listing import Found

FINE_NS = 100_000_000
"""Nanoseconds of doubt where the file system counts finer than milliseconds: more than a kernel's tick."""

COARSE_NS = 2_000_000_000
"""Nanoseconds of doubt elsewhere: some count in steps of two seconds."""

_MILLISECOND = 1_000_000


class Memory(msgspec.Struct, array_like=True):
    """One directory, as it was shipped last."""

    root: Digest = b""  # what stands for it; empty: it was never shipped
    at: int = 0  # when it was looked at, nanoseconds since the epoch
    found: list[Found] = []  # what travelled
    digests: list[Digest] = []  # of the contents of those, in their order; where links lead to
    returned: dict[str, Digest] = {}  # files that builds brought back: name -> digest
    settled: bool = False  # whether it is certain that nothing is in doubt (see `settle`), and need not be asked again

    def known(self) -> dict[Found, Digest]:
        """Return the digests of files that count as unchanged if they are found just so."""
        return {one: digest for one, digest in zip(self.found, self.digests, strict=True) if not self._doubtful(one)}

    def same(self, found: list[Found]) -> bool:
        """Whether a directory in which just this is found has not changed."""
        return found == self.found and (self.settled or not self._in_doubt())

    def settle(self) -> None:
        """Take note for later whether something is in doubt."""
        self.settled = not self._in_doubt()

    def _in_doubt(self) -> bool:
        return any(map(self._doubtful, self.found))

    def _doubtful(self, one: Found) -> bool:
        grain = FINE_NS if one.ctime % _MILLISECOND else COARSE_NS
        return max(one.ctime, one.mtime) > self.at - grain


def load(folder: Path, top: Path) -> Memory:
    """Return what is remembered of a directory in `folder`; nothing where that cannot be read."""
    try:
        return _decoder.decode(_file(folder, top).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return Memory()


def save(folder: Path, top: Path, memory: Memory) -> None:
    """Remember a directory. It is only for speed: nothing is synced."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = _file(folder, top)
    partial = target.with_suffix(f".{os.getpid()}")
    try:
        partial.write_bytes(_encode(memory))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _file(folder: Path, top: Path) -> Path:
    return folder / sha256(os.fsencode(top)).hexdigest()[:32]


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Memory)
