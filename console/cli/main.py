"""The command `orchestra`: finds the asked command and imports only what that one needs."""

import gc
import os
import sys
import threading
from importlib import import_module
from typing import Any

import click

from ...core.errors import Exit, OrchestraError
from ...core.nearest import nearest
from ...core.version import VERSION

GARBAGE = 50_000
"""Objects between two looks for garbage. Commands make many that stay; what stays open for long hardly makes any."""

#: command -> module below console/cli and name in it, summary; in the order of the help
COMMANDS: dict[str, tuple[str, str, str]] = {
    "up": ("machine", "up", "Start this machine's agent in the background"),
    "down": ("machine", "down", "Stop this machine's agent"),
    "agent": ("machine", "agent", "Run this machine's agent in the foreground"),
    "init": ("machine", "init", "Make a new network on this machine"),
    "invite": ("members", "invite", "Print an invitation for another machine"),
    "join": ("machine", "join", "Make this machine a member of a network, and start its agent"),
    "approve": ("members", "approve", "Let the machine in that shows this code"),
    "leave": ("machine", "leave", "Take this machine out of its network"),
    "remove": ("members", "remove", "Take an agent out of the network"),
    "recover": ("machine", "recover", "Go on without voters that are gone for good"),
    "network": ("members", "network", "Show how this machine's agent sees the others"),
    "doctor": ("doctor", "doctor", "Look for what is wrong on this machine, and say what helps"),
    "socket": ("machine", "socket", "Print the address of the scripting socket"),
    "status": ("looking", "status", "Show how the network stands"),
    "agents": ("looking", "agents", "List the agents"),
    "enable": ("steering", "enable", "Let an agent take builds again"),
    "disable": ("steering", "disable", "Let an agent take no new builds"),
    "drain": ("steering", "drain", "Let an agent finish what it has and take nothing new"),
    "offer": ("offering", "offer", "Change what a machine lets builds have, and when"),
    "run": ("running", "run", "Run a command in a copy of this directory"),
    "attach": ("attaching", "attach", "Be at a build again that was left to itself"),
    "apply": ("defining", "apply", "Define the jobs of a job file"),
    "validate": ("defining", "validate", "Check a job file"),
    "schema": ("defining", "schema", "Print the JSON Schema of job files, for editors"),
    "jobs": ("defining", "jobs", "List the jobs"),
    "schedules": ("schedules", "schedules", "List, switch and run what is submitted by the clock"),
    "secrets": ("secrets", "secrets", "Set, list and remove what builds may know and nobody may see"),
    "caches": ("caches", "caches", "List and remove what builds left for later ones"),
    "submit": ("submitting", "submit", "Run jobs, with what they need"),
    "builds": ("looking", "builds", "List builds"),
    "pipelines": ("pipelines", "pipelines", "List pipelines"),
    "show": ("looking", "show", "Show a build, or a pipeline"),
    "logs": ("following", "logs", "Print a build's log"),
    "watch": ("following", "watch", "Follow a build's steps until it ends"),
    "artifacts": ("artifacts", "artifacts", "List and get the files that builds kept"),
    "abort": ("steering", "abort", "Stop a build, or a pipeline, wherever it is"),
    "cancel": ("steering", "cancel", "Withdraw a build that waits"),
    "rerun": ("submitting", "rerun", "Run what a build, or a pipeline, ran once more"),
    "pin": ("pinning", "pin", "Keep a build, or a pipeline, whatever its age"),
    "unpin": ("pinning", "unpin", "Let it go again when its time has come"),
    "pins": ("pinning", "pins", "List what is kept whatever its age, and why"),
    "explain": ("looking", "explain", "Say why a build is in its state"),
    "tasks": ("looking", "tasks", "List what was asked of the network, and by whom"),
    "console": ("console", "console", "Look at everything, and do things, in the terminal"),
    "store": ("storing", "store", "Look after the database with the history"),
    "call": ("calling", "call", "Make one request of the scripting contract"),
}


class Orchestra(click.Group):
    """The group of all commands, which are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click has it
        """Return the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as click has it
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        found: click.Command = getattr(import_module(f".{module}", __package__), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is answered with the nearest known name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            guess = nearest(args[0], COMMANDS)
            hint = f"Did you mean `orchestra {guess}`?" if guess else "`orchestra --help` lists the commands."
            message = f"There is no command {args[0]!r}. {hint}"
            raise click.UsageError(message)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as click has it
        """Write the list of commands from their summaries, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])


@click.group(cls=Orchestra, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="orchestra")
@click.option("--verbose", is_flag=True, envvar="ORCHESTRA_VERBOSE", help="Say more when something goes wrong.")
@click.option("--color/--no-color", default=None, help="Use colours, or none [default: on a terminal].")
@click.option(
    "--host", metavar="MACHINE", envvar="ORCHESTRA_HOST", help="Speak to the agent of another machine, through ssh."
)
@click.pass_context
def orchestra(ctx: click.Context, verbose: bool, color: bool | None, host: str | None) -> None:
    """Run builds on the computers you already have.

    First steps: `orchestra up`, then `orchestra run -- make test` in a project. Builds are named by id, by the
    beginning of one, as project/job#12, or as `last`. Exit codes: 0 done, 1 the build failed, 2 usage, 3 no agent or
    master, 4 not allowed, 5 not found, 124 timeout, 130 interrupted; `run` returns the command's own.
    """
    ctx.ensure_object(dict)["verbose"] = verbose
    if host:
        from .tunnel import lead

        lead(ctx, host, ctx.invoked_subcommand)
    if color is not None:
        ctx.color = color
        os.environ.pop("NO_COLOR", None)
        if not color:
            os.environ["NO_COLOR"] = "1"


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line and exit with its code; errors are one line each, never a traceback."""
    gc.set_threshold(GARBAGE)
    verbose = "--verbose" in (sys.argv[1:] if arguments is None else arguments)
    try:
        code = orchestra.main(arguments, prog_name="orchestra", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(int(Exit.INTERRUPTED))
    except BrokenPipeError:
        # the reader (head, less) has had enough: say nothing, and let the interpreter not stumble over it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(int(Exit.OK))
    except OrchestraError as error:
        click.echo(f"orchestra: {error}", err=True)
        if verbose:
            click.echo(f"({type(error).__name__}, kind {error.kind}, exit code {int(error.exit_code)})", err=True)
        sys.exit(int(error.exit_code))
    code = code if isinstance(code, int) else int(Exit.OK)
    if arguments is None and threading.active_count() == 1:
        _end(code)
    sys.exit(code)


def _end(code: int) -> None:
    """End this process without clearing up what ends with it: that would take as long as many a command."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        return  # as the interpreter says it
    os._exit(code)
