"""A directory (core/manifest.py) as one stream of bytes, and back: its list and its contents, each at rest.

Beside the digest by which it is asked for nothing else is needed: the stream is the head, the leaves, and the files'
contents in the order in which the leaves name them, each once and with its length before it. Whoever reads it knows at
every point which digest has to come, and takes nothing else. Refuses to know where streams are kept.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ...core import manifest
from ...core.errors import Damaged, PeerError
from ...core.manifest import Digest, Tree
from ..blobs import Contents
from ..blobs.contents import BATCH, SMALL, content_of

_LENGTH = struct.Struct("!Q")
_PART = 1 << 20


def parts_of(contents: Contents, root: Digest) -> Iterator[bytes]:
    """Yield a directory that is here. Raises NotFound, Damaged, PeerError."""
    tree = contents.tree(root)
    for digest in (root, *dict.fromkeys(tree.digests())):
        yield from _record(contents.frame(digest))
    for digest, size in _files(contents, tree).items():
        if size <= SMALL:
            yield from _record(contents.frame(digest))
            continue
        with contents.large.file(digest.hex()).open("rb") as file:
            yield _LENGTH.pack(file.seek(0, 2))
            file.seek(0)
            while part := file.read(_PART):
                yield part


def take(
    contents: Contents, root: Digest, parts: Iterable[bytes], scratch: Path, check_room: Callable[[Tree], None]
) -> None:
    """Put a directory from a stream into `contents`, which must forget nothing meanwhile; to be held afterwards.

    `scratch` is a file on the same disk that is free to use; `check_room` is told of the directory before its contents
    come. Raises Damaged for a stream that is something else, and what `check_room` and iterating over the parts raise.
    """
    stream = _Stream(parts, root)
    small = _Small(contents, stream)
    small.take(root)
    small.flush()
    try:
        tree = contents.tree(root)
        check_room(tree)
        for digest in dict.fromkeys(tree.digests()):
            small.take(digest)
        small.flush()
        files = _files(contents, tree)
    except PeerError as problem:
        raise stream.damaged(str(problem)) from None
    for digest, size in files.items():
        if size <= SMALL:
            small.take(digest)
        else:
            stream.copy(scratch)
            contents.large.adopt(scratch, digest.hex(), size=size)
    small.flush()
    if stream.read(1, short=True):
        raise stream.damaged("it goes on behind its end")


def _record(frame: bytes) -> Iterator[bytes]:
    yield _LENGTH.pack(len(frame))
    yield frame


def _files(contents: Contents, tree: Tree) -> dict[Digest, int]:
    """Return the files' contents with their bytes, each once, in the order of the directory. Raises PeerError."""
    entries = manifest.read_all(tree, (contents.read(leaf) for leaf in tree.digests()))
    return {one.digest: one.size for one in entries if one.is_file}


class _Small:
    """Puts contents of up to SMALL bytes as they come, many in one transaction."""

    def __init__(self, contents: Contents, stream: "_Stream") -> None:
        """Put what comes from `stream` into `contents`."""
        self._contents = contents
        self._stream = stream
        self._frames: list[tuple[Digest, bytes]] = []
        self._size = 0

    def take(self, digest: Digest) -> None:
        """Take the next content, which has to be this one. Raises Damaged."""
        length = self._stream.length()
        if length > 2 * SMALL:
            raise self._stream.damaged(f"a content of {length} bytes comes where a small one has to")
        frame = self._stream.read(length)
        content_of(frame, digest)
        self._frames.append((digest, frame))
        self._size += length
        if self._size > BATCH:
            self.flush()

    def flush(self) -> None:
        """Put what was taken."""
        self._contents.put_frames(self._frames)
        self._frames, self._size = [], 0


class _Stream:
    """Reads exact lengths of what comes in parts."""

    def __init__(self, parts: Iterable[bytes], root: Digest) -> None:
        """Read `parts`, which should be the directory `root`."""
        self._parts = iter(parts)
        self._root = root
        self._rest = memoryview(b"")

    def length(self) -> int:
        """Return the length that comes next."""
        return _LENGTH.unpack(self.read(_LENGTH.size))[0]

    def read(self, length: int, *, short: bool = False) -> bytes:
        """Return the next bytes: so many, or, with `short`, fewer at the end. Raises Damaged."""
        return b"".join(self._take(length, short=short))

    def copy(self, target: Path) -> None:
        """Write what comes next, whose length stands before it, into a file. Raises Damaged."""
        length = self.length()
        with target.open("wb") as file:
            for part in self._take(length):
                file.write(part)

    def _take(self, length: int, *, short: bool = False) -> Iterator[memoryview]:
        while length:
            if not self._rest:
                part = next(self._parts, None)
                if part is None:
                    if short:
                        return
                    raise self.damaged("it ends too early")
                self._rest = memoryview(part)
            taken, self._rest = self._rest[:length], self._rest[length:]
            length -= len(taken)
            yield taken

    def damaged(self, why: str) -> Damaged:
        """Return the error for a stream that is not what it should be."""
        return Damaged(f"what is kept as the directory {self._root.hex()[:12]} is something else: {why}")
