"""The network, as this machine's agent sees it: who leads, who answers, through which ports, with which clocks.

What is decided here is pure, but for `tcp_answers`, which knocks at ports.
"""

import socket
from collections.abc import Callable, Iterator

from ....core.api.agents import Agents
from ....core.api.network import Link, Links, Status
from ....core.version import VERSION
from ...format import plain
from .finding import Finding, finding

SKEW_S = 2.0
"""Seconds by which clocks may differ: times in the history are those of the master."""

KNOCK_S = 1.0
"""Seconds for a port to answer."""

Knock = Callable[[str, int], bool]
"""Whether something answers at host and port."""


def network(status: Status, agents: Agents, links: Links, knock: Knock) -> Iterator[Finding]:
    """Look at the network."""
    yield finding("agent's version", status.version, status.version != VERSION, "orchestra down && orchestra up")
    yield from _quorum(status)
    for notice in status.notices:
        yield Finding("notice", ok=False, found=plain(notice), remedy="see above, or docs/operations.md")
    ready = [one.name for one in agents.agents if one.state == "ready"]
    yield finding(
        "workers",
        f"{len(ready)} of {len(agents.agents)} ready" + (f": {plain(', '.join(ready))}" if ready else ""),
        not ready,
        "orchestra agents shows why; orchestra enable NAME",
    )
    yield from _listening(links, knock)
    yield from _multicast(links)
    for link in links.links:
        yield from _other(link, knock)


def _quorum(status: Status) -> Iterator[Finding]:
    master = plain(status.master.name) if status.master else "nobody"
    yield finding(
        "quorum",
        f"{len(status.voters)} voter(s), {master} leads in term {status.term}",
        not status.quorum,
        "bring voters back (orchestra agents shows them); if they are gone for good: orchestra recover",
    )


def _listening(links: Links, knock: Knock) -> Iterator[Finding]:
    """Whether the agent's own ports answer at the addresses that it tells others."""
    yield Finding("listens at", ok=True, found=" ".join(links.addresses) or "nowhere yet")
    for address in links.addresses:
        host, _, control = address.rpartition(":")
        for name, port in {"control": int(control), **links.ports}.items():
            if port and not knock(host.strip("[]"), port):
                yield Finding(
                    "ports",
                    ok=False,
                    found=f"{name} port {port} does not answer at {host}",
                    remedy=f"let TCP port {port} pass in this machine's firewall, or choose another one: --listen",
                )


def _multicast(links: Links) -> Iterator[Finding]:
    if not links.announced:
        yield Finding("multicast", ok=True, found="off: others join by invitation, and find this agent by --peer")
        return
    near = {one.id for one in links.links if one.reachable}
    blind = not links.speaking or (near and not near.intersection(links.seen))
    seen = f"{len(links.seen)} agent(s) of this network seen"
    found = f"announced from {' '.join(links.speaking)}; {seen}" if links.speaking else "not possible"
    remedy = (
        "let UDP port 5353 pass in the firewalls, and multicast in the switch or Wi-Fi; or name agents with --peer "
        "HOST:PORT and switch it off with --no-mdns. Invitations work without it"
    )
    yield finding("multicast", found, blind, remedy)


def _other(link: Link, knock: Knock) -> Iterator[Finding]:
    """Another agent."""
    name, places = plain(link.name), " ".join(link.addresses) or "at no known address"
    if link.rejects:
        remedy = "to come back: orchestra down, then orchestra join --again TOKEN"
        yield Finding(name, ok=False, found="does not take this agent for a member any more", remedy=remedy)
        return
    if not link.reachable:
        remedy = f"is it up? Does its firewall let TCP pass ({places})? If it is gone for good: orchestra remove {name}"
        silent = "never heard of" if link.silence is None else f"silent for {link.silence:.0f} s"
        yield Finding(name, ok=False, found=f"{silent}, {places}", remedy=remedy)
        return
    trip = f"{link.round_trip * 1000:.1f} ms" if link.round_trip is not None else "?"
    yield Finding(name, ok=True, found=f"answers within {trip}, {places}")
    if link.version and link.version != VERSION:
        remedy = "run the same version everywhere: upgrade one agent after the other"
        yield Finding(f"{name}: version", ok=False, found=f"{link.version}, and {VERSION} here", remedy=remedy)
    if link.skew is not None and abs(link.skew) > SKEW_S:
        remedy = "have both clocks set by NTP (timedatectl set-ntp true)"
        yield Finding(f"{name}: clock", ok=False, found=f"{link.skew:+.1f} s from this one", remedy=remedy)
    hosts = [address.rpartition(":")[0].strip("[]") for address in link.addresses]
    for what, port in link.ports.items():
        if port and hosts and not any(knock(host, port) for host in hosts):
            remedy = f"let TCP port {port} pass in the firewall of {name}: logs and files come through the bulk port"
            yield Finding(f"{name}: {what} port", ok=False, found=f"{port} does not answer", remedy=remedy)


def tcp_answers(host: str, port: int) -> bool:
    """Whether somebody accepts a connection."""
    try:
        with socket.create_connection((host, port), KNOCK_S):
            return True
    except OSError:
        return False
