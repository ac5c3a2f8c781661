"""Commands that change what goes on: abort, cancel, enable, disable, drain."""

from collections.abc import Sequence

import click

from ...core.api.tasks import OneTask
from .output import say, show_json
from .pipelines import is_pipeline
from .session import Client, json_option, with_agent


def _on_builds(name: str, summary: str) -> click.Command:
    @click.command(name, help=summary)
    @click.argument("builds", nargs=-1, required=True, metavar="BUILD|PIPELINE...")
    @json_option
    @with_agent
    def command(net: Client, builds: Sequence[str], as_json: bool) -> None:
        for build in builds:
            noun = "pipelines" if is_pipeline(build) else "builds"
            tell(net.call(f"{noun}.{name}", id=build), as_json)

    return command


abort = _on_builds("abort", "Stop BUILDs or PIPELINEs wherever they are; all that they started is killed.")
cancel = _on_builds(
    "cancel", "Withdraw BUILDs, or those of PIPELINEs, that have not started; one that runs is left alone."
)


def _on_agent(name: str, summary: str, **change: bool) -> click.Command:
    @click.command(name, help=summary)
    @click.argument("agent")
    @json_option
    @with_agent
    def command(net: Client, agent: str, as_json: bool) -> None:
        tell(net.call("agents.set", agent=agent, **change), as_json)

    return command


enable = _on_agent("enable", "Let AGENT take builds again.", enabled=True, draining=False)
disable = _on_agent("disable", "Let AGENT take no new builds.", enabled=False)
drain = _on_agent("drain", "Let AGENT finish what it has and take nothing new.", draining=True)


def tell(found: OneTask, as_json: bool) -> None:
    """Print what came of a request."""
    if as_json:
        show_json(found)
    else:
        say(f"Task {found.task.id}: {found.task.outcome}.")
