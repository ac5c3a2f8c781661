"""Made-up mDNS records, thousands of them: `python -m tests.kit.flooder ADDRESS COUNT KIND`.

Sends from ADDRESS to the multicast group as fast as it can: services of agents that do not exist. KIND is `agents`
(right in form, of the network that `announced` has), `strangers` (of other networks), `liars` (ids that are not their
keys'), `pointers` (names without records behind them), `garbage` (bytes).
"""

import secrets
import socket
import sys
from dataclasses import dataclass

import msgspec
from zeroconf import DNSOutgoing, ServiceInfo  # pyright: ignore[reportPrivateImportUsage] - documented

from job_orchestra.agent.announcement import to_texts
from job_orchestra.agent.responder import SERVICE
from tests.kit.announcements import announced

_GROUP = ("224.0.0.251", 5353)
_RESPONSE = 0x8400  # an answer, and an authoritative one


@dataclass
class Made:
    """One made-up service."""

    name: str
    texts: dict[str, str]
    address: str = "192.0.2.200"
    port: int = 7711


def packet(service: Made, *, whole: bool = True) -> bytes:
    """Return the packet that announces it; without its records where it is not `whole`."""
    info = ServiceInfo(
        SERVICE,
        f"{service.name}.{SERVICE}",
        port=service.port,
        properties=service.texts,
        server=f"{service.name}.local.",
        parsed_addresses=[service.address],
    )
    out = DNSOutgoing(_RESPONSE)
    out.add_answer_at_time(info.dns_pointer(), 0)
    if whole:
        for record in (info.dns_service(), info.dns_text(), *info.dns_addresses()):
            out.add_answer_at_time(record, 0)
    (data,) = out.packets()
    return data


def made_up(kind: str) -> bytes:
    """Return a packet of this kind."""
    if kind == "garbage":
        return secrets.token_bytes(secrets.randbelow(1_200))
    told = announced(None, **({} if kind == "agents" else {"network": secrets.token_hex(8)}))
    if kind == "liars":
        facts = msgspec.structs.asdict(told) | {"id": secrets.token_hex(8)}
        return packet(Made(str(facts["id"]), {key: str(value) for key, value in facts.items()}))
    return packet(Made(told.id, to_texts(told)), whole=kind != "pointers")


def flood(address: str, count: int, kind: str) -> None:
    """Send `count` packets."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        for _ in range(count):
            sending.sendto(made_up(kind), _GROUP)


if __name__ == "__main__":
    flood(sys.argv[1], int(sys.argv[2]), sys.argv[3])
