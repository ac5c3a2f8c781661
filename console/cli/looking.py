"""Commands that look: status, agents, builds, show, explain, tasks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from ...core.api.agents import Agents
from ...core.api.builds import Builds, OneBuild, OneDefinition, Why
from ...core.api.network import Status
from ...core.api.tasks import Tasks
from ...core.errors import InvalidInput
from ...core.model import LIVE_STATES, BuildState
from ...core.views.builds import BuildSummary, BuildView, StepView
from ..format import ago, amount, between, duration, label_words, now, offer_words, pin_words, plain, size
from .defining import show_definition
from .output import say, show_json, show_table, state
from .pipelines import is_pipeline, show_pipeline
from .session import Client, json_option, with_agent


@click.command()
@json_option
@with_agent
def status(net: Client, as_json: bool) -> None:
    """Show how the network stands."""
    found: Status = net.call("network.status")
    if as_json:
        show_json(found)
        return
    master = f"{found.master.name} (term {found.term})" if found.master else "none: waiting for an election"
    agents = f"{found.agents['ready']} ready" + (
        f", {found.agents['unreachable']} unreachable" if found.agents["unreachable"] else ""
    )
    lines = [
        ("network", f"{found.network.name} ({found.network.id})"),
        ("agent", f"{found.agent.name} ({found.agent.id}), version {found.version}"),
        ("master", master),
        ("voters", f"{len(found.voters)}, {'quorum' if found.quorum else 'NO QUORUM: new work is refused'}"),
        ("agents", agents),
        ("queue", f"{found.queue['running']} running, {found.queue['pending']} pending"),
        ("store", found.store),
    ]
    for name, text in lines:
        click.echo(f"{name:<8} {plain(text)}")
    for notice in found.notices:
        say(f"notice: {notice}")


@click.command()
@json_option
@with_agent
def agents(net: Client, as_json: bool) -> None:
    """List the agents."""
    found: Agents = net.call("agents.list")
    if as_json:
        show_json(found)
        return
    rows = [
        (
            one.name,
            one.id,
            one.state,
            ",".join(one.roles),
            f"{one.slots['used']}/{one.slots['total']}",
            " ".join(f"{name} {amount(name, has.used, has.total)}" for name, has in sorted(one.resources.items())),
            offer_words(one.offer, one.paused),
            one.version,
            label_words(one.labels),
        )
        for one in found.agents
    ]
    head = ("NAME", "ID", "STATE", "ROLES", "SLOTS", "TAKEN", "OFFER", "VERSION", "LABELS")
    show_table(head, rows, "No agents. Start one: orchestra up")


@click.command()
@click.argument("job", required=False)
@click.option(
    "--state", "states", multiple=True, help="Only builds in this state; `live` and `ended` stand for several."
)
@click.option("--agent", "agent", help="Only builds that this agent has or had.")
@click.option("--where", "conditions", multiple=True, metavar="FIELD=VALUE", help="Only builds with this; repeatable.")
@click.option("--order", default="-created", show_default=True, help="Field to order by; `-` before it: descending.")
@click.option("-n", "--limit", default=20, show_default=True, help="Lines, at most 1000.")
@click.option("--after", help="Go on behind this cursor (`next` of the page before).")
@json_option
@with_agent
def builds(  # noqa: PLR0913, PLR0917 - the options of the command
    net: Client,
    job: str | None,
    states: Sequence[str],
    agent: str | None,
    conditions: Sequence[str],
    order: str,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """List builds, newest first; of one JOB (project/name) if given."""
    where: dict[str, Any] = dict(_condition(text) for text in conditions)
    if job:
        project, slash, name = job.partition("/")
        where.update({"project": project, "job": name} if slash else {"project": project})
    if states:
        where["state"] = _states(states)
    if agent:
        where["agent"] = agent
    found: Builds = net.call("builds.list", where=where, order=order, limit=limit, after=after)
    if as_json:
        show_json(found)
        return
    moment = now()
    pinned = any(one.pin is not None for one in found.builds)
    rows = [
        (
            one.id,
            f"{one.project}/{one.job}#{one.number}",
            one.state.value,
            *(("pinned" if one.pin is not None else "",) if pinned else ()),
            duration(between(one.started, one.finished, moment)),
            ago(one.created, moment),
            one.requester,
            one.reason,
        )
        for one in found.builds
    ]
    show_table(
        ("ID", "BUILD", "STATE", *(("KEPT",) if pinned else ()), "TOOK", "CREATED", "BY", "REASON"),
        rows,
        "No builds like that. Run one: orchestra run -- true",
    )
    if found.next:
        say(f"There are more: --after {found.next}")


def _condition(text: str) -> tuple[str, Any]:
    field, equals, value = text.partition("=")
    if not equals:
        message = f"{text!r} is no condition; write FIELD=VALUE, as requester=ann"
        raise InvalidInput(message)
    return field.strip(), int(value) if value.isdecimal() and field in {"number", "attempt", "priority"} else value


def _states(words: Sequence[str]) -> list[str]:
    wanted: set[BuildState] = set()
    for word in words:
        if word == "live":
            wanted |= LIVE_STATES
        elif word == "ended":
            wanted |= set(BuildState) - LIVE_STATES
        elif word in set(BuildState):
            wanted.add(BuildState(word))
        else:
            message = f"no state {word!r}; there are: {', '.join(BuildState)}, live, ended"
            raise InvalidInput(message)
    return sorted(wanted)


@click.command()
@click.argument("build", default="last", metavar="BUILD|PIPELINE")
@click.option(
    "--definition", is_flag=True, help="Show what the build executes, as it was defined when it was submitted."
)
@json_option
@with_agent
def show(net: Client, build: str, definition: bool, as_json: bool) -> None:
    """Show BUILD: state, steps, results, attempts; or a PIPELINE (p-NUMBER): its jobs and their builds."""
    if definition:
        ran: OneDefinition = net.call("builds.definition", id=build)
        if as_json:
            show_json(ran)
        else:
            show_definition([("version", ran.definition.version)], ran.definition)
        return
    if is_pipeline(build):
        show_pipeline(net, build, as_json)
        return
    found: OneBuild = net.call("builds.get", id=build)
    if as_json:
        show_json(found)
        return
    one = found.build
    moment = now()
    names = {agent.id: agent.name for agent in net.call("agents.list").agents} if one.agent else {}

    def name_of(agent: str | None) -> str:
        return names.get(agent, agent) if agent else "none yet"  # its id, when it is no member any more

    for name, text in _facts(one, name_of(one.agent), moment):
        click.echo(f"{name:<8} {text}")
    if one.steps:
        click.echo()
        show_table(("STEP", "STATE", "TOOK", "END"), [_step(step, moment) for step in one.steps], "")
    if len(one.attempts) > 1:
        click.echo()
        rows = [(str(two.number), two.state.value, name_of(two.agent), two.reason) for two in one.attempts]
        show_table(("ATTEMPT", "STATE", "AGENT", "REASON"), rows, "")


def _facts(one: BuildView, agent: str, moment: datetime) -> list[tuple[str, str]]:
    """Return what there is to say of a build, each with its name."""
    lines = [
        ("build", f"{one.project}/{one.job}#{one.number} ({one.id})"),
        ("state", state(one.state) + (f": {plain(one.reason)}" if one.reason else "")),
        ("asked", f"by {plain(one.requester)}, {ago(one.created, moment)} ({plain(one.cause)})"),
        ("took", duration(between(one.started, one.finished, moment))),
        ("agent", agent),
        ("log", f"{size(one.log_bytes)}; orchestra logs {one.id}"),
    ]
    if one.pin is not None:
        lines.append(("pinned", pin_words(one.pin, moment)))
    if one.branch or one.revision:
        lines.append(("source", " ".join(plain(word) for word in (one.branch, one.revision) if word)))
    lines += [("matrix", f"{name}={plain(value)}") for name, value in one.matrix.items()]
    lines += [("given", f"{name}={plain(value)}") for name, value in sorted(one.parameters.items())]
    lines += [("result", f"{plain(name)}={plain(value)}") for name, value in sorted(one.results.items())]
    return lines


def _step(step: StepView, moment: Any) -> tuple[str, str, str, str]:
    return (step.name, step.state.value, duration(between(step.started, step.finished, moment)), how_it_ended(step))


def how_it_ended(step: StepView) -> str:
    """Return a step's exit code or signal, for people."""
    if step.signal is not None:
        return f"signal {step.signal}"
    return "" if step.exit_code is None else f"exit {step.exit_code}"


@click.command()
@click.argument("build", default="last")
@json_option
@with_agent
def explain(net: Client, build: str, as_json: bool) -> None:
    """Say why BUILD is in its state; for one that waits, agent by agent."""
    found: Why = net.call("builds.explain", id=build)
    if as_json:
        show_json(found)
        return
    click.echo(f"{found.id} is {state(found.state)}:")
    for reason in found.reasons:
        click.echo(f"  {plain(reason)}")


@click.command()
@click.option("-n", "--limit", default=20, show_default=True, help="Lines, at most 1000.")
@click.option("--after", help="Go on behind this cursor (`next` of the page before).")
@json_option
@with_agent
def tasks(net: Client, limit: int, after: str | None, as_json: bool) -> None:
    """List what was asked of the network, by whom, and what came of it."""
    found: Tasks = net.call("tasks.list", limit=limit, after=after)
    if as_json:
        show_json(found)
        return
    moment = now()
    rows = [
        (str(one.id), ago(one.at, moment), one.requester, one.kind, one.state.value, one.target, one.outcome)
        for one in found.tasks
    ]
    show_table(("TASK", "WHEN", "BY", "ASKED", "CAME", "OF", "OUTCOME"), rows, "Nothing was asked of this network yet.")


def label(build: BuildSummary | BuildView) -> str:
    """Return `project/job#number`."""
    return f"{build.project}/{build.job}#{build.number}"
