"""Commands about caches: caches list, remove."""

import click

from ...core.api.caches import Caches, CachesRemoved
from ..format import ago, now, plain, size
from .output import say, show_json, show_table
from .session import Client, Listing, json_option, with_agent


@click.group(cls=Listing)
def caches() -> None:
    """Look at what builds left for later ones (`cache` in a job file), and remove it."""


@caches.command("list")
@click.option("--project", help="Only those of this project.")
@json_option
@with_agent
def list_(net: Client, project: str | None, as_json: bool) -> None:
    """List caches, with the agents that have them, the last used first."""
    found: Caches = net.call("caches.list", project=project)
    if as_json:
        show_json(found)
        return
    moment = now()
    rows = [
        (plain(one.project), plain(one.key), size(one.size), ago(one.used, moment), plain(" ".join(one.agents)))
        for one in found.caches
    ]
    head = ("PROJECT", "KEY", "SIZE", "USED", "AGENTS")
    show_table(head, rows, "No caches. A job keeps one with: cache: { key: KEY, paths: [DIRECTORY] }")


@caches.command("remove")
@click.argument("project")
@click.argument("key")
@json_option
@with_agent
def remove(net: Client, project: str, key: str, as_json: bool) -> None:
    """Remove the caches of PROJECT whose keys begin with KEY, from all agents that can be asked.

    In place of PROJECT, '*' means those of all projects.

    The next build that asks for one begins without, and leaves it anew. An agent that is away keeps what it has.
    """
    found: CachesRemoved = net.call("caches.remove", project=project, key=key)
    if as_json:
        show_json(found)
    else:
        say(f"Removed: {', '.join(plain(one) for one in found.keys)}")
