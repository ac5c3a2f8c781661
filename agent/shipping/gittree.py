"""What belongs to a git work tree: tracked files and new ones that are not ignored, as git itself lists them.

Nothing is written: not the index, no objects, no locks. Submodules, and other repositories inside, are listed by
themselves. Contents are none of git's business here: files travel as they lie in the work tree, so that filters (line
endings, LFS) need not be undone.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ...core.errors import InvalidInput


class _Said(NamedTuple):
    """What git said."""

    out: bytes
    problem: bytes
    code: int


_DEEP = 40  # repositories inside each other


@dataclass(frozen=True)
class Head:
    """What is checked out."""

    revision: str = ""  # full id of the commit; empty: there is none yet
    branch: str = ""  # name of the branch; empty: none is checked out


def top_of(directory: Path) -> Path | None:
    """Return the top of the work tree that a directory is in; None: it is in none."""
    for folder in (directory, *directory.parents):
        if (folder / ".git").exists():
            return folder
    return None


class Asked:
    """What git was asked about a work tree, while it looks."""

    def __init__(self, top: Path, include: Sequence[str] = ()) -> None:
        """Ask. `include` are globs of files that travel although they are ignored.

        Raises FileNotFoundError where there is no git.
        """
        words = [("ls-files", "-z", *_ALL), ("rev-parse", "HEAD", "--abbrev-ref", "HEAD")]
        if include:
            words.append(("ls-files", "-z", *_IGNORED, "--", *(f":(glob){one}" for one in include)))
        self._top = top
        self._asked = _begin(top, *words)

    def names(self) -> tuple[list[bytes], Head]:
        """Return the relative names of what belongs to the work tree, in no order, and what is checked out.

        Raises InvalidInput with what git says where it refuses.
        """
        listing, head, *ignored = _end(self._asked)
        found = list(_names(self._top, listing, _DEEP))
        for one in ignored:
            found += _lines(self._top, one)
        if head.code:
            return found, Head()
        revision, _, branch = head.out.decode(errors="replace").strip().partition("\n")
        return found, Head(revision, "" if branch == "HEAD" else branch)


def ignored(top: Path, paths: Sequence[bytes]) -> set[bytes]:
    """Return those of some relative paths that git ignores and does not track; none where it does not say."""
    ask = ["git", "-C", os.fspath(top), "check-ignore", "-z", "--stdin"]
    names = b"".join(one + b"\0" for one in paths)
    told = subprocess.run(ask, input=names, capture_output=True, env=_environment(), check=False)  # noqa: S603 - git
    return set(told.stdout.split(b"\0")[:-1]) if told.returncode == 0 else set()


_ALL = ("--cached", "--others", "--exclude-standard", "--deduplicate")
_IGNORED = ("--others", "--ignored", "--exclude-standard")


def _names(top: Path, listing: _Said, deep: int) -> Iterator[bytes]:
    """Yield the names that a listing gives, and those in repositories inside."""
    for name in _lines(top, listing):
        if not name.endswith(b"/"):
            yield name
        elif deep:  # a repository that is no submodule: git names its directory and looks no further
            yield from _inside(top, name[:-1], deep - 1)


def _inside(top: Path, name: bytes, deep: int) -> Iterator[bytes]:
    """Yield the names in a repository inside a work tree, relative to that."""
    folder = top / os.fsdecode(name)
    (listing,) = _ask(folder, ("ls-files", "-z", *_ALL))
    for one in _names(folder, listing, deep):
        yield name + b"/" + one


def submodule(top: Path, name: bytes) -> list[bytes]:
    """Return the names in a submodule, relative to `top`; itself where it is not checked out: an empty directory."""
    return list(_inside(top, name, _DEEP)) if (top / os.fsdecode(name) / ".git").exists() else [name]


def _lines(top: Path, said: _Said) -> list[bytes]:
    if said.code:
        why = said.problem.decode(errors="replace").strip() or f"it ended with {said.code}"
        message = f"git does not say what belongs to {top}: {why}"
        raise InvalidInput(message)
    return [name for name in said.out.split(b"\0") if name]


def _ask(top: Path, *questions: Sequence[str]) -> list[_Said]:
    """Ask git about a work tree, all at once."""
    return _end(_begin(top, *questions))


def _begin(top: Path, *questions: Sequence[str]) -> list[subprocess.Popen[bytes]]:
    """Ask git about a work tree, whatever repository the environment names, as it does in a hook."""
    env = _environment()
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    return [
        subprocess.Popen(  # noqa: S603 - git, and words of our own
            ["git", "-C", os.fspath(top), *words],  # noqa: S607 - the user's git
            stdin=nothing,
            stdout=pipe,
            stderr=pipe,
            env=env,
        )
        for words in questions
    ]


def _end(asked: Sequence[subprocess.Popen[bytes]]) -> list[_Said]:
    return [_Said(*one.communicate(), one.returncode) for one in asked]


def _environment() -> dict[str, str]:
    """Return an environment in which git speaks of the directory it is told, and writes nothing."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env["GIT_OPTIONAL_LOCKS"] = "0"
    return env
