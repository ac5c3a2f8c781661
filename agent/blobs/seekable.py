"""What a blob looks like at rest: content in frames of 1 MiB, each compressed by itself, and a table of their sizes.

It is the seekable format of Zstandard (contrib/seekable_format in its sources), so that `zstd -d` reads it. A range
costs the frames that it touches. What does not shrink Zstandard keeps as it is, for 16 bytes a frame. Every frame holds
a checksum of its content. Refuses to know where the bytes lie, and what their digest ought to be.
"""

import os
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

import zstandard

FRAME = 1 << 20
"""Bytes of content in a frame; the last has the rest. Larger: compresses better; smaller: cheaper small ranges."""

FRAME_AT_REST = FRAME + (FRAME >> 8) + 64
"""Bytes of a frame at rest, at most: Zstandard's bound (1/256 more than the content) and headers."""

LEVEL = 1
"""Zstandard's level. Larger: smaller files for much more of the processor's time, while builds run beside."""

_HEADER = struct.Struct("<II")  # of the table: magic number of a skippable frame, bytes that follow
_ENTRY = struct.Struct("<II")  # bytes of a frame at rest, and of its content
_FOOTER = struct.Struct("<IBI")  # frames, flags, magic number of a seekable file
_SKIPPABLE = 0x184D2A5E
_SEEKABLE = 0x8F92EAB1
_MAGIC = b"\x28\xb5\x2f\xfd"  # of a frame
_CHECKSUM = 4  # bytes of it behind the last block
_RLE, _RESERVED = 1, 3  # types of a block


class Malformed(ValueError):
    """The bytes are not what `pack` writes; says what is wrong with them, as the end of a sentence."""


class Packed(NamedTuple):
    """What was written."""

    digest: str  # SHA-256 of the content, hex
    content: int  # bytes of it


def frames_of(content: bytes) -> Iterator[memoryview]:
    """Cut content into what `pack` takes."""
    view = memoryview(content)
    return (view[start : start + FRAME] for start in range(0, len(view), FRAME))


def pack(frames: Iterable[bytes | memoryview], write: Callable[[bytes], object]) -> Packed:
    """Write the at-rest form of content, which comes in pieces of FRAME bytes (but the last)."""
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    digest = sha256()
    table: list[tuple[int, int]] = []
    for content in frames:
        digest.update(content)
        at_rest = compressor.compress(content)
        write(at_rest)
        table.append((len(at_rest), len(content)))
    write(table_of(table))
    return Packed(digest.hexdigest(), sum(content for _, content in table))


def table_of(sizes: Iterable[tuple[int, int]]) -> bytes:
    """Return the table behind frames of these sizes (at rest, of content)."""
    entries = b"".join(_ENTRY.pack(*one) for one in sizes)
    header = _HEADER.pack(_SKIPPABLE, len(entries) + _FOOTER.size)
    return header + entries + _FOOTER.pack(len(entries) // _ENTRY.size, 0, _SEEKABLE)


def is_table(data: bytes) -> bool:
    """Whether a table begins here, and not a frame."""
    return data[:4] != _MAGIC


class Seekable:
    """A file of this format, for reading ranges of its content."""

    def __init__(self, descriptor: int) -> None:
        """Read the table. The descriptor stays the caller's. Raises Malformed."""
        self._descriptor = descriptor
        end = os.fstat(descriptor).st_size
        footer = os.pread(descriptor, _FOOTER.size, max(0, end - _FOOTER.size))
        if len(footer) != _FOOTER.size:
            raise Malformed("it is too short")
        count, flags, magic = _FOOTER.unpack(footer)
        length = _HEADER.size + count * _ENTRY.size + _FOOTER.size
        if magic != _SEEKABLE or flags or length > end:
            raise Malformed("its end is not the table that belongs there")
        table = os.pread(descriptor, length, end - length)
        sizes = list(_ENTRY.iter_unpack(table[_HEADER.size : -_FOOTER.size]))
        if table_of(sizes) != table or sum(at_rest for at_rest, _ in sizes) + length != end:
            raise Malformed("its table does not fit the file")
        if any(content != FRAME for _, content in sizes[:-1]) or (sizes and not 0 < sizes[-1][1] <= FRAME):
            raise Malformed("its table lists frames of a wrong size")
        self._starts = array("Q", [0])  # where each frame begins at rest, and where the last one ends
        for at_rest, _ in sizes:
            self._starts.append(self._starts[-1] + at_rest)
        self.size: int = sum(content for _, content in sizes)  # bytes of content

    def read(self, offset: int, limit: int) -> bytes:
        """Return at most `limit` bytes of content from `offset` on. Raises Malformed."""
        end = min(offset + limit, self.size)
        parts: list[bytes] = []
        while offset < end:
            place, skip = divmod(offset, FRAME)
            parts.append(self._frame(place)[skip : skip + end - offset])
            offset += len(parts[-1])
        return b"".join(parts)

    def frames(self) -> Iterator[bytes]:
        """Yield all content, a frame at a time. Raises Malformed."""
        return map(self._frame, range(len(self._starts) - 1))

    def _frame(self, place: int) -> bytes:
        start, end = self._starts[place], self._starts[place + 1]
        content = content_of(os.pread(self._descriptor, end - start, start))
        if len(content) != min(FRAME, self.size - place * FRAME):
            raise Malformed(f"frame {place} has not the length that the table says")
        return content


def content_of(frame: bytes) -> bytes:
    """Return the content of one whole frame. Raises Malformed where it is none of ours, or its checksum is wrong.

    Costs at most FRAME bytes of memory, whatever the frame claims.
    """
    try:
        parameters = zstandard.get_frame_parameters(frame)
        if not parameters.has_checksum or parameters.dict_id or not 0 < parameters.content_size <= FRAME:
            raise Malformed("a frame is not of the kind that is written here")
        decompressor = zstandard.ZstdDecompressor(max_window_size=FRAME)
        return decompressor.decompress(frame, max_output_size=FRAME, allow_extra_data=False)
    except zstandard.ZstdError as problem:
        raise Malformed(f"a frame cannot be read ({problem})") from None


def length_of(data: bytes) -> int:
    """Return the bytes at rest of the frame that `data` begins with, from its blocks' headers. Raises Malformed."""
    try:
        position = zstandard.frame_header_size(data)
    except zstandard.ZstdError as problem:
        raise Malformed(f"a frame cannot be read ({problem})") from None
    last = False
    while not last:
        if position + 3 > len(data):
            raise Malformed("a frame has no end")
        header = int.from_bytes(data[position : position + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        if kind == _RESERVED:
            raise Malformed("a frame has a block of unknown type")
        position += 3 + (1 if kind == _RLE else size)
    if position + _CHECKSUM > len(data):
        raise Malformed("a frame has no end")
    return position + _CHECKSUM
