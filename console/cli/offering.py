"""The command `offer`: what a machine lets builds have, and when."""

from collections.abc import Sequence

import click

from ...core.api.tasks import OneTask
from ...core.durations import parse_duration
from ...core.errors import InvalidInput, NotFound
from ...core.views.agents import AgentView
from ..format import amount, duration
from .output import say, show_json
from .session import Client, json_option, with_agent


@click.command()
@click.argument("agent", required=False)
@click.option("--slots", type=int, metavar="N", help="Builds at a time; 0: none.")
@click.option("--cpus", type=float, metavar="N", help="Processors that builds may take in all.")
@click.option(
    "--hours", multiple=True, metavar="HOURS", help="When, as 18:00-08:00 or sat,sun 00:00-24:00; repeatable."
)
@click.option("--always", is_flag=True, help="At all hours.")
@click.option("--pause-when-used/--no-pause-when-used", default=None, help="Take none while somebody uses the machine.")
@click.option("--idle", metavar="TIME", help="Time after which it counts as not used, as 5m.")
@click.option("--pause-on-battery/--no-pause-on-battery", default=None, help="Take none while it runs on its battery.")
@click.option("--nice/--no-nice", default=None, help="Let builds give way to everything else on the machine.")
@click.option("--reset", is_flag=True, help="Forget what was changed so: as the machine's own settings say.")
@json_option
@with_agent
def offer(  # noqa: PLR0913, PLR0917 - the options of the command
    net: Client,
    agent: str | None,
    slots: int | None,
    cpus: float | None,
    hours: Sequence[str],
    always: bool,
    pause_when_used: bool | None,
    idle: str | None,
    pause_on_battery: bool | None,
    nice: bool | None,
    reset: bool,
    as_json: bool,
) -> None:
    """Change what AGENT [default: this machine's] lets builds have, and when; without options, show it.

    A paused agent takes no new builds; those that it has go on. What is changed so stays until it is changed again or
    reset, also when the agent is started anew.
    """
    if hours and always:
        message = "either --hours or --always"
        raise click.UsageError(message)
    name = agent or net.call("network.status").agent.id
    change = {
        "slots": slots,
        "cpus": cpus,
        "hours": [] if always else list(hours) or None,
        "pause_when_used": pause_when_used,
        "idle": None if idle is None else _seconds(idle),
        "pause_on_battery": pause_on_battery,
        "nice": nice,
    }
    if reset or any(one is not None for one in change.values()):
        found: OneTask = net.call("agents.offer", agent=name, reset=reset or None, **change)
        if as_json:
            show_json(found)
        else:
            say(f"Task {found.task.id}: {found.task.outcome}.")
        return
    _show(_find(net.call("agents.list").agents, name), as_json=as_json)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as problem:
        message = f"--idle {text!r} {problem}"
        raise InvalidInput(message) from None


def _find(agents: Sequence[AgentView], name: str) -> AgentView:
    found = [one for one in agents if name == one.name or one.id.startswith(name)]
    if len(found) != 1:
        message = f"no agent {name!r}, or several; orchestra agents lists them"
        raise NotFound(message)
    return found[0]


def _show(one: AgentView, *, as_json: bool) -> None:
    if as_json:
        show_json(one)
        return
    lines = [
        ("agent", f"{one.name} ({one.id}), {one.state}{f': {one.paused}' if one.paused else ''}"),
        ("slots", f"{one.slots['total']}, of which {one.slots['used']} taken"),
        *[(name, amount(name, has.used, has.total)) for name, has in sorted(one.resources.items())],
    ]
    if one.offer is not None:
        lines += [
            ("hours", "; ".join(one.offer.hours) or "always"),
            ("when used", f"pauses until {duration(one.offer.idle)} later" if one.offer.pause_when_used else "goes on"),
            ("on battery", "pauses" if one.offer.pause_on_battery else "goes on"),
            ("priority", "builds give way to everything else" if one.offer.nice else "builds are like everything else"),
            ("changed", ", ".join(one.offer.changed) or "nothing: as its settings say"),
        ]
    for name, text in lines:
        click.echo(f"{name:<10} {text}")
