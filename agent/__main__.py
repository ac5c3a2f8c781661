"""The agent as a program: `python -m job_orchestra.agent run | up | init | join | recover`.

`run` stays in the foreground, `up` starts `run` in the background and returns when it answers, `init` makes a network,
`join` joins one, `recover` goes on without voters that are lost.
"""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ..core import tokens
from ..core.errors import Exit, InvalidInput, NotFound, OrchestraError
from . import identity, joining, recovery
from .alone import only_agent
from .announcement import Sighting
from .client.sockets import check_agent
from .discovery import look
from .main import run as run_agent
from .main import runs_with
from .paths import Paths
from .settings import Settings, load
from .sightings import Seen, networks_of

_READY = "--ready-fd"

STDIN = "-"
"""In place of a token: it is read from stdin, and so neither shown by ps nor kept by the shell."""

LOOK_S = 3.0
"""Seconds in which the networks on the LAN are looked for."""


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags of Settings."""
    options = (
        click.option("--data", type=click.Path(path_type=Path), help="Data directory [ORCHESTRA_HOME]."),
        click.option("--name", help="Name shown to people [ORCHESTRA_NAME; default: the host's]."),
        click.option("--label", multiple=True, metavar="K=V", help="Label that runs-on can ask for; repeatable."),
        click.option(
            "--resource", multiple=True, metavar="NAME=N", help="Amount that builds may take, as memory=8G; repeatable."
        ),
        click.option("--slots", type=int, help="Builds at a time [ORCHESTRA_SLOTS; default: one per processor]."),
        click.option("--worker/--no-worker", default=None, help="Run builds on this machine [ORCHESTRA_WORKER]."),
        click.option("--hours", multiple=True, metavar="HOURS", help="When to run builds, as 18:00-08:00; repeatable."),
        click.option(
            "--pause-when-used/--no-pause-when-used", default=None, help="Run none while somebody works here."
        ),
        click.option("--idle", type=float, metavar="SECONDS", help="Time after which it counts as not used."),
        click.option("--pause-on-battery/--no-pause-on-battery", default=None, help="Run none on its battery."),
        click.option("--nice/--no-nice", default=None, help="Let builds give way to everything else."),
        click.option("--store", metavar="URL", help="Database of the history [ORCHESTRA_STORE]."),
        click.option("--blobs", metavar="URL", help="Place that holds logs and artifacts, too [ORCHESTRA_BLOBS]."),
        click.option("--reserve", type=int, metavar="BYTES", help="Disk space that stays free [ORCHESTRA_RESERVE]."),
        click.option("--keep", metavar="AGE", help="How long ended builds are kept, as 90d [for ever]."),
        click.option("--keep-failed", metavar="AGE", help="The same of builds that did not succeed."),
        click.option("--keep-newest", type=int, metavar="N", help="Newest builds of each job that stay [1]."),
        click.option("--keep-most", type=int, metavar="N", help="Builds of each job that stay at most [any number]."),
        click.option("--blob-quota", type=int, metavar="BYTES", help="What kept logs may take [ORCHESTRA_BLOB_QUOTA]."),
        click.option(
            "--content-quota", type=int, metavar="BYTES", help="What directories may take [ORCHESTRA_CONTENT_QUOTA]."
        ),
        click.option(
            "--mirror-quota", type=int, metavar="BYTES", help="What git mirrors may take [ORCHESTRA_MIRROR_QUOTA]."
        ),
        click.option(
            "--warm-quota", type=int, metavar="BYTES", help="What warm workspaces may take [ORCHESTRA_WARM_QUOTA]."
        ),
        click.option("--git-protocol", multiple=True, metavar="NAME", help="Protocol for git: file, http, git."),
        click.option(
            "--artifact-limit", type=int, metavar="BYTES", help="What a build may keep [ORCHESTRA_ARTIFACT_LIMIT]."
        ),
        click.option("--log-limit", type=int, metavar="BYTES", help="Largest log of a build [ORCHESTRA_LOG_LIMIT]."),
        click.option("--pass-env", multiple=True, metavar="NAME", help="Variable that builds see; repeatable."),
        click.option("--listen", metavar="HOST:PORT", help="Where other agents reach this one [default: everywhere]."),
        click.option("--interface", multiple=True, metavar="NAME", help="Network to be announced on; repeatable."),
        click.option("--peer", multiple=True, metavar="HOST:PORT", help="Where another agent is; repeatable."),
        click.option("--mdns/--no-mdns", default=None, help="Announce this agent on the LAN, and look for others."),
        click.option("--voter", type=click.Choice(["auto", "never"]), help="Whether this agent may get a vote."),
        click.option("--settle", type=float, metavar="SECONDS", help="Contact before another agent may get a vote."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def main() -> None:
    """Job Orchestra's agent."""


@main.command("init")
@settings_options
@click.option("--network", default="", help="Name of the new network [default: the agent's name].")
def init(data: Path | None, network: str, **flags: Any) -> None:
    """Make a network of which this machine is the first member."""
    paths, settings = load(data, flags)
    paths.prepare()
    identity.create(paths, network or settings.agent_name())
    click.echo(f"Made the network {network or settings.agent_name()!r} in {paths.data}.", err=True)
    click.echo("Next: orchestra up", err=True)


@main.command("run")
@settings_options
@click.option(_READY, type=int, hidden=True)
def run(data: Path | None, ready_fd: int | None, **flags: Any) -> None:
    """Run the agent in the foreground."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        paths, settings = load(data, flags)
        paths.prepare()
        _belong(paths, settings)
        run_agent(paths, settings, ready_fd)
    except OrchestraError as error:
        if ready_fd is not None:
            os.write(ready_fd, f"{int(error.exit_code)} {error}\n".encode())
        raise


def _belong(paths: Paths, settings: Settings) -> None:
    """Make a network where there is none."""
    if not identity.exists(paths):
        identity.create(paths, settings.agent_name())


@main.command("up")
@settings_options
@click.option("--no-start", is_flag=True, help="Only prepare the data directory.")
def up(data: Path | None, no_start: bool, **flags: Any) -> None:
    """Start this machine's agent in the background; make a network if it belongs to none."""
    paths, settings = load(data, flags)
    paths.prepare()
    first = not identity.exists(paths)
    _belong(paths, settings)
    me = identity.load(paths, settings.agent_name())
    if first:
        click.echo(f"Made the network {me.network_name!r} in {paths.data}.", err=True)
    try:
        check_agent(paths.scripting)
    except OrchestraError:
        _go_on(paths, flags, me.name, no_start=no_start)
    else:
        if any(value not in {None, ()} for value in flags.values()) and not runs_with(paths, settings):
            message = "an agent already runs here with other settings; to change them: orchestra down, then up again"
            raise click.UsageError(message)
        click.echo(f"The agent {me.name!r} is already up.", err=True)


def _go_on(paths: Paths, flags: dict[str, Any], name: str, *, no_start: bool) -> None:
    """Start the agent, unless that is not wanted, and say what comes next."""
    if no_start:
        click.echo("Next: orchestra agent (in the foreground) or orchestra up", err=True)
        return
    pid = _start(paths, flags)
    click.echo(f"The agent {name!r} is up (process {pid}, log {paths.agent_log}).", err=True)
    click.echo("Next: orchestra run -- make test     or     orchestra apply orchestra.yaml", err=True)
    click.echo("Another machine: orchestra invite here, then orchestra join TOKEN there", err=True)


@main.command("join")
@settings_options
@click.argument("token", default="")
@click.option("--network", default="", help="Which of the networks that are seen, by name or id.")
@click.option("--again", is_flag=True, help="Put aside what this directory holds of its network before.")
@click.option("--no-start", is_flag=True, help="Only prepare the data directory.")
def join(data: Path | None, token: str, network: str, again: bool, no_start: bool, **flags: Any) -> None:
    """Make this machine a member of a network, and start its agent.

    With TOKEN, an invitation that `orchestra invite` printed on a member (`-` reads it from stdin). Without, the
    networks on the LAN are shown, and a code that somebody approves on a member: `orchestra approve CODE`.
    """
    paths, settings = load(data, flags)
    paths.prepare()
    invitation = tokens.parse(sys.stdin.readline() if token == STDIN else token) if token else None
    with only_agent(paths.lock):
        if not again:
            identity.check_free(paths)
        keys = identity.prepare_keys(paths)
        me = joining.applicant(keys, settings)
        if invitation is not None:
            welcome = asyncio.run(joining.enter(keys, me, invitation))
        else:
            seen = asyncio.run(look(LOOK_S, interfaces=settings.interface, peers=settings.peer))
            found = _choose(seen, network)
            door = tokens.Door(found.public, found.doors)
            welcome = asyncio.run(joining.knock(keys, me, found.id, door, _show_code))
        if again:
            identity.retire(paths)
        joining.belong(paths, welcome)
    click.echo(f"{me.name!r} is a member of the network {welcome.network_name!r} now.", err=True)
    _go_on(paths, flags, me.name, no_start=no_start)


def _choose(seen: Sequence[Sighting], wanted: str) -> Seen:
    """Return the network to ask; where several are seen, the one that is wanted."""
    networks = networks_of(seen)
    for one in networks:
        agents = ", ".join(one.agents)
        click.echo(f"Seen: the network {one.name!r} ({one.id}), agents {agents}", err=True)
    fitting = [one for one in networks if wanted in {"", one.name, one.id}]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        message = "several networks are seen; say which one: orchestra join --network NAME (or its id)"
        raise InvalidInput(message)
    message = (
        f"no network {wanted!r} is seen" if wanted and networks else "no network is seen on the LAN"
    ) + "; is an agent up? Name one with --peer HOST:PORT, or use an invitation: orchestra join TOKEN"
    raise NotFound(message)


def _show_code(code: str, seconds: float) -> None:
    click.echo(f"\n    {code}\n", err=True)
    click.echo(f"On a member of the network, within {seconds:.0f} s: orchestra approve {code}", err=True)


@main.command("recover")
@click.option("--data", type=click.Path(path_type=Path), help="Data directory [ORCHESTRA_HOME].")
@click.option("--yes", is_flag=True, help="Do not ask.")
def recover(data: Path | None, yes: bool) -> None:
    """Go on without the other voters, when a majority of them is gone for good.

    This agent, which must be down, becomes the only voter, with the history as it has it. What only the others had is
    lost. They must not come back: each that is left joins anew (`orchestra join --again TOKEN`).
    """
    paths, settings = load(data, {})
    with only_agent(paths.lock):
        plan = recovery.look(paths, settings)
        click.echo(plan.told, err=True)
        if not yes:
            click.confirm("Go on without them?", abort=True, err=True)
        recovery.carry_out(paths, plan)
    click.echo("Done. Next: orchestra up, then orchestra invite for each agent that should come back.", err=True)


def _start(paths: Paths, flags: dict[str, Any]) -> int:
    """Start `run` in a session of its own; return its process id when it answers, or exit with its error."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", __package__ or "", "run", "--data", str(paths.data), _READY, str(writing)]
    for name, value in flags.items():
        command += _as_words(name.replace("_", "-"), value)
    with paths.agent_log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writing,),
            start_new_session=True,
            cwd="/",
        )
    os.close(writing)
    with os.fdopen(reading) as answers:
        answer = answers.readline().strip()
    if answer == "ready":
        return process.pid
    code, _, message = answer.partition(" ")
    click.echo(f"orchestra: {message or f'the agent ended at once; its log says why: {paths.agent_log}'}", err=True)
    sys.exit(int(code) if code else Exit.INTERNAL)


def _as_words(name: str, value: Any) -> list[str]:
    """Return a flag as words of a command line."""
    if isinstance(value, bool):
        return [f"--{'' if value else 'no-'}{name}"]
    if isinstance(value, tuple):
        return [word for one in value for word in (f"--{name}", str(one))]
    return [] if value is None else [f"--{name}", str(value)]


if __name__ == "__main__":
    try:
        main(prog_name="orchestra")
    except OrchestraError as error:
        click.echo(f"orchestra: {error}", err=True)
        sys.exit(int(error.exit_code))
