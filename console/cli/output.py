"""Text for people or JSON for programs, on stdout; narration on stderr; colour only where a terminal wants it."""

import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from ...core.model import BuildState
from ...core.version import SCHEMA_VERSION
from ..format import table

COLOURS = {
    BuildState.PENDING: "white",
    BuildState.ASSIGNED: "cyan",
    BuildState.RUNNING: "blue",
    BuildState.SUCCEEDED: "green",
    BuildState.FAILED: "red",
    BuildState.ERROR: "magenta",
    BuildState.ABORTED: "yellow",
    BuildState.CANCELLED: "yellow",
    BuildState.SKIPPED: "white",
    BuildState.LOST: "magenta",
}


def colour_wanted() -> bool:
    """Whether stdout is a terminal that takes colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("CI") not in {"1", "true"}


def state(value: str) -> str:
    """Return a build's state, coloured where that is wanted."""
    return click.style(value, fg=COLOURS.get(BuildState(value))) if colour_wanted() else value


def show_json(value: Any) -> None:
    """Print a result of the scripting contract, with the version of its shape."""
    built = msgspec.to_builtins(value)
    click.echo(msgspec.json.format(msgspec.json.encode({"schema_version": SCHEMA_VERSION, **built})))


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Print a table, or on stderr what to do when it would be empty. A column `STATE` is coloured."""
    if not rows:
        say(empty)
        return
    cells = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    lines = table(head, rows, cells)
    place = head.index("STATE") if "STATE" in head else None
    for line, row in zip(lines, [None, *rows], strict=True):
        coloured = line
        if row is not None and place is not None and row[place] in BuildState.__members__.values():
            coloured = line.replace(row[place], state(row[place]), 1)
        click.echo(click.style(coloured, bold=True) if row is None and colour_wanted() else coloured)


def say(text: str) -> None:
    """Print narration on stderr."""
    click.echo(text, err=True)
