"""Whether a file at rest that came from elsewhere is the blob that it should be; also while it still grows.

Everything is checked before the file takes its place: each frame, the table at the end, and the digest of the content.
Memory stays flat, and a file whose content would be longer than promised is refused before it is unpacked further.
"""

import os
from hashlib import sha256
from pathlib import Path

from ...core.errors import Damaged
from . import seekable
from .seekable import FRAME, FRAME_AT_REST, Malformed


class Check:
    """One file under examination. Used by one thread at a time."""

    def __init__(self, path: Path, digest: str, *, size: int | None = None) -> None:
        """Begin with the file at `path`, which exists; `size` is the bytes of content, where they are known."""
        self.path = path
        self.digest = digest
        self.size = size
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._hash = sha256()
        self._sizes: list[tuple[int, int]] = []
        self._content = 0  # bytes of it so far
        self._position = 0  # up to which the file was looked at

    def advance(self, length: int) -> None:
        """Check what can be checked of the first `length` bytes, which will not change. Raises Damaged."""
        try:
            while length - self._position >= FRAME_AT_REST and self._take():
                pass
        except Malformed as problem:
            raise self._damaged(str(problem)) from None

    def finish(self) -> None:
        """Check the rest: the file is complete. Raises Damaged."""
        try:
            while self._take():
                pass
        except Malformed as problem:
            raise self._damaged(str(problem)) from None
        table = seekable.table_of(self._sizes)
        if os.pread(self._descriptor, len(table) + 1, self._position) != table:
            raise self._damaged("it does not end with the table of its frames")
        if self.size is not None and self._content != self.size:
            raise self._damaged(f"it has {self._content} bytes of content, and {self.size} were promised")
        if self._hash.hexdigest() != self.digest:
            raise self._damaged("its content has another digest")

    def close(self) -> None:
        """Give the file back."""
        os.close(self._descriptor)

    def _take(self) -> bool:
        """Check one frame; False where the table begins."""
        data = os.pread(self._descriptor, FRAME_AT_REST, self._position)
        if seekable.is_table(data):
            return False
        if self._sizes and self._sizes[-1][1] != FRAME:
            raise Malformed("a frame in the midst is short")
        length = seekable.length_of(data)
        content = seekable.content_of(data[:length])
        self._content += len(content)
        if self.size is not None and self._content > self.size:
            raise Malformed(f"it has more than the {self.size} bytes of content that were promised")
        self._hash.update(content)
        self._sizes.append((length, len(content)))
        self._position += length
        return True

    def _damaged(self, what: str) -> Damaged:
        return Damaged(
            f"what was fetched as blob {self.digest[:12]} is something else: {what}; fetch it from elsewhere"
        )
