"""The command `artifacts`: what builds kept, listed, and put into a directory here."""

from collections.abc import Sequence
from pathlib import Path

import click
from msgspec.structs import replace

from ...agent.client.directories import Returning
from ...core.api.artifacts import Artifacts
from ...core.errors import Exit, NotFound, StorageError
from ..format import ago, now, size
from .output import show_json, show_table
from .returning import tell
from .session import Client, json_option, with_agent

_PAGE = 10_000


@click.group()
def artifacts() -> None:
    """List and get the files that builds kept."""


@artifacts.command("list")
@click.argument("build", default="last")
@click.argument("glob", default="**")
@json_option
@with_agent
def list_(net: Client, build: str, glob: str, as_json: bool) -> None:
    """List the files that BUILD kept, or those whose path fits GLOB."""
    found: Artifacts = net.call("artifacts.list", id=build, glob=glob, limit=_PAGE)
    files, after = found.files, found.next
    while after is not None:  # of the same attempt, if another one has ended meanwhile
        where = {"id": found.build, "attempt": found.attempt, "glob": glob}
        page: Artifacts = net.call("artifacts.list", **where, limit=_PAGE, after=after)
        files += page.files
        after = page.next
    found = replace(found, files=files, next=None)
    if as_json:
        show_json(found)
        return
    rows = [[one.mode, size(one.size), ago(one.modified, now()), one.path] for one in found.files]
    show_table(["MODE", "SIZE", "CHANGED", "PATH"], rows, f"{build} kept nothing that fits {glob}.")


@artifacts.command("get")
@click.argument("build", default="last")
@click.argument("glob", nargs=-1)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    help="Where to put them; it is made if need be [default: .].",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@with_agent
def get(net: Client, build: str, glob: Sequence[str], out: Path, force: bool) -> int:
    """Get the files that BUILD kept, or those whose paths fit a GLOB, with the directories that they lie in."""
    found: Artifacts = net.call("artifacts.list", id=build, limit=1)
    if not found.tree:
        message = f"{build} kept nothing; `artifacts` in its job says what is kept"
        raise NotFound(message)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        message = f"cannot make {out}: {problem.strerror}; name another directory with --out"
        raise StorageError(message) from None
    with Returning(net, found, glob or ["**"]) as returning:
        there, refused = returning.put(out, lambda _: force)
    if not there and not refused:
        message = (
            f"{build} kept nothing that fits {' '.join(glob)}; orchestra artifacts list {build} shows what there is"
        )
        raise NotFound(message)
    tell(there, refused, "--force overwrites them")
    return int(Exit.FAILED if refused else Exit.OK)
