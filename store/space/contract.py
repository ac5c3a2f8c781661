"""What a blob space must do: keep named contents whole, give them back, and forget them. See the package.

A name is a kind and a SHA-256: `log/ab12...`. One name has one meaning for ever, so to put what is there already is no
error and costs nothing. A space holds the contents of one network; others in the same place are not seen.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from ...core.errors import InvalidInput
from ...core.model import Millis

PART = 1 << 20
"""Bytes that are written and read at a time. Larger: fewer calls; smaller: less memory."""

_NAME = re.compile(r"(?P<kind>[a-z]{1,16})/(?P<digest>[0-9a-f]{64})")


class Kept(NamedTuple):
    """A content that a space holds."""

    name: str  # kind/digest
    size: int  # bytes
    at: Millis  # when it was put


class BlobSpace(Protocol):
    """A place for contents. Methods block, and may be called from several threads. All raise StorageError."""

    url: str  # how it was opened, without a password

    def lacking(self, names: Sequence[str]) -> list[str]:
        """Return those of some names of which nothing is held, in their order."""
        ...

    def put(self, name: str, parts: Iterable[bytes]) -> None:
        """Hold a content, which comes in parts: all of it, durably, when this returns; else nothing of it.

        What iterating over the parts raises is passed on. Raises DiskFull where there is no room.
        """
        ...

    def get(self, name: str) -> Iterator[bytes]:
        """Yield a content in parts of about PART bytes. Raises NotFound where it is not held, at the first part."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Forget contents; what is not held is no error."""
        ...

    def names(self) -> Iterator[Kept]:
        """Yield all that is held, in constant memory; names that begin alike come together."""
        ...

    def close(self) -> None:
        """Give back what is held open. Further calls are an error."""
        ...


def split(name: str) -> tuple[str, str]:
    """Return the kind and the digest of a name. Raises InvalidInput for what is none."""
    found = _NAME.fullmatch(name)
    if found is None:
        message = f"{name[:80]!r} names no content; it is a kind and 64 lower-case hex digits, as log/ab12..."
        raise InvalidInput(message)
    return found["kind"], found["digest"]
