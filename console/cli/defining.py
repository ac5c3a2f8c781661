"""Commands about job files and what they define: apply, validate, schema, jobs."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from ...core.api import table
from ...core.api.jobs import Applied, Jobs, OneJob
from ...core.errors import InvalidInput
from ...core.views.jobs import DefinitionView, JobView, ParameterDefinition
from ..format import plain
from .output import say, show_json, show_table
from .session import Client, Listing, json_option, with_agent

_file = click.argument("file", default="orchestra.yaml", type=click.Path(path_type=Path, allow_dash=True))


MARKS = {"new": "+", "changed": "~", "gone": "-"}
"""What stands before something that a job file makes different."""


def _text(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        message = f"cannot read {file}: {error.strerror}; name the job file, as in: orchestra apply orchestra.yaml"
        raise InvalidInput(message) from None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        message = f"{file}: byte {error.start} is not UTF-8; save the file as UTF-8"
        raise InvalidInput(message) from None


@click.command()
@click.option("--check", is_flag=True, help="Only show what would change.")
@_file
@json_option
@with_agent
def apply(net: Client, check: bool, file: Path, as_json: bool) -> None:
    """Define the jobs of FILE: those and no others in its project. Shows what is different now.

    Builds that were submitted before keep the definitions they had.
    """
    found: Applied = net.call("jobs.apply", file=_text(file), filename=str(file), check=check or None)
    if as_json:
        show_json(found)
        return
    what = "nothing to change" if not found.changed else "would be changed" if check else "changed"
    say(f"{found.project}: {', '.join(found.jobs)} ({what})")
    for one in found.changes:
        say(f"  {MARKS[one.change]} {one.kind} {one.name}{': ' if one.keys else ''}{', '.join(one.keys)}")
    if check:
        return
    for one in net.call("secrets.list", project=found.project).secrets:
        if not one.set:
            whose = f"{one.name} of {', '.join(one.jobs)} is not set"
            say(f"Secret {whose}: orchestra secrets set {one.name} --project {found.project}")
    say(f"Next: orchestra submit {found.project}/{found.jobs[0]} --follow")


@click.command()
@_file
@json_option
def validate(file: Path, as_json: bool) -> None:
    """Check FILE without an agent; every problem is told with its line and column."""
    from ...core import jobfile

    parsed = jobfile.parse(_text(file), filename=str(file))
    found = Applied(parsed.project, [job.name for job in parsed.jobs], changed=False)
    if as_json:
        show_json(found)
    else:
        say(f"{file} is right: {found.project} with {len(found.jobs)} job(s): {', '.join(found.jobs)}")


@click.command()
@click.option("--api", "of_api", is_flag=True, help="Print the schema of the scripting contract instead.")
def schema(of_api: bool) -> None:
    """Print the JSON Schema of job files, for completion and checks in an editor."""
    from ...core import jobfile

    found = table.schema() if of_api else jobfile.schema()
    click.echo(msgspec.json.format(msgspec.json.encode(found)))


class _Jobs(Listing):
    """Names of projects are listed, names of jobs are shown."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command in front that a name alone stands for."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["show" if "/" in args[0] else "list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Jobs)
def jobs() -> None:
    """List the jobs, or show one: `orchestra jobs PROJECT`, `orchestra jobs PROJECT/JOB`."""


@jobs.command("list")
@click.argument("project", required=False)
@json_option
@with_agent
def list_jobs(net: Client, project: str | None, as_json: bool) -> None:
    """List the jobs, of one PROJECT if given."""
    found: Jobs = net.call("jobs.list", project=project)
    if as_json:
        show_json(found)
        return
    rows = [
        (
            f"{one.project}/{one.name}",
            ", ".join(f"{two.name}{'' if two.default is None else '=' + two.default}" for two in one.parameters) or "-",
            " ".join(one.runs_on) or "-",
            ", ".join(step.name for step in one.steps),
            one.description,
        )
        for one in found.jobs
    ]
    show_table(
        ("JOB", "PARAMETERS", "RUNS ON", "STEPS", "DESCRIPTION"),
        rows,
        "No jobs. Define some: orchestra apply orchestra.yaml",
    )


@jobs.command("show")
@click.argument("job", metavar="PROJECT/JOB")
@json_option
@with_agent
def show_job(net: Client, job: str, as_json: bool) -> None:
    """Show how a job is defined."""
    found: OneJob = net.call("jobs.get", job=job)
    if as_json:
        show_json(found)
        return
    one = found.job
    lines = [("job", f"{one.project}/{one.name}"), ("about", one.description)]
    lines += [("needs", f"{need.job} ({need.when})") for need in one.needs]
    lines += [("if", one.condition)]
    lines += [("matrix", f"{key}: {', '.join(values)}") for key, values in one.matrix.items()]
    lines += [("given", _parameter(two)) for two in one.parameters]
    show_definition(lines, one)


def _parameter(one: ParameterDefinition) -> str:
    value = " (required)" if one.required else f"={one.default or ''}"
    choices = f" of {', '.join(one.choices)}" if one.choices else ""
    return f"{one.name}{value}{choices}{f': {one.description}' if one.description else ''}"


def show_definition(lines: Sequence[tuple[str, str]], one: JobView | DefinitionView) -> None:
    """Print lines, and what a job's builds execute."""
    more = [
        ("on", " ".join(one.runs_on)),
        ("timeout", "" if one.timeout is None else f"{one.timeout:g} s"),
        ("shell", " ".join(one.shell)),
        *(("env", f"{name}={value}") for name, value in one.env.items()),
    ]
    if isinstance(one, DefinitionView):
        more += [("takes", ", ".join(f"{name}={amount:g}" for name, amount in one.resources.items()))]
        more += [("secret", name) for name in one.secrets]
        more += [("service", f"{name}: {run}") for name, run in one.services.items()]
    for name, text in (*lines, *more):
        if text:
            click.echo(f"{name:<8} {plain(text)}")
    for step in one.steps:
        when = "" if step.when == "success" else f" (when: {step.when})"
        limit = "" if step.timeout is None else f" (timeout: {step.timeout:g} s)"
        click.echo(f"\n{step.name}{when}{limit}")
        run = step.run if isinstance(step.run, str) else shlex.join(step.run)
        for name, value in step.env.items():
            click.echo(f"  {plain(name)}={plain(value)}")
        for line in run.rstrip("\n").split("\n"):
            click.echo(f"  $ {plain(line)}")
