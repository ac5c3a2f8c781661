"""Which network interfaces an agent speaks on, and at which addresses others reach it.

By default those that lead to other machines: up, not loopback, not the switches and cables that containers and virtual
machines hang on, and no tunnels. A person who names an interface gets it, whatever it is. Link-local IPv6 addresses are
left out: they mean nothing without the interface's number, which differs from machine to machine.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import psutil

from ..core.errors import InvalidInput

_PASSED_OVER = {
    "docker": "Docker's bridge; behind it are containers of this machine",
    "br-": "the bridge of a Docker network",
    "podman": "Podman's bridge",
    "cni": "the bridge of Kubernetes pods or Podman containers",
    "flannel": "the tunnel between Kubernetes nodes",
    "cali": "a cable into a Kubernetes pod",
    "cilium": "the switch of Kubernetes pods",
    "lxc": "the bridge of LXC containers, or a cable into one",
    "lxdbr": "the bridge of LXD containers",
    "veth": "a cable into a container",
    "virbr": "libvirt's bridge; behind it are virtual machines of this machine",
    "vnet": "a cable into a virtual machine",
    "vboxnet": "VirtualBox's bridge",
    "vmnet": "VMware's bridge",
    "bridge": "macOS's bridge for virtual machines and shared connections",
    "tun": "a tunnel, as VPNs make them",
    "utun": "a tunnel, as macOS makes them",
    "tap": "the end of a virtual cable, as VPNs and virtual machines make them",
    "wg": "a WireGuard tunnel",
    "awdl": "Apple's link between devices",
    "llw": "Apple's link between devices",
    "dummy": "an interface without a cable",
}
"""Names that begin so are no way to other machines, and why. A bridge that a person made (br0) is one."""


@dataclass(frozen=True)
class Interface:
    """One network interface, as far as it concerns an agent."""

    name: str  # as the system calls it
    addresses: tuple[str, ...]  # IPv4 first; IPv6 without link-local
    networks: tuple[IPv4Network | IPv6Network, ...]  # that are reached through it directly
    up: bool = True
    loopback: bool = False  # leads back to this machine
    direct: bool = False  # has one other end, as tunnels have


def chosen(names: tuple[str, ...] = ()) -> list[Interface]:
    """Return the interfaces to speak on that are up and have an address: those named, else those that lead out.

    Raises InvalidInput for a name that does not exist. One system call per look, some tenths of a millisecond.
    """
    return choose(present(), names)


def advertised(host: str, names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the addresses at which others reach an agent that listens on `host`.

    For 0.0.0.0 those (IPv4) of the chosen interfaces, for :: all of them; those of loopback where there are no others.
    A concrete host is returned as it is. Raises InvalidInput like `chosen`.
    """
    return advertise(present(), host, names)


def present() -> list[Interface]:
    """Return all interfaces of this machine, by name."""
    states = psutil.net_if_stats()
    found: list[Interface] = []
    for name, entries in sorted(psutil.net_if_addrs().items()):
        state = states.get(name)
        flags = state.flags.split(",") if state else []
        pairs = [(one.address.split("%", 1)[0], one.netmask) for one in entries if one.family in _FAMILIES]
        kept = sorted((pair for pair in pairs if not _is_scoped(ip_address(pair[0]))), key=lambda pair: ":" in pair[0])
        interface = Interface(
            name,
            tuple(address for address, _ in kept),
            tuple(network for pair in kept for network in _network(*pair)),
            up=bool(state and state.isup),
            loopback="loopback" in flags or name == "lo",
            direct="pointopoint" in flags,
        )
        found.append(interface)
    return found


def choose(interfaces: Iterable[Interface], names: tuple[str, ...]) -> list[Interface]:
    """Choose among these interfaces, as `chosen` does. Pure."""
    interfaces = list(interfaces)
    unknown = set(names).difference(one.name for one in interfaces)
    if unknown:
        listed = ", ".join(one.name for one in interfaces) or "none"
        message = f"no interface {min(unknown)!r}; this machine has: {listed}"
        raise InvalidInput(message)
    wanted = [one for one in interfaces if (one.name in names if names else not passed_over(one))]
    return [one for one in wanted if one.up and one.addresses]


def passed_over(interface: Interface) -> str:
    """Return why an interface is left out unless it is named; empty where it is not. Pure."""
    if interface.loopback:
        return "loopback; it leads back to this machine"
    for beginning, what in _PASSED_OVER.items():
        if interface.name.startswith(beginning):
            return what
    return "a tunnel with one other end" if interface.direct else ""


def advertise(interfaces: Iterable[Interface], host: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Say where an agent with these interfaces is reached, as `advertised` does. Pure."""
    if host not in _ANY:
        return (host,)
    interfaces = list(interfaces)
    loopback = [one for one in interfaces if one.loopback and one.up]
    for group in (choose(interfaces, names), loopback):
        addresses = [address for one in group for address in one.addresses if host != _ANY_IPV4 or ":" not in address]
        if addresses:
            return tuple(sorted(addresses, key=lambda address: ":" in address))
    return ("127.0.0.1",)


def promising(addresses: Iterable[str], interfaces: Iterable[Interface]) -> str:
    """Return the address of a neighbour to try first, empty where none is worth it. Pure.

    One in a network that these interfaces are in, else a private one: who made up the others could otherwise have all
    agents knock at anybody's door on the internet.
    """
    networks = [network for one in interfaces for network in one.networks]
    usable = [one for one in map(ip_address, addresses) if not (one.is_multicast or one.is_unspecified)]
    usable = [one for one in usable if not _is_scoped(one)]
    near = [one for one in usable if any(one in network for network in networks)]
    private = [one for one in usable if one.is_private and not (one.is_loopback or one.is_reserved)]
    return str((near + private)[0]) if near or private else ""


_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_ANY_IPV4 = "0.0.0.0"  # noqa: S104 - compared with, not bound to
_ANY = (_ANY_IPV4, "::")


def _is_scoped(address: IPv4Address | IPv6Address) -> bool:
    return isinstance(address, IPv6Address) and address.is_link_local


def _network(address: str, mask: str | None) -> list[IPv4Network | IPv6Network]:
    """Return the network that an address lies in; none where the system does not tell its mask."""
    if not mask:
        return []
    if ":" in mask:
        mask = str(int(ip_address(mask)).bit_count())
    return [ip_network(f"{address}/{mask}", strict=False)]
