"""Commands about what is kept whatever its age: pin, unpin, pins."""

from collections.abc import Sequence

import click

from ...core.api.pins import Pins
from ..format import ago, now
from .output import say, show_json, show_table
from .pipelines import is_pipeline
from .session import Client, json_option, with_agent
from .steering import tell


@click.command()
@click.argument("builds", nargs=-1, required=True, metavar="BUILD|PIPELINE...")
@click.option("--note", default="", metavar="TEXT", help="Why, for people; `show` and `pins` print it.")
@json_option
@with_agent
def pin(net: Client, builds: Sequence[str], note: str, as_json: bool) -> None:
    """Keep BUILDs, or all builds of PIPELINEs, whatever their age.

    They stay with their logs and artifacts, whatever the settings keep, keep-most ... and `orchestra store prune` say,
    until they are unpinned. Pinned again, a build has the new note.
    """
    for build in builds:
        noun = "pipelines" if is_pipeline(build) else "builds"
        tell(net.call(f"{noun}.pin", id=build, note=note), as_json)


@click.command()
@click.argument("builds", nargs=-1, required=True, metavar="BUILD|PIPELINE...")
@json_option
@with_agent
def unpin(net: Client, builds: Sequence[str], as_json: bool) -> None:
    """Let BUILDs, or all builds of PIPELINEs, go again when their time has come."""
    for build in builds:
        noun = "pipelines" if is_pipeline(build) else "builds"
        tell(net.call(f"{noun}.unpin", id=build), as_json)


@click.command()
@click.option("-n", "--limit", default=50, show_default=True, help="Lines, at most 1000.")
@click.option("--after", help="Go on behind this cursor (`next` of the page before).")
@json_option
@with_agent
def pins(net: Client, limit: int, after: str | None, as_json: bool) -> None:
    """List what is kept whatever its age, the newest pin first."""
    found: Pins = net.call("pins.list", limit=limit, after=after)
    if as_json:
        show_json(found)
        return
    moment = now()
    rows = [(one.build, one.label, ago(one.at, moment), one.requester, one.note) for one in found.pins]
    show_table(
        ("ID", "BUILD", "PINNED", "BY", "NOTE"), rows, "Nothing is pinned. Keep a build for good: orchestra pin BUILD"
    )
    if found.next:
        say(f"There are more: --after {found.next}")
