"""Filling a workspace with a revision of a repository: a work tree of git's own, whose objects are those of the mirror.

Submodules are checked out in the same way, each from a mirror of its own, with an address that is allowed; so is what
is in them. Refuses to know whether the workspace is a build's.
"""

import os
from collections.abc import Callable
from pathlib import Path

from ...core.definition import Source
from ...core.errors import InvalidInput, NotAllowed
from ...core.repository import related
from ..workspace.beneath import Beneath
from .asking import tip
from .git import Git, GitFailed
from .mirrors import SHA1, Mirrors, Wanted

DEEP = 10
"""Submodules inside each other."""

ASK_S = 60.0
"""Seconds for a repository to say what a branch is, where that is not known yet."""

_GITLINK = b"160000"


def check_out(git: Git, mirrors: Mirrors, source: Source, workspace: Path, tell: Callable[[str], None]) -> None:
    """Fill a workspace, which is empty, and tell of it. Raises UserError with the reason where that is not possible."""
    git.check(source.git)
    revision, branch = source.revision, source.branch
    if not revision:
        revision, branch = tip(git, source.git, branch, ASK_S)
    wanted = Wanted(source.git, revision, branch, source.depth)
    _Checkout(git, mirrors, tell, submodules=source.submodules).fill(wanted, workspace, source.sparse, DEEP)
    tell(f"checked out {revision[:12]} of {source.git}{f' ({branch})' if branch else ''}")


class _Checkout:
    """One workspace that is filled."""

    def __init__(self, git: Git, mirrors: Mirrors, tell: Callable[[str], None], *, submodules: bool) -> None:
        self._git = git
        self._tell = tell
        self._mirrors = mirrors
        self._submodules = submodules

    def fill(self, wanted: Wanted, folder: Path, sparse: tuple[str, ...], deep: int) -> None:
        """Make a folder a work tree at a revision."""
        with self._mirrors.having(wanted, self._tell) as mirror:
            self._make(wanted, folder, mirror)
            if sparse:
                given = "".join(f"{one}\n" for one in sparse).encode()
                self._git(folder, "sparse-checkout", "set", "--cone", "--stdin", given=given)
            self._git(folder, "checkout", "--quiet", "--force", "--detach", wanted.revision)
        self._tell_of_pointers(folder)
        if self._submodules and (folder / ".gitmodules").is_file():
            self._fill_submodules(wanted, folder, deep)

    def _tell_of_pointers(self, folder: Path) -> None:
        """Say why large files are not what they should be, where git cannot fetch them: builds fail strangely else."""
        attributes = folder / ".gitattributes"
        if attributes.is_symlink() or not attributes.is_file() or b"filter=lfs" not in attributes.read_bytes():
            return
        if not any(self._configured(folder, f"filter.lfs.{way}") for way in ("process", "smudge")):
            self._tell(
                "files of Git LFS are pointers here, not what they stand for: install git-lfs on this machine, and "
                "run `git lfs install` as the agent's user"
            )

    def _configured(self, folder: Path, name: str) -> bytes:
        """Return what git is configured to have under a name; empty: nothing."""
        try:
            return self._git(folder, "config", "--get", name).strip()
        except GitFailed:
            return b""

    def _make(self, wanted: Wanted, folder: Path, mirror: Path) -> None:
        """Make a repository without a work tree yet, which has what the mirror has."""
        kind = "sha256" if len(wanted.revision) > SHA1 else "sha1"
        self._git(folder, "init", "--quiet", "--template=", f"--object-format={kind}")
        inside = folder / ".git"
        (inside / "objects" / "info").mkdir(exist_ok=True)
        (inside / "objects" / "info" / "alternates").write_bytes(os.fsencode(mirror / "objects") + b"\n")
        if (mirror / "shallow").exists():
            (inside / "shallow").write_bytes((mirror / "shallow").read_bytes())
        refs = self._git(mirror, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/", "refs/tags/")
        lines = [line.replace(b" refs/heads/", b" refs/remotes/origin/", 1) for line in refs.splitlines()]
        (inside / "packed-refs").write_bytes(b"".join(line + b"\n" for line in lines))
        self._git(folder, "remote", "add", "--", "origin", wanted.address)

    def _fill_submodules(self, wanted: Wanted, folder: Path, deep: int) -> None:
        addresses = self._addresses(folder)
        filled: list[bytes] = []
        for path, revision in self._gitlinks(folder):
            given = addresses.get(path)
            if given is None:
                continue  # a repository inside that .gitmodules does not speak of: git leaves it empty, too
            shown = path.decode(errors="replace")
            if not deep:
                message = f"submodule {shown} lies more than {DEEP} deep"
                raise InvalidInput(message)
            address = related(given, wanted.address)
            try:
                self._git.check(address)
            except (InvalidInput, NotAllowed) as problem:
                raise type(problem)(f"submodule {shown}: {problem}") from None
            with Beneath(folder) as top:
                top.make_folder(path)
            inside = folder / os.fsdecode(path)
            self.fill(Wanted(address, revision, depth=wanted.depth), inside, (), deep - 1)
            filled.append(path)
        if filled:  # so that git submodule knows of them, too
            self._git(folder, "submodule", "--quiet", "init", "--", *map(os.fsdecode, filled))

    def _gitlinks(self, folder: Path) -> list[tuple[bytes, str]]:
        """Return the submodules that are checked out at this revision: path and revision."""
        found: list[tuple[bytes, str]] = []
        for line in self._git(folder, "ls-files", "-z", "--stage", "-t").split(b"\0"):
            head, _, path = line.partition(b"\t")
            words = head.split()
            if len(words) == 4 and words[1] == _GITLINK and words[0] != b"S":  # noqa: PLR2004 - tag, mode, id, stage
                found.append((path, words[2].decode()))
        return found

    def _addresses(self, folder: Path) -> dict[bytes, str]:
        """Return the addresses of submodules by their paths, as .gitmodules has them."""
        try:
            listed = self._git(
                folder, "config", "-z", "--file", ".gitmodules", "--get-regexp", r"^submodule\..*\.(path|url)$"
            )
        except GitFailed:  # there are none in it
            return {}
        values: dict[bytes, dict[bytes, bytes]] = {}
        for line in listed.split(b"\0"):
            key, _, value = line.partition(b"\n")
            name, _, what = key.rpartition(b".")
            values.setdefault(name, {})[what] = value
        return {
            one[b"path"]: one[b"url"].decode(errors="replace")
            for one in values.values()
            if {b"path", b"url"} <= one.keys()
        }
