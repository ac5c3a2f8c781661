"""What all commands share: the options, the connection to the agent, and errors as messages with exit codes."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ...agent.client.blocking import Client, connect

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="ORCHESTRA_HOME",
    help="Data directory of the agent to speak to [ORCHESTRA_HOME].",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def with_agent(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--data`, and as its first argument a connection that is closed at the end."""

    @data_option
    @functools.wraps(command)
    def connected(*positional: Any, data: Path | None, **named: Any) -> Any:
        with connect(data) as net:
            return command(net, *positional, **named)

    return connected


class Listing(click.Group):
    """A group of commands about things: without a command it lists them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` in front of what names no command."""
        options = bool(args) and args[0].startswith("-") and args[0] not in self.get_help_option_names(ctx)
        return super().parse_args(ctx, ["list", *args] if not args or options else args)


__all__ = ["Client", "Listing", "data_option", "json_option", "with_agent"]
