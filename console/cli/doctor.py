"""The command `doctor`: looks at this machine and its agent, and says for each finding what helps."""

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from ...agent.client import Client, connect, data_directory, socket_path
from ...core.errors import Exit, OrchestraError
from ...core.version import VERSION
from ..format import size
from .output import show_json
from .session import data_option, json_option

_WRITTEN = 2026  # a clock that shows an earlier year is wrong
_LITTLE = 1 << 30  # free disk space below which a build may well fail


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    what: str  # what was looked at
    ok: bool  # whether it is as it should be
    found: str  # what was found
    remedy: str = ""  # what helps, where it is not


class Findings(msgspec.Struct, frozen=True):
    """All that was looked at."""

    findings: list[Finding]  # in the order of looking


@click.command()
@data_option
@json_option
def doctor(data: Path | None, as_json: bool) -> int:
    """Look for what is wrong on this machine, and say what helps. Exit code 1 if anything is."""
    folder = data_directory(data)
    findings = [*_machine(folder), *_agent(data)]
    if as_json:
        show_json(Findings(findings))
    else:
        for one in findings:
            mark = click.style("ok  ", fg="green") if one.ok else click.style("BAD ", fg="red")
            click.echo(f"{mark} {one.what}: {one.found}" + (f"\n     -> {one.remedy}" if one.remedy else ""))
    return int(Exit.OK if all(one.ok for one in findings) else Exit.FAILED)


def _machine(folder: Path) -> Iterator[Finding]:
    yield Finding("version", ok=True, found=f"Job Orchestra {VERSION}, Python {sys.version.split()[0]}")
    if not folder.exists():
        yield Finding("data directory", ok=False, found=f"{folder} does not exist", remedy="orchestra up")
        return
    mode = folder.stat().st_mode & 0o777
    private = not mode & 0o077
    yield Finding(
        "data directory", ok=private, found=f"{folder}, mode {mode:o}", remedy="" if private else f"chmod 700 {folder}"
    )
    free = shutil.disk_usage(folder).free
    remedy = "" if free >= _LITTLE else "free some space, or move the data directory (--data) to a larger disk"
    yield Finding("disk", ok=free >= _LITTLE, found=f"{size(free)} free", remedy=remedy)
    git = shutil.which("git")
    yield Finding(
        "git",
        ok=git is not None,
        found=git or "not on the PATH",
        remedy="" if git else "install git: run ships less with it",
    )
    year = time.gmtime().tm_year
    yield Finding(
        "clock",
        ok=year >= _WRITTEN,
        found=time.strftime("%F %T UTC", time.gmtime()),
        remedy="" if year >= _WRITTEN else "set the clock",
    )


def _agent(data: Path | None) -> Iterator[Finding]:
    try:
        with connect(data) as net:
            began = time.perf_counter()
            status = net.call("network.status")
            took = (time.perf_counter() - began) * 1000
            yield Finding("agent", ok=True, found=f"{status.agent.name} answers within {took:.1f} ms")
            yield from _network(net, status)
    except OrchestraError as error:
        yield Finding("agent", ok=False, found=f"{socket_path(data)}: {error}", remedy="orchestra up")


def _network(net: Client, status: object) -> Iterator[Finding]:
    found = msgspec.to_builtins(status)
    same = found["version"] == VERSION
    yield Finding(
        "agent's version",
        ok=same,
        found=found["version"],
        remedy="" if same else "orchestra down && orchestra up: restart it",
    )
    yield Finding("quorum", ok=found["quorum"], found=f"{len(found['voters'])} voter(s), term {found['term']}")
    for notice in found["notices"]:
        yield Finding("notice", ok=False, found=notice)
    agents = net.call("agents.list").agents
    willing = [one.name for one in agents if one.state == "ready"]
    yield Finding(
        "workers",
        ok=bool(willing),
        found=f"{len(willing)} of {len(agents)} ready" + (f": {', '.join(willing)}" if willing else ""),
        remedy="" if willing else "orchestra agents shows why; orchestra enable NAME",
    )
