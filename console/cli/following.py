"""Commands that follow a build until it ends: logs, watch; and the copying of a log that `run` and `submit` share."""

import sys

import click

from ...agent.client.protocol import log_bytes
from ...core.api.builds import LogPart, OneBuild
from ...core.errors import Exit, NotFound
from ...core.model import BuildState
from ...core.views.builds import BuildView
from ..escapes import Neutraliser
from ..format import between, duration, now
from .looking import how_it_ended, label
from .output import say, show_json, state
from .session import Client, json_option, with_agent


def copy_log(net: Client, build: str, *, offset: int = 0, step: str | None = None) -> None:
    """Copy a log to stdout as it comes, until it is complete; harmless for a terminal, byte for byte for a file."""
    out = sys.stdout.buffer
    filtering = Neutraliser() if sys.stdout.isatty() else None
    for part in net.log(build, offset, step=step):
        out.write(filtering.feed(part) if filtering else part)
        out.flush()
    if filtering:
        out.write(filtering.end())
        out.flush()


def exit_code(build: BuildView) -> int:
    """Return the exit code that tells of a build's end."""
    return int(Exit.OK if build.state in {BuildState.SUCCEEDED, BuildState.SKIPPED} else Exit.FAILED)


def tell_end(build: BuildView) -> None:
    """Say on stderr how a build ended."""
    took = duration(between(build.started, build.finished, now()))
    why = f": {build.reason}" if build.reason else ""
    say(f"{label(build)} ({build.id}) {build.state} after {took}{why}")


@click.command()
@click.argument("build", default="last")
@click.option("-f", "--follow", is_flag=True, help="Go on until the build has ended.")
@click.option("-n", "--lines", type=click.IntRange(min=1), help="Only the last lines.")
@click.option("--step", help="Only this step's output.")
@click.option("--offset", type=int, default=0, help="Begin at this byte; negative: so many before the end.")
@with_agent
def logs(  # noqa: PLR0913, PLR0917 - the options of the command
    net: Client, build: str, follow: bool, lines: int | None, step: str | None, offset: int
) -> None:
    """Print the log of BUILD, byte for byte; on a terminal, escapes other than colours are shown, not obeyed."""
    found: OneBuild = net.call("builds.get", id=build)
    build = found.build.id
    if lines is not None:
        offset = net.call("builds.log", id=build, line=-lines, limit=1).offset
    if follow:
        copy_log(net, build, offset=offset, step=step)
        return
    out = sys.stdout.buffer
    filtering = Neutraliser() if sys.stdout.isatty() else None
    while True:
        part: LogPart = net.call("builds.log", id=build, offset=offset, limit=1 << 20, step=step)
        data = log_bytes(part)
        out.write(filtering.feed(data) if filtering else data)
        if part.complete or not data:
            break
        offset = part.next
    if filtering:
        out.write(filtering.end())
    out.flush()


@click.command()
@click.argument("build", default="last")
@json_option
@with_agent
def watch(net: Client, build: str, as_json: bool) -> int:
    """Follow the steps of BUILD until it ends; the exit code is 0 if it succeeded. It need not exist yet."""
    events = net.events(kinds=["build"])
    told: set[tuple[str, str]] = set()
    waiting = False
    while True:
        try:
            found = net.call("builds.get", id=build).build
        except NotFound as error:
            if not waiting:
                say(f"Waiting: {error}")
            waiting = True
            next(events)
            continue
        build = found.id
        if not as_json:
            _tell_steps(found, told)
        if found.state.ended:
            break
        for event in events:
            if event["build"]["id"] == build:
                break
    if as_json:
        show_json(OneBuild(found))
    else:
        tell_end(found)
    return exit_code(found)


def _tell_steps(build: BuildView, told: set[tuple[str, str]]) -> None:
    """Print what is new about a build: its state, and the ends of its steps."""
    if (build.id, build.state) not in told and not build.state.ended:
        told.add((build.id, build.state))
        click.echo(f"{label(build)} {state(build.state)}")
    for step in build.steps:
        if (step.name, step.state) not in told:
            told.add((step.name, step.state))
            took = duration(between(step.started, step.finished, now())) if step.finished else ""
            click.echo(f"  {step.name}: {step.state} {how_it_ended(step)} {took}".rstrip())
