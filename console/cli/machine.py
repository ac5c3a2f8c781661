"""Commands about this machine's own agent: up, down, agent, init, join, leave, recover, socket."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ...agent.client.blocking import connect
from ...agent.client.sockets import belongs, check_agent, socket_path
from ...core.api.agent import Stopping
from ...core.errors import NoAgent, TimedOut
from .output import say
from .session import data_option

_AGENT = f"{__name__.split('.', 1)[0]}.agent"
_GONE_S = 30.0  # longest time for an agent without builds to end


def _hand_over(name: str, summary: str) -> click.Command:
    """Return a command whose words are passed on to the agent's own program, which replaces this process."""

    def replaced(words: tuple[str, ...]) -> None:
        program = "run" if name == "agent" else name
        os.execv(sys.executable, [sys.executable, "-m", _AGENT, program, *words])  # noqa: S606 - our own program, no shell

    options = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    words = click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)
    return click.Command(name, callback=replaced, params=[words], help=summary, context_settings=options)


up = _hand_over("up", "Start this machine's agent in the background; make a network if it belongs to none.")
agent = _hand_over("agent", "Run this machine's agent in the foreground.")
init = _hand_over("init", "Make a network of which this machine is the first member.")
join = _hand_over("join", "Make this machine a member of a network, and start its agent.")
recover = _hand_over("recover", "Go on without the other voters, when a majority of them is gone for good.")


@click.command()
@data_option
@click.option("--wait", "builds", flag_value="wait", help="Let builds that run here end first.")
@click.option("--abort", "builds", flag_value="abort", help="Stop builds that run here.")
@click.option("--keep", "builds", flag_value="keep", help="Let builds go on without the agent; `up` finds them again.")
def down(data: Path | None, builds: str | None) -> None:
    """Stop this machine's agent. Builds that wait stay accepted, and go on when it is up again."""
    path = socket_path(data)
    with connect(data) as net:
        try:
            found: Stopping = net.call("agent.stop", builds=builds or "refuse")
        except NoAgent:
            say("The agent is down.")
            return
    _wait_until_gone(path)
    left = f"; {found.running} build(s) go on" if builds == "keep" and found.running else ""
    say(f"The agent is down{left}.")


@click.command()
@data_option
@click.option("--wait", "builds", flag_value="wait", help="Let builds that run here end first.")
@click.option("--abort", "builds", flag_value="abort", help="Stop builds that run here.")
def leave(data: Path | None, builds: str | None) -> None:
    """Take this machine out of its network, and stop its agent. Another one takes over its vote first."""
    path = socket_path(data)
    with connect(data) as net:
        net.call("agent.leave", builds=builds or "refuse")
    _wait_until_gone(path)
    _wait(lambda: not belongs(data))
    say(
        "This machine has left the network; its agent is down. What it held is in the data directory's folder `former`."
    )


def _wait_until_gone(path: Path) -> None:
    _wait(lambda: not _answers(path))


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _GONE_S
    while not done():
        if time.monotonic() > deadline:
            message = f"the agent has not ended within {_GONE_S:.0f} s; its log says what it is at"
            raise TimedOut(message)
        time.sleep(0.02)


def _answers(path: Path) -> bool:
    try:
        check_agent(path)
    except NoAgent:
        return False
    return True


@click.command()
@data_option
def socket(data: Path | None) -> None:
    """Print the address of this machine's scripting socket, for ZeroMQ clients in any language."""
    click.echo(f"ipc://{socket_path(data)}")


__all__: list[Any] = ["agent", "down", "init", "join", "leave", "recover", "socket", "up"]
