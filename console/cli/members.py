"""Commands about who belongs to the network: invite, approve, remove, network."""

import time

import click

from ...core.api.network import Invitation, JoinRequests, Links
from ...core.api.tasks import OneTask
from ...core.durations import parse_duration
from ...core.errors import InvalidInput, TimedOut
from ..format import duration, plain
from .output import say, show_json, show_table
from .session import Client, json_option, with_agent

REMOVED_S = 60.0
"""Longest time for an agent's vote to be given to another, and the agent to be removed."""


@click.command()
@click.option("--for", "lasting", default="1h", show_default=True, metavar="TIME", help="How long it is good, as 30m.")
@click.option(
    "--role",
    type=click.Choice(["member", "worker"]),
    default="member",
    show_default=True,
    help="worker: a machine that is never given a vote.",
)
@click.option("--requests", is_flag=True, help="Instead, list the machines that wait for being let in.")
@json_option
@with_agent
def invite(net: Client, lasting: str, role: str, requests: bool, as_json: bool) -> None:
    """Print an invitation: on another machine, `orchestra join TOKEN`. It lets one machine in.

    Whoever has the token can join, and run builds on all machines: treat it as a password.
    """
    if requests:
        _show_requests(net.call("network.requests"), as_json=as_json)
        return
    try:
        seconds = parse_duration(lasting)
    except ValueError as error:
        message = f"--for: {lasting[:40]!r} {error}"
        raise InvalidInput(message) from None
    found: Invitation = net.call("network.invite", seconds=seconds, role=role)
    if as_json:
        show_json(found)
        return
    click.echo(found.token)
    say(f"Good for one machine, until {found.expires}. There: orchestra join TOKEN")


def _show_requests(found: JoinRequests, *, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    rows = [(plain(one.name), one.id, one.address, one.version, duration(one.expires)) for one in found.requests]
    show_table(("NAME", "ID", "ADDRESS", "VERSION", "LEFT"), rows, "No machine waits. There: orchestra join")


@click.command()
@click.argument("code")
@json_option
@with_agent
def approve(net: Client, code: str, as_json: bool) -> None:
    """Let the machine in that shows CODE (as 482-913). A wrong code refuses all that wait."""
    found: OneTask = net.call("network.approve", code=code)
    if as_json:
        show_json(found)
    else:
        say(f"Task {found.task.id}: {found.task.outcome}.")


@click.command()
@click.argument("agent")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is removed.")
@json_option
@with_agent
def remove(net: Client, agent: str, no_wait: bool, as_json: bool) -> None:
    """Take AGENT out of the network: its vote first, then its membership. What it runs is lost.

    Its connections are closed, and its key lets it in no more. An agent that is up can leave by itself instead, when
    its builds have ended: `orchestra leave --wait` there.
    """
    found: OneTask = net.call("agents.remove", agent=agent)
    target = found.task.target
    deadline = time.monotonic() + REMOVED_S
    while not no_wait and any(one.id == target for one in net.call("agents.list").agents):
        if time.monotonic() > deadline:
            message = (
                f"{agent} still has its vote, which no other agent could take over yet; it is removed when one can "
                "(orchestra agents shows it as leaving)"
            )
            raise TimedOut(message)
        time.sleep(0.2)
    if as_json:
        show_json(found)
    elif no_wait:
        say(f"Task {found.task.id}: {found.task.outcome}.")
    else:
        say(f"{agent} is no member any more.")


@click.command()
@json_option
@with_agent
def network(net: Client, as_json: bool) -> None:
    """Show how this machine's agent sees the others: addresses, versions, round trips, clocks; and what it dropped."""
    found: Links = net.call("network.links")
    if as_json:
        show_json(found)
        return
    click.echo(f"listens at  {plain(' '.join(found.addresses))}")
    rows = [
        (
            plain(one.name),
            "yes" if one.reachable else "no",
            "" if one.silence is None else duration(one.silence),
            "" if one.round_trip is None else f"{one.round_trip * 1000:.1f} ms",
            "" if one.skew is None else f"{one.skew:+.3f} s",
            one.version,
            " ".join(one.addresses),
        )
        for one in found.links
    ]
    head = ("NAME", "REACHED", "SILENT", "ROUND TRIP", "CLOCK", "VERSION", "ADDRESSES")
    show_table(head, rows, "No other agents yet. Add one: orchestra invite")
    dropped = {name: count for name, count in found.counters.items() if name.startswith("dropped.") and count}
    if dropped:
        click.echo("dropped     " + ", ".join(f"{name.partition('.')[2]} {count}" for name, count in dropped.items()))
