"""The agent as a program: `python -m job_orchestra.agent run | up | init`; the command line hands over to it.

`run` stays in the foreground, `up` starts `run` in the background and returns when it answers, `init` makes a network.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..core.errors import Exit, OrchestraError
from . import identity
from .client import check_agent
from .main import run as run_agent
from .paths import Paths
from .settings import Settings, load

_READY = "--ready-fd"


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags of Settings."""
    options = (
        click.option("--data", type=click.Path(path_type=Path), help="Data directory [ORCHESTRA_HOME]."),
        click.option("--name", help="Name shown to people [ORCHESTRA_NAME; default: the host's]."),
        click.option("--label", multiple=True, metavar="K=V", help="Label that runs-on can ask for; repeatable."),
        click.option("--slots", type=int, help="Builds at a time [ORCHESTRA_SLOTS; default: one per processor]."),
        click.option("--worker/--no-worker", default=None, help="Run builds on this machine [ORCHESTRA_WORKER]."),
        click.option("--store", metavar="URL", help="Database of the history [ORCHESTRA_STORE]."),
        click.option("--reserve", type=int, metavar="BYTES", help="Disk space that stays free [ORCHESTRA_RESERVE]."),
        click.option("--log-limit", type=int, metavar="BYTES", help="Largest log of a build [ORCHESTRA_LOG_LIMIT]."),
        click.option("--pass-env", multiple=True, metavar="NAME", help="Variable that builds see; repeatable."),
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
    if no_start:
        click.echo("Next: orchestra agent (in the foreground) or orchestra up", err=True)
        return
    try:
        check_agent(paths.scripting)
    except OrchestraError:
        pid = _start(paths, flags)
        click.echo(f"The agent {me.name!r} is up (process {pid}, log {paths.agent_log}).", err=True)
    else:
        if any(value not in {None, ()} for value in flags.values()):
            message = "an agent already runs here with other settings; to change them: orchestra down, then up again"
            raise click.UsageError(message)
        click.echo(f"The agent {me.name!r} is already up.", err=True)
    click.echo("Next: orchestra run -- make test     or     orchestra apply orchestra.yaml", err=True)


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
