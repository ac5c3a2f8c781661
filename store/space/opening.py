"""From a URL to a blob space: `directory:///mnt/share/blobs`, `mongodb://user:password@host/database`."""

from pathlib import Path
from urllib.parse import urlsplit

from ...core.errors import InvalidInput, StorageError
from ...core.nearest import nearest
from ..servers import without_password
from .contract import BlobSpace

NONE = frozenset({"", "voters"})
"""What is said where there is no space: what builds leave is on the voters alone."""

_SERVERS = ("mongodb", "mongodb+srv")


def check(url: str) -> None:
    """Raise InvalidInput, with the remedy, for a URL that cannot name a space. Looks at nothing but the text."""
    scheme, colon, rest = url.partition(":")
    if url in NONE:
        return
    if not colon or scheme not in {"directory", *_SERVERS}:
        guess = nearest(scheme, ["directory", *_SERVERS, "voters"])
        hint = f"did you mean {guess}?" if guess else "there are: voters, directory:///PATH, mongodb://..."
        message = f"blobs: {without_password(url)[:120]!r} names no place for logs and artifacts; {hint}"
        raise InvalidInput(message)
    if scheme == "directory" and not _path(rest).is_absolute():
        message = (
            f"blobs: {url[:120]!r} names no directory; write directory:/// and the path, as directory:///mnt/builds"
        )
        raise InvalidInput(message)
    if scheme in _SERVERS and not (urlsplit(url).netloc and urlsplit(url).path.strip("/")):
        message = (
            f"blobs: {without_password(url)[:120]!r} names no database; write {scheme}://user:password@host/database"
        )
        raise InvalidInput(message)


def open_space(url: str, network: str, *, begun: bool = False) -> BlobSpace:
    """Open the space of a network that `url` names; with `begun` something was put there before.

    Raises InvalidInput for a URL that names none, StorageError for one that cannot be used; each with the remedy.
    """
    check(url)
    scheme, _, rest = url.partition(":")
    if scheme == "directory":
        from .directory import Directory

        return Directory(_path(rest), network, begun=begun)
    try:
        from ..mongo.space import MongoSpace
    except ImportError as problem:
        message = (
            f"a blob space in MongoDB needs a driver that is not installed ({problem.name}); install it with: "
            "pipx install --force 'job-orchestra[mongodb]' (or: pip install 'job-orchestra[mongodb]')"
        )
        raise StorageError(message) from None
    return MongoSpace(url, network)


def _path(rest: str) -> Path:
    return Path("/" + rest.lstrip("/")) if rest.startswith("/") and rest.strip("/") else Path()
