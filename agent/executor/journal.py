"""The ends that an executor was not yet told to forget, in a file: so that an executor that is killed loses no end.

Frames of length, checksum and msgpack, appended without fsync: the file must survive the process, not the machine
(after a power loss every attempt of this worker is lost anyway, and is recorded so). A torn tail is dropped.
"""

import os
import struct
from binascii import crc32
from pathlib import Path

import msgspec

from .protocol import AttemptStatus, Forget, Report

_FRAME = struct.Struct("!II")  # length, checksum
_TRUNCATE = 1 << 20  # bytes from which a file without content is emptied
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Report | Forget] = msgspec.msgpack.Decoder(Report | Forget)


class Ends:
    """Ends of attempts that are not recorded by the network yet."""

    def __init__(self, path: Path) -> None:
        """Read what the executor before this one left, then go on in a fresh file."""
        self.known: dict[str, AttemptStatus] = {}
        data = path.read_bytes() if path.exists() else b""
        self._load(data)
        fresh = path.with_suffix(".new")
        self._descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = 0
        self._append(Report(tuple(self.known.values())))
        fresh.replace(path)

    def add(self, status: AttemptStatus) -> None:
        """Keep an end. Raises OSError when the disk is full."""
        self.known[status.key] = status
        self._append(Report((status,)))

    def forget(self, keys: tuple[str, ...]) -> None:
        """Let go of ends that are recorded."""
        gone = tuple(key for key in keys if self.known.pop(key, None) is not None)
        if not self.known and self._size > _TRUNCATE:
            os.ftruncate(self._descriptor, 0)
            self._size = 0
        elif gone:
            self._append(Forget(gone))

    def _append(self, record: Report | Forget) -> None:
        body = _encoder.encode(record)
        frame = _FRAME.pack(len(body), crc32(body)) + body
        written = os.write(self._descriptor, frame)
        self._size += written
        if written < len(frame):  # the disk is full: take the torn frame back
            self._size -= written
            os.ftruncate(self._descriptor, self._size)
            raise OSError(28, "No space left on device")

    def _load(self, data: bytes) -> None:
        position = 0
        while position + _FRAME.size <= len(data):
            length, checksum = _FRAME.unpack_from(data, position)
            body = data[position + _FRAME.size : position + _FRAME.size + length]
            if len(body) < length or crc32(body) != checksum:
                return
            found = _decoder.decode(body)
            if isinstance(found, Report):
                self.known.update((status.key, status) for status in found.attempts)
            else:
                for key in found.keys:
                    self.known.pop(key, None)
            position += _FRAME.size + length
