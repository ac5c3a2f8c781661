"""How agents look, with what they let builds have."""

from collections.abc import Iterable

import msgspec

from ..model import AgentRecord


class OfferView(msgspec.Struct, frozen=True):
    """What an agent lets builds have at the moment, and when."""

    slots: int  # builds at a time
    hours: list[str]  # when, by the agent's own clock; empty: always
    pause_when_used: bool  # takes no builds while somebody uses the machine
    idle: float  # seconds that nobody may have used it until it takes builds again
    pause_on_battery: bool  # takes no builds while it runs on its battery
    nice: bool  # builds give way to everything else on the machine
    changed: list[str]  # which of these, and cpus, people changed while it runs


class Amount(msgspec.Struct, frozen=True):
    """How much of something an agent has for builds."""

    total: float  # in all; of memory in bytes
    used: float  # taken by builds that are with it


class AgentView(msgspec.Struct, frozen=True):
    """An agent."""

    id: str  # fingerprint of its key
    name: str  # for people
    state: str  # ready, unreachable, disabled, leaving, draining or paused
    roles: list[str]  # master, voter, worker
    labels: dict[str, str]  # what `runs-on` is matched with
    slots: dict[str, int]  # {"total": n, "used": n}
    enabled: bool  # takes new builds
    draining: bool  # finishes what it has
    version: str  # of Job Orchestra
    addresses: list[str]  # where it listens
    paused: str = ""  # why it takes no builds at the moment, by its offer; empty: it does
    offer: OfferView | None = None  # what it lets builds have, and when
    resources: dict[str, Amount] = {}  # amounts that builds may take: cpus, memory, gpus, own names


def agent_view(  # noqa: PLR0913 - what is not in its record
    record: AgentRecord,
    *,
    reachable: bool,
    used: int,
    roles: Iterable[str],
    addresses: Iterable[str],
    resources: dict[str, Amount] | None = None,
) -> AgentView:
    """Return an agent; `used` counts the builds it holds at the moment, at most its slots."""
    state = "ready"
    if not reachable:
        state = "unreachable"
    elif not record.enabled:
        state = "disabled"
    elif record.leaving:
        state = "leaving"
    elif record.draining:
        state = "draining"
    elif record.paused:
        state = "paused"
    slots = record.offered_slots
    return AgentView(
        id=record.id,
        name=record.name,
        state=state,
        roles=list(roles),
        labels=record.labels,
        slots={"total": slots, "used": min(used, slots)},
        enabled=record.enabled,
        draining=record.draining,
        version=record.version,
        addresses=list(addresses),
        paused=record.paused,
        offer=_offer(record),
        resources=resources or {},
    )


def _offer(record: AgentRecord) -> OfferView:
    offer = record.offered
    return OfferView(
        slots=record.offered_slots,
        hours=list(offer.hours),
        pause_when_used=offer.pause_when_used,
        idle=offer.idle_s,
        pause_on_battery=offer.pause_on_battery,
        nice=offer.nice,
        changed=[name.removesuffix("_s") for name in record.asked.said()],
    )
