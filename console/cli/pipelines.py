"""Commands that look at pipelines: pipelines, and `show` for one."""

import click

from ...core.api.pipelines import OnePipeline, Pipelines
from ...core.views.pipelines import NodeView
from ..format import ago, between, duration, now, plain
from .interleaving import members, name_of
from .output import say, show_json, show_table, state
from .session import Client, json_option, with_agent


def is_pipeline(text: str) -> bool:
    """Whether a text is the form of a pipeline's id, which no build's is."""
    return text.startswith("p-") and text[2:].isdecimal()


@click.command()
@click.argument("project", required=False)
@click.option("-n", "--limit", default=20, show_default=True, help="Lines, at most 1000.")
@click.option("--after", help="Go on behind this cursor (`next` of the page before).")
@json_option
@with_agent
def pipelines(net: Client, project: str | None, limit: int, after: str | None, as_json: bool) -> None:
    """List pipelines, newest first; of one PROJECT if given."""
    where = {"project": project} if project else {}
    found: Pipelines = net.call("pipelines.list", where=where, limit=limit, after=after)
    if as_json:
        show_json(found)
        return
    moment = now()
    rows = [
        (
            one.id,
            one.project,
            one.state.value,
            str(one.builds),
            duration(between(one.created, one.finished, moment)),
            ago(one.created, moment),
            one.requester,
            " ".join(one.jobs),
        )
        for one in found.pipelines
    ]
    show_table(
        ("ID", "PROJECT", "STATE", "BUILDS", "TOOK", "CREATED", "BY", "JOBS"),
        rows,
        "No pipelines. Submit a job that needs others, or a whole project: orchestra submit PROJECT",
    )
    if found.next:
        say(f"There are more: --after {found.next}")


def show_pipeline(net: Client, pipeline: str, as_json: bool) -> None:
    """Show a pipeline: its jobs in their order, what each waits for, and its builds."""
    found = net.call("pipelines.get", id=pipeline).pipeline
    if as_json:
        show_json(OnePipeline(found))
        return
    moment = now()
    took = duration(between(found.created, found.finished, moment))
    click.echo(f"{found.id} of {found.project}: {found.state} after {took}{_because(found.reason)}")
    click.echo(f"{found.cause} by {plain(found.requester)}, {ago(found.created, moment)}")
    builds = {one.id: one for one in members(net, found.id)}
    for node in found.nodes:
        click.echo()
        click.echo(f"{node.job}  {state(node.state)}{_needs(node)}")
        if node.taken:
            click.echo(f"  {len(node.taken)} taken over from before: {' '.join(node.taken[:8])}")
        for one in node.builds:
            if one in builds:
                build = builds[one]
                long = duration(between(build.started, build.finished, moment)) if build.started else ""
                click.echo(f"  {one}  {name_of(build)}  {state(build.state)} {long}{_because(build.reason)}".rstrip())


def _because(reason: str) -> str:
    return f" ({plain(reason)})" if reason else ""


def _needs(node: NodeView) -> str:
    needs = ", ".join(one.job if one.when == "success" else f"{one.job} ({one.when})" for one in node.needs)
    return (f"  needs {needs}" if needs else "") + (f"  if {node.condition}" if node.condition else "")
