"""Commands that submit jobs by their names: submit, rerun."""

from collections.abc import Sequence

import click

from ...core import api
from ...core.errors import Exit, InvalidInput
from ...core.views import BuildView
from .attending import follow
from .following import exit_code, tell_end
from .output import say, show_json
from .session import Client, json_option, with_agent


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


def _wait(net: Client, build: str) -> BuildView:
    return net.call("builds.wait", id=build).build


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
