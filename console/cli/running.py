"""The command `run`: a command, or a job, in a copy of this directory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ...agent.client.blocking import connect
from ...core.api.submitting import Submitted
from ...core.errors import Exit, NoAgent
from . import terminal
from .fallback import Fallback, Nowhere
from .inputs import Keys, source
from .output import say
from .returning import Return, out_option, returns
from .session import Client, data_option
from .shipping import shipped
from .taking import pairs, taken, taking_options


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
@out_option
@click.option("--detach", is_flag=True, help="Print the build's id and return at once.")
@click.option("-n", "--no-input", is_flag=True, help="Let the command read nothing, instead of standard input.")
@click.option(
    "--fallback",
    type=click.Choice([one.value for one in Fallback]),
    default=Fallback.WAIT.value,
    help="If no agent can run it: wait until one can [default], fail, or run it here, in the directory itself (local).",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@data_option
def run(  # noqa: PLR0913, PLR0917 - the options of the command
    data: Path | None,
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
    out: Sequence[str],
    detach: bool,
    no_input: bool,
    fallback: str,
    command: Sequence[str],
    **taking: Any,
) -> int:
    """Run COMMAND in a copy of this directory: what git tracks, and new files that it does not ignore.

    The output is streamed, the exit code is the command's. On a terminal the command has one, too: colours, keys and
    Ctrl-C work as if it ran here, and Ctrl-] twice leaves it to itself (`orchestra attach`). Elsewhere it reads what is
    piped in, and Ctrl-C aborts it with all that it started.
    """
    if bool(command) == bool(job):
        message = "say what to run: a command behind `--`, as in `orchestra run -- make test`, or a job with --job"
        raise click.UsageError(message)
    policy = Fallback(fallback)
    if policy is Fallback.LOCAL and (job or detach):
        raise click.UsageError("--fallback local is for a command that is waited for: it runs here, in this terminal")
    if out and detach:
        raise click.UsageError("--out needs who waits for the build; orchestra artifacts get has its files later")
    variables = pairs(env, "variable")
    params: dict[str, Any] = {
        "env": variables,
        "runs_on": list(runs_on),
        "timeout": timeout,
        **taken(**taking),
        "name": name,
    }
    if job:
        params |= {"job": job, "parameters": pairs(parameter, "parameter")}
    else:
        params["command"] = list(command)
    keys = source(wanted=not (detach or no_input or job))
    params["input"] = keys is not Keys.NONE or None
    params["bound"] = keys is Keys.PIPE or None
    if not detach and keys is not Keys.PIPE:
        params["terminal"] = terminal.own()
    try:
        with connect(data) as net:
            packed = None if no_copy else shipped(net, directory, include, warm=not fresh and not job)
            coming = returns(out, directory, packed)
            params["source"] = None if packed is None else packed.source
            params["artifacts"] = None if coming is None or job else coming.globs
            return _run(net, params, keys, policy, detach=detach, coming=coming)
    except Nowhere as nowhere:
        why = "No agent can run it:\n" + "\n".join(f"  {one}" for one in nowhere.reasons)
    except NoAgent as error:
        if policy is not Fallback.LOCAL:
            raise
        why = str(error)
    say(why)
    if policy is not Fallback.LOCAL:
        return int(Exit.UNAVAILABLE)
    from .locally import run_here

    say("Running it here instead.")
    return run_here(command, directory, variables, timeout)


def _run(  # noqa: PLR0913 - what run was told
    net: Client, params: dict[str, Any], keys: Keys, policy: Fallback, *, detach: bool, coming: Return | None
) -> int:
    """Submit it, and stay with it unless it is left to itself from the beginning. Raises Nowhere; see sit."""
    found: Submitted = net.call("builds.submit", **params)
    if found.pipeline is not None:
        from .submitting import see_pipeline_through

        code = see_pipeline_through(net, found, wait=False, following=not detach, as_json=False)
        for one in found.builds:
            if coming is not None and f"{one.project}/{one.job}" == params["job"]:
                coming.take(net, one.id)
        return code
    build = found.builds[0]
    if detach:
        click.echo(build.id)
        return int(Exit.OK)
    hint = "; Ctrl-] twice leaves it to itself" if keys is Keys.TERMINAL else ""
    say(f"Build {build.project}/{build.job}#{build.number} ({build.id}){hint}")
    # what takes long to import is imported while the build begins
    from .attaching import sit
    from .sitting import Seat

    code = sit(net, build.id, Seat(keys, screen=params.get("terminal") is not None), policy)
    if coming is not None:
        coming.take(net, build.id)
    return code
