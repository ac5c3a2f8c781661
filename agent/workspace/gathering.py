"""Taking files from a workspace: those that fit patterns, as they are, and never through a link.

A link is taken as a link, where it leads to something inside of the workspace; sockets, pipes and devices are left out.
Refuses to know what the files are kept for.
"""

import os
import posixpath
import stat
from collections.abc import Iterator
from typing import NamedTuple

from ...core.errors import LimitReached
from ...core.globs import Globs
from ...core.manifest import Entry, file_mode
from ..blobs.contents import Writer
from .beneath import Beneath

MOST = 200_000
"""Files that may be taken at a time."""


class Gathered(NamedTuple):
    """What was taken."""

    entries: list[Entry]  # in no order, each path once
    unmatched: list[str]  # patterns that nothing fits
    left_out: list[bytes]  # what fits and cannot be taken


def gather(top: Beneath, globs: Globs, writer: Writer, limit: int, *, anywhere: bool = False) -> Gathered:
    """Put what fits into the contents; return its entries. With `anywhere`, links may lead out of the directory.

    Raises OSError, and LimitReached for more than `limit` bytes; 0 is no limit.
    """
    entries: list[Entry] = []
    left_out: list[bytes] = []
    fit: set[int] = set()
    size = 0
    for path, about in fitting(top, globs):
        fit.update(globs.matching(path))
        kind = stat.S_IFMT(about.st_mode)
        if len(entries) >= MOST:
            raise _too_much(globs, limit)
        if kind == stat.S_IFREG:
            if limit and size + about.st_size > limit:
                raise _too_much(globs, limit)
            with os.fdopen(top.open(path), "rb") as file:
                digest, length = writer.put_file(file)
            size += length
            entries.append(Entry(path, file_mode(about.st_mode), length, digest, max(0, about.st_mtime_ns)))
        elif kind == stat.S_IFLNK and (anywhere or _stays_inside(path, top.link(path))):
            entries.append(Entry(path, kind | 0o777, 0, top.link(path)))
        elif kind == stat.S_IFDIR:
            entries.append(Entry(path, kind | 0o755))
        else:
            left_out.append(path)
    return Gathered(entries, [one for place, one in enumerate(globs.patterns) if place not in fit], left_out)


def fitting(top: Beneath, globs: Globs) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield what fits: files, links and what else there is, and directories that are empty."""
    waiting = globs.roots()
    while waiting:
        path = waiting.pop()
        about = top.look(path) if path else None
        if path and about is None:
            continue
        if about is not None and not stat.S_ISDIR(about.st_mode):
            if globs.matches(path):
                yield path, about
            continue
        inside = top.inside(path)
        if about is not None and not inside and globs.matches(path):
            yield path, about
        waiting += [path + b"/" + name if path else name for name, _ in inside]


def _too_much(globs: Globs, limit: int) -> LimitReached:
    return LimitReached(
        f"more than {limit} bytes, or {MOST} files, are to be kept ({', '.join(globs.patterns)}); name less, or raise "
        "artifact-limit on this agent"
    )


def _stays_inside(path: bytes, target: bytes) -> bool:
    """Whether a link leads to something inside of the workspace, by its words."""
    if target.startswith(b"/"):
        return False
    found = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return found != b".." and not found.startswith(b"../")
