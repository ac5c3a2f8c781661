"""What stores on a server have in common, as opposed to a file: patience, URLs with passwords, no copy as a file."""

from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..core.errors import StorageError

CONNECT_S = 5
"""Seconds to connect. The agent tries again; longer only delays the message that nobody answers."""

STATEMENT_S = 60
"""Seconds that a statement may take. Larger: a stuck server holds up readers for longer."""

REACHABLE = "the server runs and can be reached from here"
"""What has to be checked where a server gives no answer."""


def without_password(url: str) -> str:
    """Return a URL that may be shown."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url
    who, at, place = parts.netloc.rpartition("@")
    query = [(name, value) for name, value in parse_qsl(parts.query) if "pass" not in name.lower()]
    if len(query) < len(parse_qsl(parts.query)):
        parts = parts._replace(query=urlencode(query))
    return urlunsplit(parts._replace(netloc=f"{who.partition(':')[0]}{at}{place}"))


def no_file(url: str, path: Path, tool: str) -> StorageError:
    """Return the error for who wants a shared database to be one file; `tool` makes its copies."""
    return StorageError(
        f"the store {url} is a database of its own and cannot be the file {path}; use {tool}, or: "
        "orchestra store export"
    )
