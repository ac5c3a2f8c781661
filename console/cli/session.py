"""What all commands share: the options, the connection to the agent, and errors as messages with exit codes."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ...agent.client import Client, connect

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


__all__ = ["Client", "data_option", "json_option", "with_agent"]
