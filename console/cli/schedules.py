"""Commands about schedules: schedules list, next, enable, disable, run."""

import click

from ...core.api.schedules import Schedules
from ...core.api.submitting import Submitted
from ...core.api.tasks import OneTask
from ..format import ago, now, plain
from .output import say, show_json, show_table
from .session import Client, Listing, json_option, with_agent


@click.group(cls=Listing)
def schedules() -> None:
    """What is submitted by the clock. Job files define it (`schedules:`); without a command, list it.

    SCHEDULE is PROJECT/NAME, or NAME where only one project has it.
    """


@schedules.command("list")
@click.option("--project", help="Only those of this project.")
@json_option
@with_agent
def list_(net: Client, project: str | None, as_json: bool) -> None:
    """List schedules: when they fire next, and what came of it last."""
    found: Schedules = net.call("schedules.list", project=project)
    if as_json:
        show_json(found)
        return
    moment = now()
    rows = [
        (
            f"{plain(one.project)}/{plain(one.name)}",
            f"{plain(one.cron)} {plain(one.timezone)}",
            " ".join(one.jobs),
            _shown(one.next[0]) if one.next and one.next[0] else ("never" if one.enabled else "disabled"),
            ago(one.last, moment) if one.last else "-",
            plain(one.outcome) or "-",
        )
        for one in found.schedules
    ]
    head = ("SCHEDULE", "WHEN", "JOBS", "NEXT (UTC)", "LAST", "OUTCOME")
    show_table(head, rows, "No schedules. A job file defines them: schedules: {nightly: {cron: ..., jobs: [...]}}")


@schedules.command("next")
@click.argument("schedule")
@click.option("-n", "--count", type=click.IntRange(1, 100), default=10, show_default=True, help="How many.")
@json_option
@with_agent
def next_(net: Client, schedule: str, count: int, as_json: bool) -> None:
    """Print when SCHEDULE fires next, in UTC."""
    found: Schedules = net.call("schedules.list", schedule=schedule, next=count)
    if as_json:
        show_json(found)
        return
    (one,) = found.schedules
    if not one.enabled:
        say(f"{one.project}/{one.name} is disabled: orchestra schedules enable {one.project}/{one.name}")
    for at in one.next:
        click.echo(at)


@schedules.command("run")
@click.argument("schedule")
@json_option
@with_agent
def run(net: Client, schedule: str, as_json: bool) -> None:
    """Submit now what SCHEDULE submits, whether it is enabled or not. Its turns are not touched."""
    found: Submitted = net.call("schedules.fire", schedule=schedule)
    if as_json:
        show_json(found)
        return
    for one in found.builds:
        say(f"{one.project}/{one.job}#{one.number} ({one.id}) {one.state}")
    if found.builds:
        say(f"Next: orchestra watch {found.builds[-1].id}")


def _switch(name: str, summary: str, *, enabled: bool) -> click.Command:
    @schedules.command(name, help=summary)
    @click.argument("schedule")
    @json_option
    @with_agent
    def command(net: Client, schedule: str, as_json: bool) -> None:
        found: OneTask = net.call("schedules.set", schedule=schedule, enabled=enabled)
        if as_json:
            show_json(found)
        else:
            say(f"{found.task.target} is {found.task.outcome}.")

    return command


enable = _switch("enable", "Let SCHEDULE fire. What it missed while it was disabled is not made up for.", enabled=True)
disable = _switch("disable", "Let SCHEDULE fire no more, also when its job file is applied again.", enabled=False)


def _shown(at: str) -> str:
    return at[:16].replace("T", " ")
