"""Commands that make builds: run, submit, rerun."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ...agent.client import ship
from ...core import api
from ...core.errors import Exit, InvalidInput, OrchestraError
from ...core.model import BuildState, StepState
from ...core.views import BuildView
from .following import copy_log, exit_code, tell_end
from .output import say, show_json
from .session import Client, json_option, with_agent

SIGNALLED = 128
"""A shell's exit code for a command that a signal ended is this plus the signal's number; `run` does the same."""


def pairs(words: Sequence[str], what: str) -> dict[str, str]:
    """Return KEY=VALUE words as a mapping. Raises InvalidInput for others."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            message = f"{word!r} is no {what}; write NAME=VALUE"
            raise InvalidInput(message)
        found[name] = value
    return found


@click.command(context_settings={"ignore_unknown_options": False})
@click.option(
    "--on", "runs_on", multiple=True, metavar="REQ", help="Requirement of the agent, as linux or cpus>=4; repeatable."
)
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Variable for the command; repeatable.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Longest time it may take.")
@click.option("--retry", type=int, metavar="N", help="Try again up to N times if it is lost with its agent.")
@click.option("--name", help="What to call it among the builds [default: the command's first word].")
@click.option(
    "-C",
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    help="What to ship [default: .].",
)
@click.option("--no-copy", is_flag=True, help="Ship nothing: run in an empty directory.")
@click.option("--job", help="Run this job (project/name) in the copy, instead of a command.")
@click.option(
    "-p", "--parameter", multiple=True, metavar="NAME=VALUE", help="Value of a parameter of the job; repeatable."
)
@click.option("--detach", is_flag=True, help="Print the build's id and return at once.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@with_agent
def run(  # noqa: PLR0913, PLR0917 - the options of the command
    net: Client,
    runs_on: Sequence[str],
    env: Sequence[str],
    timeout: float | None,
    retry: int | None,
    name: str | None,
    directory: Path,
    no_copy: bool,
    job: str | None,
    parameter: Sequence[str],
    detach: bool,
    command: Sequence[str],
) -> int:
    """Run COMMAND in a copy of this directory: what git tracks, and new files that it does not ignore.

    The output is streamed, the exit code is the command's. Ctrl-C aborts it, with all that it started.
    """
    if bool(command) == bool(job):
        message = "say what to run: a command behind `--`, as in `orchestra run -- make test`, or a job with --job"
        raise click.UsageError(message)
    source = None if no_copy else ship(net, directory.absolute())
    params: dict[str, Any] = {
        "env": pairs(env, "variable"),
        "runs_on": list(runs_on),
        "timeout": timeout,
        "retry": retry,
        "name": name,
    }
    if job:
        params |= {"job": job, "parameters": pairs(parameter, "parameter")}
    else:
        params["command"] = list(command)
    found: api.Submitted = net.call("builds.submit", source=source, **params)
    build = found.builds[0]
    if detach:
        click.echo(build.id)
        return int(Exit.OK)
    say(f"Build {build.project}/{build.job}#{build.number} ({build.id})")
    ended = follow(net, build.id)
    if ended.state is not BuildState.SUCCEEDED:
        tell_end(ended)
    return code_of_command(ended)


def follow(net: Client, build: str) -> BuildView:
    """Copy a build's log until it has ended; on Ctrl-C abort the build, and see it end."""
    try:
        copy_log(net, build)
        return net.call("builds.wait", id=build).build
    except KeyboardInterrupt:
        say("Interrupted: aborting the build (Ctrl-C again leaves it to itself).")
        with contextlib.suppress(OrchestraError):
            net.call("builds.abort", id=build)
        ended: BuildView = net.call("builds.wait", id=build).build
        tell_end(ended)
        sys.exit(int(Exit.INTERRUPTED))


def _wait(net: Client, build: str) -> BuildView:
    return net.call("builds.wait", id=build).build


def code_of_command(build: BuildView) -> int:
    """Return the exit code of the command that a build ran, as a shell would."""
    if build.state is BuildState.SUCCEEDED:
        return int(Exit.OK)
    last = build.steps[-1] if build.steps else None
    if last is not None and last.state is StepState.TIMEOUT:
        return int(Exit.TIMEOUT)
    if build.state is BuildState.FAILED and last is not None:
        if last.signal is not None:
            return SIGNALLED + last.signal
        if last.exit_code:
            return last.exit_code
    return int(Exit.INTERRUPTED if build.state in {BuildState.ABORTED, BuildState.CANCELLED} else Exit.INTERNAL)


@click.command()
@click.argument("job")
@click.option("-p", "--parameter", multiple=True, metavar="NAME=VALUE", help="Value of a parameter; repeatable.")
@click.option("--priority", type=int, help="Higher is assigned earlier.")
@click.option("--request", help="Any text; the same again within a day returns the same builds instead of new ones.")
@click.option("--wait", is_flag=True, help="Return when it has ended; the exit code is 0 if it succeeded.")
@click.option("--follow", "following", is_flag=True, help="Print its log until it has ended; as --wait.")
@json_option
@with_agent
def submit(  # noqa: PLR0913, PLR0917 - the options of the command
    net: Client,
    job: str,
    parameter: Sequence[str],
    priority: int | None,
    request: str | None,
    wait: bool,
    following: bool,
    as_json: bool,
) -> int:
    """Run JOB (project/name)."""
    params = {"parameters": pairs(parameter, "parameter"), "priority": priority, "request": request}
    return _see_through(net, net.call("builds.submit", job=job, **params), wait, following, as_json)


@click.command()
@click.argument("build", default="last")
@click.option("--wait", is_flag=True, help="Return when it has ended; the exit code is 0 if it succeeded.")
@click.option("--follow", "following", is_flag=True, help="Print its log until it has ended; as --wait.")
@json_option
@with_agent
def rerun(net: Client, build: str, wait: bool, following: bool, as_json: bool) -> int:
    """Run what BUILD ran once more, with the definition and the parameters it had."""
    return _see_through(net, net.call("builds.rerun", id=build), wait, following, as_json)


def _see_through(net: Client, found: api.Submitted, wait: bool, following: bool, as_json: bool) -> int:
    """Tell of new builds and, if asked, stay until they have ended."""
    if not as_json:
        for build in found.builds:
            say(f"Build {build.project}/{build.job}#{build.number} ({build.id})")
    see_end = follow if following else _wait
    ends = [see_end(net, build.id) for build in found.builds] if wait or following else []
    if as_json:
        show_json(api.OneBuild(ends[0]) if len(ends) == 1 else found)
    elif not ends:
        for build in found.builds:
            click.echo(build.id)
    for end in ends:
        if not as_json:
            tell_end(end)
    return max((exit_code(end) for end in ends), default=int(Exit.OK))
