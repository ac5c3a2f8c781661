"""What a command is going to do, as data: steps that are either printed or carried out, so the two cannot differ.

A step is a command line, a file written, a link made, a path removed, or a sentence for the person who asked. This
module describes steps; it touches nothing (`perform` does) and does not know the commands (`commands` does).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Refusal(Exception):
    """Something this machine lacks, or a question that makes no sense here; ends the command with exit code 2."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Run:
    """Run a program in the root of the project and wait for it."""

    argv: tuple[str, ...]
    """The command line; paths are relative to the root."""
    says: str
    """What it does, in a few words: the narration, and the name of the step when it fails."""
    remedy: str = ""
    """What to do when it fails and its own output does not say."""
    setup: bool = False
    """A part of getting ready: its output is kept back unless it fails, and its failure is exit code 2."""
    keep_going: bool = False
    """The steps after it run even if it fails; the command fails all the same."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write a file, and the folders above it where they are missing."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """Make a symbolic link, in place of one that points elsewhere."""

    path: Path
    target: str
    """As stored in the link: relative to the link's own folder."""


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file or a whole folder; nothing happens if it is not there."""

    path: Path


@dataclass(frozen=True, slots=True)
class Say:
    """Tell the person something at this point of the plan, on standard output."""

    text: str


Step = Run | Write | Link | Remove | Say


def describe(step: Step) -> str:
    """Return the step as `--simulate` prints it: a verb, then the whole of what it would do."""
    match step:
        case Run(argv=argv):
            return f"run     {shlex.join(argv)}"
        case Write(path=path, text=text):
            return "\n".join([f"write   {path}", *(f"        | {line}" for line in text.splitlines())])
        case Link(path=path, target=target):
            return f"link    {path} -> {target}"
        case Remove(path=path):
            return f"remove  {path}"
        case Say(text=text):
            return "\n".join(f"say     {line}".rstrip() for line in text.splitlines())
        case _:
            assert_never(step)


def simulate(steps: Iterable[Step]) -> str:
    """Return the whole plan as text, a step after the other."""
    return "\n".join(describe(step) for step in steps)
