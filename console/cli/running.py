"""The command `run`: a command, or a job, in a copy of this directory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ...core import api
from ...core.errors import Exit
from ...core.model import BuildState
from .attending import code_of_command, follow
from .following import tell_end
from .output import say
from .session import Client, with_agent
from .shipping import shipped
from .submitting import pairs, see_pipeline_through
from .taking import taken, taking_options


@click.command(context_settings={"ignore_unknown_options": False})
@click.option(
    "--on", "runs_on", multiple=True, metavar="REQ", help="Requirement of the agent, as linux or cpus>=4; repeatable."
)
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Variable for the command; repeatable.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Longest time it may take.")
@taking_options
@click.option("--name", help="What to call it among the builds [default: the command's first word].")
@click.option(
    "-C",
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    help="What to ship [default: .].",
)
@click.option(
    "--include", multiple=True, metavar="GLOB", help="Ship ignored files, too, as build/*.bin or **/*.key; repeatable."
)
@click.option("--fresh", is_flag=True, help="Begin without what earlier runs in this directory built.")
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
    name: str | None,
    directory: Path,
    include: Sequence[str],
    fresh: bool,
    no_copy: bool,
    job: str | None,
    parameter: Sequence[str],
    detach: bool,
    command: Sequence[str],
    **taking: Any,
) -> int:
    """Run COMMAND in a copy of this directory: what git tracks, and new files that it does not ignore.

    The output is streamed, the exit code is the command's. Ctrl-C aborts it, with all that it started.
    """
    if bool(command) == bool(job):
        message = "say what to run: a command behind `--`, as in `orchestra run -- make test`, or a job with --job"
        raise click.UsageError(message)
    source = None if no_copy else shipped(net, directory, include, warm=not fresh and not job)
    params: dict[str, Any] = {
        "env": pairs(env, "variable"),
        "runs_on": list(runs_on),
        "timeout": timeout,
        **taken(**taking),
        "name": name,
    }
    if job:
        params |= {"job": job, "parameters": pairs(parameter, "parameter")}
    else:
        params["command"] = list(command)
    found: api.Submitted = net.call("builds.submit", source=source, **params)
    if found.pipeline is not None:
        return see_pipeline_through(net, found, wait=False, following=not detach, as_json=False)
    build = found.builds[0]
    if detach:
        click.echo(build.id)
        return int(Exit.OK)
    say(f"Build {build.project}/{build.job}#{build.number} ({build.id})")
    ended = follow(net, build.id)
    if ended.state is not BuildState.SUCCEEDED:
        tell_end(ended)
    return code_of_command(ended)
