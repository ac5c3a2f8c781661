"""Commands about secrets: secrets set, list, remove. Values come from stdin, never from the command line."""

import sys
from pathlib import Path

import click

from ...core.api.secrets import Secrets
from ...core.api.tasks import OneTask
from ...core.errors import InvalidInput, OrchestraError
from ..format import ago, now, plain
from .output import say, show_json, show_table
from .session import Client, Listing, json_option, with_agent

JOB_FILE = Path("orchestra.yaml")
"""Where the project is looked up that is not named."""

_project = click.option("--project", help="The project; that of ./orchestra.yaml by default.")


@click.group(cls=Listing)
def secrets() -> None:
    """Keep what builds may know and nobody may see: passwords, tokens, keys.

    A job names the secrets that its steps see as variables (`secrets: [PYPI_TOKEN]`). They are kept sealed, sent only
    with a build that needs them, and taken out of logs. Nobody can read them back.
    """


@secrets.command("set")
@click.argument("name")
@_project
@json_option
@with_agent
def set_(net: Client, name: str, project: str | None, as_json: bool) -> None:
    """Keep the secret NAME: its value is read from stdin, or asked for on a terminal. One line break at the end goes.

    Whoever may define jobs in the project can use it, and so get to know it.
    """
    of = _project_of(project)
    found: OneTask = net.call("secrets.set", project=of, name=name, value=_value(name))
    if as_json:
        show_json(found)
    else:
        say(f"{name} of {of} is {found.task.outcome}. A job sees it with: secrets: [{name}]")


@secrets.command("list")
@click.option("--project", help="Only those of this project.")
@json_option
@with_agent
def list_(net: Client, project: str | None, as_json: bool) -> None:
    """List the names of secrets, and which jobs ask for them."""
    found: Secrets = net.call("secrets.list", project=project)
    if as_json:
        show_json(found)
        return
    moment = now()
    rows = [
        (
            plain(one.project),
            one.name,
            ago(one.set, moment) if one.set else "NOT SET",
            plain(one.requester) or "-",
            " ".join(one.jobs) or "-",
        )
        for one in found.secrets
    ]
    head = ("PROJECT", "NAME", "SET", "BY", "JOBS")
    show_table(head, rows, "No secrets. Keep one: orchestra secrets set NAME --project PROJECT < FILE")


@secrets.command("remove")
@click.argument("name")
@_project
@json_option
@with_agent
def remove(net: Client, name: str, project: str | None, as_json: bool) -> None:
    """Forget the secret NAME. Builds that run keep what they were given."""
    of = _project_of(project)
    found: OneTask = net.call("secrets.remove", project=of, name=name)
    if as_json:
        show_json(found)
    else:
        say(f"{name} of {of} is removed.")


def _value(name: str) -> str:
    """Return the value from stdin, as it is but for one line break at its end; on a terminal, ask without echo."""
    if sys.stdin.isatty():
        return click.prompt(f"Value of {name} (not shown)", hide_input=True, err=True)
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        message = f"the value of {name} is not UTF-8 text; encode it, as with base64"
        raise InvalidInput(message) from None
    return text.removesuffix("\n").removesuffix("\r")


def _project_of(given: str | None) -> str:
    """Return the project that is meant."""
    if given:
        return given
    from ...core import jobfile

    try:
        return jobfile.parse(JOB_FILE.read_text(), filename=str(JOB_FILE)).project
    except (OSError, UnicodeDecodeError, OrchestraError):
        message = f"there is no right {JOB_FILE} here that would say which project is meant; say --project PROJECT"
        raise InvalidInput(message) from None
