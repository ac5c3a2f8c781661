"""What a build leaves comes back into the directory that it was run from, and overwrites nothing of people's own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import click

from ...agent.client.directories import Returning
from ...core.api.artifacts import Artifacts
from ...core.globs import Globs, literal
from ..format import plain
from .output import say
from .session import Client
from .shipping import Shipped

SHOWN = 10
"""Paths that people are told of."""

_Command = TypeVar("_Command", bound=Callable[..., object])


def out_option(command: _Command) -> _Command:
    """Add the option that says what comes back."""
    text = (
        "Bring back what the command leaves there, as dist/* or **/*.xml; repeatable. Your own files stay as they are."
    )
    return click.option("--out", multiple=True, metavar="GLOB", help=text)(command)


class Return(NamedTuple):
    """What comes back from builds, and to where."""

    globs: list[str]  # relative to what was shipped
    directory: Path  # where it goes, if nothing was shipped
    shipped: Shipped | None  # what was; None: nothing

    def take(self, net: Client, build: str) -> None:
        """Bring what a build left, as far as it is wanted, and say what came."""
        if not net.call("builds.get", id=build).build.state.ended:
            say(f"When it has ended, what it leaves can be had: orchestra artifacts get {build}")
            return
        found: Artifacts = net.call("artifacts.list", id=build, limit=1)
        if not found.tree:
            say(f"The build left nothing that fits {' '.join(self.globs)}.")
            return
        owning = None if self.shipped is None else self.shipped.owning
        with Returning(net, found, self.globs) as returning:
            if owning is None:
                there, refused = returning.put(self.directory, lambda _: False)
            else:
                there, refused = returning.put(owning.top, owning.guard(returning.entries))
                came = set(there)
                owning.on_returned(one for one in returning.entries if one.path in came)
        tell(there, refused, f"orchestra artifacts get {build} --out DIRECTORY puts them elsewhere")


def returns(out: Sequence[str], directory: Path, shipped: Shipped | None) -> Return | None:
    """Return what comes back; None: nothing. The patterns are relative to the directory. Raises InvalidInput."""
    if not out:
        return None
    Globs(out)
    inside = "" if shipped is None else shipped.source.directory
    return Return([f"{literal(inside)}/{one}" if inside else one for one in out], directory, shipped)


def tell(there: Sequence[bytes], refused: Sequence[bytes], remedy: str) -> None:
    """Say which files came, and which did not."""
    if there:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        say(f"Back from the build: {_name(there[0])}{more}.")
    for one in refused[:SHOWN]:
        say(f"Not overwritten: {_name(one)}")
    if refused:
        say(f"Left as they are: {len(refused)} of your own files; {remedy}.")


def _name(path: bytes) -> str:
    return plain(path.decode(errors="replace"))
