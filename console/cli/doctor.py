"""The command `doctor`: looks at this machine, its agent and the network, and says for each finding what helps."""

import time
from collections.abc import Iterator
from pathlib import Path

import click

from ...agent.client.blocking import connect
from ...agent.client.sockets import data_directory, socket_path
from ...core.errors import Exit, OrchestraError
from .checks import Finding, Findings, machine, network
from .checks.network import tcp_answers
from .output import show_json
from .session import data_option, json_option


@click.command()
@data_option
@json_option
def doctor(data: Path | None, as_json: bool) -> int:
    """Look for what is wrong on this machine and in its network, and say what helps. Exit code 1 if anything is."""
    findings = [*machine(data_directory(data)), *_agent(data)]
    if as_json:
        show_json(Findings(findings))
    else:
        for one in findings:
            mark = click.style("ok  ", fg="green") if one.ok else click.style("BAD ", fg="red")
            click.echo(f"{mark} {one.what}: {one.found}" + (f"\n     -> {one.remedy}" if one.remedy else ""))
    return int(Exit.OK if all(one.ok for one in findings) else Exit.FAILED)


def _agent(data: Path | None) -> Iterator[Finding]:
    try:
        with connect(data) as net:
            began = time.perf_counter()
            status = net.call("network.status")
            took = (time.perf_counter() - began) * 1000
            yield Finding("agent", ok=True, found=f"{status.agent.name} answers within {took:.1f} ms")
            yield from network(status, net.call("agents.list"), net.call("network.links"), tcp_answers)
    except OrchestraError as error:
        yield Finding("agent", ok=False, found=f"{socket_path(data)}: {error}", remedy="orchestra up")
