"""Bare copies of repositories on this machine, so that a build fetches only what no build before it did.

    NAME.lock      held alone by who fetches or removes, shared by who checks out; its time is the last use
    NAME/          the copy: branches and tags as they were last seen, and revisions that were asked for by themselves
    NAME.address   what it is a copy of

NAME is made of the address and of how much history there is: a copy that ends somewhere is no use to who wants all.
Nothing is fetched where the revision is here. Several processes use them at a time. Methods block.
"""

import fcntl
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ...core.errors import NotFound, TimedOut
from ...core.repository import candidates
from .git import Git, GitFailed, refusal

PACKS = 30
"""Packs of a copy beyond which they are put together. Larger: rarer work; smaller: quicker look-ups."""

LATELY_S = 600
"""Seconds after its last use for which a copy stays: a build is on its way to it."""


SHA1 = 40
"""Hex digits of a revision in most repositories; in the others it is a SHA-256."""


class Wanted(NamedTuple):
    """What is wanted of a repository."""

    address: str  # which
    revision: str  # full id of the commit
    branch: str = ""  # where it was seen last, for servers that give no single commits
    depth: int = 0  # commits of history; 0: all


class Mirrors:
    """The copies on one machine."""

    def __init__(self, folder: Path, git: Git) -> None:
        """Keep them in `folder`, which exists; fetch with `git`."""
        self.folder = folder
        self._git = git

    @contextmanager
    def having(self, wanted: Wanted, tell: Callable[[str], None] = lambda _: None) -> Iterator[Path]:
        """Give the copy of a repository that has a revision, fetched if it was not here; it stays meanwhile.

        `tell` is told of what takes a while. Raises UserError with the reason where it cannot be had.
        """
        name = _name(wanted.address, wanted.depth)
        while True:
            with self._locked(name, fcntl.LOCK_SH):
                if self._has(name, wanted.revision):
                    yield self.folder / name
                    return
            with self._locked(name, fcntl.LOCK_EX):
                if not self._has(name, wanted.revision):
                    tell(f"fetching {wanted.address}")
                    self._fetch(name, wanted)

    def addresses(self) -> list[str]:
        """Return what there are copies of, the last used first."""
        used = sorted(self.folder.glob("*.lock"), key=_used, reverse=True)
        found: dict[str, None] = {}
        for lock in used:
            with suppress(FileNotFoundError):
                found[lock.with_suffix(".address").read_text("utf-8")] = None
        return list(found)

    def tidy(self, most: float, short: int = 0, needed_since: float = math.inf) -> list[str]:
        """Remove copies, the least recently used first, until all take at most `most` bytes and `short` came free.

        Those that are in use, or were lately, stay; so do those used since `needed_since` (seconds since the epoch):
        what was checked out of one has its objects there. Return the addresses of what went.
        """
        before = min(time.time() - LATELY_S, needed_since)
        sizes = {one.stem: _size(self.folder / one.stem) for one in self.folder.glob("*.lock")}
        total = sum(sizes.values())
        gone: list[str] = []
        for name in sorted(sizes, key=self._last_use):
            if total <= most and short <= 0:
                break
            if sizes[name] and self._last_use(name) < before:
                with suppress(BlockingIOError), self._locked(name, fcntl.LOCK_EX | fcntl.LOCK_NB, use=False):
                    gone.append(self._remove(name))
                    total -= sizes[name]
                    short -= sizes[name]
        return gone

    # -- inside, with the copy locked

    def _has(self, name: str, revision: str) -> bool:
        if not (self.folder / name).exists():
            return False
        try:
            self._git(self.folder / name, "cat-file", "-e", f"{revision}^{{commit}}")
        except GitFailed:
            return False
        return True

    def _fetch(self, name: str, wanted: Wanted) -> None:
        """Fetch a revision. Raises UserError."""
        self._git.check(wanted.address)
        copy = self._made(name, wanted)
        try:
            if not wanted.depth:
                self._take(copy, wanted, "--prune", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            if not self._has(name, wanted.revision):
                self._fetch_alone(copy, wanted)
        except GitFailed as problem:
            raise refusal(wanted.address, problem) from None
        except TimedOut as problem:
            message = f"{wanted.address}: {problem}; see whether its server is well, or try again later"
            raise TimedOut(message) from None
        if not self._has(name, wanted.revision):
            raise self._lacking(wanted)
        if len(list(copy.glob("objects/pack/*.pack"))) > PACKS:
            with suppress(GitFailed):  # one that is too old to know how; it is as quick as it was
                self._git(copy, "repack", "-q", "-d", "--geometric=2")

    def _fetch_alone(self, copy: Path, wanted: Wanted) -> None:
        """Fetch one revision; of a server that gives only what has a name, what is at the branch now."""
        kept = f"refs/orchestra/{wanted.revision}"
        depth = [f"--depth={wanted.depth}"] if wanted.depth else []
        names = [one for one in candidates(wanted.branch) if wanted.branch and not one.endswith("^{}")]
        problem: GitFailed | None = None
        for source in (wanted.revision, *names):
            try:
                self._take(copy, wanted, *depth, f"+{source}:{kept}")
            except GitFailed as failed:
                problem = problem or failed
            else:
                return
        # that it is not given is no trouble with reaching the repository, where that was reached before
        if problem is not None and ("not our ref" in problem.whole or "unadvertised" in problem.whole):
            raise self._lacking(wanted)
        if problem is not None:
            raise problem

    def _take(self, copy: Path, wanted: Wanted, *words: str) -> None:
        options = [one for one in words if one.startswith("--")]
        refs = [one for one in words if not one.startswith("--")]
        self._git(
            copy,
            *("-c", "fetch.unpackLimit=1"),  # always a pack: `repack` knows what to do with many
            *("fetch", "--progress", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", *options),
            *("--", wanted.address, *refs),
            talks=True,
        )

    def _made(self, name: str, wanted: Wanted) -> Path:
        """Return the copy, made where it is not there, with what a killed process left cleared away."""
        copy = self.folder / name
        if not copy.exists():
            new = copy.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            kind = "sha256" if len(wanted.revision) > SHA1 else "sha1"
            self._git(
                self.folder, "init", "--quiet", "--bare", "--template=", f"--object-format={kind}", "--", new.name
            )
            copy.with_suffix(".address").write_text(wanted.address, "utf-8")
            new.rename(copy)
        for lock in (*copy.glob("*.lock"), *copy.glob("objects/**/*.lock"), *copy.glob("refs/**/*.lock")):
            lock.unlink(missing_ok=True)
        for left in copy.glob("objects/pack/tmp_*"):
            left.unlink(missing_ok=True)
        return copy

    def _remove(self, name: str) -> str:
        """Remove a copy; return of what it was one."""
        gone, text = self.folder / f"{name}.gone", self.folder / f"{name}.address"
        shutil.rmtree(gone, ignore_errors=True)
        (self.folder / name).rename(gone)
        address = text.read_text("utf-8") if text.exists() else ""
        text.unlink(missing_ok=True)
        shutil.rmtree(gone, ignore_errors=True)
        return address

    def _lacking(self, wanted: Wanted) -> NotFound:
        where = f", nor is {wanted.branch} there any more" if wanted.branch else ""
        return NotFound(
            f"{wanted.address} does not give revision {wanted.revision[:12]}{where}: it may have been rewritten since "
            "this was submitted; submit again"
        )

    @contextmanager
    def _locked(self, name: str, how: int, *, use: bool = True) -> Iterator[None]:
        path = self.folder / f"{name}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how)
            if use:
                os.utime(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _last_use(self, name: str) -> float:
        return _used(self.folder / f"{name}.lock")


def _name(address: str, depth: int) -> str:
    return sha256(f"{address}\0{depth}".encode()).hexdigest()[:32]


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(folder: Path) -> int:
    """Return the bytes that a folder's files take."""
    return sum(_length(Path(at) / name) for at, _, names in os.walk(folder) for name in names)


def _length(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
