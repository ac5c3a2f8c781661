"""Making a directory what a tree says: from nothing, or by difference where it was made one before and built in since.

What was put there is remembered beside the directory (`Record`), with the times and the inode that each file then had;
so a file is only written anew where the tree has another content for it, or where somebody touched it. Everything else
stays as it is: files of the tree keep their times, what builds left keeps lying there, and tools that go by times build
only what has to be built. A file that changes is a new one, with the time of now: it is newer than what was made of it.
In a fresh directory files get the times that they had where they came from, so that generated files stay newer than
what they were generated from.

Refuses to know where contents come from, and whether anybody works in the directory meanwhile: nobody may.
"""

import os
import stat
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ...core.errors import Damaged, DiskFull
from ...core.manifest import Digest, Entry, shown
from .beneath import Beneath

RESERVE = 50 << 20
"""Bytes of disk that stay free whatever is filled in."""

_PERMISSIONS = 0o777


class Stamp(NamedTuple):
    """How a file stood when it had just been put there."""

    size: int  # bytes
    mtime: int  # nanoseconds
    ctime: int  # nanoseconds; nobody can set it
    inode: int  # of another file of that name it is another


class Record(msgspec.Struct, array_like=True):
    """What was put into a directory."""

    root: Digest = b""  # the tree that it was made; empty: none, or it was not finished
    entries: list[Entry] = []  # what was put there
    stamps: list[Stamp] = []  # how those stood then, in their order; all zero: nothing is known of it


class Filled(NamedTuple):
    """What was done."""

    written: int  # files and links that were written
    removed: int  # of what was there before
    kept: int  # that were as they should be


Content = Callable[[Entry], Iterable[bytes]]
"""Gives the content of a file in pieces."""


class Filling:
    """One directory that is made what a tree says."""

    def __init__(self, directory: Path, record: Path | None, content: Content, *, timed: bool = False) -> None:
        """Fill a directory, which exists; `record` is the file that remembers what was put there, None: nothing was.

        `timed`: files get the times that the tree says, also where something is there already.
        """
        self._directory = directory
        self._record = record
        self._content = content
        self._timed = timed

    def fill(self, root: Digest, read: Callable[[], Sequence[Entry]]) -> Filled:
        """Make the directory what the tree `root` says, whose entries `read` returns. Raises OSError, DiskFull."""
        before = self._load()
        with Beneath(self._directory) as top:
            same = bool(root) and before.root == root
            entries = before.entries if same else read()
            if same and not any(_wanted(top, entries, zip(entries, before.stamps, strict=True))):
                return Filled(0, 0, len(entries))
            known = {one.path: (one, stamp) for one, stamp in zip(before.entries, before.stamps, strict=True)}
            wanted = list(_wanted(top, entries, (known.get(one.path) for one in entries)))
            paths = {one.path for one in entries}
            gone = [one.path for one in before.entries if one.path not in paths]
            self._check_room(wanted)
            changing = {one.path for one in wanted}
            if self._record is not None:
                # whatever happens now, the next time knows what is its own
                still = [one for one in before.entries if one.path not in changing]
                stamps = [known[one.path][1] for one in still]
                self._save(Record(b"", [*still, *wanted], [*stamps, *[_NOTHING] * len(wanted)]))
            fresh = not top.inside(b"")
            for path in sorted(gone, reverse=True):
                _take_away(top, path, paths)
            for one in wanted:
                self._write(top, one, fresh=fresh)
            if self._record is not None:
                old = {path: stamp for path, (_, stamp) in known.items() if path not in changing}
                stamps = [old.get(one.path) or _stamp(top, one) for one in entries]
                self._save(Record(root, list(entries), stamps))
        return Filled(len(wanted), len(gone), len(entries) - len(wanted))

    def _write(self, top: Beneath, one: Entry, *, fresh: bool) -> None:
        if stat.S_ISDIR(one.mode):
            top.make_folder(one.path)
            return
        if not fresh:
            top.remove(one.path)
        if stat.S_ISLNK(one.mode):
            top.make_link(one.path, one.digest)
            return
        with top.writing(one.path) as descriptor:
            size = 0
            for part in self._content(one):
                view = memoryview(part)
                size += len(view)
                while view:
                    view = view[os.write(descriptor, view) :]
            if size != one.size:
                raise Damaged(f"the content of {shown(one.path)} has {size} bytes, and {one.size} were promised")
            os.fchmod(descriptor, one.mode & _PERMISSIONS)
            if (fresh or self._timed) and one.mtime:
                then = min(one.mtime, time.time_ns())
                os.utime(descriptor, ns=(then, then))

    def _check_room(self, wanted: Iterable[Entry]) -> None:
        """See that what is to be written fits: a tree may say of itself that it is larger than any disk."""
        room = os.statvfs(self._directory)
        free = room.f_bavail * room.f_frsize
        needed = sum(one.size for one in wanted)
        if needed > free - RESERVE:
            message = (
                f"the workspace needs {needed >> 20} MiB, and {free >> 20} MiB are free in {self._directory}; free some"
            )
            raise DiskFull(message)

    def _load(self) -> Record:
        if self._record is None:
            return Record()
        try:
            found = _decoder.decode(self._record.read_bytes())
        except (FileNotFoundError, msgspec.MsgspecError):
            return Record()
        return found if len(found.entries) == len(found.stamps) else Record()

    def _save(self, record: Record) -> None:
        if self._record is not None:
            partial = self._record.with_suffix(".new")
            partial.write_bytes(_encode(record))
            partial.replace(self._record)


def _wanted(top: Beneath, entries: Sequence[Entry], known: Iterable[tuple[Entry, Stamp] | None]) -> Iterator[Entry]:
    """Yield those entries that are not there as they should be; `known` is what was put there, in their order."""
    looks = top.look_each(one.path for one in entries)
    for one, found, before in zip(entries, looks, known, strict=True):
        if not _stands(top, one, found, before):
            yield one


def _stands(top: Beneath, one: Entry, found: os.stat_result | None, known: tuple[Entry, Stamp] | None) -> bool:
    """Whether a file is as it should be."""
    if found is None or stat.S_IFMT(found.st_mode) != stat.S_IFMT(one.mode):
        return False
    if stat.S_ISDIR(one.mode):
        return True
    if known is None:
        return False
    if stat.S_ISLNK(one.mode):
        return top.link(one.path) == one.digest
    was, stamp = known
    same = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino) == stamp
    return same and was.digest == one.digest and was.mode == one.mode


def _take_away(top: Beneath, path: bytes, paths: Container[bytes]) -> None:
    """Remove what is not in the tree any more, and the directories that it leaves empty, but those among `paths`."""
    top.remove(path)
    folder = path.rpartition(b"/")[0]
    while folder and folder not in paths and top.remove_empty(folder):
        folder = folder.rpartition(b"/")[0]


def _stamp(top: Beneath, one: Entry) -> Stamp:
    found = top.look(one.path)
    if found is None:
        return _NOTHING
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


_NOTHING = Stamp(0, 0, 0, 0)
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Record)
