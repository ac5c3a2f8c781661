"""What must outlive an executor that is killed: which attempts were here, and the ends not yet recorded by the network.

Frames of length, checksum and msgpack, appended without fsync: the file must survive the process, not the machine.
After a power loss it proves nothing, which is told by the machine's boot id. A torn tail is dropped.
"""

import errno
import os
import struct
from binascii import crc32
from pathlib import Path

import msgspec

from .protocol import AttemptStatus, Forget, Report

_FRAME = struct.Struct("!II")  # length, checksum
MAX_PAST = 50_000
"""Attempts that are known to have been here, so that a late order begins none of them again. More: later ones."""

_TRUNCATE = 1 << 20  # bytes from which a file without content is written anew


class Boot(msgspec.Struct, frozen=True, tag="boot", array_like=True):
    """The life of the machine in which the file was written; from this frame on nothing that began is missing."""

    id: str  # changes with each boot


class Begun(msgspec.Struct, frozen=True, tag="begun", array_like=True):
    """An attempt is about to start its first process."""

    key: str  # which
    workspace: str = ""  # where it works, if not in a room


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Report | Forget | Boot | Begun] = msgspec.msgpack.Decoder(
    Report | Forget | Boot | Begun
)


class Journal:
    """The executor's memory."""

    def __init__(self, path: Path, boot: str) -> None:
        """Read what the executor before this one left, then go on in a fresh file. `boot` is the id of this boot."""
        self.ends: dict[str, AttemptStatus] = {}
        """Attempts that have ended and that the network may not have recorded."""
        self.begun: dict[str, str] = {}
        """Attempts that were begun and have not ended, with the directory that they work in if it is no room's; at the
        start those that died with the executor before."""
        self.past: dict[str, None] = {}
        """Attempts that were let go of, the oldest first."""
        self._path = path
        self._boot = ""
        self._load(path.read_bytes() if path.exists() else b"")
        self.sure = bool(boot) and self._boot == boot
        """Whether attempts of executors before this one that are in neither of the above were surely never begun."""
        self._boot = boot
        self._descriptor = -1
        self._size = 0
        self._write_anew()

    def barred(self, key: str) -> bool:
        """Whether an attempt must not begin, for it has been here before."""
        return key in self.begun or key in self.past

    def begin(self, key: str, workspace: str = "") -> None:
        """Keep that an attempt begins. Raises OSError when that is impossible: then it must not begin."""
        self._append(Begun(key, workspace))
        self.begun[key] = workspace

    def end(self, status: AttemptStatus) -> None:
        """Keep an end. Raises OSError when the disk is full; it is then known until the executor ends."""
        self.begun.pop(status.key, None)
        self.ends[status.key] = status
        self._append(Report((status,)))

    def forget(self, keys: tuple[str, ...]) -> None:
        """Let go of attempts whose end is recorded."""
        self._let_go(keys)
        if not self.ends and not self.begun and self._size > _TRUNCATE:
            self._write_anew()
        elif keys:
            self._append(Forget(keys))

    def settle(self) -> None:
        """Take note that the network has recorded what became of all attempts of executors before this one."""
        if not self.sure and self._boot:
            self.sure = True
            self._append(Boot(self._boot))

    def _write_anew(self) -> None:
        """Begin a file that holds just what is known now, and put it in place of the one before."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        fresh = self._path.with_suffix(".new")
        self._descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = 0
        if self.sure:
            self._append(Boot(self._boot))
        for key, workspace in self.begun.items():
            self._append(Begun(key, workspace))
        self._append(Report(tuple(self.ends.values())))
        if self.past:
            self._append(Forget(tuple(self.past)))
        fresh.replace(self._path)

    def _append(self, record: Report | Forget | Boot | Begun) -> None:
        body = _encoder.encode(record)
        frame = _FRAME.pack(len(body), crc32(body)) + body
        written = os.write(self._descriptor, frame)
        self._size += written
        if written < len(frame):  # the disk is full: take the torn frame back
            self._size -= written
            os.ftruncate(self._descriptor, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def _load(self, data: bytes) -> None:
        position = 0
        while position + _FRAME.size <= len(data):
            length, checksum = _FRAME.unpack_from(data, position)
            body = data[position + _FRAME.size : position + _FRAME.size + length]
            if len(body) < length or crc32(body) != checksum:
                return
            self._take(_decoder.decode(body))
            position += _FRAME.size + length

    def _take(self, record: Report | Forget | Boot | Begun) -> None:
        match record:
            case Boot(boot):
                self._boot = boot
            case Begun(key, workspace):
                self.begun[key] = workspace
            case Report(attempts):
                for status in attempts:
                    self.begun.pop(status.key, None)
                    self.ends[status.key] = status
            case Forget(keys):
                self._let_go(keys)

    def _let_go(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self.ends.pop(key, None)
            self.begun.pop(key, None)
            self.past[key] = None
        while len(self.past) > MAX_PAST:
            del self.past[next(iter(self.past))]


def boot_id() -> str:
    """Return what tells this boot of the machine from others; empty where that is unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
