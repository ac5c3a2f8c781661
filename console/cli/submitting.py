"""Commands that submit jobs by their names: submit, rerun."""

from collections.abc import Sequence

import click

from ...core.api.builds import OneBuild
from ...core.api.pipelines import OnePipeline
from ...core.api.submitting import Submitted
from ...core.errors import Exit
from .attending import follow
from .following import exit_code, tell_end
from .interleaving import pipeline_code, see_pipeline, tell_pipeline
from .output import say, show_json
from .pipelines import is_pipeline
from .session import Client, json_option, with_agent
from .taking import pairs


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.option("-p", "--parameter", multiple=True, metavar="NAME=VALUE", help="Value of a parameter; repeatable.")
@click.option("--branch", default="", help="Build this branch of the git source, instead of the job file's.")
@click.option("--revision", default="", help="Build this revision of the git source.")
@click.option("--priority", type=int, help="Higher is assigned earlier.")
@click.option("--request", help="Any text; the same again within a day returns the same builds instead of new ones.")
@click.option("--wait", is_flag=True, help="Return when all has ended; the exit code is 0 if it succeeded.")
@click.option("--follow", "following", is_flag=True, help="Print the logs until all has ended; as --wait.")
@json_option
@with_agent
def submit(  # noqa: PLR0913, PLR0917 - the options of the command
    net: Client,
    jobs: Sequence[str],
    parameter: Sequence[str],
    branch: str,
    revision: str,
    priority: int | None,
    request: str | None,
    wait: bool,
    following: bool,
    as_json: bool,
) -> int:
    """Run JOBs (project/name) with what they need, or all jobs of a project, as one pipeline."""
    params = {"parameters": pairs(parameter, "parameter"), "priority": priority, "request": request}
    params |= {"jobs": list(jobs), "branch": branch, "revision": revision}
    return _see_through(net, net.call("builds.submit", **params), wait, following, as_json)


@click.command()
@click.argument("build", default="last", metavar="BUILD|PIPELINE")
@click.option("--failed", is_flag=True, help="Of a pipeline, only what failed and what hangs on it.")
@click.option("--wait", is_flag=True, help="Return when all has ended; the exit code is 0 if it succeeded.")
@click.option("--follow", "following", is_flag=True, help="Print the logs until all has ended; as --wait.")
@json_option
@with_agent
def rerun(net: Client, build: str, failed: bool, wait: bool, following: bool, as_json: bool) -> int:  # noqa: PLR0913, PLR0917 - the options of the command
    """Run what BUILD or PIPELINE (p-NUMBER) ran once more, with the definitions and the parameters it had."""
    if is_pipeline(build):
        found = net.call("pipelines.rerun", id=build, failed=failed)
    elif failed:
        raise click.UsageError("--failed is for pipelines; name one, as p-12 (`orchestra pipelines` lists them)")
    else:
        found = net.call("builds.rerun", id=build)
    return _see_through(net, found, wait, following, as_json)


def _see_through(net: Client, found: Submitted, wait: bool, following: bool, as_json: bool) -> int:
    """Tell of new builds and, if asked, stay until they have ended."""
    if found.pipeline is not None:
        return see_pipeline_through(net, found, wait, following, as_json)
    build = found.builds[0]
    if not as_json:
        say(f"Build {build.project}/{build.job}#{build.number} ({build.id})")
    if not (wait or following):
        if as_json:
            show_json(found)
        else:
            click.echo(build.id)
        return int(Exit.OK)
    end = follow(net, build.id) if following else net.call("builds.wait", id=build.id).build
    if as_json:
        show_json(OneBuild(end))
    else:
        tell_end(end)
    return exit_code(end)


def see_pipeline_through(net: Client, found: Submitted, wait: bool, following: bool, as_json: bool) -> int:
    """Tell of a new pipeline and, if asked, stay until it has ended."""
    pipeline = found.pipeline or ""
    if not as_json:
        jobs = dict.fromkeys(build.job for build in found.builds)
        say(f"Pipeline {pipeline}: {len(found.builds)} build(s) of {', '.join(jobs)}")
    if not (wait or following):
        if as_json:
            show_json(found)
        else:
            click.echo(pipeline)
        return int(Exit.OK)
    end = see_pipeline(net, pipeline) if following else net.call("pipelines.wait", id=pipeline).pipeline
    if as_json:
        show_json(OnePipeline(end))
    else:
        tell_pipeline(net, end)
    return pipeline_code(end)
