"""Caches of a workspace: taken before the first step, left after the last one where all went well.

What is taken is put where the cache's own paths are, and nowhere else, whatever it names. A cache is never what a build
fails for: what is wrong with one is told in the log, and the build goes on without. Refuses to know how a cache gets to
this machine: `ask` brings the best that others have.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from ...core import caching, manifest
from ...core.caching import HASH_DIGITS, Stored, Wish
from ...core.definition import Cache
from ...core.errors import Damaged, DiskFull, LimitReached, NotFound, OrchestraError, PeerError
from ...core.globs import Globs
from ...core.manifest import shown
from ..blobs import Contents, Why
from .beneath import Beneath
from .filling import Filling
from .gathering import fitting, gather
from .order import Taken

Ask = Callable[[Wish], bool]
"""Brings the best cache that other agents have, and returns whether it did. Raises OrchestraError."""


class Caches:
    """The caches of one build."""

    def __init__(
        self, project: str, caches: Sequence[Cache], contents: Contents, workspace: Path, tell: Callable[[str], None]
    ) -> None:
        """Take from and leave in `contents` what the caches of a job name, for a build of a project."""
        self._project = project
        self._caches = caches
        self._contents = contents
        self._workspace = workspace
        self._tell = tell

    # -- before the steps

    def take(self, ask: Ask, *, warm: bool = False) -> list[Taken]:
        """Fill in what there is; return what was taken, for `leave`. `warm`: what lies there already is as good."""
        return [self._take(one, ask, warm=warm) for one in self._caches]

    def _take(self, cache: Cache, ask: Ask, *, warm: bool) -> Taken:
        key = ""
        try:
            with Beneath(self._workspace) as top:
                wish = caching.wish_of(self._project, cache, lambda globs: digest_of(top, globs))
                there = warm and any(True for _ in fitting(top, Globs(cache.paths)))
            key = wish.key
            found = self._find(wish, ask)
            if found is None:
                self._tell(f"cache {key}: there is none yet")
                return Taken(key)
            exact = found.name.key == key
            said = "" if exact else f" {found.name.key}"
            if there:
                self._tell(f"cache {key}: what the workspace has is kept")
            else:
                count = self._fill(cache, found)
                self._tell(f"cache {key}: took{said} {_files(count)}")
        except (OrchestraError, OSError) as problem:
            self._tell(f"cache {key or cache.key}: it is done without: {problem}")
            return Taken(key)
        return Taken(key, exact)

    def _find(self, wish: Wish, ask: Ask) -> Stored | None:
        """Return the best cache that this machine has, or can have."""
        found = caching.best(wish, stored(self._contents))
        if found is not None and found.name.key == wish.key:
            return found
        try:
            brought = ask(wish)
        except OrchestraError as problem:
            self._tell(f"cache {wish.key}: what other agents have cannot be had: {problem}")
            brought = False
        return caching.best(wish, stored(self._contents)) if brought else found

    def _fill(self, cache: Cache, found: Stored) -> int:
        """Put a cache where it belongs; return of how many files it is."""
        root = bytes.fromhex(found.root)
        self._contents.use(root)
        wanted = Globs(cache.paths)
        whole = self._contents.entries(root)
        entries = [one for one in whole if wanted.matches(one.path)]
        for one in whole:
            if not wanted.matches(one.path):
                self._tell(f"cache {found.name.key}: {shown(one.path)} is left out: the job's paths do not name it")
                break
        try:
            Filling(self._workspace, None, self._contents.stream, timed=True).fill(b"", lambda: entries)
        except (Damaged, DiskFull, NotFound, PeerError):
            with Beneath(self._workspace) as top:  # half of a cache is worse than none
                for one in entries:
                    if one.is_file:
                        top.remove(one.path)
            raise
        return len(entries)

    # -- after the steps

    def leave(self, taken: Sequence[Taken], limit: int) -> None:
        """Keep what is there now for builds to come, unless just that was taken; `limit` is in bytes, 0 is none."""
        for cache, one in zip(self._caches, taken, strict=False):
            if one.key and not one.exact:
                try:
                    self._leave(cache, one.key, limit)
                except (OrchestraError, OSError) as problem:
                    self._tell(f"cache {one.key}: it cannot be kept: {problem}")

    def _leave(self, cache: Cache, key: str, limit: int) -> None:
        with Beneath(self._workspace) as top, self._contents.staying(), self._contents.writer() as writer:
            try:
                found = gather(top, Globs(cache.paths), writer, limit, anywhere=True)
            except LimitReached:
                self._tell(
                    f"cache {key}: it is more than {limit} bytes, and not kept; name less, or raise content-quota"
                )
                return
            if not found.entries:
                self._tell(f"cache {key}: there is nothing at {', '.join(cache.paths)} to keep")
                return
            root = writer.put_directory(manifest.write(found.entries))
            writer.flush()
            name = caching.name_of(self._project, cache, key)
            self._contents.hold(root, Why.CACHE, str(name))
        for other in stored(self._contents):
            if (other.name.project, other.name.key) == (name.project, key) and other.root != root.hex():
                self._contents.release(bytes.fromhex(other.root), Why.CACHE, str(other.name))
        self._tell(f"cache {key}: kept {_files(len(found.entries))}")


def stored(contents: Contents) -> list[Stored]:
    """Return the caches on this machine."""
    found = ((caching.read_name(one.name), one) for one in contents.held(Why.CACHE))
    return [Stored(name, one.root.hex(), one.used) for name, one in found if name is not None]


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def digest_of(top: Beneath, globs: Sequence[str]) -> str:
    """Return what `hash()` is of the files that fit: of their names and contents. Empty where there are none."""
    found = hashlib.sha256()
    files = sorted(path for path, about in fitting(top, Globs(globs)) if stat.S_ISREG(about.st_mode))
    for path in files:
        with os.fdopen(top.open(path), "rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        found.update(path + b"\0" + content)
    return found.hexdigest()[:HASH_DIGITS] if files else ""
