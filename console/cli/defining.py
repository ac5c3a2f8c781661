"""Commands about job files and what they define: apply, validate, schema, jobs."""

import sys
from pathlib import Path

import click
import msgspec

from ...core import api
from ...core.errors import InvalidInput
from .output import say, show_json, show_table
from .session import Client, json_option, with_agent

_file = click.argument("file", default="orchestra.yaml", type=click.Path(path_type=Path, allow_dash=True))


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
@_file
@json_option
@with_agent
def apply(net: Client, file: Path, as_json: bool) -> None:
    """Define the jobs of FILE: those and no others in its project."""
    found: api.Applied = net.call("jobs.apply", file=_text(file), filename=str(file))
    if as_json:
        show_json(found)
        return
    say(f"{found.project}: {', '.join(found.jobs)} ({'changed' if found.changed else 'nothing to change'})")
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
    found = api.Applied(parsed.project, [job.name for job in parsed.jobs], changed=False)
    if as_json:
        show_json(found)
    else:
        say(f"{file} is right: {found.project} with {len(found.jobs)} job(s): {', '.join(found.jobs)}")


@click.command()
@click.option("--api", "of_api", is_flag=True, help="Print the schema of the scripting contract instead.")
def schema(of_api: bool) -> None:
    """Print the JSON Schema of job files, for completion and checks in an editor."""
    from ...core import jobfile

    found = api.schema() if of_api else jobfile.schema()
    click.echo(msgspec.json.format(msgspec.json.encode(found)))


@click.command()
@click.argument("project", required=False)
@json_option
@with_agent
def jobs(net: Client, project: str | None, as_json: bool) -> None:
    """List the jobs, of one PROJECT if given."""
    found: api.Jobs = net.call("jobs.list", project=project)
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
