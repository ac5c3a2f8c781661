"""Artifacts: the files that a build kept."""

import msgspec

from .method import MISSING, READ, Method, Params


class ArtifactsList(Params, frozen=True):
    """Which files that a build kept."""

    id: str  # as in builds.get
    glob: str = "**"  # only those whose path fits: `*` within a name, `**` for any directories
    attempt: int | None = None  # which attempt; the last by default
    limit: int = 1000  # 1 to 10000; where paths are long, fewer come
    after: str | None = None  # `next` of the page before


class ArtifactsGet(Params, frozen=True):
    """Which part of a file that a build kept."""

    id: str  # as in builds.get
    path: str  # as in artifacts.list
    offset: int = 0  # first byte wanted
    limit: int = 262144  # most bytes wanted, 1 to 1048576
    attempt: int | None = None  # which attempt; the last by default


class ArtifactsFetch(Params, frozen=True):
    """Which artifacts to bring."""

    tree: str  # as in artifacts.list
    agent: str = ""  # id of the agent that is asked first; as in artifacts.list


class Artifact(msgspec.Struct, frozen=True):
    """A file that a build kept."""

    path: str  # relative to the workspace; bytes that are no UTF-8 are written as `\xNN`
    size: int  # bytes
    mode: str  # kind and permissions, as `-rwxr-xr-x`
    digest: str  # SHA-256 (hex) of the content; where it leads to, for a symbolic link
    modified: str | None  # RFC 3339; when it was last changed


class Artifacts(msgspec.Struct, frozen=True):
    """What a build kept."""

    build: str  # its id
    attempt: int  # which attempt of it
    tree: str  # SHA-256 (hex) of the directory that all its artifacts make; empty: there are none
    agent: str  # id of the agent that it ran on
    files: list[Artifact]  # those asked for, by path, as many as a page has
    size: int  # bytes of all that were asked for, also on other pages
    count: int = 0  # how many those are
    next: str | None = None  # cursor of the next page; null: this was the last


class ArtifactPart(msgspec.Struct, frozen=True):
    """A range of a file."""

    offset: int  # of the first byte returned
    data: str  # base64
    size: int  # bytes of the whole file
    complete: bool  # the file ends here


class Fetched(msgspec.Struct, frozen=True):
    """The artifacts are on the asked agent's machine."""

    tree: str  # as asked


METHODS = (
    Method("artifacts.list", "The files that a build kept", ArtifactsList, Artifacts, READ, MISSING),
    Method("artifacts.get", "A range of a file that a build kept", ArtifactsGet, ArtifactPart, READ, MISSING),
    Method(
        "artifacts.fetch",
        "Have a build's artifacts on the asked agent's machine, for a client there to take",
        ArtifactsFetch,
        Fetched,
        READ,
        MISSING,
    ),
)
