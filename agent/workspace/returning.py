"""What a build left comes back into a directory of whoever asked for it: nothing there is overwritten unasked.

A directory of people's own is not a workspace: nothing is removed from it, no link in it is followed or replaced on the
way, and a directory stays one. A file comes whole, in place of what was there, or not at all. Refuses to know whether a
file there matters: that it is told.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ...core.manifest import Entry
from ..blobs import Contents
from .beneath import Beneath

_PERMISSIONS = 0o777


class Returned(NamedTuple):
    """What came back."""

    there: list[bytes]  # paths that are now as the build left them
    refused: list[bytes]  # paths at which something else is, which stays


def put(contents: Contents, entries: Iterable[Entry], out: Path, may_overwrite: Callable[[bytes], bool]) -> Returned:
    """Put entries into a directory, which exists; `may_overwrite(path)` is whether a file there may go.

    Raises OSError, NotFound.
    """
    there: list[bytes] = []
    refused: list[bytes] = []
    with Beneath(out, replaces=False) as top:
        for one in entries:
            try:
                done = _put(contents, one, top, may_overwrite)
            except OSError as error:
                if error.errno not in _IN_THE_WAY:
                    raise
                done = False
            (there if done else refused).append(one.path)
    return Returned(there, refused)


def _put(contents: Contents, one: Entry, top: Beneath, may_overwrite: Callable[[bytes], bool]) -> bool:
    found = top.look(one.path)
    if stat.S_ISDIR(one.mode):
        top.make_folder(one.path)
        return True
    if found is not None:
        if _is_same(top, one, found):
            return True
        if stat.S_ISDIR(found.st_mode) or not may_overwrite(one.path):
            return False
    if stat.S_ISLNK(one.mode):
        top.remove(one.path)
        top.make_link(one.path, one.digest)
        return True
    return _write(contents, one, top, replaces=found is not None)


def _write(contents: Contents, one: Entry, top: Beneath, *, replaces: bool) -> bool:
    """Put a file, whole, beside where it belongs, and then there; False where one was made there meanwhile."""
    folder, separator, name = one.path.rpartition(b"/")
    partial = b"%s%s.orchestra-%d-%s" % (folder, separator, os.getpid(), sha256(name).hexdigest()[:16].encode())
    try:
        with top.writing(partial) as descriptor, os.fdopen(os.dup(descriptor), "wb") as file:
            for part in contents.stream(one):
                file.write(part)
            file.flush()
            os.fchmod(descriptor, one.mode & _PERMISSIONS)
            if one.mtime:
                os.utime(descriptor, ns=(one.mtime, one.mtime))
        free = replaces or top.look(one.path) is None
        if free:
            top.rename(partial, one.path)
    finally:
        top.remove(partial)
    return free


def _is_same(top: Beneath, one: Entry, found: os.stat_result) -> bool:
    """Whether what is at a path is what the build left there."""
    if stat.S_ISLNK(one.mode):
        return stat.S_ISLNK(found.st_mode) and top.link(one.path) == one.digest
    if not stat.S_ISREG(found.st_mode) or found.st_size != one.size:
        return False
    with os.fdopen(top.open(one.path), "rb") as file:
        digest = sha256()
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.digest() == one.digest


_IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTDIR, errno.ELOOP, errno.EISDIR})
