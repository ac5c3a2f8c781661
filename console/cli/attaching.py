"""The command `attach`: to be at a build again that runs, as `run` is; and how both stay with it."""

import asyncio
import contextlib

import click

from ...agent.client.awaiting import AsyncClient
from ...core.errors import Exit, NoAgent, OrchestraError
from ...core.model import BuildState
from ...core.views.builds import BuildView
from . import terminal
from .attending import code_of_command
from .fallback import Fallback, Nowhere
from .following import tell_end
from .inputs import Keys
from .interleaving import pipeline_code, see_pipeline, tell_pipeline
from .looking import label
from .output import say
from .pipelines import is_pipeline
from .session import Client, with_agent
from .sitting import Left, Seat, Sitting

LINES = 100
"""Lines of what a build has written that are shown when somebody comes back to it."""


def sit(net: Client, build: str, seat: Seat, fallback: Fallback, offset: int | None = None) -> int:
    """Stay with a build until it ends, and say how; return the exit code of its command.

    With `offset` somebody comes back, and sees its log from there on. Raises Nowhere where no agent can run it and
    `fallback` is not to wait: then it is withdrawn.
    """

    async def attend() -> BuildView:
        there = AsyncClient(net.data)
        sitting = Sitting(there, build, seat)
        with sitting.signals():
            sits = sitting.attend(fallback, back=offset is not None, offset=offset or 0)
            while True:
                try:
                    async with there:
                        return await sits
                except NoAgent:  # it may be started anew
                    there = await sitting.agent_back(net.data)
                    sits = sitting.resume(there)

    try:
        ended = asyncio.run(attend())
    except (Left, NoAgent) as why:
        rest = f"To be there again: orchestra attach {build}; to stop it: orchestra abort {build}"
        say(f"{str(why) or 'Left to itself'}: the build goes on. {rest}")
        return int(Exit.INTERRUPTED if isinstance(why, Left) else Exit.UNAVAILABLE)
    except (Nowhere, KeyboardInterrupt, BrokenPipeError):  # nobody would see it any more
        with contextlib.suppress(OrchestraError):
            net.call("builds.abort", id=build)
        raise
    if ended.state is not BuildState.SUCCEEDED:
        tell_end(ended)
    return code_of_command(ended)


@click.command()
@click.argument("build", default="last", metavar="BUILD|PIPELINE")
@click.option(
    "-n", "--lines", type=click.IntRange(min=1), default=LINES, show_default=True, help="Of the log so far, the last."
)
@click.option("--offset", type=int, help="Begin at this byte of the log instead; negative: so many before the end.")
@click.option("--no-input", is_flag=True, help="Only look on.")
@with_agent
def attach(net: Client, build: str, lines: int, offset: int | None, no_input: bool) -> int:
    """Be at BUILD again, as when it was run: its output, your keys, its exit code.

    What is typed goes to the build if it was run at a terminal, and by you; Ctrl-] twice leaves it to itself again.
    Where nothing is typed, Ctrl-C does. Of a PIPELINE (p-NUMBER) the logs of all builds are followed.
    """
    if is_pipeline(build):
        ended = see_pipeline(net, build, aborts=False)
        tell_pipeline(net, ended)
        return pipeline_code(ended)
    found: BuildView = net.call("builds.get", id=build).build
    say(f"Build {label(found)} ({found.id})")
    if offset is None:
        offset = net.call("builds.log", id=found.id, line=-lines, limit=1).offset if found.attempt else 0
    elif offset < 0:
        offset = net.call("builds.log", id=found.id, offset=offset, limit=1).offset
    keys = Keys.TERMINAL if found.input and found.terminal and terminal.at_keys() and not no_input else Keys.NONE
    seat = Seat(keys, screen=found.terminal and terminal.at_screen(), aborts=keys is not Keys.NONE)
    return sit(net, found.id, seat, Fallback.WAIT, offset)
