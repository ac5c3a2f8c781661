"""Who belongs to the network: what the ledger does with commands about agents, their sessions, and invitations.

Part of the ledger, and deterministic like it. Refuses to know who may ask for what, and how a key is proven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from . import attempting
from .changes import Changes, Outcome
from .errors import Conflict, NotAllowed, NotFound
from .model import Attempt, BuildState, Millis
from .offer import OfferChange, describe

if TYPE_CHECKING:
    from .commands import Admit, Expire, Invite, Join, Remove, SetAgent, SetOffer
    from .ledger import Ledger

INVITES = "invites"
"""Name of the meta row that holds the open invitations, as JSON."""

MAX_INVITES = 1_000
"""Invitations that may be open at a time."""


class Invited(msgspec.Struct, frozen=True, array_like=True):
    """What an invitation is good for."""

    expires: Millis  # from then on it is worth nothing
    votes: bool = True  # whether who joins with it may be made a voter
    used: str = ""  # agent id of who joined with it; only the same machine may do so again, if it missed the answer


def remembered(meta: dict[str, str]) -> dict[str, Invited]:
    """Return the invitations that a store remembers."""
    return msgspec.json.decode(meta[INVITES], type=dict[str, Invited]) if INVITES in meta else {}


def invite(ledger: Ledger, command: Invite, changes: Changes) -> Outcome:
    """Take note of a secret's digest; forget those that are over."""
    at = ledger.advance(command.at)
    ledger.invites = {digest: one for digest, one in ledger.invites.items() if one.expires > at}
    if len(ledger.invites) >= MAX_INVITES:
        error = Conflict(f"{MAX_INVITES} invitations are open; use them, or wait until some expire")
        return ledger.refused("network.invite", command.requester, "", error, changes)
    ledger.invites[command.digest] = Invited(command.expires, command.votes)
    _save(ledger, changes)
    outcome = f"an invitation for one agent{'' if command.votes else ', which will not vote'}"
    return Outcome(task=ledger.task("network.invite", command.requester, "", outcome, (), changes))


def admit(ledger: Ledger, command: Admit, changes: Changes) -> Outcome:
    """Make an agent a member, with a number of its own."""
    at = ledger.advance(command.at)
    record, votes = command.agent, command.agent.votes
    if command.invite:
        invited = ledger.invites.get(command.invite)
        why = worthless(invited, record.id, at)
        if invited is None or why:
            error = NotAllowed(f"the invitation {why}; ask for a new one: orchestra invite")
            return ledger.refused("network.join", command.requester, record.name, error, changes)
        ledger.invites[command.invite] = replace(invited, used=record.id)
        _save(ledger, changes)
        votes = votes and invited.votes
    number = command.member or ledger.counters.member + 1
    ledger.counters.member = max(ledger.counters.member, number)
    before = ledger.agents.get(record.id)
    if before is not None:
        record = replace(
            record,
            session=before.session,
            labels=before.labels,
            slots=before.slots,
            resources=before.resources,
            offer=before.offer,
            asked=before.asked,
            paused=before.paused,
            joined=before.joined,
        )
    record = replace(record, member=number, votes=votes, joined=record.joined or at, seen=at)
    ledger.agents[record.id] = changes.agents[record.id] = record
    changes.removed_agents.pop(record.id, None)
    outcome = f"{record.name} is a member"
    return Outcome(task=ledger.task("network.join", command.requester, record.id, outcome, (), changes))


def remove(ledger: Ledger, command: Remove, changes: Changes) -> Outcome:
    """Make an agent no member any more."""
    ledger.advance(command.at)
    record = ledger.agents.get(command.agent)
    if record is None:
        error = NotFound(f"no agent {command.agent} in this network; orchestra agents lists them")
        return ledger.refused(command.kind, command.requester, command.agent, error, changes)
    if len(ledger.agents) == 1:
        error = Conflict(f"{record.name} is the only agent; to end the network, stop it: orchestra down")
        return ledger.refused(command.kind, command.requester, command.agent, error, changes)
    lost = _lose(ledger, _held(ledger, record.id), f"{record.name} was removed from the network", changes)
    del ledger.agents[record.id]
    changes.agents.pop(record.id, None)
    changes.removed_agents[record.id] = record
    outcome = f"{record.name} is no member any more"
    return Outcome(lost, ledger.task(command.kind, command.requester, record.id, outcome, lost, changes))


def set_agent(ledger: Ledger, command: SetAgent, changes: Changes) -> Outcome:
    """Change what an agent may do."""
    at = ledger.advance(command.at)
    record = ledger.agents.get(command.agent)
    if record is None:
        error = NotFound(f"no agent {command.agent} in this network; orchestra agents lists them")
        return ledger.refused("agents.set", command.requester, command.agent, error, changes)
    if command.leaving and len(ledger.agents) == 1:
        error = Conflict(f"{record.name} is the only agent; to end the network, stop it: orchestra down")
        return ledger.refused("agents.set", command.requester, command.agent, error, changes)
    enabled = record.enabled if command.enabled is None else command.enabled
    draining = record.draining if command.draining is None else command.draining
    leaving = record.leaving if command.leaving is None else command.leaving
    note = command.note if command.enabled is not None else record.note
    changed = replace(record, enabled=enabled, draining=draining, leaving=leaving, note=note, seen=at)
    ledger.agents[record.id] = changes.agents[record.id] = changed
    states = [
        "enabled" if enabled else "disabled",
        *(["draining"] if draining else []),
        *(["leaving"] if leaving else []),
        *([note] if note else []),
    ]
    outcome = f"{record.name}: {', '.join(states)}"
    return Outcome(task=ledger.task("agents.set", command.requester, record.id, outcome, (), changes))


def set_offer(ledger: Ledger, command: SetOffer, changes: Changes) -> Outcome:
    """Change what a machine lets builds have."""
    at = ledger.advance(command.at)
    record = ledger.agents.get(command.agent)
    if record is None:
        error = NotFound(f"no agent {command.agent} in this network; orchestra agents lists them")
        return ledger.refused("agents.offer", command.requester, command.agent, error, changes)
    asked = (OfferChange() if command.reset else record.asked).merged(command.change)
    changed = replace(record, asked=asked, seen=at)
    ledger.agents[record.id] = changes.agents[record.id] = changed
    outcome = f"{record.name} offers {', '.join([f'{changed.offered_slots} slots', *describe(changed.offered)])}"
    return Outcome(task=ledger.task("agents.offer", command.requester, record.id, outcome, (), changes))


def join(ledger: Ledger, command: Join, changes: Changes) -> Outcome:
    """Add an agent's worker session or renew its record. A new session ends what the one before had."""
    at = ledger.advance(command.at)
    record = command.agent
    before = ledger.agents.get(record.id)
    if before is not None:
        record = replace(
            record,
            enabled=before.enabled,
            draining=before.draining,
            joined=before.joined,
            member=before.member,
            public=before.public or record.public,
            votes=before.votes and record.votes,
            leaving=before.leaving,
            note=before.note,
            asked=before.asked,
        )
    elif ledger.counters.member:
        return Outcome(changed=False)  # it was removed while this was on its way
    else:
        record = replace(record, joined=at)
    if before is None or replace(before, seen=0) != replace(record, seen=0):
        record = replace(record, seen=at)
        ledger.agents[record.id] = changes.agents[record.id] = record
    gone = [one for one in _held(ledger, record.id) if one.session != record.session]
    for attempt in gone:
        if command.begun is not None and attempt.state is BuildState.ASSIGNED and attempt.key not in command.begun:
            attempting.give_back(ledger, attempt, f"the executor on {record.name} died before it began", changes)
            continue
        attempting.lose(ledger, attempt, f"the executor on {record.name} died while it ran", changes)
    return Outcome(tuple(one.build for one in gone))


def expire(ledger: Ledger, command: Expire, changes: Changes) -> Outcome:
    """End the lease of a worker's session."""
    at = ledger.advance(command.at)
    record = ledger.agents.get(command.agent)
    if record is None or record.session != command.session:
        return Outcome(changed=False)
    # without a session nothing is assigned to it; when it is back it joins again, and what it reports is history
    record = replace(record, session="", seen=at)
    ledger.agents[record.id] = changes.agents[record.id] = record
    return Outcome(_lose(ledger, _held(ledger, record.id), f"contact with {record.name} was lost", changes))


def worthless(invited: Invited | None, agent: str, at: Millis) -> str:
    """Return why an invitation does not let an agent in at a time, as the end of a sentence; empty: it does."""
    if invited is None:
        return "is not known: it has expired, or was made elsewhere"
    if invited.expires <= at:
        return "has expired"
    return "was used already" if invited.used not in {"", agent} else ""


def _held(ledger: Ledger, agent: str) -> list[Attempt]:
    return [one for one in ledger.attempts.values() if one.agent == agent]


def _lose(ledger: Ledger, attempts: list[Attempt], reason: str, changes: Changes) -> tuple[str, ...]:
    for attempt in attempts:
        attempting.lose(ledger, attempt, reason, changes)
    return tuple(one.build for one in attempts)


def _save(ledger: Ledger, changes: Changes) -> None:
    changes.meta[INVITES] = msgspec.json.encode(ledger.invites).decode()
